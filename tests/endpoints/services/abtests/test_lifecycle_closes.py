"""A test lasts as long as its control is in production: whatever ends that ends the test, with a word why."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest

from endpoints.errors import Conflict, GateFailed, InvalidTransition
from endpoints.models import (
    ABPhase,
    AlgorithmVersion,
    Endpoint,
    Event,
    Status,
    StatusChange,
    WebhookDelivery,
)
from endpoints.services import lifecycle
from endpoints.services.abtests import ending
from tests import cast
from tests.endpoints.services.abtests.planned import (
    ALIKE,
    B_BETTER,
    B_WORSE,
    a_draft,
    a_test,
    asked,
    challenger,
    labelled,
)
from tests.endpoints.services.decisions import NOON, REASON, decision
from tests.endpoints.services.test_webhooks import a_webhook

pytestmark = pytest.mark.django_db


@pytest.fixture
def third(raisin: Endpoint) -> AlgorithmVersion:
    """A version in staging that is in no test."""
    return cast.registered_version(raisin, status=Status.STAGING)


def statuses(endpoint: Endpoint) -> dict[int, str]:
    return dict(endpoint.versions.values_list("number", "status"))


def verbs() -> list[str]:
    return [change.verb for change in StatusChange.objects.order_by("-id")]


def test_promoting_the_challenger_ends_it_as_won(raisin: Endpoint) -> None:
    test = a_test(raisin, kind="split")
    labelled(test, **B_BETTER)
    lifecycle.promote(version=challenger(raisin), decision=decision(by="ben"))
    assert statuses(raisin) == {1: "archived", 2: "production"}
    test.refresh_from_db()
    assert (test.state, test.conclusion, test.reason) == ("stopped", "b_wins", REASON)
    assert (test.stopped_by_name, test.stopped_at) == ("ben", NOON)
    assert test.summary["banner"] == "b_better"
    assert ABPhase.objects.get().ended_at == NOON


@pytest.mark.parametrize(
    ("counts", "units", "plan", "conclusion"),
    [
        (None, None, {}, "did_not_finish"),
        ({"a": (10, 39), "b": (49, 0)}, None, {}, "did_not_finish"),
        (B_WORSE, None, {}, "a_wins"),
        (ALIKE, None, {"horizon": 500}, "inconclusive"),
        (B_BETTER, {"a": 900, "b": 600}, {}, "did_not_finish"),
    ],
)
def test_promoting_a_challenger_that_has_not_won_does_not_make_it_win(
    raisin: Endpoint,
    counts: dict[str, tuple[int, int]] | None,
    units: dict[str, int] | None,
    plan: dict[str, int],
    conclusion: str,
) -> None:
    test = a_test(raisin, kind="split", **plan)
    if counts is not None:
        labelled(test, **counts)
    if units is not None:
        asked(test, **units)
    overruling = replace(decision(by="ben"), override=True)
    lifecycle.promote(version=challenger(raisin), decision=overruling)
    assert statuses(raisin) == {1: "archived", 2: "production"}
    test.refresh_from_db()
    assert (test.state, test.conclusion) == ("stopped", conclusion)
    assert test.reason == f"v2 was promoted: {REASON}"


def test_a_report_that_cannot_be_computed_keeps_nobody_from_a_promotion(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = a_test(raisin)

    def fail(*_: object, **__: object) -> None:
        raise OverflowError("out of range")

    monkeypatch.setattr(ending, "analysis", SimpleNamespace(analyse=fail))
    lifecycle.promote(version=challenger(raisin), decision=decision())
    test.refresh_from_db()
    assert (test.conclusion, test.summary) == ("did_not_finish", None)


def test_that_promotion_is_one_change_of_the_challenger(raisin: Endpoint) -> None:
    a_test(raisin)
    change = lifecycle.promote(version=challenger(raisin), decision=decision())
    assert (change.verb, change.from_status) == ("promote", "ab_testing")
    assert verbs()[:2] == ["promote", "replace"]
    assert Event.objects.filter(verb="stop_abtest").count() == 1


def test_promoting_another_version_ends_it_unfinished(
    raisin: Endpoint, third: AlgorithmVersion
) -> None:
    test = a_test(raisin)
    a_webhook()
    lifecycle.promote(version=third, decision=decision())
    assert statuses(raisin) == {1: "archived", 2: "staging", 3: "production"}
    test.refresh_from_db()
    assert (test.conclusion, test.reason) == ("did_not_finish", f"v3 was promoted: {REASON}")
    change = StatusChange.objects.get(verb="stop_test")
    assert (change.version, change.reason) == (test.challenger, f"v3 was promoted: {REASON}")
    assert (change.from_status, change.to_status) == ("ab_testing", "staging")
    told = {json.loads(message.body)["type"] for message in WebhookDelivery.objects.all()}
    assert told == {"version.stop_test", "version.replace", "version.promote"}


def test_rolling_back_ends_it_unfinished(raisin: Endpoint, third: AlgorithmVersion) -> None:
    lifecycle.promote(version=challenger(raisin), decision=decision())
    test = a_test(raisin, challenger=third)
    lifecycle.roll_back(endpoint=raisin, decision=decision(minutes=1))
    assert statuses(raisin) == {1: "production", 2: "archived", 3: "staging"}
    test.refresh_from_db()
    assert (test.conclusion, test.reason) == ("did_not_finish", f"v1 answers again: {REASON}")


def test_archiving_the_control_ends_it_unfinished(raisin: Endpoint) -> None:
    test = a_test(raisin)
    lifecycle.archive(version=raisin.versions.get(number=1), decision=decision())
    assert statuses(raisin) == {1: "archived", 2: "staging"}
    test.refresh_from_db()
    assert (test.conclusion, test.reason) == ("did_not_finish", f"v1 was archived: {REASON}")


@pytest.mark.parametrize("verb", ["archive", "reject", "withdraw"])
def test_what_becomes_of_another_version_leaves_it_running(
    raisin: Endpoint, third: AlgorithmVersion, verb: str
) -> None:
    test = a_test(raisin)
    lifecycle.OF_A_VERSION[verb](version=third, decision=decision())
    test.refresh_from_db()
    assert test.is_running
    assert statuses(raisin)[2] == "ab_testing"


def test_a_test_elsewhere_goes_on(raisin: Endpoint) -> None:
    other = cast.an_endpoint("other")
    cast.registered_version(other, status=Status.PRODUCTION, lambda_=0.1)
    cast.registered_version(other, status=Status.STAGING)
    test = a_test(other)
    lifecycle.promote(version=challenger(raisin), decision=decision())
    test.refresh_from_db()
    assert test.is_running


def test_a_draft_stays_a_draft(raisin: Endpoint) -> None:
    draft = a_draft(raisin)
    lifecycle.promote(version=challenger(raisin), decision=decision())
    draft.refresh_from_db()
    assert draft.state == "draft"


def test_the_challenger_cannot_be_archived_or_withdrawn_meanwhile(raisin: Endpoint) -> None:
    a_test(raisin)
    for act in (lifecycle.archive, lifecycle.withdraw, lifecycle.reject, lifecycle.stage):
        with pytest.raises(InvalidTransition, match="v2 is in ab_testing"):
            act(version=challenger(raisin), decision=decision())


def test_a_promotion_that_a_gate_stops_leaves_it_running(raisin: Endpoint) -> None:
    test = a_test(raisin, kind="split")
    labelled(test, **B_BETTER)
    asked(test, a=900, b=600)
    with pytest.raises(GateFailed, match="not to be trusted.* That blocks a promotion"):
        lifecycle.promote(version=challenger(raisin), decision=decision())
    test.refresh_from_db()
    assert test.is_running


def test_a_promotion_that_comes_second_leaves_it_running(raisin: Endpoint) -> None:
    test = a_test(raisin)
    with pytest.raises(Conflict):
        lifecycle.promote(version=challenger(raisin), decision=decision(seen=7))
    test.refresh_from_db()
    assert (test.is_running, test.summary) == (True, None)
    assert ABPhase.objects.get().ended_at is None


def by_promotion(endpoint: Endpoint) -> None:
    lifecycle.promote(version=challenger(endpoint), decision=decision())


def by_archiving(endpoint: Endpoint) -> None:
    lifecycle.archive(version=endpoint.versions.get(number=1), decision=decision())


@pytest.mark.parametrize("end", [by_promotion, by_archiving])
def test_it_ends_with_everything_or_not_at_all(
    raisin: Endpoint, end: Callable[[Endpoint], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    test = a_test(raisin, kind="split")
    labelled(test, **B_WORSE)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the power is gone")

    monkeypatch.setattr("endpoints.services.recording.webhooks.announce", fail)
    with pytest.raises(RuntimeError):
        end(raisin)
    test.refresh_from_db()
    assert test.is_running
    assert statuses(raisin) == {1: "production", 2: "ab_testing"}
    assert not Event.objects.filter(verb="stop_abtest").exists()
