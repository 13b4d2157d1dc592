"""The sentence that goes on record says who is better, by how much, or why nobody may say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from endpoints.models import Endpoint
from endpoints.services.abtests import analysis, verdicts
from tests.endpoints.services.abtests.planned import (
    ALIKE,
    B_BETTER,
    B_WORSE,
    a_test,
    asked,
    labelled,
)
from tests.endpoints.services.decisions import NOON

pytestmark = pytest.mark.django_db


def sentence(endpoint: Endpoint, counts: dict[str, Any], **plan: Any) -> str:
    test = a_test(endpoint, kind="split", **plan)
    labelled(test, **counts)
    return verdicts.in_words(analysis.analyse(test, now=NOON + timedelta(hours=1)))


def test_it_works(raisin: Endpoint) -> None:
    test = a_test(raisin, kind="split")
    labelled(test, **B_BETTER)
    report = analysis.analyse(test, now=NOON)
    assert report.statistics is not None
    low, high, _ = report.statistics.always_valid or (0, 0, 0)
    assert verdicts.in_words(report) == (
        "v2 is better than v1 on accuracy (difference +0.1600, 95 % interval "
        f"{low:+.4f} to {high:+.4f}, 500 labels)."
    )


def test_the_interval_is_the_one_that_decides(raisin: Endpoint) -> None:
    plan = {"looks": "at_horizon", "horizon": 500, "alpha": 0.001}
    test = a_test(raisin, kind="split", **plan)
    labelled(test, **B_BETTER)
    report = analysis.analyse(test, now=NOON)
    assert report.statistics is not None
    assert report.statistics.fixed is not None
    low, high = report.statistics.fixed
    assert f"99.9 % interval {low:+.4f} to {high:+.4f}" in verdicts.in_words(report)


@pytest.mark.parametrize(
    ("counts", "plan", "said"),
    [
        (B_WORSE, {}, "v2 is worse than v1 on accuracy (difference -0.1600, "),
        (
            ALIKE,
            {"margin": 0.07, "minimum_effect": 0.1},
            "v2 and v1 differ on accuracy by no more than 0.07 (difference",
        ),
        (ALIKE, {}, "it is not known which of v2 and v1 is better on accuracy (difference +0.0020"),
    ],
)
def test_each_verdict_has_its_words(
    raisin: Endpoint, counts: Any, plan: dict[str, Any], said: str
) -> None:
    assert sentence(raisin, counts, **plan).startswith(said)


def test_a_cost_is_better_when_it_is_lower(raisin: Endpoint) -> None:
    counts = {"a": (400, 100), "b": (480, 20)}
    plan = {"metric": "expected_cost", "minimum_effect": 0.1}
    said = sentence(raisin, counts, **plan)
    assert said.startswith("v2 is better than v1 on expected cost (difference -0.1600")


def test_it_says_nothing_of_the_difference_before_there_are_labels_enough(
    raisin: Endpoint,
) -> None:
    said = sentence(raisin, {"a": (40, 10), "b": (50, 0)})
    assert said == "it is not known which of v2 and v1 is better on accuracy."


def test_a_broken_guardrail_is_named(raisin: Endpoint) -> None:
    test = a_test(raisin, kind="split")
    labelled(test, **B_BETTER)
    asked(test, a=600, b=600, errors=100)
    said = verdicts.in_words(analysis.analyse(test, now=NOON))
    assert said.startswith("a guardrail of v2 is broken: failed requests (difference +0.1600")


def test_each_doubt_has_its_words_and_its_p_value(raisin: Endpoint) -> None:
    test = a_test(raisin, kind="split")
    labelled(test, **B_BETTER)
    asked(test, a=900, b=600)
    said = verdicts.in_words(analysis.analyse(test, now=NOON))
    assert said.startswith("the test is not to be trusted: the versions did not get the planned")
    assert "units (p = 1.5e-12) and one version has labels for more of its predictions" in said
    assert "difference" not in said


def test_looks_that_contradict_one_another_have_no_p_value(raisin: Endpoint) -> None:
    test = a_test(raisin, kind="split")
    labelled(test, **B_BETTER)
    test.phases.update(low=-0.5, high=-0.4, p_value=0.001)
    said = verdicts.in_words(analysis.analyse(test, now=NOON))
    assert said == (
        "the test is not to be trusted: the difference has changed so much meanwhile that the looks "
        "contradict one another."
    )
