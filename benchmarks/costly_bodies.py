"""How much processor time the served demo gives to one hostile body, for bodies made to cost as much as they can.

Each is sent alone, again and again; what it cost is the time that the server's threads ran meanwhile.
"""

from __future__ import annotations

import argparse
import http.client
import statistics
import tempfile
from pathlib import Path

from benchmarks.common import at_most, report
from benchmarks.footprint import process_tree
from benchmarks.memory_storm import Asked, kinds
from tests.live import LiveSite, free_port

LIMIT_MS = 50.0
ANSWERED = 200


def running_ms(pid: int) -> float:
    """The time that all threads of a process tree have run, to the microsecond."""
    threads = (
        task for member in process_tree(pid) for task in Path(f"/proc/{member}/task").iterdir()
    )
    return sum(int((task / "schedstat").read_text().split()[0]) for task in threads) / 1e6


def cost(site: LiveSite, asked: Asked) -> tuple[int, float]:
    """Send a body; return the status and what it cost in milliseconds."""
    assert site.process is not None
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=60)
    before = running_ms(site.process.pid)
    connection.request("POST", *asked)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status, running_ms(site.process.pid) - before


def costs(site: LiveSite, asked: Asked, repeats: int) -> dict[str, object]:
    cost(site, asked)  # whatever is loaded or compiled once
    found = [cost(site, asked) for _ in range(repeats)]
    spent = sorted(milliseconds for _, milliseconds in found)
    return {
        "path": asked.path,
        "begins": asked.body[:24].decode("latin-1"),
        "bytes": len(asked.body),
        "statuses": sorted({status for status, _ in found}),
        "median_ms": statistics.median(spent),
        "most_ms": spent[-1],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    repeats = 5 if parser.parse_args().quick else 41
    with tempfile.TemporaryDirectory() as folder:
        site = LiveSite(Path(folder), free_port())
        site.manage_json("demo")
        site.start()
        try:
            bodies = [costs(site, asked, repeats) for asked in kinds()]
        finally:
            site.stop()
    refused = [body for body in bodies if ANSWERED not in body["statuses"]]  # type: ignore[operator]
    costliest = max(float(body["median_ms"]) for body in refused)  # type: ignore[arg-type]
    report(
        {"bodies": bodies}, bars=[at_most("costliest refused body, ms of CPU", costliest, LIMIT_MS)]
    )


if __name__ == "__main__":
    main()
