"""The report of a test and its decision."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.abtest import (
    CHECKS_TUNED_FOR,
    ABTestReport,
    Look,
    Plan,
    Settled,
    analyse_shadow,
    analyse_split,
    verdict,
)
from mlcore.assignment import Split
from mlcore.clustered import UnitSums, unit_sums
from mlcore.comparison import ShadowCounters
from mlcore.errors import DataError
from mlcore.mcnemar import Pairs
from mlcore.metrics import Confusion
from mlcore.outcomes import ArmCounters, Goal
from mlcore.proportions import Ends, Share
from mlcore.sample_ratio import MISMATCH, coverage_p, sample_ratio_p
from mlcore.sequential import AlwaysValid, lasting_p

PLAN = Plan(horizon=5000)
SHADOW_PLAN = Plan(horizon=2000, kind="shadow")


def arm(correct: int, labels: int = 1000, **counts: Any) -> ArmCounters:
    return ArmCounters(
        **{"requests": labels, "units": labels} | counts, labels=labels, correct=correct
    )


def split(a: int, b: int, plan: Plan = PLAN, look: Look | None = None) -> ABTestReport:
    return analyse_split(arm(a), arm(b), plan, look)


def shadow(pairs: Pairs, plan: Plan = SHADOW_PLAN, look: Look | None = None) -> ABTestReport:
    return analyse_shadow(ShadowCounters(pairs.n, pairs), plan, look)


def test_it_works() -> None:
    report = split(840, 871)
    assert report.decision == "keep_running"
    assert report.difference == pytest.approx(0.031)
    assert report.fixed == pytest.approx((0.00015183898531710358, 0.061851241184964476))
    assert report.p_value == pytest.approx(0.048663608927984055)
    assert report.always_valid == pytest.approx(
        (-0.018070085479487623, 0.08007008547948768, 0.4647361499361823)
    )
    assert report.belief.b_better == pytest.approx(0.9755654364841928)
    assert report.sample_ratio_p == 1.0
    assert report.coverage_p == 1.0
    assert (report.control.value, report.challenger.value) == (0.84, 0.871)
    assert report.control.low == pytest.approx(0.8159830663133126)


def test_the_same_accuracies_on_the_same_rows_are_nearly_decided() -> None:
    report = shadow(Pairs(800, 40, 71, 89))
    assert report.p_value == pytest.approx(0.004195534185394861)
    assert report.always_valid == pytest.approx((-0.00083918, 0.06283918, 0.06185681), abs=1e-8)
    assert (report.sample_ratio_p, report.coverage_p) == (None, None)
    assert report.decision == "keep_running"


@pytest.mark.parametrize(
    ("a", "b", "decision"),
    [(800, 900, "b_better"), (900, 800, "a_better"), (840, 871, "keep_running")],
)
def test_a_large_difference_is_decided_before_the_horizon(a: int, b: int, decision: str) -> None:
    assert split(a, b).decision == decision


@pytest.mark.parametrize(
    ("only_a", "only_b", "decision"),
    [(20, 51, "b_better"), (51, 20, "a_better"), (30, 51, "keep_running")],
)
def test_pairs_decide_as_well(only_a: int, only_b: int, decision: str) -> None:
    assert shadow(Pairs(900 - only_a - only_b, only_a, only_b, 100)).decision == decision


def test_a_lower_cost_decides_for_the_challenger() -> None:
    arms = [
        ArmCounters(1000, 1000, 1000, 1000 - errors, Confusion(500 - errors, errors, 0, 500))
        for errors in (200, 100)
    ]
    plan = replace(PLAN, goal=Goal("expected_cost"))
    report = analyse_split(arms[0], arms[1], plan)
    assert report.difference == pytest.approx(-0.1)
    assert report.decision == "b_better"
    assert analyse_split(arms[1], arms[0], plan).decision == "a_better"


def test_a_difference_within_the_margin_does_not_matter() -> None:
    report = split(850, 850, replace(PLAN, margin=0.06))
    assert report.decision == "no_difference"
    assert split(850, 850, replace(PLAN, margin=0.03)).decision == "keep_running"


@pytest.mark.parametrize(
    ("ends", "metric", "decision"),
    [
        (Ends(0.002, 0.008), "accuracy", "no_difference"),
        (Ends(-0.01, 0.01), "accuracy", "no_difference"),
        (Ends(0.002, 0.02), "accuracy", "b_better"),
        (Ends(-0.02, -0.002), "accuracy", "a_better"),
        (Ends(-0.02, -0.002), "expected_cost", "b_better"),
        (Ends(0.002, 0.02), "expected_cost", "a_better"),
        (Ends(-0.02, 0.002), "accuracy", None),
        (Ends(0.0, 0.02), "accuracy", None),
    ],
)
def test_an_interval_says_who_is_better(ends: Ends, metric: Any, decision: str | None) -> None:
    assert verdict(ends, replace(PLAN, margin=0.01, goal=Goal(metric))) == decision


def test_without_a_margin_every_difference_matters() -> None:
    assert verdict(Ends(0.0, 0.0), PLAN) is None


def test_the_horizon_ends_what_nothing_has_decided() -> None:
    assert split(840, 845, replace(PLAN, horizon=1000)).decision == "inconclusive"
    assert split(840, 845, look=Look(ended=True)).decision == "inconclusive"


def test_the_look_at_the_horizon_that_was_taken_stands() -> None:
    plan = Plan(horizon=1000, looks="at_horizon")
    look = Look(settled=Settled(Ends(-0.03, -0.01), 0.002))
    report = split(840, 871, plan, look)
    assert report.decision == "a_better"
    assert (report.fixed, report.p_value) == look.settled
    assert report.difference == pytest.approx(0.031)


def test_a_single_look_at_the_horizon_decides_by_the_fixed_interval() -> None:
    plan = Plan(horizon=1001, looks="at_horizon")
    assert split(840, 871, plan).decision == "keep_running"
    assert split(800, 900, plan).decision == "keep_running"
    assert split(840, 871, replace(plan, horizon=1000)).decision == "b_better"
    assert split(840, 860, replace(plan, horizon=1000)).decision == "inconclusive"
    assert split(840, 871, plan, Look(ended=True)).decision == "b_better"


@pytest.mark.parametrize(("only_a", "only_b"), [(5, 14), (4, 12), (2, 9)])
def test_a_winner_of_few_pairs_passes_the_exact_test_as_well(only_a: int, only_b: int) -> None:
    plan = Plan(horizon=1000, kind="shadow", looks="at_horizon")
    report = shadow(Pairs(900, only_a, only_b, 100 - only_a - only_b), plan)
    assert report.fixed is not None
    assert report.fixed.low > 0
    assert report.p_value is not None
    assert report.p_value > plan.alpha
    assert report.decision == "inconclusive"


def test_before_the_least_number_of_labels_nothing_is_decided() -> None:
    few = arm(10, 49), arm(49, 49)
    report = analyse_split(*few, PLAN)
    assert report.decision == "keep_running"
    assert report.this_look is not None
    assert report.this_look.low > 0
    assert report.always_valid is None
    assert analyse_split(arm(10, 50), arm(50, 50), PLAN).decision == "b_better"
    assert analyse_split(*few, PLAN, Look(ended=True)).decision == "inconclusive"


def test_what_was_ruled_out_stays_ruled_out() -> None:
    before = AlwaysValid(0.001, 0.05, 0.03)
    report = split(840, 871, look=Look(before))
    assert report.always_valid == (0.001, 0.05, 0.03)
    assert report.this_look.p_value == pytest.approx(0.4647361499361823)
    assert report.decision == "b_better"


def test_the_last_look_is_kept_while_there_is_nothing_new() -> None:
    before = AlwaysValid(0.001, 0.05, 0.03)
    report = analyse_split(arm(0, 0), arm(0, 0), PLAN, Look(before))
    assert report.always_valid == before
    assert report.this_look is None


def test_a_difference_that_moved_is_not_trusted() -> None:
    report = split(800, 900, look=Look(AlwaysValid(-0.2, -0.01, 0.01)))
    assert report.doubts == ("drifted",)
    assert report.decision == "do_not_trust"


def test_a_wrong_sample_ratio_is_not_trusted() -> None:
    report = analyse_split(arm(800, units=1000), arm(900, units=1200), PLAN)
    assert report.doubts == ("sample_ratio",)
    assert report.decision == "do_not_trust"
    uneven = replace(PLAN, split=Split((4545, 5455)))
    assert analyse_split(arm(800, units=1000), arm(900, units=1200), uneven).doubts == ()


def test_asking_always_seldom_doubts_a_fair_split() -> None:
    """At 60 looks each; a p value of one look alone finds a fault in some of these 300 tests."""
    rng = np.random.default_rng(7)
    looks = np.unique(np.geomspace(10, 20_000, 60).astype(int)).tolist()
    doubted = naive = 0
    for _ in range(300):
        in_b = np.cumsum(rng.random(looks[-1]) < 0.5)
        units = [(n - int(in_b[n - 1]), int(in_b[n - 1])) for n in looks]
        naive += any((sample_ratio_p(pair, (1, 1)) or 1) < MISMATCH for pair in units)
        reports = (analyse_split(arm(0, 0, units=a), arm(0, 0, units=b), PLAN) for a, b in units)
        doubted += any(report.doubts for report in reports)
    assert doubted == 0
    assert naive >= 4


def test_what_one_look_would_doubt_is_no_doubt_of_every_look() -> None:
    once = coverage_p(Share(900, 1500), Share(810, 1500))
    assert once is not None
    assert 0.0001 < once < MISMATCH
    arms = [arm(700, labels, requests=1500, units=1500) for labels in (900, 810)]
    report = analyse_split(*arms, PLAN)
    assert report.doubts == ()
    lasting = lasting_p(once, 3000, alpha=MISMATCH, tuned_for=CHECKS_TUNED_FOR)
    assert report.coverage_p == lasting > MISMATCH


def test_labels_for_one_arm_more_often_are_not_trusted() -> None:
    report = analyse_split(arm(800, requests=1500), arm(900, requests=1200), PLAN)
    assert report.doubts == ("coverage",)
    assert report.coverage_p < 0.001
    assert report.decision == "do_not_trust"


def test_rows_that_get_their_labels_together_are_not_taken_for_independent() -> None:
    """Lists of 100 rows: of 300 each, 200 and 225 have come back labelled."""

    def lists(labelled: int) -> ArmCounters:
        sums = unit_sums([80.0] * labelled, [100.0] * labelled)
        rows = {"labels": 100 * labelled, "requests": 30_000, "units": 300}
        return arm(80 * labelled, **rows, per_unit=sums)

    report = analyse_split(lists(200), lists(225), PLAN)
    once = coverage_p(Share(200, 300), Share(225, 300))
    assert once is not None
    assert report.coverage_p == lasting_p(once, 600, alpha=MISMATCH, tuned_for=CHECKS_TUNED_FOR)
    assert report.doubts == ()
    assert analyse_split(lists(150), lists(225), PLAN).doubts == ("coverage",)
    few = [
        ArmCounters(1000, 1000, 900, 900, Confusion(900, 0, 0, 0), UnitSums(2, 0, 0, 0, 0, 0))
    ] * 2
    assert analyse_split(*few, Plan(horizon=900, goal=Goal("f1"))).coverage_p == 1.0


def test_under_f1_rows_that_get_their_labels_together_are_rows_of_any_kind() -> None:
    """Lists of 100 rows with one tp, one fn and 98 tn: x = 2, n = 3."""

    def lists(labelled: int) -> ArmCounters:
        counts = Confusion(98 * labelled, 0, labelled, labelled)
        sums = unit_sums([2.0] * labelled, [3.0] * labelled)
        rows = {"labels": 100 * labelled, "requests": 30_000, "units": 300}
        return arm(99 * labelled, **rows, confusion=counts, per_unit=sums)

    plan = Plan(horizon=50_000, goal=Goal("f1"))
    assert analyse_split(lists(200), lists(225), plan).doubts == ()
    assert analyse_split(lists(150), lists(225), plan).doubts == ("coverage",)


def test_a_test_that_has_just_begun_has_a_report() -> None:
    report = analyse_split(ArmCounters(0, 0, 0, 0), ArmCounters(0, 0, 0, 0), PLAN)
    assert report.decision == "keep_running"
    assert (report.control.value, report.difference, report.sample_ratio_p) == (None, None, None)
    assert shadow(Pairs(0, 0, 0, 0)).decision == "keep_running"


def test_a_report_is_plain_data() -> None:
    for report in (split(840, 871), shadow(Pairs(0, 0, 0, 0))):
        json.dumps(asdict(report), allow_nan=False)


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 60), min_size=4, max_size=4),
    st.sampled_from(["any_time", "at_horizon"]),
)
def test_every_count_has_a_report(counts: list[int], looks: Any) -> None:
    arms = [arm(right, right + wrong) for right, wrong in (counts[:2], counts[2:])]
    plan = Plan(horizon=60, minimum_labels=1, margin=0.05, looks=looks)
    report = analyse_split(arms[0], arms[1], plan)
    json.dumps(asdict(report), allow_nan=False)
    if report.this_look is not None:
        assert report.this_look.low < report.difference < report.this_look.high


def test_the_interval_is_tuned_for_half_of_the_labels_at_the_horizon() -> None:
    assert PLAN.tuned_for == 5000  # of 10000 in both arms
    assert replace(PLAN, split=Split((9000, 1000))).tuned_for == 25_000
    assert SHADOW_PLAN.tuned_for == 1000


def test_looking_always_at_equal_models_seldom_finds_a_better_one() -> None:
    rng = np.random.default_rng(4)
    found = 0
    for _ in range(150):
        steps = rng.multinomial(50, [0.75, 0.1, 0.1, 0.05], size=12)
        look = Look()
        for row in np.cumsum(steps, axis=0).tolist():
            report = shadow(Pairs(*row), Plan(horizon=600, kind="shadow"), look)
            look = Look(report.always_valid)
        found += report.decision in ("a_better", "b_better")
    assert found <= 0.05 * 150


DEAR = Goal("expected_cost", cost_fp=1.0, cost_fn=100.0)
A, B = [0.2, 0.3, 0.0, 0.5], [0.45, 0.05, 0.0025, 0.4975]
"""Shares of tn, fp, fn and tp; both cost 0.3 a row, B once in four hundred rows all at once."""


def says_one_is_better(seed: int, kind: str) -> bool:
    rng, look = np.random.default_rng(seed), Look()
    plan = Plan(horizon=2000, goal=DEAR, kind=kind, minimum_labels=100)  # type: ignore[arg-type]
    steps = [rng.multinomial(100, shares, size=20).cumsum(axis=0).tolist() for shares in (A, B)]
    pairs = rng.multinomial(100, [0.15, 0.05, 0.3, 0.4975, 0.0025], size=20).cumsum(axis=0)
    for a, b, (both, only_a, only_b, right, missed) in zip(*steps, pairs.tolist(), strict=True):
        if kind == "split":
            arms = [ArmCounters(sum(c), sum(c), sum(c), c[0] + c[3], Confusion(*c)) for c in (a, b)]
            report = analyse_split(arms[0], arms[1], plan, look)
        else:
            N, P = Pairs(both, only_a, only_b, 0), Pairs(right, missed, 0, 0)
            report = analyse_shadow(ShadowCounters((N + P).n, N + P, N, P), plan, look)
        look = Look(report.always_valid)
    return report.decision in ("a_better", "b_better")


@pytest.mark.parametrize("kind", ["split", "shadow"])
def test_a_rare_error_that_is_dear_makes_no_winner_of_equal_costs(kind: str) -> None:
    assert sum(says_one_is_better(seed, kind) for seed in range(200)) <= 0.05 * 200


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"alpha": 0.0}, "alpha"),
        ({"alpha": math.nan}, "alpha"),
        ({"margin": -0.1}, "margin"),
        ({"margin": math.inf}, "margin"),
        ({"horizon": 49}, "does not reach"),
        ({"minimum_labels": 0}, "at least 1"),
        ({"kind": "lottery"}, "'lottery'"),
        ({"looks": "never"}, "'never'"),
        ({"split": Split((5000, 3000, 2000))}, "two arms"),
        ({"split": Split((10_000, 0))}, "two arms"),
    ],
)
def test_it_refuses_what_is_no_plan(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        replace(PLAN, **changes)
