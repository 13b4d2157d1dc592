"""A run that is trained in the process that asks for it: heard of while it lasts, closed however that ends."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings

from endpoints.errors import InvalidData, InvalidRequest
from endpoints.models import Run
from endpoints.services import leases, own_process
from endpoints.services.leases import Lease
from mlcore.errors import DataError
from tests.endpoints.services.decisions import NOON

pytestmark = pytest.mark.django_db
FACTS: dict[str, Any] = {
    "name": "a run",
    "solver": "newton",
    "dataset_name": "grains.csv",
    "dataset_sha256": "",
    "dataset_rows": 0,
}
LATER = NOON + timedelta(seconds=settings.RAISIN_LEASE_SECONDS + 1)


def tracked() -> Any:
    return own_process.tracked(experiment="default", clock=lambda: NOON, **FACTS)


def test_it_works() -> None:
    with tracked() as run:
        under_way = Run.objects.get()
        assert (under_way.state, under_way.heartbeat_at) == ("running", NOON)
        assert under_way.worker
        run.iterations = 7
    ended = Run.objects.get()
    assert (ended.state, ended.iterations, ended.ended_at) == ("finished", 7, NOON)
    assert (ended.worker, ended.heartbeat_at) == ("", None)


def test_it_is_heard_of_while_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    beaten = threading.Event()
    monkeypatch.setattr(settings, "RAISIN_LEASE_SECONDS", 0.03)
    monkeypatch.setattr(Lease, "beat", lambda lease: beaten.set())
    with tracked():
        assert beaten.wait(20)


@pytest.mark.parametrize(
    ("error", "raised", "message"),
    [
        (DataError("no rows"), InvalidData, "no rows"),
        (InvalidRequest("no worker"), InvalidRequest, "no worker"),
        (KeyError("Area"), KeyError, "KeyError: 'Area'"),
        (KeyboardInterrupt(), KeyboardInterrupt, "KeyboardInterrupt: "),
    ],
)
def test_a_failure_is_kept(error: BaseException, raised: type[BaseException], message: str) -> None:
    with pytest.raises(raised), tracked():
        raise error
    run = Run.objects.get()
    assert (run.state, run.message, run.ended_at) == ("failed", message, NOON)


def test_a_process_that_was_taken_for_dead_has_the_last_word() -> None:
    with tracked():
        assert leases.take_over(LATER) == 1
        assert Run.objects.get().state == "failed"
    assert (Run.objects.get().state, Run.objects.get().message) == ("finished", "")


def test_a_failure_of_another_cause_stays() -> None:
    with tracked():
        Run.objects.update(state="failed", worker="", message="seen to")
    assert (Run.objects.get().state, Run.objects.get().message) == ("failed", "seen to")
