"""A test stops with a conclusion and a reason, and what it said then is kept for ever."""

from __future__ import annotations

import json
import math
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from django.contrib.auth.models import User
from django.db import transaction

from endpoints.errors import Conflict, GateFailed, InvalidRequest, InvalidTransition, NotAllowed
from endpoints.models import ABPhase, ABTest, Endpoint, Event, Status, StatusChange, WebhookDelivery
from endpoints.services import lifecycle
from endpoints.services.abtests import analysis, starting, stopping, summary, verdicts
from endpoints.services.abtests.stopping import Stop
from endpoints.services.access import Caller
from mlcore.errors import DataError
from tests import cast
from tests.endpoints.services.abtests.planned import (
    ALEX,
    ALIKE,
    B_BETTER,
    B_WORSE,
    REASON,
    a_draft,
    a_test,
    asked,
    challenger,
    labelled,
)
from tests.endpoints.services.abtests.test_starting import at_once
from tests.endpoints.services.decisions import NOON, decision
from tests.endpoints.services.test_webhooks import a_webhook

pytestmark = pytest.mark.django_db
LATER = NOON + timedelta(hours=5)


def stopped(
    test: ABTest, *, conclusion: str = "inconclusive", reason: str = REASON, **facts: Any
) -> ABTest:
    said = Stop(conclusion=conclusion, reason=reason, submission=facts.pop("submission", ""))
    return stopping.stop(test, said, **{"actor": ALEX, "now": LATER} | facts)


def test_it_works(raisin: Endpoint) -> None:
    test = stopped(a_test(raisin), conclusion="a_wins", reason=f"  {REASON} ")
    assert (test.state, test.stopped_at, test.stopped_by_name) == ("stopped", LATER, "alex")
    assert (test.conclusion, test.reason) == ("a_wins", REASON)
    assert ABPhase.objects.get().ended_at == LATER


def test_production_stays_and_the_challenger_goes_back(raisin: Endpoint) -> None:
    stopped(a_test(raisin), conclusion="b_wins")
    assert dict(raisin.versions.values_list("number", "status")) == {1: "production", 2: "staging"}


def test_phases_that_ended_before_keep_their_end(raisin: Endpoint) -> None:
    test = a_test(raisin, kind="split")
    starting.change_share(test, 1_000, reason=REASON, actor=ALEX, now=NOON)
    stopped(test)
    assert list(test.phases.values_list("ended_at", flat=True)) == [NOON, LATER]


def test_it_is_on_the_record(raisin: Endpoint) -> None:
    test = a_test(raisin)
    a_webhook()
    stopped(test, conclusion="no_difference")
    change = StatusChange.objects.get(verb="stop_test")
    assert (change.from_status, change.to_status, change.reason) == (
        "ab_testing", "staging", REASON,
    )  # fmt: skip
    event = Event.objects.get(verb="stop_abtest")
    assert (event.subject, event.reason) == ("A/B test “v1 or v2”", REASON)
    assert event.after == {"state": "stopped", "conclusion": "no_difference"}
    [message] = WebhookDelivery.objects.all()
    assert json.loads(message.body)["type"] == "version.stop_test"


def test_the_servers_are_told(raisin: Endpoint) -> None:
    test = a_test(raisin)
    raisin.refresh_from_db()
    before = raisin.revision
    stopped(test)
    raisin.refresh_from_db()
    assert raisin.revision > before


def test_it_keeps_what_it_said(raisin: Endpoint) -> None:
    test = a_test(raisin, kind="split")
    labelled(test, **B_BETTER)
    asked(test, a=600, b=600)
    expected = summary.as_dict(analysis.analyse(ABTest.objects.get(), now=LATER))
    expected["phase"]["ended_at"] = expected["phases"][0]["ended_at"] = LATER.isoformat()
    kept = stopped(test).summary
    assert kept == json.loads(json.dumps(expected))
    assert (kept["banner"], kept["challenger"]["labels"]) == ("b_better", 500)


def test_labels_that_come_late_leave_the_summary_as_it_was(raisin: Endpoint) -> None:
    test = a_test(raisin, kind="split")
    labelled(test, **B_BETTER)
    kept = stopped(test).summary
    labelled(test, a=(600, 0), b=(300, 300))
    assert analysis.analyse(ABTest.objects.get(), now=LATER).control.labels == 600
    assert ABTest.objects.get().summary == kept
    assert kept["control"]["labels"] == 500


@pytest.mark.parametrize("conclusion", ["", "c_wins", "keep_running"])
def test_it_needs_a_known_conclusion(raisin: Endpoint, conclusion: str) -> None:
    with pytest.raises(InvalidRequest, match=f"conclusion: “{conclusion}” is none of a_wins, "):
        stopped(a_test(raisin), conclusion=conclusion)
    assert ABTest.objects.get().is_running


@pytest.mark.parametrize("reason", ["", "short", "   nine ch   "])
def test_it_needs_a_reason(raisin: Endpoint, reason: str) -> None:
    with pytest.raises(InvalidRequest, match="reason of at least 10 characters"):
        stopped(a_test(raisin), reason=reason)
    assert ABTest.objects.get().is_running
    assert ABTest.objects.get().summary is None


def test_a_draft_cannot_be_stopped(raisin: Endpoint) -> None:
    with pytest.raises(InvalidTransition, match="“v1 or v2” has not been started"):
        stopped(a_draft(raisin))


def test_a_stopped_test_stays_as_it_is(raisin: Endpoint) -> None:
    test = stopped(a_test(raisin), conclusion="a_wins")
    with pytest.raises(Conflict, match=r"“v1 or v2” was stopped at .* \(alex\)"):
        stopped(ABTest.objects.get(), conclusion="b_wins", actor=Caller(system="ben"))
    kept = ABTest.objects.get()
    assert (
        (kept.conclusion, kept.stopped_by_name) == ("a_wins", "alex") == (test.conclusion, "alex")
    )


def test_a_form_sent_twice_stops_it_once(raisin: Endpoint) -> None:
    test = a_test(raisin)
    stopped(test, conclusion="a_wins", submission="form-1")
    again = stopped(ABTest.objects.get(), conclusion="a_wins", submission="form-1")
    assert again.conclusion == "a_wins"
    assert StatusChange.objects.filter(verb="stop_test").count() == 1


def test_a_form_sent_again_cannot_conclude_otherwise(raisin: Endpoint) -> None:
    stopped(a_test(raisin), conclusion="a_wins", submission="form-1")
    with pytest.raises(Conflict, match="has stopped the test as “A wins”"):
        stopped(ABTest.objects.get(), conclusion="b_wins", submission="form-1")
    assert ABTest.objects.get().conclusion == "a_wins"


def boundless(endpoint: Endpoint) -> ABTest:
    """Return a test whose costs were let in before there was a limit."""
    test = a_test(endpoint, kind="split", metric="expected_cost", minimum_effect=0.5)
    ABTest.objects.update(cost_fp=1e300)
    labelled(test, **B_BETTER)
    return ABTest.objects.get()


def test_a_result_that_cannot_be_computed_holds_up_no_stop(
    raisin: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    test = stopped(boundless(raisin))
    assert (test.state, test.summary and test.summary["result"]) == ("stopped", None)
    assert test.summary is not None
    assert test.summary["cautions"][0].startswith("The result cannot be computed")
    assert test.summary["control"]["labels"] == 500
    [told] = [record for record in caplog.records if "cannot be computed" in record.message]
    assert told.exc_info is not None


@pytest.mark.parametrize("number", [1, 2])
def test_nor_does_it_a_promotion(raisin: Endpoint, number: int) -> None:
    boundless(raisin)
    version = challenger(raisin)
    if number == 1:
        version = cast.registered_version(raisin, status=Status.STAGING)
    lifecycle.promote(version=version, decision=decision(reason=REASON))
    assert ABTest.objects.get().state == "stopped"


@pytest.mark.parametrize(
    "failing", [ValueError("math domain error"), OverflowError(), DataError("no plan")]
)
def test_nor_does_a_report_that_fails(
    raisin: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    failing: Exception,
) -> None:
    test = a_test(raisin)
    monkeypatch.setattr(analysis, "analyse", Mock(side_effect=failing))
    assert stopped(test).summary is None
    [told] = [record for record in caplog.records if "without a summary" in record.message]
    assert told.exc_info is not None


def test_a_summary_is_json(raisin: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary, "as_dict", lambda _: {"difference": math.inf})
    assert stopped(a_test(raisin)).summary is None


def test_a_form_of_another_test_is_refused(raisin: Endpoint) -> None:
    stopped(a_test(raisin), submission="form-1")
    second = starting.start(a_draft(raisin), actor=ALEX, now=LATER)
    with pytest.raises(InvalidRequest, match="used for another test"):
        stopped(second, submission="form-1")
    assert ABTest.objects.running().get() == second


def test_the_next_test_may_start_then(raisin: Endpoint) -> None:
    stopped(a_test(raisin))
    assert a_test(raisin).is_running


def test_the_challenger_may_be_promoted_then(raisin: Endpoint) -> None:
    stopped(a_test(raisin), conclusion="b_wins")
    lifecycle.promote(version=challenger(raisin), decision=decision())
    assert challenger(raisin).status == Status.PRODUCTION


def test_it_stops_and_promotes_together_or_not_at_all(raisin: Endpoint) -> None:
    test = a_test(raisin)

    def both() -> None:
        with transaction.atomic():
            stopped(test, conclusion="b_wins")
            lifecycle.promote(version=challenger(raisin), decision=decision())

    raisin.card_required = True
    with pytest.raises(GateFailed, match="The card of v2"):
        both()
    test.refresh_from_db()
    assert (test.is_running, challenger(raisin).status) == (True, Status.AB_TESTING)
    raisin.card_required = False
    both()
    assert challenger(raisin).status == Status.PRODUCTION
    assert ABTest.objects.get().conclusion == "b_wins"


def test_a_scientist_does_not_stop_it(raisin: Endpoint, dana: User) -> None:
    with pytest.raises(NotAllowed, match="promote_version"):
        stopped(a_test(raisin), actor=Caller(user=dana))


@pytest.mark.django_db(transaction=True)
def test_of_two_who_stop_it_one_is_told_of_the_other(raisin: Endpoint) -> None:
    test = a_test(raisin)
    acts = [
        lambda name=name: stopped(ABTest.objects.get(), actor=Caller(system=name))
        for name in ("ann", "ben")
    ]
    refused, done = at_once(*acts)
    kept = ABTest.objects.get(pk=test.pk)
    assert done == "done"
    assert refused.startswith("conflict: ")
    assert f"({kept.stopped_by_name})" in refused
    assert Event.objects.filter(verb="stop_abtest").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_stop_and_a_promotion_at_once_leave_a_sound_state(raisin: Endpoint) -> None:
    a_test(raisin)
    version = challenger(raisin)
    outcomes = at_once(
        lambda: stopped(ABTest.objects.get()),
        lambda: lifecycle.promote(version=version, decision=decision(by="ben")),
    )
    assert [outcome.partition(":")[0] for outcome in outcomes] == ["conflict", "done"]
    test = ABTest.objects.get()
    was_promoted = challenger(raisin).status == Status.PRODUCTION
    assert test.conclusion == ("did_not_finish" if was_promoted else "inconclusive")
    assert not raisin.versions.filter(status=Status.AB_TESTING).exists()
    assert Event.objects.filter(verb="stop_abtest").count() == 1


@pytest.mark.parametrize(
    ("counts", "conclusion"),
    [
        (B_BETTER, "b_wins"),
        (B_WORSE, "a_wins"),
        (ALIKE, "no_difference"),
        ({"a": (5, 5), "b": (5, 5)}, "did_not_finish"),
    ],
)
def test_a_report_leads_to_a_conclusion(
    raisin: Endpoint, counts: dict[str, Any], conclusion: str
) -> None:
    test = a_test(raisin, kind="split", margin=0.07, minimum_effect=0.1)
    labelled(test, **counts)
    assert verdicts.conclusion_of(analysis.analyse(test, now=LATER)) == conclusion


def test_a_test_that_ended_undecided_is_inconclusive(raisin: Endpoint) -> None:
    test = a_test(raisin, kind="split", horizon=500)
    labelled(test, **ALIKE)
    assert verdicts.conclusion_of(analysis.analyse(test, now=LATER)) == "inconclusive"


def test_a_test_that_is_not_to_be_trusted_did_not_finish(raisin: Endpoint) -> None:
    test = a_test(raisin, kind="split")
    labelled(test, **B_BETTER)
    asked(test, a=900, b=600)
    assert verdicts.conclusion_of(analysis.analyse(test, now=LATER)) == "did_not_finish"


def test_old_versions_of_an_endpoint_in_a_test_are_counted_by_their_own(raisin: Endpoint) -> None:
    """Each test keeps its own summary although the versions are the same."""
    first = stopped(a_test(raisin, kind="split"))
    second = a_test(raisin, kind="split")
    labelled(second, **B_BETTER)
    stopped(second)
    assert first.summary is not None
    kept = ABTest.objects.get(pk=first.pk).summary
    assert kept["control"]["labels"] == 0
