"""Once an hour a worker clears away what is kept long enough."""

from __future__ import annotations

import os
import shutil
from datetime import datetime, timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from endpoints.models import Endpoint
from endpoints.services import uploads
from endpoints.services.batches import folders
from endpoints.services.housekeeping import HOUR, NowAndThen, clear_away
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
