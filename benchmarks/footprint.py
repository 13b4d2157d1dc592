"""How soon the served demo answers and how much memory it holds after 10,000 predictions.

The peer in the same run is the bare server: the same Granian with a WSGI function that answers "ok", so the
ratio says what the product adds. Memory is the proportional set size summed over the process tree.
"""

from __future__ import annotations

import argparse
import http.client
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from benchmarks.common import Bar, report
from tests.live import ROW, LiveSite, answers, free_port

FORBIDDEN = frozenset({"pandas", "sklearn", "polars", "dask", "distributed"})
PAGES = (
    "/",
    "/endpoints/raisin/?period=30d",
    "/endpoints/raisin/versions/2/",
    "/endpoints/raisin/versions/3/review/?to=production",
    "/endpoints/raisin/predictions/",
    "/endpoints/raisin/try/",
    "/runs/",
    "/account/",
    "/admin/",
    "/admin/endpoints/algorithmversion/",
)
MIB = 1024 * 1024


def process_tree(pid: int) -> list[int]:
    """Return the process and all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(below for child in children for below in process_tree(int(child)))]


def proportional_memory(pid: int) -> int:
    """Return the bytes of PSS summed over the tree: shared pages are divided among their sharers."""
    total = 0
    for member in process_tree(pid):
        rollup = Path(f"/proc/{member}/smaps_rollup").read_text()
        total += int(re.search(r"^Pss:\s+(\d+) kB", rollup, re.M).group(1)) * 1024  # type: ignore[union-attr]
    return total


def loaded_modules(pid: int) -> set[str]:
    """Return the top-level packages whose compiled parts are mapped into the tree."""
    found = set()
    for member in process_tree(pid):
        maps = Path(f"/proc/{member}/maps").read_text()
        found |= set(re.findall(r"site-packages/([A-Za-z_]+)/", maps))
    return found


def first_prediction(site: LiveSite) -> float:
    """Start the server and return the seconds until it has answered a prediction."""
    started = time.monotonic()
    site.start()
    status, _ = site.post("/api/v1/raisin/predict", ROW)
    assert status == 200
    return time.monotonic() - started


def predict_many(site: LiveSite, count: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)
    body = json.dumps(ROW)
    for _ in range(count):
        connection.request("POST", "/api/v1/raisin/predict", body)
        response = connection.getresponse()
        assert response.status == 200
        response.read()
    connection.close()


def browse(site: LiveSite) -> None:
    """Open pages of every kind, as a person who logged in: templates and forms stay in memory."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    for address in (site.login_link(), *(site.url + path for path in PAGES)):
        with browser.open(address, timeout=20) as response:
            response.read()


def bare_server() -> int:
    """Return the memory of the server alone."""
    port = free_port()
    code = (
        "def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'ok']\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "bare.py").write_text(code)
        flags = f"--interface wsgi --no-ws --blocking-threads 4 --port {port} bare:app"
        command = [sys.executable, "-m", "granian", *flags.split()]
        process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            while not answers(f"http://127.0.0.1:{port}/"):
                time.sleep(0.05)
            return proportional_memory(process.pid)
        finally:
            process.terminate()
            process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    count, starts = (1_000, 3) if options.quick else (10_000, 7)
    with tempfile.TemporaryDirectory() as folder:
        site = LiveSite(Path(folder), free_port())
        site.demo = site.manage_json("demo")
        seconds = []
        for _ in range(starts):
            site.stop()
            seconds.append(first_prediction(site))
        assert site.process is not None
        at_start = proportional_memory(site.process.pid)
        predict_many(site, count)
        after = proportional_memory(site.process.pid)
        browse(site)
        after_pages = proportional_memory(site.process.pid)
        heavy = sorted(loaded_modules(site.process.pid) & FORBIDDEN)
        site.stop()
    bare = bare_server()
    first = statistics.median(seconds)
    report(
        {
            "first_prediction_seconds": {"median": first, "all": seconds},
            "memory_mib": {
                "start": at_start / MIB,
                "after": after / MIB,
                "after_pages": after_pages / MIB,
                "bare_server": bare / MIB,
            },
            "ratio_to_bare_server": after / bare,
            "predictions": count,
            "heavy_modules": heavy,
        },
        bars=[
            Bar("first prediction seconds", first, 2.0, first <= 2.0),
            Bar("memory MiB", after / MIB, 128.0, after / MIB < 128.0),
            Bar("memory MiB after pages", after_pages / MIB, 128.0, after_pages / MIB < 128.0),
            Bar("heavy modules", len(heavy), 0, not heavy),
        ],
    )


if __name__ == "__main__":
    main()
