"""What a batch on the same machine does to those who ask for predictions: p99 with a worker scoring, to p99 without.

One server and one worker, as `serve --with-worker` starts them; the worker is halted and let go in turn.
"""

from __future__ import annotations

import argparse
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from benchmarks.common import at_most, report, summary
from benchmarks.loadgen import Load, LoadGenerator, Timing, request_bytes
from benchmarks.serving_cases import grains
from tests.live import ROOT, ROW, LiveSite, free_port

CONNECTIONS = 16
LIMIT = 1.5
PATIENCE = 60.0
ATTEMPTS = 100
BEGIN = """
from datetime import datetime, UTC
from pathlib import Path
from django.conf import settings
from endpoints.models import Endpoint
from endpoints.services.access import Caller
from endpoints.services.batches.receiving import Options, receive
receive(
    Path(settings.RAISIN_HOME) / "grains.csv",
    name="grains.csv",
    endpoint=Endpoint.objects.get(slug="raisin"),
    version=None,
    options=Options(starts_itself=True),
    actor=Caller(system="benchmark"),
    now=datetime.now(UTC),
)
"""


def write_rows(path: Path, count: int) -> None:
    lines = [",".join(map(str, row)) for row in grains(1_000)]
    thousand = "\n".join(lines) + "\n"
    with path.open("w") as file:
        file.write(",".join(ROW) + "\n")
        for _ in range(count // 1_000):
            file.write(thousand)


@contextmanager
def worker(site: LiveSite) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "manage.py", "work"],
        cwd=ROOT,
        env=site.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_until_it_scores(site: LiveSite) -> int:
    """Return how many rows are done, once the worker is at them."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for job in site.query("SELECT state, rows_done FROM endpoints_batchjob"):
            assert job["state"] not in ("failed", "needs_attention"), job
            if job["state"] == "scoring" and job["rows_done"]:
                return int(job["rows_done"])
        time.sleep(0.1)
    raise AssertionError("the batch does not begin")


def halt(site: LiveSite, process: subprocess.Popen[bytes]) -> None:
    """Stop the worker between two transactions: in one it would keep the server from writing all the while."""
    for _ in range(ATTEMPTS):
        process.send_signal(signal.SIGSTOP)
        while not is_halted(process.pid):
            time.sleep(0.001)
        if can_be_written(site):
            return
        process.send_signal(signal.SIGCONT)
        time.sleep(0.05)
    raise AssertionError("the worker writes all the time")


def is_halted(pid: int) -> bool:
    """Each thread stops by itself, some time after the signal."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return all(task.joinpath("stat").read_text().rpartition(") ")[2][0] == "T" for task in tasks)


def can_be_written(site: LiveSite) -> bool:
    try:
        for file in ("raisin.sqlite3", "raisin-log.sqlite3"):
            with closing(sqlite3.connect(site.home / file, timeout=0.2)) as connection:
                connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return False
    return True


def measure(site: LiveSite, rounds: int, seconds: float) -> tuple[list[Timing], list[Timing], int]:
    request = request_bytes("/api/v1/raisin/predict", _body())
    load = Load(site.port, request, CONNECTIONS, seconds)
    alone, beside = [], []
    with LoadGenerator() as generator, worker(site) as process:
        generator.run(load)
        before = wait_until_it_scores(site)
        for _ in range(rounds):
            halt(site, process)
            alone.append(generator.run(load))
            process.send_signal(signal.SIGCONT)
            beside.append(generator.run(load))
        scored = wait_until_it_scores(site) - before
    return alone, beside, scored


def _body() -> bytes:
    pairs = (f'"{name}": {value}' for name, value in ROW.items())
    return f"{{{', '.join(pairs)}}}".encode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    rounds, seconds = (3, 1.0) if parser.parse_args().quick else (7, 3.0)
    with tempfile.TemporaryDirectory() as folder:
        site = LiveSite(Path(folder), free_port())
        site.manage_json("demo")
        write_rows(site.home / "grains.csv", 15_000_000 if seconds > 1 else 5_000_000)
        done = site.manage("shell", "-c", BEGIN)
        assert done.returncode == 0, done.stderr
        site.start()
        try:
            alone, beside, scored = measure(site, rounds, seconds)
        finally:
            site.stop()
    ratio = statistics.median(
        after.p99_ms / before.p99_ms for before, after in zip(alone, beside, strict=True)
    )
    timings = {"alone": alone, "beside a batch": beside}
    report(
        {
            "connections": CONNECTIONS,
            "p99_ms": {name: summary([t.p99_ms for t in of]) for name, of in timings.items()},
            "requests_per_second": {
                name: summary([t.requests / t.seconds for t in of]) for name, of in timings.items()
            },
            "rows_scored_beside": scored,
        },
        bars=[at_most("p99 ratio beside a batch", ratio, LIMIT)],
    )


if __name__ == "__main__":
    main()
