"""A worker that is killed while it trains: the next one trains the same model, to the last bit."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import cast
from tests.live import LiveSite, copied_site
from tests.serving.workers import Workers, shell, wait_until, workers

pytestmark = pytest.mark.process

KILLS = 2  # a third one at the same place would end the run
COPIES = 5  # of the grains, so that it takes some seconds
LATEST = 0.6  # seconds after the first iteration, far from the last
LEASE = 0.3
SETTINGS = {"RAISIN_LEASE_SECONDS": str(LEASE), "OPENBLAS_NUM_THREADS": "1"}
SUBMIT = """
import json
from pathlib import Path
from django.utils import timezone
from endpoints.services.access import Caller
from endpoints.services.datasets.receiving import receive
from endpoints.services.training_jobs import specs
from endpoints.services.training_jobs.submitting import submit

actor, now = Caller(system="tests"), timezone.now()
dataset = receive(Path({path!r}), name="grains.csv", actor=actor, now=now)
asked = {{"target": "Class", "positive": "Besni", "solver": "gd", "epochs": 6_000}}
spec = specs.read(asked)
runs = [submit(dataset, spec, name=name, actor=actor, now=now) for name in ("whole", "killed")]
print(json.dumps([run.pk for run in runs]))
"""
RUN = "SELECT state, message, iterations, worker, artifact_sha256 FROM endpoints_run WHERE id = %s"
POINTS = """
    SELECT key, step, value FROM endpoints_metric
    WHERE run_id = %s AND key <> 'epoch_seconds' ORDER BY key, step
"""


@pytest.fixture
def site(demo_as_made: LiveSite, tmp_path: Path) -> Iterator[LiveSite]:
    with copied_site(demo_as_made, tmp_path) as site:
        yield site


@pytest.fixture
def forked(site: LiveSite) -> Iterator[Workers]:
    with workers(site, SETTINGS) as forked:
        yield forked


def submit(site: LiveSite) -> list[str]:
    """Queue the same training twice."""
    table = cast.raisin_rows()
    path = site.home / "uploads" / "grains"
    path.parent.mkdir(exist_ok=True)
    rows = (table.header, *table.rows * COPIES)
    path.write_text("\n".join(",".join(row) for row in rows) + "\n")
    return list(shell(site, SUBMIT.format(path=str(path))))


def read(site: LiveSite, run: str) -> dict[str, Any]:
    [row] = site.query(RUN, [run])
    return row


def finish(site: LiveSite, run: str) -> str:
    """Return the checksum of its artefact."""
    wait_until(lambda: read(site, run)["state"] not in ("queued", "running"))
    done = read(site, run)
    assert done["state"] == "finished", done
    return str(done["artifact_sha256"])


def test_it_works(site: LiveSite, forked: Workers) -> None:
    whole, killed = submit(site)
    pid = forked.start()
    wait_until(lambda: bool(read(site, whole)["iterations"]))
    sha256 = finish(site, whole)
    chance = random.Random(20_261_121)
    for _ in range(KILLS):
        wait_until(lambda: read(site, killed)["state"] == "running")
        wait_until(lambda: bool(read(site, killed)["iterations"]))
        time.sleep(chance.uniform(0, LATEST))
        forked.kill(pid)
        assert read(site, killed)["state"] == "running"
        time.sleep(LEASE)
        before = read(site, killed)["worker"]
        pid = forked.start()
        wait_until(lambda: read(site, killed)["worker"] not in ("", before))  # noqa: B023
    assert finish(site, killed) == sha256
    assert site.query(POINTS, [killed]) == site.query(POINTS, [whole])
