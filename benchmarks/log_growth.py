"""How much slower pages and the interface become when the log grows from 10,000 requests to 5,000,000.

On SQLite, and on PostgreSQL where a server answers. Both sites of a database run at the same time and are
asked in turn, so that a change of the machine hits both; the days that the log spans are the same.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmarks.common import Bar, at_most, report, summary
from tests import postgres
from tests.live import LiveSite, free_port

SMALL, LARGE, QUICK_LARGE = 10_000, 5_000_000, 200_000
LIMIT = 1.5
POSTGRES_URL = os.environ.get("POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres")
LOG = "/endpoints/raisin/predictions/"
PAGES = (
    "/",
    "/endpoints/raisin/?period=24h",
    "/endpoints/raisin/?period=30d",
    "/endpoints/raisin/versions/2/",
    "/endpoints/raisin/versions/3/review/?to=production",
    LOG,
    f"{LOG}?labelled=true",
    f"{LOG}?labelled=false",
    f"{LOG}?version=2",
    f"{LOG}?probability_min=0.9",
    f"{LOG}?until={{moment}}",
    f"{LOG}?source=try",  # nothing matches
    f"{LOG}?older={{id}}",
    f"{LOG}{{id}}/",
    "/admin/endpoints/predictionrequest/",
    "/admin/endpoints/feedback/",
    "/api/v1/endpoints/raisin",
    "/api/v1/mlrequests",
    "/api/v1/mlrequests/{id}",
)


class Failed(Exception):
    """A page that did not answer with 200."""


@dataclass
class Grown:
    """A running site with a log of some size, and a person who is logged in to it."""

    site: LiveSite
    middle: dict[str, str]
    cookies: str
    connection: http.client.HTTPConnection

    def milliseconds(self, page: str) -> float:
        """Open a page, whose address may name the request in the middle; raises Failed."""
        address = page.format(**{name: quote(value) for name, value in self.middle.items()})
        started = time.perf_counter()
        self.connection.request("GET", address, headers={"Cookie": self.cookies})
        response = self.connection.getresponse()
        body = response.read()
        taken = time.perf_counter() - started
        if response.status != 200:
            raise Failed(f"{response.status} {body[:300].decode(errors='replace')}")
        return 1e3 * taken


def grown(folder: Path, rows: int, database_url: str, stack: ExitStack) -> Grown:
    folder.mkdir()
    site = LiveSite(folder, free_port(), database_url=database_url)
    stack.callback(site.stop)
    site.manage_json("demo")
    print(f"Filling {folder.name} up to {rows} requests", file=sys.stderr)
    code = f"from benchmarks.log_filling import fill; fill({rows})"
    done = site.manage("shell", "--no-imports", "-c", code)
    assert done.returncode == 0, done.stderr
    site.start()
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=300)
    return Grown(site, json.loads(done.stdout), log_in(site), connection)


def log_in(site: LiveSite) -> str:
    jar = CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    browser.open(site.login_link(), timeout=20).close()
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)


def compare(small: Grown, large: Grown, *, repeats: int) -> dict[str, Any]:
    """Milliseconds of each page at both sizes; a page that fails has its error in their place."""
    pages: dict[str, Any] = {}
    for page in PAGES:
        try:
            pages[page] = compare_page(page, small, large, repeats)
        except Failed as error:
            pages[page] = {"failed": str(error)}
    return pages


def compare_page(page: str, small: Grown, large: Grown, repeats: int) -> dict[str, Any]:
    """In turn; the first time reads templates and pages of the database, and does not count."""
    for site in (small, large):
        site.milliseconds(page)
    pairs = [(small.milliseconds(page), large.milliseconds(page)) for _ in range(repeats)]
    of_small, of_large = (summary(times) for times in zip(*pairs, strict=True))
    ratio = statistics.median(taken / beside for beside, taken in pairs)
    return {"small_ms": of_small, "large_ms": of_large, "ratio": ratio}


def on_database(name: str, *, rows: int, repeats: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        sites = []
        for size, count in (("small", SMALL), ("large", rows)):
            url = ""
            if name == "postgresql":
                url = stack.enter_context(postgres.fresh_database(POSTGRES_URL))
            sites.append(grown(Path(folder) / size, count, url, stack))
        return compare(*sites, repeats=repeats)


def bars(found: dict[str, dict[str, Any]], databases: Sequence[str]) -> list[Bar]:
    return [
        at_most(f"{name} {page}", found.get(name, {}).get(page, {}).get("ratio"), LIMIT)
        for name in databases
        for page in PAGES
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object (always done)")
    parser.add_argument("--quick", action="store_true", help="200,000 requests, fewer repeats")
    parser.add_argument("--rows", type=int, help="the larger log")
    options = parser.parse_args()
    rows, repeats = (QUICK_LARGE, 7) if options.quick else (LARGE, 21)
    rows = options.rows or rows
    databases = ["sqlite", *(["postgresql"] if postgres.answers(POSTGRES_URL) else [])]
    found = {name: on_database(name, rows=rows, repeats=repeats) for name in databases}
    report(
        {"rows": {"small": SMALL, "large": rows}, "pages": found},
        bars=bars(found, databases),
    )


if __name__ == "__main__":
    main()
