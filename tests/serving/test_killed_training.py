"""Workers that are killed again and again while they train: the model is the same in the end, to the last bit."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import cast
from tests.live import LiveSite, copied_site
from tests.serving.workers import Workers, shell, wait_until, workers

pytestmark = pytest.mark.process

KILLS = int(os.environ.get("KILLS_OF_A_TRAINING", "12"))
COPIES = 2  # of the grains, so that it takes some seconds
LEASE = 0.3
LONGEST_NAP = 0.6  # twice as much as passes before the second checkpoint of a worker
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
spec = specs.read(asked | {{"momentum": "nesterov", "lr": 0.001}})
runs = [submit(dataset, spec, actor=actor, now=now) for _ in range({times})]
print(json.dumps([run.pk for run in runs]))
"""
RUN = """
    SELECT state, message, iterations, worker, artifact_sha256, CAST(cursor AS TEXT) AS cursor
    FROM endpoints_run WHERE id = %s
"""
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


def submit(site: LiveSite, *, times: int = 1) -> list[str]:
    """Queue the same training so often."""
    table = cast.raisin_rows()
    path = site.home / "uploads" / f"grains-{random.random()}"
    path.parent.mkdir(exist_ok=True)
    rows = (table.header, *table.rows * COPIES)
    path.write_text("\n".join(",".join(row) for row in rows) + "\n")
    return list(shell(site, SUBMIT.format(path=str(path), times=times)))


def read(site: LiveSite, run: str) -> dict[str, Any]:
    [row] = site.query(RUN, [run])
    return row


def has_ended(site: LiveSite, run: str) -> bool:
    return read(site, run)["state"] not in ("queued", "running")


def finish(site: LiveSite, run: str) -> str:
    """Return the checksum of its artefact."""
    wait_until(lambda: has_ended(site, run))
    done = read(site, run)
    assert done["state"] == "finished", done
    return str(done["artifact_sha256"])


def kill_again_and_again(
    site: LiveSite, forked: Workers, run: str, times: int, nap: Callable[[], float]
) -> int:
    """Kill workers at random moments after they went on, and every third one from when it has the run.

    Returns how often, less than `times` where the run came to its end before a kill.
    """
    for number in range(times):
        before = read(site, run)
        pid = forked.start()
        others = ("", before["worker"])
        wait_until(lambda: read(site, run)["worker"] not in others or has_ended(site, run))  # noqa: B023
        if number % 3 != 1:
            see_it_go_on(site, run, before)
        time.sleep(nap())
        forked.kill(pid)
        if has_ended(site, run):
            return number
        time.sleep(LEASE)
    return times


def see_it_go_on(site: LiveSite, run: str, before: dict[str, Any]) -> None:
    """Its new worker begins no earlier than where the dead one was safe."""

    def place(row: dict[str, Any]) -> tuple[object, ...]:
        return row["iterations"], row["cursor"]

    wait_until(lambda: place(read(site, run)) != place(before) or has_ended(site, run))
    safe = json.loads(before["cursor"]).get("epoch", 0)
    assert (read(site, run)["iterations"] or 0) >= safe
    wait_until(lambda: read(site, run)["cursor"] != before["cursor"] or has_ended(site, run))


def test_it_works(site: LiveSite, forked: Workers) -> None:
    [undisturbed] = submit(site)
    pid = forked.start()
    sha256 = finish(site, undisturbed)
    forked.stop(pid)

    chance, kills, killed = random.Random(20_261_121), 0, []
    while kills < KILLS:
        killed += submit(site)
        kills += kill_again_and_again(
            site, forked, killed[-1], KILLS - kills, lambda: chance.uniform(0, LONGEST_NAP)
        )
    pid = forked.start()
    for run in killed:
        assert finish(site, run) == sha256
        assert site.query(POINTS, [run]) == site.query(POINTS, [undisturbed])
    forked.stop(pid)
    forked.start()  # what one that was killed at the very end left is cleared away at first
    wait_until(lambda: not list((site.home / "checkpoints").iterdir()))
