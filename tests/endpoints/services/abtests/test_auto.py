"""A plan may ask for the end: the test stops when it is decided, and B is promoted unless a gate objects."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from endpoints.errors import Conflict
from endpoints.models import ABTest, Endpoint, Event, Status, StatusChange
from endpoints.services import auto_promotion, gates, lifecycle
from endpoints.services.abtests import stopping, ticking
from endpoints.services.abtests.stopping import Stop
from tests.endpoints.services.abtests.planned import (
    ALEX,
    ALIKE,
    B_BETTER,
    B_WORSE,
    REASON,
    a_test,
    asked,
    challenger,
    labelled,
)
from tests.endpoints.services.abtests.test_starting import at_once
from tests.endpoints.services.decisions import NOON, decision

pytestmark = pytest.mark.django_db
LATER = NOON + timedelta(hours=5)


def ticked(endpoint: Endpoint, counts: dict[str, Any] | None = None, **plan: Any) -> ABTest:
    """Return the test after the clock has looked at it."""
    test = a_test(endpoint, kind="split", **{"auto_promote": True} | plan)
    if counts is not None:
        labelled(test, **counts)
    stopping.auto(test, LATER)
    return ABTest.objects.get()


def statuses(endpoint: Endpoint) -> dict[int, str]:
    return dict(endpoint.versions.values_list("number", "status"))


def test_it_works(raisin: Endpoint) -> None:
    test = ticked(raisin, B_BETTER)
    assert statuses(raisin) == {1: "archived", 2: "production"}
    assert (test.conclusion, test.stopped_by_name, test.stopped_at) == (
        "b_wins", "auto-promotion", LATER,
    )  # fmt: skip
    assert test.reason.startswith(
        "As planned: v2 is better than v1 on accuracy (difference +0.1600, 95 % interval +0."
    )
    assert test.reason.endswith(", 500 labels).")
    change = StatusChange.objects.get(verb="promote", version=challenger(raisin))
    assert (change.actor, change.actor_name) == (None, "auto-promotion")
    assert change.reason == test.reason
    assert {gate["code"]: gate["verdict"] for gate in change.gates}["abtest"] == "pass"


def test_it_is_off_unless_the_plan_asks_for_it(raisin: Endpoint) -> None:
    assert ticked(raisin, B_BETTER, auto_promote=False).is_running


@pytest.mark.parametrize(
    "counts", [None, {"a": (30, 20), "b": (50, 0)}, {"a": (90, 30), "b": (95, 25)}]
)
def test_it_goes_on_until_it_is_decided(raisin: Endpoint, counts: dict[str, Any] | None) -> None:
    assert ticked(raisin, counts).is_running


@pytest.mark.parametrize(
    ("counts", "plan", "conclusion", "said"),
    [
        (B_WORSE, {}, "a_wins", "v2 is worse than v1 on accuracy (difference -0.1600"),
        (
            ALIKE,
            {"margin": 0.07, "minimum_effect": 0.1},
            "no_difference",
            "v2 and v1 differ on accuracy by no more than",
        ),
        (ALIKE, {"horizon": 500}, "inconclusive", "it is not known which of v2 and v1 is better"),
        (None, {"most_days": 1}, "inconclusive", "it is not known which of v2 and v1 is better"),
    ],
)
def test_any_other_decision_stops_it(
    raisin: Endpoint, counts: Any, plan: dict[str, Any], conclusion: str, said: str
) -> None:
    test = a_test(raisin, kind="split", auto_promote=True, **plan)
    if counts is not None:
        labelled(test, **counts)
    stopping.auto(test, NOON + timedelta(days=1))
    test.refresh_from_db()
    assert (test.state, test.conclusion) == ("stopped", conclusion)
    assert test.reason.startswith(f"As planned: {said}")
    assert statuses(raisin) == {1: "production", 2: "staging"}


def test_a_test_that_cannot_be_trusted_stops_without_a_promotion(raisin: Endpoint) -> None:
    test = a_test(raisin, kind="split", auto_promote=True)
    labelled(test, **B_BETTER)
    asked(test, a=900, b=600)
    stopping.auto(test, LATER)
    test.refresh_from_db()
    assert (test.state, test.conclusion) == ("stopped", "did_not_finish")
    assert "did not get the planned shares of the units (p = " in test.reason
    assert "0.16" not in test.reason
    assert statuses(raisin) == {1: "production", 2: "staging"}


def test_a_broken_guardrail_stops_it_without_a_promotion(raisin: Endpoint) -> None:
    test = a_test(raisin, kind="split", auto_promote=True)
    labelled(test, **B_BETTER)
    asked(test, a=600, b=600, errors=100)
    stopping.auto(test, LATER)
    test.refresh_from_db()
    assert (test.state, test.conclusion) == ("stopped", "did_not_finish")
    assert "a guardrail of v2 is broken: failed requests" in test.reason
    assert statuses(raisin) == {1: "production", 2: "staging"}


@pytest.mark.parametrize("policy", ["block", "warn"])
def test_a_gate_that_fails_stops_it_without_a_promotion(raisin: Endpoint, policy: str) -> None:
    Endpoint.objects.update(gate_policy=policy, card_required=True)
    test = ticked(raisin, B_BETTER)
    assert (test.state, test.conclusion) == ("stopped", "b_wins")
    assert "v2 is not promoted: The card of v2 does not say" in test.reason
    assert statuses(raisin) == {1: "production", 2: "staging"}
    event = Event.objects.get(verb="not_auto_promoted")
    assert (event.subject, event.actor_name) == ("v2", "auto-promotion")
    assert "The card of v2 does not say" in event.reason


def test_it_is_no_second_person(raisin: Endpoint) -> None:
    Endpoint.objects.update(second_person_required=True)
    test = ticked(raisin, B_BETTER)
    assert (test.state, test.conclusion) == ("stopped", "b_wins")
    assert "A second person has to decide here" in test.reason
    assert statuses(raisin)[2] == "staging"


def test_losing_a_race_leaves_it_to_the_winner(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(*_: object, **__: object) -> None:
        raise Conflict("v9 became production at 12:00:00 (ben). Review again.")

    monkeypatch.setattr(auto_promotion, "promote_winner", lose)
    assert ticked(raisin, B_BETTER).is_running


def test_a_test_that_somebody_has_stopped_meanwhile_stays_as_it_is(raisin: Endpoint) -> None:
    test = a_test(raisin, kind="split", auto_promote=True)
    labelled(test, **B_WORSE)
    stale = ABTest.objects.get()
    lifecycle.promote(version=challenger(raisin), decision=decision(by="ben"))
    stopping.auto(stale, LATER)
    assert ABTest.objects.get().stopped_by_name == "ben"
    assert statuses(raisin)[2] == Status.PRODUCTION


def stopped_by_a_person() -> ABTest:
    """A goes on answering, whatever the numbers say."""
    how = Stop(conclusion="inconclusive", reason=REASON)
    return stopping.stop(ABTest.objects.get(state="running"), how, actor=ALEX, now=NOON)


def before_the_promotion(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Let somebody act while the gates are evaluated for the promotion itself."""
    evaluate, seen = gates.evaluate, []

    def evaluated(*args: Any, **facts: Any) -> list[gates.Gate]:
        found = evaluate(*args, **facts)
        seen.append(1)
        if len(seen) == 2:
            act()
        return found

    monkeypatch.setattr(gates, "evaluate", evaluated)


def test_what_a_person_stopped_since_it_was_loaded_promotes_nothing(raisin: Endpoint) -> None:
    labelled(a_test(raisin, kind="split", auto_promote=True), **B_BETTER)
    [loaded] = ticking.due()
    stopped_by_a_person()
    ticking.tick(loaded, LATER)
    assert ABTest.objects.get().stopped_by_name == "alex"
    assert statuses(raisin) == {1: "production", 2: "staging"}


def test_what_a_person_stops_at_the_last_moment_promotes_nothing(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    labelled(a_test(raisin, kind="split", auto_promote=True), **B_BETTER)
    [loaded] = ticking.due()
    before_the_promotion(monkeypatch, stopped_by_a_person)
    ticking.tick(loaded, LATER)
    assert ABTest.objects.get().stopped_by_name == "alex"
    assert statuses(raisin) == {1: "production", 2: "staging"}


def test_the_next_test_of_the_same_challenger_goes_on(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    labelled(a_test(raisin, kind="split", auto_promote=True), **B_BETTER)
    [loaded] = ticking.due()

    def begin_another() -> None:
        stopped_by_a_person()
        a_test(raisin, now=NOON + timedelta(hours=1))

    before_the_promotion(monkeypatch, begin_another)
    ticking.tick(loaded, LATER)
    assert ABTest.objects.get(pk=loaded.pk).stopped_by_name == "alex"
    assert ABTest.objects.exclude(pk=loaded.pk).get().is_running
    assert statuses(raisin) == {1: "production", 2: "ab_testing"}


def test_a_challenger_that_is_in_no_test_is_not_promoted(raisin: Endpoint) -> None:
    """A restored database may hold one."""
    labelled(a_test(raisin, kind="split", auto_promote=True), **B_BETTER)
    raisin.versions.filter(number=2).update(status=Status.STAGING)
    stopping.auto(ABTest.objects.get(), LATER)
    assert statuses(raisin) == {1: "production", 2: "staging"}


@pytest.mark.django_db(transaction=True)
def test_of_a_person_and_the_clock_one_decides(raisin: Endpoint) -> None:
    labelled(a_test(raisin, kind="split", auto_promote=True), **B_BETTER)
    [loaded] = ticking.due()
    at_once(lambda: ticking.tick(loaded, LATER), stopped_by_a_person)
    by_name = {"alex": {1: "production", 2: "staging"}}
    by_name["auto-promotion"] = {1: "archived", 2: "production"}
    assert statuses(raisin) == by_name[ABTest.objects.get().stopped_by_name]


@pytest.mark.django_db(transaction=True)
def test_of_two_clocks_one_promotes(raisin: Endpoint) -> None:
    test = a_test(raisin, kind="split", auto_promote=True)
    labelled(test, **B_BETTER)
    acts = [lambda: stopping.auto(ABTest.objects.get(), LATER)] * 2
    assert at_once(*acts) == ["done", "done"]
    assert ABTest.objects.get().conclusion == "b_wins"
    assert statuses(raisin) == {1: "archived", 2: "production"}
    assert Event.objects.filter(verb="stop_abtest").count() == 1
