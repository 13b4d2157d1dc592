"""A command that is killed while it trains: its run is closed by whoever looks next, and says why."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from endpoints.services import leases
from tests.live import ROOT, LiveSite, copied_site
from tests.serving.workers import wait_until

pytestmark = pytest.mark.process

TRAIN = (
    *("train", "--data", "raisin", "--experiment", "killed"),
    *("--solver", "gd", "--lr", "0.0001", "--epochs", "1000000000"),
)
RUNS = """
    SELECT r.state, r.message, r.worker FROM endpoints_run r
    JOIN endpoints_experiment e ON e.id = r.experiment_id WHERE e.name = 'killed'
"""


@pytest.fixture
def site(demo_as_made: LiveSite, tmp_path: Path) -> Iterator[LiveSite]:
    with copied_site(demo_as_made, tmp_path) as site:
        yield site


def test_it_works(site: LiveSite) -> None:
    environment = site.environment | {"RAISIN_LEASE_SECONDS": "0.3"}
    with subprocess.Popen(
        [sys.executable, "manage.py", *TRAIN], cwd=ROOT, env=environment
    ) as command:
        wait_until(lambda: bool(site.query(RUNS)))
        command.send_signal(signal.SIGKILL)
    [run] = site.query(RUNS)
    assert run["state"] == "running"
    assert run["worker"]

    def is_closed() -> bool:
        done = subprocess.run(
            [sys.executable, "manage.py", "tick"], cwd=ROOT, env=environment, check=False
        )
        assert done.returncode == 0
        [run] = site.query(RUNS)
        return bool(run["state"] == "failed")

    wait_until(is_closed)
    assert site.query(RUNS)[0]["message"] == leases.ENDED_BEFORE
