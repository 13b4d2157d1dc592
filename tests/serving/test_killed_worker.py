"""A worker that is killed again and again: the file it scores is the same in the end, every row once."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import cast
from tests.live import ROW, LiveSite, copied_site
from tests.serving.kept import logged
from tests.serving.load import load
from tests.serving.workers import Workers, shell, wait_until, workers

pytestmark = pytest.mark.process

KILLS = 30
ROWS = 200_000
LEASE = 0.3
SETTINGS = {"RAISIN_LEASE_SECONDS": str(LEASE), "OPENBLAS_NUM_THREADS": "1"}
SUBMIT = """
import json, sys
from pathlib import Path
from django.utils import timezone
from endpoints.models import Endpoint
from endpoints.services.access import Caller
from endpoints.services.batches.receiving import Options, receive

paths = {paths!r}
jobs = [
    receive(
        Path(path),
        name="grains.csv",
        endpoint=Endpoint.objects.get(slug="raisin"),
        version=None,
        options=Options(starts_itself=True),
        actor=Caller(system="tests"),
        now=timezone.now(),
    )
    for path in paths
]
print(json.dumps([job.pk for job in jobs]))
"""
JOB = "SELECT state, message, rows_done, attempt, worker FROM endpoints_batchjob WHERE id = %s"
LOGGED = """
    SELECT row_count, inputs, probabilities, predictions FROM endpoints_predictionrequest
    WHERE correlation_id = %s ORDER BY id
"""


@pytest.fixture
def site(demo_as_made: LiveSite, tmp_path: Path) -> Iterator[LiveSite]:
    with copied_site(demo_as_made, tmp_path) as site:
        yield site


@pytest.fixture
def forked(site: LiveSite) -> Iterator[Workers]:
    with workers(site, SETTINGS) as forked:
        yield forked


def grains(rows: int) -> bytes:
    """Grains, each with a note of its own, and a bad one in a thousand."""
    table = cast.raisin_rows()
    places = [table.position(name) for name in ROW]
    texts = [",".join(row[place] for place in places) for row in table.rows]
    lines = [",".join([*ROW, "note"])]
    lines += [
        f"{'x' if number % 1_000 == 7 else ''}{texts[number % len(texts)]},row {number}"
        for number in range(rows)
    ]
    return "\n".join(lines).encode() + b"\n"


def submit(site: LiveSite, content: bytes, *, times: int = 1) -> list[str]:
    """Hand the file in so often; return the ids of the jobs."""
    paths = []
    for number in range(times):
        path = site.home / "uploads" / f"upload-{number}-{random.random()}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        paths.append(str(path))
    return list(shell(site, SUBMIT.format(paths=paths)))


def read(site: LiveSite, job: str) -> dict[str, Any]:
    [row] = site.query(JOB, [job])
    return row


def finish(site: LiveSite, job: str) -> None:
    wait_until(
        lambda: read(site, job)["state"] not in ("uploaded", "checking", "queued", "scoring")
    )
    assert read(site, job)["state"] == "done", read(site, job)


def files(site: LiveSite, job: str) -> tuple[bytes, bytes]:
    folder = site.home / "batches" / job
    return (folder / "results.csv").read_bytes(), (folder / "errors.csv").read_bytes()


def kill_again_and_again(
    site: LiveSite, forked: Workers, job: str, times: int, nap: Callable[[], float]
) -> int:
    """Kill workers at random moments, but for every third at the same place: it is let go on a little.

    Returns how often, less than `times` where the job came to its end between two kills.
    """
    for number in range(times):
        before = read(site, job)
        if before["state"] == "done":
            return number
        pid = forked.start()
        others = ("", before["worker"])
        wait_until(lambda: read(site, job)["worker"] not in others or done(site, job))  # noqa: B023
        if read(site, job)["attempt"] > 2:
            rows = before["rows_done"]
            wait_until(lambda: read(site, job)["rows_done"] > rows or done(site, job))  # noqa: B023
        time.sleep(nap())
        forked.kill(pid)
        time.sleep(LEASE)
    return times


def done(site: LiveSite, job: str) -> bool:
    return bool(read(site, job)["state"] == "done")


def test_it_works(site: LiveSite, forked: Workers) -> None:
    content = grains(ROWS)
    [undisturbed] = submit(site, content)
    pid = forked.start()
    wait_until(lambda: read(site, undisturbed)["state"] == "scoring")
    began = time.monotonic()
    finish(site, undisturbed)
    forked.stop(pid)
    longest = (time.monotonic() - began) / KILLS

    chance, kills, killed = random.Random(20_261_121), 0, []
    while kills < KILLS:
        killed += submit(site, content)
        kills += kill_again_and_again(
            site, forked, killed[-1], KILLS - kills, lambda: chance.uniform(0, longest)
        )
    forked.start()
    for job in killed:
        finish(site, job)
        assert files(site, job) == files(site, undisturbed)
        assert read(site, job)["rows_done"] == ROWS
        entries = site.query(LOGGED, [job])
        assert sum(entry["row_count"] for entry in entries) == ROWS - ROWS // 1_000
        assert entries == site.query(LOGGED, [undisturbed])


def test_a_worker_that_is_told_to_end_does_so_at_once(site: LiveSite, forked: Workers) -> None:
    [job] = submit(site, grains(ROWS))
    pid = forked.start()
    wait_until(lambda: read(site, job)["rows_done"] > 0)
    began = time.monotonic()
    assert forked.stop(pid) == 0
    assert time.monotonic() - began < 3
    left = read(site, job)
    assert (left["state"], left["worker"]) == ("queued", "")
    assert 0 < left["rows_done"] < ROWS
    forked.start()
    finish(site, job)
    assert read(site, job)["rows_done"] == ROWS


def test_two_workers_share_the_jobs(site: LiveSite, forked: Workers) -> None:
    jobs = submit(site, grains(2_000), times=8)
    for _ in range(2):
        forked.start()
    for job in jobs:
        finish(site, job)
    assert [read(site, job)["attempt"] for job in jobs] == [1] * len(jobs)
    whole = {files(site, job) for job in jobs}
    assert len(whole) == 1
    for job in jobs:
        assert sum(entry["row_count"] for entry in site.query(LOGGED, [job])) == 1_998


def test_server_and_worker_write_one_log(site: LiveSite, forked: Workers) -> None:
    site.start("--skip-prepare")
    jobs = submit(site, grains(50_000), times=2)
    with load(site, connections=4) as running:
        forked.start()
        for job in jobs:
            finish(site, job)
    assert (running.refused, running.broken) == (Counter(), 0)
    kept = logged(site)
    assert {got.answer["request_id"] for got in running.received} <= kept.keys()
    for job in jobs:
        assert sum(entry["row_count"] for entry in site.query(LOGGED, [job])) == 49_950
