"""How long the page and the interface of an A/B test take with a million logged requests.

A quarter of them is labelled, and units come again. On SQLite, and on PostgreSQL where a server answers; CPU is
that of the server's processes, without the database's own.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.common import Bar, at_most, report
from benchmarks.footprint import process_tree
from benchmarks.log_growth import POSTGRES_URL, Grown, log_in
from tests import postgres
from tests.live import LiveSite, free_port

ROWS, QUICK_ROWS = 1_000_000, 50_000
LIMIT_MS = 50.0
WARM_UP = 3
ADDRESSES = {
    "page": "/tests/{pk}/",
    "page of all tests": "/endpoints/raisin/tests/",
    "page to stop it": "/tests/{pk}/stop/",
    "api": "/api/v1/abtests/{pk}",
    "api of all tests": "/api/v1/abtests",
    "export": "/api/v1/abtests/{pk}/export",
}


def grown(folder: Path, rows: int, database_url: str, stack: ExitStack) -> Grown:
    """A running site with a running test of so many requests."""
    site = LiveSite(folder, free_port(), database_url=database_url)
    stack.callback(site.stop)
    site.manage_json("demo")
    print(f"Filling up to {rows} requests", file=sys.stderr)
    code = f"from benchmarks.abtest_filling import fill; fill({rows})"
    done = site.manage("shell", "--no-imports", "-c", code)
    assert done.returncode == 0, done.stderr
    site.start("--skip-prepare")
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=300)
    return Grown(site, json.loads(done.stdout), log_in(site), connection)


def measure(large: Grown, repeats: int) -> dict[str, Any]:
    """Wall and CPU milliseconds of each address, all in turn; the first few do not count."""
    assert large.site.process is not None
    pid = large.site.process.pid
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ADDRESSES}
    for _ in range(WARM_UP + repeats):
        for name, address in ADDRESSES.items():
            before = cpu_ms(pid)
            wall = large.milliseconds(address)
            taken[name].append((wall, cpu_ms(pid) - before))
    return {name: presented(pairs[WARM_UP:]) for name, pairs in taken.items()}


def cpu_ms(pid: int) -> float:
    """CPU time of all threads of the server so far; /proc/PID/stat counts in hundredths of a second."""
    found = 0
    for member in process_tree(pid):
        for task in Path(f"/proc/{member}/task").iterdir():
            found += int((task / "schedstat").read_text().split()[0])
    return found / 1e6


def presented(pairs: Sequence[tuple[float, float]]) -> dict[str, dict[str, float]]:
    wall, cpu = zip(*pairs, strict=True)
    return {"wall_ms": spread(wall), "cpu_ms": spread(cpu)}


def spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "p95": statistics.quantiles(values, n=20)[-1]}


def on_database(name: str, *, rows: int, repeats: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        url = ""
        if name == "postgresql":
            url = stack.enter_context(postgres.fresh_database(POSTGRES_URL))
        return measure(grown(Path(folder), rows, url, stack), repeats)


def bars(found: dict[str, dict[str, Any]], databases: Sequence[str]) -> list[Bar]:
    """By the slowest in twenty."""
    return [
        at_most(f"{address} ms {name}", found[name][address]["wall_ms"]["p95"], LIMIT_MS)
        for name in databases
        for address in ("page", "api")
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object (always done)")
    parser.add_argument(
        "--quick", action="store_true", help=f"{QUICK_ROWS} requests, fewer repeats"
    )
    parser.add_argument("--rows", type=int, help="requests in the log")
    options = parser.parse_args()
    rows, repeats = (QUICK_ROWS, 21) if options.quick else (ROWS, 101)
    rows, load = options.rows or rows, [os.getloadavg()[0]]
    databases = ["sqlite", *(["postgresql"] if postgres.answers(POSTGRES_URL) else [])]
    found = {name: on_database(name, rows=rows, repeats=repeats) for name in databases}
    load.append(os.getloadavg()[0])
    report(
        {"rows": rows, "databases": found, "load_before_and_after": load},
        bars=bars(found, databases),
    )


if __name__ == "__main__":
    main()
