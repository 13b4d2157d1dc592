"""Cancelling a training, wherever it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.auth.models import User

from endpoints.errors import InvalidTransition, NotAllowed
from endpoints.models import Run
from endpoints.models.run import RunState
from endpoints.services import leases
from endpoints.services.access import Caller
from endpoints.services.training_jobs import cancelling, specs, submitting
from tests import cast
from tests.endpoints.services.datasets.files import stored

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(tmp_path: Path) -> Run:
    spec = specs.read({"target": "Class"})
    return submitting.submit(stored(tmp_path), spec, actor=cast.SYSTEM, now=cast.THEN)


def cancel(run: Run) -> None:
    cancelling.cancel(run, actor=cast.SYSTEM, now=cast.THEN)


def test_one_that_waits_ends_at_once(run: Run) -> None:
    cancel(run)
    assert (run.state, run.ended_at) == ("cancelled", cast.THEN)


def test_one_under_way_is_asked_to_end(run: Run) -> None:
    leases.claim(run, worker="w", now=cast.THEN)
    cancel(run)
    assert (run.state, run.cancel_requested_at) == ("running", cast.THEN)


def test_twice_is_no_error(run: Run) -> None:
    cancel(run)
    cancel(run)
    assert run.state == "cancelled"


@pytest.mark.parametrize("state", [RunState.FINISHED, RunState.FAILED])
def test_it_refuses_one_that_has_ended(run: Run, state: RunState) -> None:
    Run.objects.update(state=state)
    with pytest.raises(InvalidTransition, match=f"has ended: it is {state}"):
        cancel(run)


def test_it_refuses_one_of_the_command_line(run: Run) -> None:
    Run.objects.update(state=RunState.RUNNING, worker="")
    with pytest.raises(
        InvalidTransition, match="is trained by a command; end it where it was started"
    ):
        cancel(run)


def test_it_refuses_who_may_not_train(run: Run, eve: User) -> None:
    with pytest.raises(NotAllowed):
        cancelling.cancel(run, actor=Caller(user=eve), now=cast.THEN)
    assert Run.objects.get().state == "queued"
