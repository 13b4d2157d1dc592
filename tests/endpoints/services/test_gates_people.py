"""The gates of what people have done: tested live, written the card, looked a second time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User

from endpoints.errors import GateFailed
from endpoints.models import ABTest, AlgorithmVersion, Endpoint, PromotionRequest
from endpoints.services import lifecycle
from endpoints.services.abtests import starting, stopping
from endpoints.services.access import Caller
from endpoints.services.gates import Gate
from endpoints.services.transitions import Decision
from tests import cast
from tests.endpoints.services.abtests import planned
from tests.endpoints.services.abtests.planned import (
    ALIKE,
    B_BETTER,
    B_WORSE,
    a_draft,
    a_test,
    asked,
    labelled,
)
from tests.endpoints.services.candidates import gate, second
from tests.endpoints.services.decisions import NOON, decision

pytestmark = pytest.mark.django_db


def by(user: User | None, version: AlgorithmVersion) -> Gate:
    return gate(version, "second_person", actor=Caller(user=user) if user else cast.SYSTEM)


def trained_by(version: AlgorithmVersion, user: User) -> AlgorithmVersion:
    version.run.created_by = user
    version.run.save()
    return version


def required(endpoint: Endpoint) -> AlgorithmVersion:
    Endpoint.objects.filter(pk=endpoint.pk).update(second_person_required=True)
    return second(endpoint)


def test_a_version_that_was_never_tested_has_no_result(raisin: Endpoint) -> None:
    found = gate(second(raisin), "abtest")
    assert found.verdict == "not_run"
    assert found.message == "No test was run with v2 against production."


def test_a_draft_is_no_test(raisin: Endpoint) -> None:
    a_draft(raisin)
    assert gate(second(raisin), "abtest").verdict == "not_run"


def test_a_running_test_has_no_result_yet(raisin: Endpoint) -> None:
    labelled(a_test(raisin, kind="split"), a=(30, 20), b=(50, 0))
    found = gate(second(raisin), "abtest")
    assert found.verdict == "not_run"
    assert found.message.startswith("A test with v2 has been running since 12 November 2026. ")
    assert found.message.endswith("There are 50 of about 1,000 labels.")
    assert (found.value, found.limit) == ("", "")
    assert "difference" not in found.message


@pytest.mark.parametrize("is_stopped", [False, True])
def test_a_test_that_b_wins_passes_with_its_numbers(raisin: Endpoint, is_stopped: bool) -> None:
    test = a_test(raisin, kind="split")
    labelled(test, **B_BETTER)
    if is_stopped:
        stop(test, "b_wins")
    found = gate(second(raisin), "abtest")
    assert found.verdict == "pass"
    assert "v2 is better than v1 on accuracy (difference +0.1600" in found.message
    assert (found.value, found.limit) == ("accuracy 0.9600", "v1 0.8000")


@pytest.mark.parametrize("counts", [B_WORSE, ALIKE])
def test_any_other_result_is_a_warning(raisin: Endpoint, counts: dict[str, Any]) -> None:
    test = a_test(raisin, kind="split")
    labelled(test, **counts)
    stop(test, "no_difference")
    found = gate(second(raisin), "abtest")
    assert found.verdict == "warn"
    assert "alex stopped a test with v2 on 12 November 2026 as “no useful" in found.message
    assert "(“enough labels by now”)" in found.message


def test_what_was_better_than_a_version_that_has_left_is_a_warning(raisin: Endpoint) -> None:
    test = a_test(raisin, kind="split")
    labelled(test, **B_BETTER)
    third = cast.registered_version(raisin, status="staging")
    lifecycle.promote(version=third, decision=decision())
    found = gate(second(raisin), "abtest")
    assert found.verdict == "warn"
    assert found.message.endswith("v1 is not in production any more.")


@pytest.mark.parametrize("is_stopped", [False, True])
def test_a_test_that_cannot_be_trusted_fails(raisin: Endpoint, is_stopped: bool) -> None:
    test = a_test(raisin, kind="split")
    labelled(test, **B_BETTER)
    asked(test, a=900, b=600)
    if is_stopped:
        stop(test, "b_wins")
    found = gate(second(raisin), "abtest")
    assert found.verdict == "fail"
    assert "did not get the planned shares of the units (p = " in found.message


def test_the_newest_test_counts(raisin: Endpoint) -> None:
    first = a_test(raisin, kind="split")
    labelled(first, **B_WORSE)
    stop(first, "a_wins")
    labelled(a_test(raisin, kind="split", now=NOON + timedelta(days=1)), **B_BETTER)
    assert gate(second(raisin), "abtest").verdict == "pass"


@pytest.fixture
def doubted(raisin: Endpoint) -> ABTest:
    """A running test that B wins, with units that did not fall on the arms as planned."""
    test = a_test(raisin, kind="split", title="autumn")
    labelled(test, **B_BETTER)
    asked(test, a=900, b=600)
    return test


def another(endpoint: Endpoint, days: int, **plan: Any) -> ABTest:
    return a_test(endpoint, kind="split", now=NOON + timedelta(days=days), **plan)


def test_another_share_does_not_lift_a_doubt(doubted: ABTest) -> None:
    starting.change_share(
        doubted, 2_000, reason="less of B for now", actor=planned.ALEX, now=NOON + timedelta(days=1)
    )
    labelled(doubted, **B_BETTER)
    found = gate(second(doubted.endpoint), "abtest")
    assert found.verdict == "fail"
    assert "Phase 1 of “autumn”: the test is not to be trusted: " in found.message


@pytest.mark.parametrize("count", [1, 2])
def test_tests_without_a_result_do_not_lift_a_doubt(doubted: ABTest, count: int) -> None:
    stop(doubted, "did_not_finish")
    for day in range(1, count + 1):
        stop(another(doubted.endpoint, day, title="empty"), "did_not_finish")
    found = gate(second(doubted.endpoint), "abtest")
    assert found.verdict == "fail"
    assert "Phase 1 of “autumn”: " in found.message


def test_a_test_that_has_just_begun_does_not_lift_a_doubt(doubted: ABTest) -> None:
    stop(doubted, "did_not_finish")
    another(doubted.endpoint, 1, title="empty")
    assert gate(second(doubted.endpoint), "abtest").verdict == "fail"


def test_a_broken_guardrail_without_labels_lifts_no_doubt(doubted: ABTest) -> None:
    stop(doubted, "did_not_finish")
    asked(another(doubted.endpoint, 1), a=600, b=600, errors=100)
    assert gate(second(doubted.endpoint), "abtest").verdict == "fail"


def test_a_sound_test_with_a_result_lifts_a_doubt(doubted: ABTest) -> None:
    stop(doubted, "did_not_finish")
    labelled(another(doubted.endpoint, 1), **B_BETTER)
    assert gate(second(doubted.endpoint), "abtest").verdict == "pass"


def test_a_test_without_a_result_is_passed_over(raisin: Endpoint) -> None:
    first = a_test(raisin, kind="split")
    labelled(first, **B_BETTER)
    stop(first, "b_wins")
    stop(another(raisin, 1), "did_not_finish")
    found = gate(second(raisin), "abtest")
    assert found.verdict == "pass"
    assert "as “B wins”" in found.message


def test_a_broken_guardrail_is_a_result(raisin: Endpoint) -> None:
    first = a_test(raisin, kind="split")
    labelled(first, **B_BETTER)
    stop(first, "b_wins")
    asked(another(raisin, 1), a=600, b=600, errors=100)
    found = gate(second(raisin), "abtest")
    assert found.verdict == "warn"
    assert "a guardrail of v2 is broken" in found.message.lower()


def test_doubts_of_a_comparison_with_a_version_that_has_left_are_of_the_past(
    doubted: ABTest,
) -> None:
    endpoint = doubted.endpoint
    third = cast.registered_version(endpoint, status="staging")
    lifecycle.promote(version=third, decision=decision())
    another(endpoint, 1)
    assert gate(second(endpoint), "abtest").verdict == "not_run"


def test_one_label_is_counted_as_one(raisin: Endpoint) -> None:
    labelled(a_test(raisin, kind="split"), a=(1, 0), b=(1, 0))
    found = gate(second(raisin), "abtest")
    assert found.message.endswith("There is 1 of about 1,000 labels.")


def stop(test: ABTest, conclusion: str) -> None:
    said = stopping.Stop(conclusion=conclusion, reason=planned.REASON)
    stopping.stop(test, said, actor=planned.ALEX, now=NOON)


def test_an_empty_card_is_a_warning(raisin: Endpoint) -> None:
    found = gate(second(raisin), "card")
    assert found.verdict == "warn"
    assert found.message == "The card of v2 does not say: intended use, limits."


def test_a_card_that_is_required_fails_when_half_written(raisin: Endpoint) -> None:
    Endpoint.objects.update(card_required=True)
    raisin.versions.filter(number=2).update(intended_use="Sorting raisins.")
    found = gate(second(raisin), "card")
    assert found.verdict == "fail"
    assert "does not say: limits" in found.message


def test_a_written_card_passes(raisin: Endpoint) -> None:
    Endpoint.objects.update(card_required=True)
    raisin.versions.update(intended_use="Sorting raisins.", limits="No grapes.")
    assert gate(second(raisin), "card").verdict == "pass"


def test_somebody_else_may_decide(raisin: Endpoint, dana: User, alex: User) -> None:
    found = by(alex, trained_by(second(raisin), dana))
    assert found.verdict == "pass"
    assert found.message == "alex decides on the work of dana."


def test_who_trained_it_is_warned(raisin: Endpoint, dana: User) -> None:
    found = by(dana, trained_by(second(raisin), dana))
    assert found.verdict == "warn"
    assert found.message == "dana trained v2; somebody else should decide."


def test_who_trained_it_fails_where_a_second_person_is_required(
    raisin: Endpoint, dana: User
) -> None:
    found = by(dana, trained_by(required(raisin), dana))
    assert found.verdict == "fail"


def test_who_registered_or_asked_is_not_a_second_person(raisin: Endpoint, alex: User) -> None:
    version = required(raisin)
    version.created_by = alex
    PromotionRequest.objects.create(version=version, requested_by=alex, at=cast.THEN)
    found = by(alex, version)
    assert found.verdict == "fail"
    assert "alex registered and asked for v2" in found.message


def test_the_last_request_counts(raisin: Endpoint, alex: User, dana: User) -> None:
    version = required(raisin)
    asked = PromotionRequest.objects.create
    asked(version=version, requested_by=alex, at=cast.THEN, outcome="rejected", closed_at=cast.THEN)
    asked(version=version, requested_by=dana, at=cast.THEN + timedelta(hours=1))
    assert by(alex, version).verdict == "pass"


def test_a_setting_requires_it_everywhere(raisin: Endpoint, dana: User, settings: object) -> None:
    settings.RAISIN_SECOND_PERSON = True  # type: ignore[attr-defined]
    assert by(dana, trained_by(second(raisin), dana)).verdict == "fail"


def test_the_command_line_is_no_person(raisin: Endpoint) -> None:
    assert by(None, required(raisin)).verdict == "not_run"


def test_nobody_known_is_a_warning_where_it_is_required(raisin: Endpoint, alex: User) -> None:
    assert by(alex, second(raisin)).verdict == "not_run"
    assert by(alex, required(raisin)).verdict == "warn"


def test_a_key_stands_for_its_maker(raisin: Endpoint, alex: User) -> None:
    key, _ = cast.new_key(alex, scopes=["manage"])
    version = trained_by(required(raisin), alex)
    assert gate(version, "second_person", actor=Caller(key=key)).verdict == "fail"


def test_it_stops_the_promotion(raisin: Endpoint, alex: User) -> None:
    version = trained_by(required(raisin), alex)
    decision = Decision(actor=Caller(user=alex), now=cast.THEN, reason=cast.REASON)
    with pytest.raises(GateFailed, match="alex trained v2; somebody else should decide"):
        lifecycle.promote(version=version, decision=decision)
