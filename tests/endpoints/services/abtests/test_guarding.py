"""Guardrails of a test are broken by evidence and not by noise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from endpoints.services.abtests import guarding
from endpoints.services.abtests.counts import NO_TRAFFIC, ArmCounts
from endpoints.services.abtests.guarding import Guardrail
from mlcore.proportions import Share, newcombe
from mlcore.sequential import boundary
from tests.endpoints.services.abtests.made_up import (
    EVEN,
    REFERENCE,
    a_test,
    guard,
    judge,
    shadow,
    split,
)

REACH = boundary(2_000, 0.1, 1_000)
"""Standard errors, of a thousand rows of each arm."""


def test_errors_break_their_guardrail_by_evidence_alone() -> None:
    def errors(a: int, b: int, **plan: Any) -> Guardrail:
        traffic = (replace(EVEN, errors=a), replace(EVEN, errors=b))
        return guard(judge(split(*REFERENCE, traffic), **plan), "errors")

    few = errors(0, 30)
    assert few.challenger == 30 / 2_030
    assert (few.known, few.breached) == (True, False)
    assert 0.007 < (few.low or 0) < 0.008
    assert errors(0, 60).breached
    assert not errors(60, 60).breached
    assert not errors(0, 60, error_margin=0.03).breached
    nobody = guard(judge(split({}, {}, (NO_TRAFFIC, NO_TRAFFIC))), "errors")
    assert (nobody.known, nobody.breached, nobody.control) == (False, False, None)
    assert judge(split(*REFERENCE, (EVEN, replace(EVEN, errors=60)))).banner == "guardrail"


def test_brier_breaks_its_guardrail_by_evidence_alone() -> None:
    def brier(b: float, **plan: Any) -> Guardrail:
        sides = [
            counts | {"squares": 1_000 * mean, "fourths": 1_000 * (mean**2 + 0.01)}
            for counts, mean in zip(REFERENCE, (0.1, b), strict=True)
        ]
        return guard(judge(split(*sides), **plan), "brier")

    se = (2 * 0.01 / 1_000) ** 0.5
    found = brier(0.132)
    assert (found.control, found.challenger) == (pytest.approx(0.1), pytest.approx(0.132))
    assert found.low == pytest.approx(0.032 - REACH * se)
    assert (found.known, found.breached) == (True, False)
    assert brier(0.133).breached
    assert not brier(0.133, brier_margin=0.03).breached
    assert not brier(0.133, minimum_labels=1_001).known


@pytest.mark.parametrize("kind", ["split", "shadow"])
def test_rows_of_one_unit_are_weaker_evidence_against_brier(kind: str) -> None:
    worse = {"squares": 230.0, "fourths": 1_000 * (0.23**2 + 0.01)}
    sums = {"units": 500, "sum_n": 1_000.0, "sum_nn": 4_000.0}
    if kind == "split":
        counts = split(REFERENCE[0] | sums, REFERENCE[1] | sums | worse)
    else:
        counts = shadow((500, 0, 0, 0), (500, 0, 0, 0), **sums)
        vars(counts.challenger.arm).update(worse)
    found = guard(judge(counts, kind=kind), "brier")
    se = (0.01 / 1_000 * 4) ** 0.5
    assert found.low == pytest.approx(0.23 - REACH * se)


def test_latency_breaks_its_guardrail_from_a_hundred_requests_on() -> None:
    def latency(requests: int, **plan: Any) -> Guardrail:
        slow = replace(EVEN, latencies={"30": requests})  # about 10 ms
        return guard(judge(split(*REFERENCE, (EVEN, slow)), **plan), "latency")

    assert latency(100, latency_limit_ms=5.0).breached
    assert not latency(99, latency_limit_ms=5.0).breached
    assert not latency(100, latency_limit_ms=20.0).breached
    assert 9.6 < (latency(100, latency_limit_ms=5.0).low or 0) < 9.7


def test_a_few_slow_requests_of_a_hundred_may_be_chance() -> None:
    def latency(slow: int) -> Guardrail:
        mixed = replace(EVEN, latencies={"20": 100 - slow, "40": slow})  # about 1 and 100 ms
        return guard(judge(split(*REFERENCE, (EVEN, mixed)), latency_limit_ms=50.0), "latency")

    assert (latency(7).challenger or 0) > 50.0
    assert not latency(7).breached
    assert latency(20).breached


def test_a_few_requests_that_failed_may_be_chance() -> None:
    def errors(tried: int) -> Guardrail:
        traffic = (replace(EVEN, requests=100), replace(EVEN, requests=0, errors=tried))
        return guard(judge(split({}, {}, traffic)), "errors")

    assert (errors(99).challenger, errors(99).known, errors(99).breached) == (1.0, False, False)
    assert errors(100).breached


def test_one_unit_that_fails_always_is_no_fault_of_its_arm() -> None:
    """A hundred units of twenty requests each; of B one of them, or fifteen, only get refusals."""

    def errors(broken: int) -> Guardrail:
        tried = replace(EVEN, units=100)
        of_b = replace(tried, requests=20 * (100 - broken), errors=20 * broken)
        return guard(judge(split({}, {}, (tried, of_b))), "errors")

    assert (errors(1).challenger, errors(1).known, errors(1).breached) == (0.01, True, False)
    assert not errors(3).breached
    assert errors(15).breached


def test_both_arms_of_a_shadow_test_have_the_same_units() -> None:
    counts = shadow((0, 0, 0, 0), (0, 0, 0, 0))
    a, b = (replace(counts.control.traffic, units=20), replace(EVEN, units=0, errors=60))
    few = replace(
        counts,
        control=ArmCounts(counts.control.arm, a),
        challenger=ArmCounts(counts.challenger.arm, b),
    )
    assert not guard(judge(few, kind="shadow"), "errors").breached
    many = replace(few, control=ArmCounts(few.control.arm, replace(a, units=2_000)))
    assert guard(judge(many, kind="shadow"), "errors").breached


@pytest.mark.parametrize(
    ("units", "sums", "together"),
    [(1_000, (1_600.0, 2_800.0), 1), (250, (100.0, 130.0), 4), (250, (0.0, 0.0), 4)],
)
def test_under_f1_brier_counts_rows_and_not_their_weights(
    units: int, sums: tuple[float, float], together: int
) -> None:
    side = {"tn": 1_000, "units": units, "sum_n": sums[0], "sum_nn": sums[1]}
    side |= {"squares": 100.0, "fourths": 20.0}
    found = guard(judge(split(side, side), metric="f1"), "brier")
    se = (2 * 0.01 / 1_000 * together) ** 0.5
    assert found.low == pytest.approx(-REACH * se)


def test_a_plan_without_guardrails_has_none() -> None:
    none = {"latency_limit_ms": None, "error_margin": None, "brier_margin": None}
    assert judge(split(*REFERENCE), **none).guardrails == ()


def test_looking_always_seldom_breaks_what_equal_versions_keep() -> None:
    """Sixty looks each, without a margin; at 95 % of one look alone many of these tests would stop."""
    rng = np.random.default_rng(5)
    looks = np.unique(np.geomspace(100, 10_000, 60).astype(int)).tolist()
    stopped = naive = 0
    for _ in range(100):
        a, b = (np.cumsum(rng.random(looks[-1]) < 0.05).tolist() for _ in range(2))
        seen = [(n, a[n - 1], b[n - 1]) for n in looks]
        stopped += any(_breaks(*one) for one in seen)
        naive += any(newcombe(Share(k, n), Share(m, n)).low > 0 for n, k, m in seen)
    assert stopped <= 5
    assert naive >= 12


def _breaks(requests: int, *errors: int) -> bool:
    sides = [replace(EVEN, requests=requests - k, errors=k, units=requests) for k in errors]
    counts = split({}, {}, (sides[0], sides[1]))
    found = guarding.guardrails(a_test(error_margin=0.0, brier_margin=None), counts)
    return found[0].breached
