"""Once an hour a worker clears away what is kept long enough."""

from __future__ import annotations

import os
import shutil
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError
from django.utils import timezone

from endpoints.models import Endpoint, Run
from endpoints.services import housekeeping, uploads
from endpoints.services.batches import folders
from endpoints.services.datasets import folders as datasets
from endpoints.services.housekeeping import HOUR, NowAndThen, Patient, clear_away
from endpoints.services.training_jobs import checkpoint_files
from tests.endpoints.services.batches.made import grains, received
from tests.endpoints.services.clock import Clock
from tests.endpoints.services.decisions import NOON

pytestmark = pytest.mark.django_db


def hourly(elapsed: Clock) -> NowAndThen:
    return NowAndThen(clear_away, "cleared", seconds=HOUR, elapsed=elapsed)


def test_it_works(raisin: Endpoint) -> None:
    job = received(raisin, grains(10))
    assert hourly(Clock())(lambda: job.expires_at) == "cleared"
    assert not folders.folder(job).exists()


def test_nothing_is_due_at_first(raisin: Endpoint) -> None:
    received(raisin, grains(10))
    assert hourly(Clock())(lambda: NOON) is None


def test_it_looks_once_an_hour(raisin: Endpoint) -> None:
    elapsed = Clock()
    look = hourly(elapsed)
    assert look(lambda: NOON) is None
    job = received(raisin, grains(10))
    elapsed.now += timedelta(minutes=59).total_seconds()
    assert look(lambda: job.expires_at) is None
    elapsed.now += timedelta(minutes=1).total_seconds()
    assert look(lambda: job.expires_at) == "cleared"


def test_what_a_killed_server_received_goes_and_what_still_comes_in_stays(
    raisin: Endpoint,
) -> None:
    left, coming = (uploads.home() / name for name in ("received-left", "received-coming"))
    for folder in (left, coming):
        folder.mkdir()
        (folder / "file").write_bytes(b"grains")
        os.utime(folder, (0, 0))
    os.utime(left / "file", (0, 0))
    clear_away(timezone.now())
    assert not left.exists()
    assert coming.exists()
    shutil.rmtree(coming)


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_what_is_left_is_taken_over_at_once_and_time_after_time() -> None:
    look = Patient(lambda now: 1)
    assert [look(later(seconds)) for seconds in (0, 10, 20)] == [1, 1, 1]


def test_who_was_silent_while_nobody_could_look_gets_the_time_of_a_lease(settings: Any) -> None:
    settings.RAISIN_LEASE_SECONDS = 30
    look = Patient(lambda now: 1)
    assert look(NOON) == 1
    assert [look(later(600 + seconds)) for seconds in (0, 10, 29)] == [0, 0, 0]
    assert [look(later(600 + seconds)) for seconds in (30, 40)] == [1, 1]


def test_a_worker_that_is_often_long_at_other_chores_takes_over_too(settings: Any) -> None:
    settings.RAISIN_LEASE_SECONDS = 30
    look = Patient(lambda now: 1)
    assert [look(later(seconds)) for seconds in (0, 100, 200, 300, 400)] == [1, 0, 1, 0, 1]


def test_a_look_that_fails_is_none(settings: Any) -> None:
    settings.RAISIN_LEASE_SECONDS = 30
    turns = iter([1, OperationalError("the server closed the connection"), 2])

    def take_over(now: datetime) -> int:
        turn = next(turns)
        if isinstance(turn, Exception):
            raise turn
        return turn

    look = Patient(take_over)
    assert look(NOON) == 1
    with pytest.raises(OperationalError):
        look(later(20))
    assert (look(later(40)), look(later(70))) == (0, 2)


def test_two_threads_look_one_after_the_other() -> None:
    inside, most = list[int](), list[int]()
    threads: list[threading.Thread] = []

    def take_over(now: datetime) -> int:
        inside.append(1)
        most.append(len(inside))
        if not threads:
            threads.append(threading.Thread(target=look, args=(later(1),)))
            threads[0].start()
            threads[0].join(0.2)
        inside.pop()
        return 0

    look = Patient(take_over)
    look(NOON)
    threads[0].join()
    assert most == [1, 1]


def test_a_worker_is_patient() -> None:
    assert isinstance(housekeeping.left_by_others._work, Patient)


def test_what_no_dataset_owns_goes_and_scratch_that_nobody_holds(raisin: Endpoint) -> None:
    home = Path(settings.RAISIN_HOME)
    lost = datasets.upload("0" * 64)
    lost.touch()
    (home / "scratch" / "left").mkdir(parents=True)
    (home / "scratch" / "left.lock").touch()
    clear_away(timezone.now() + timedelta(hours=2))
    assert not lost.exists()
    assert not (home / "scratch" / "left").exists()


def test_how_far_a_training_was_goes_once_it_has_ended(raisin: Endpoint) -> None:
    run = Run.objects.all()[0]
    file = checkpoint_files.file(run)
    file.parent.mkdir(parents=True, exist_ok=True)
    for state, is_kept in (("running", True), ("failed", False)):
        file.touch()
        Run.objects.update(state=state)
        clear_away(NOON)
        assert file.exists() == is_kept


def test_what_fails_is_tried_again_at_the_next_turn() -> None:
    turns = iter([OperationalError("the server closed the connection"), 1])

    def work(now: datetime) -> int:
        turn = next(turns)
        if isinstance(turn, Exception):
            raise turn
        return turn

    look = NowAndThen(work, "cleared", seconds=HOUR, elapsed=Clock())
    with pytest.raises(OperationalError):
        look(lambda: NOON)
    assert look(lambda: NOON) == "cleared"
