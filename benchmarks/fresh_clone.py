"""How long `make demo` takes from a fresh clone, with a warm package cache, to the first prediction.

There is no peer: an equal start with a tracker, a model server and a monitor is a day's work.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.common import Bar, report
from benchmarks.footprint import ROW
from tests.live import LiveSite, free_port

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 120.0


def seconds_to_first_prediction(folder: Path) -> float:
    """Clone, run `make demo` as a newcomer would, and stop once a prediction came."""
    clone = folder / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    site = LiveSite(clone / "var", free_port())
    environment = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("RAISIN_", "DATABASE_"))
    }
    started = time.monotonic()
    with (folder / "log").open("wb") as log:
        demo = subprocess.Popen(
            ["make", "demo", f"PORT={site.port}"],
            cwd=clone,
            env=environment | {"RAISIN_CSV": os.environ.get("RAISIN_CSV", "")},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        return wait_for_prediction(site, demo, started, folder / "log")
    finally:
        os.killpg(demo.pid, signal.SIGTERM)
        demo.wait()


def wait_for_prediction(
    site: LiveSite, demo: subprocess.Popen[bytes], started: float, log: Path
) -> float:
    while time.monotonic() - started < 10 * LIMIT:
        try:
            if site.post("/api/v1/raisin/predict", ROW)[0] == 200:
                return time.monotonic() - started
        except OSError:
            time.sleep(0.2)
        if demo.poll() is not None:
            break
    raise SystemExit(log.read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="The same: once is all there is.")
    parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        seconds = seconds_to_first_prediction(Path(folder))
    report(
        {"seconds_to_first_prediction": seconds},
        bars=[Bar("make demo seconds", seconds, LIMIT, seconds <= LIMIT)],
    )


if __name__ == "__main__":
    main()
