"""A test ends and its challenger is promoted together or not at all; or it ends by what it says itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User

from endpoints.errors import Conflict, GateFailed, InvalidRequest, InvalidTransition, NotAllowed
from endpoints.models import ABTest, Endpoint, Event, Status, StatusChange
from endpoints.services import lifecycle
from endpoints.services.abtests import concluding, stopping
from endpoints.services.abtests.stopping import Stop
from endpoints.services.access import Caller
from tests.endpoints.services.abtests.planned import (
    ALEX,
    B_BETTER,
    B_WORSE,
    REASON,
    a_draft,
    a_test,
    challenger,
    labelled,
)
from tests.endpoints.services.abtests.test_starting import at_once
from tests.endpoints.services.decisions import NOON, decision

pytestmark = pytest.mark.django_db
LATER = NOON + timedelta(hours=5)


def decided(endpoint: Endpoint, counts: dict[str, Any] = B_BETTER) -> ABTest:
    test = a_test(endpoint, kind="split")
    labelled(test, **counts)
    return test


def promoted(
    test: ABTest, *, conclusion: str = "b_wins", actor: Caller = ALEX, key: str = "form-1"
) -> ABTest:
    stop = Stop(conclusion=conclusion, reason=f" {REASON} ", submission=key)
    return concluding.stop_and_promote(test, stop, actor=actor, now=LATER)


def statuses(endpoint: Endpoint) -> dict[int, str]:
    return dict(endpoint.versions.values_list("number", "status"))


def test_it_works(raisin: Endpoint) -> None:
    test = promoted(decided(raisin))
    assert (test.state, test.conclusion, test.stopped_at) == ("stopped", "b_wins", LATER)
    assert statuses(raisin) == {1: "archived", 2: "production"}
    verbs = StatusChange.objects.filter(at=LATER).order_by("id").values_list("verb", "reason")
    assert list(verbs) == [("stop_test", REASON), ("replace", REASON), ("promote", REASON)]


def test_sent_twice_it_is_done_once(raisin: Endpoint) -> None:
    test = decided(raisin)
    promoted(test)
    assert promoted(ABTest.objects.get()).conclusion == "b_wins"
    assert StatusChange.objects.filter(at=LATER).count() == 3


def test_a_stop_sent_again_cannot_promote(raisin: Endpoint) -> None:
    test = decided(raisin)
    stop = Stop(conclusion="b_wins", reason=REASON, submission="form-1")
    stopping.stop(test, stop, actor=ALEX, now=NOON)
    with pytest.raises(Conflict, match="A goes on answering"):
        promoted(ABTest.objects.get())
    assert statuses(raisin) == {1: "production", 2: "staging"}
    later = LATER + timedelta(hours=1)
    other = promoted(decided(raisin), key="form-2")
    assert (
        concluding.stop_and_promote(
            other,
            Stop(conclusion="b_wins", reason=REASON, submission="form-2"),
            actor=ALEX,
            now=later,
        ).stopped_at
        == LATER
    )


def test_a_gate_that_fails_undoes_the_stop(raisin: Endpoint) -> None:
    Endpoint.objects.update(card_required=True)
    test = decided(raisin)
    with pytest.raises(GateFailed, match="The card of v2"):
        promoted(test)
    kept = ABTest.objects.get()
    assert (kept.is_running, kept.summary, kept.phases.get().ended_at) == (True, None, None)
    assert challenger(raisin).status == Status.AB_TESTING
    assert not StatusChange.objects.filter(at=LATER).exists()


def test_who_says_that_a_has_won_promotes_nothing(raisin: Endpoint) -> None:
    test = decided(raisin)
    with pytest.raises(InvalidRequest, match="serves: A has won") as caught:
        promoted(test, conclusion="a_wins")
    assert [cell.column for cell in caught.value.cells] == ["serves"]
    assert ABTest.objects.get().is_running


def test_a_scientist_ends_nothing(raisin: Endpoint, dana: User) -> None:
    test = decided(raisin)
    for end in (promoted, finished):
        with pytest.raises(NotAllowed, match="promote_version"):
            end(test, actor=Caller(user=dana))
    assert ABTest.objects.get().is_running


def finished(test: ABTest, *, actor: Caller = ALEX) -> ABTest:
    return concluding.finish(test, actor=actor, now=LATER)


def test_by_its_own_report_b_is_promoted(raisin: Endpoint) -> None:
    test = finished(decided(raisin))
    assert test.conclusion == "b_wins"
    assert test.reason.startswith("Ended by its own report: v2 is better than v1 on accuracy (")
    assert statuses(raisin) == {1: "archived", 2: "production"}


def test_by_its_own_report_a_stays(raisin: Endpoint) -> None:
    test = finished(decided(raisin, B_WORSE))
    assert test.conclusion == "a_wins"
    assert statuses(raisin) == {1: "production", 2: "staging"}


def test_a_winner_that_a_gate_refuses_is_told_why(raisin: Endpoint) -> None:
    Endpoint.objects.update(second_person_required=True, card_required=True)
    test = finished(decided(raisin))
    assert test.conclusion == "b_wins"
    assert "v2 is not promoted: " in test.reason
    assert "The card of v2 does not say" in test.reason
    assert statuses(raisin) == {1: "production", 2: "staging"}
    assert Event.objects.filter(verb="stop_abtest").count() == 1


def test_only_a_running_test_is_finished(raisin: Endpoint) -> None:
    with pytest.raises(InvalidTransition, match="has not been started"):
        finished(a_draft(raisin))
    test = decided(raisin)
    lifecycle.promote(version=challenger(raisin), decision=decision(by="ben"))
    with pytest.raises(Conflict, match=r"was stopped at .* \(ben\)"):
        finished(test)
    assert ABTest.objects.get(pk=test.pk).stopped_by_name == "ben"


@pytest.mark.django_db(transaction=True)
def test_of_two_who_finish_it_one_is_told_of_the_other(raisin: Endpoint) -> None:
    decided(raisin)
    acts = [
        lambda name=name: finished(ABTest.objects.get(), actor=Caller(system=name))
        for name in ("ann", "ben")
    ]
    refused, done = at_once(*acts)
    assert (done, refused.partition(":")[0]) == ("done", "conflict")
    assert statuses(raisin) == {1: "archived", 2: "production"}
    assert Event.objects.filter(verb="stop_abtest").count() == 1
