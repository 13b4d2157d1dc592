"""The transition table, walked as a whole: every verb from every status."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from endpoints.errors import InvalidTransition
from endpoints.models import AlgorithmVersion, Endpoint, Run, Status, StatusChange
from endpoints.services import lifecycle
from endpoints.services.access import Caller
from endpoints.services.lifecycle import TRANSITIONS
from endpoints.services.words import stands
from tests.endpoints.services.decisions import NOON, decision

pytestmark = pytest.mark.django_db

VERBS: dict[str, Callable[..., StatusChange]] = {
    "stage": lifecycle.stage,
    "promote": lifecycle.promote,
    "reject": lifecycle.reject,
    "archive": lifecycle.archive,
    "restore": lifecycle.restore,
    "start_test": partial(lifecycle.start_test, judge=list, begin=lambda: None),
    "stop_test": partial(lifecycle.stop_test, end=lambda: None),
}


def in_status(version: AlgorithmVersion, status: str) -> AlgorithmVersion:
    """Put a version anywhere, past the rules."""
    AlgorithmVersion.objects.filter(pk=version.pk).update(status=status)
    version.refresh_from_db()
    return version


@pytest.mark.parametrize("status", Status.values)
@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_works_from_its_statuses_alone(raisin: Endpoint, verb: str, status: str) -> None:
    raisin.versions.filter(number=1).update(status="archived")
    version = in_status(raisin.versions.get(number=2), status)
    if status in TRANSITIONS[verb].sources:
        VERBS[verb](version=version, decision=decision())
        assert raisin.versions.get(number=2).status == TRANSITIONS[verb].target
    else:
        with pytest.raises(InvalidTransition, match=f"v2 is {stands(status)}; "):
            VERBS[verb](version=version, decision=decision())
        assert raisin.versions.get(number=2).status == status


def test_every_status_can_be_left_and_reached() -> None:
    left = {source for step in TRANSITIONS.values() for source in step.sources}
    reached = {step.target for step in TRANSITIONS.values()}
    assert left == set(Status.values)
    assert reached == set(Status.values)


def test_registering_numbers_from_one_and_starts_in_testing(raisin: Endpoint) -> None:
    run = raisin.versions.get(number=1).run
    version = lifecycle.register(run=run, endpoint=raisin, actor=Caller(system="dana"), now=NOON)
    assert (version.number, version.status) == (3, "testing")
    assert version.artifact_sha256 == run.artifact_sha256
    assert version.status_changes.get().verb == "register"


@pytest.mark.parametrize("state", ["running", "failed"])
def test_it_refuses_to_register_an_unfinished_run(raisin: Endpoint, state: str) -> None:
    run = raisin.versions.get(number=1).run
    Run.objects.filter(pk=run.pk).update(state=state)
    run.refresh_from_db()
    with pytest.raises(InvalidTransition, match=state):
        lifecycle.register(run=run, endpoint=raisin, actor=Caller(system="dana"), now=NOON)
