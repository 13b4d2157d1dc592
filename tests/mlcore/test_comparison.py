"""How two arms differ at one look."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.clustered import unit_sums
from mlcore.comparison import ShadowCounters, compare_arms, compare_pairs, shadow_arms
from mlcore.errors import DataError
from mlcore.mcnemar import Pairs, agresti_min, mcnemar, paired_interval
from mlcore.metrics import Confusion
from mlcore.outcomes import ArmCounters, Goal, estimate
from mlcore.posterior import belief, normal_belief, paired_belief, posterior
from mlcore.proportions import Share, newcombe, pooled_test, square_and_add
from mlcore.special import two_sided

CONTROL, CHALLENGER = (ArmCounters(1200, 1100, 1000, correct) for correct in (840, 871))
PAIRS = Pairs(both=800, only_a=40, only_b=71, neither=89)
COSTS = Goal("expected_cost", cost_fp=1.0, cost_fn=5.0)
GOALS = st.sampled_from([Goal(), Goal("f1"), COSTS])

NEGATIVES, POSITIVES = Pairs(400, 15, 30, 55), Pairs(400, 25, 41, 34)
SHADOW = ShadowCounters(1500, PAIRS, NEGATIVES, POSITIVES)

TABLES = st.builds(Pairs, *[st.integers(0, 30)] * 4)
SHADOWS = st.builds(
    lambda negatives, positives: ShadowCounters(250, negatives + positives, negatives, positives),
    TABLES,
    TABLES,
)


def arm(tn: int, fp: int, fn: int, tp: int) -> ArmCounters:
    n = tn + fp + fn + tp
    return ArmCounters(n, n, n, tn + tp, Confusion(tn, fp, fn, tp))


def test_it_works() -> None:
    found = compare_arms(CONTROL, CHALLENGER, Goal())
    shares = Share(840, 1000), Share(871, 1000)
    assert found.difference == pytest.approx(0.031)
    assert found.se == pytest.approx(math.sqrt(0.84 * 0.16 / 1000 + 0.871 * 0.129 / 1000))
    assert found.ends == pytest.approx(newcombe(*shares))
    assert found.p_value == pooled_test(*shares).p_value
    assert found.belief == belief(posterior(840, 1000), posterior(871, 1000))


def test_pairs_know_more_than_two_arms() -> None:
    found = compare_pairs(ShadowCounters(1000, PAIRS), Goal())
    assert found.difference == pytest.approx(0.031)
    assert found.se == pytest.approx(0.010489947568982413, rel=1e-12)
    assert found.ends == pytest.approx(paired_interval(PAIRS))
    assert found.p_value == mcnemar(PAIRS).exact
    assert found.belief == paired_belief(40, 71, 1000)


def test_the_interval_of_f1_is_made_of_those_of_the_arms() -> None:
    arms, goal = (arm(80, 10, 13, 77), arm(85, 9, 6, 80)), Goal("f1")
    found = compare_arms(*arms, goal)
    a, b = (estimate(side, goal) for side in arms)
    assert a is not None
    assert b is not None
    assert found.ends == square_and_add(a[:3], b[:3])
    assert found.se == pytest.approx(math.hypot(a.variance**0.5, b.variance**0.5))
    assert found.p_value == two_sided(found.difference / found.se)
    assert found.belief == normal_belief(found.difference, found.se)


def test_a_lower_cost_is_better() -> None:
    found = compare_arms(arm(80, 10, 13, 77), arm(85, 9, 6, 80), COSTS)
    assert found.difference == pytest.approx((9 + 5 * 6) / 180 - (10 + 5 * 13) / 180)
    assert found.belief is not None
    assert found.belief.b_better > 0.9
    assert found.ends is not None
    assert sum(found.ends) / 2 == pytest.approx(found.difference)


def test_units_that_come_again_widen_the_interval() -> None:
    sums = unit_sums(np.tile([4, 4, 4, 4, 0], 20), np.full(100, 4))
    alone = [ArmCounters(400, 100, 400, 320), ArmCounters(400, 100, 400, 320)]
    found = compare_arms(alone[0], replace(alone[1], per_unit=sums), Goal())
    known = compare_arms(*alone, Goal())
    assert found.se > 1.5 * known.se
    assert found.belief == normal_belief(0.0, found.se)


@pytest.mark.parametrize("goal", [Goal(), Goal("f1"), COSTS])
def test_the_error_of_pairs_is_how_much_the_difference_scatters(goal: Goal) -> None:
    cells = np.array([400, 15, 30, 55, 400, 25, 41, 34])
    drawn = np.random.default_rng(3).multinomial(1000, cells / 1000, size=2000).tolist()
    found = []
    for row in drawn:
        negatives, positives = Pairs(*row[:4]), Pairs(*row[4:])
        shadow = ShadowCounters(1000, negatives + positives, negatives, positives)
        a, b = (estimate(side, goal) for side in shadow_arms(shadow))
        found.append(b.value - a.value if a and b else math.nan)
    assert compare_pairs(SHADOW, goal).se == pytest.approx(np.std(found), rel=0.06)


def test_pairs_by_class_are_the_confusions_of_both() -> None:
    first, second = shadow_arms(SHADOW)
    assert first.outcomes == Confusion(tn=415, fp=85, fn=75, tp=425)
    assert second.outcomes == Confusion(tn=430, fp=70, fn=59, tp=441)
    assert (first.requests, first.labels, first.correct, second.correct) == (1500, 1000, 840, 871)


@settings(deadline=None)
@given(SHADOWS, GOALS)
def test_pairs_always_have_an_error_or_no_difference_at_all(
    shadow: ShadowCounters, goal: Goal
) -> None:
    found = compare_pairs(shadow, goal)
    if found.difference is None:
        assert found[3:] == (None, None, None, None)
    else:
        assert found.se > 0
        assert 0 <= found.p_value <= 1
        assert found.ends.low < found.ends.high
        assert all(math.isfinite(number) for number in found.belief)


@settings(deadline=None)
@given(SHADOWS, GOALS)
def test_exchanging_the_arms_of_pairs_turns_everything_round(
    shadow: ShadowCounters, goal: Goal
) -> None:
    def turned(pairs: Pairs) -> Pairs:
        return Pairs(pairs.both, pairs.only_b, pairs.only_a, pairs.neither)

    assert shadow.negatives is not None
    assert shadow.positives is not None
    back = compare_pairs(
        ShadowCounters(
            shadow.requests,
            turned(shadow.pairs),
            turned(shadow.negatives),
            turned(shadow.positives),
        ),
        goal,
    )
    found = compare_pairs(shadow, goal)
    if found.difference is None:
        assert back.difference is None
    else:
        assert back.difference == pytest.approx(-found.difference, abs=1e-12)
        assert back.se == pytest.approx(found.se)
        assert back.belief.loss_of_a == pytest.approx(found.belief.loss_of_b, abs=1e-12)


@pytest.mark.parametrize("pairs", [Pairs(50, 2, 4, 4), Pairs(0, 0, 40, 0)])
def test_few_pairs_that_differ_have_the_interval_for_few(pairs: Pairs) -> None:
    found = compare_pairs(ShadowCounters(100, pairs), Goal())
    low, high = agresti_min(pairs)
    assert found.ends == (low, high)
    n = pairs.n + 2
    assert found.se == pytest.approx(
        math.sqrt((pairs.apart + 1) / n - ((pairs.only_b - pairs.only_a) / n) ** 2) / math.sqrt(n)
    )


def test_errors_that_cost_nothing_have_the_error_of_few_pairs() -> None:
    shadow = ShadowCounters(200, Pairs(100, 40, 60, 0), Pairs(0, 40, 60, 0), Pairs(100, 0, 0, 0))
    found = compare_pairs(shadow, Goal("expected_cost", cost_fp=0.0))
    assert found.difference == 0
    assert found.se > 0
    assert found.p_value == 1


def test_a_dear_error_that_no_pair_differs_by_yet_widens_the_error() -> None:
    goal = Goal("expected_cost", cost_fp=1.0, cost_fn=100.0)
    shadow = ShadowCounters(100, Pairs(75, 0, 25, 0), Pairs(25, 0, 25, 0), Pairs(50, 0, 0, 0))
    found = compare_pairs(shadow, goal)
    assert found.difference == -0.25
    moves = np.repeat([0.0, 1.0, -1.0, 0.0, 100.0, -100.0], [78, 1, 26, 1, 1, 1])
    assert found.se == pytest.approx(moves.std() / math.sqrt(108))


def test_pairs_of_units_that_come_again_have_the_error_of_units() -> None:
    gains = np.tile([2, 0, 0, -1], 25)
    sums = unit_sums(gains, np.full(100, 4))
    pairs = Pairs(300, 25, 50, 25)
    found = compare_pairs(ShadowCounters(400, pairs, per_unit=sums), Goal())
    assert found.se == pytest.approx(gains.std(ddof=1) / math.sqrt(100) / 4)
    assert found.p_value == two_sided(found.difference / found.se)


def test_f1_of_units_that_come_again_takes_their_pairs_for_one() -> None:
    alone = compare_pairs(SHADOW, Goal("f1"))
    sizes = np.repeat([1.0, 9.0], 100)
    sums = unit_sums(np.zeros(200), sizes)
    found = compare_pairs(replace(SHADOW, per_unit=sums), Goal("f1"))
    assert found.difference == alone.difference
    assert found.se == pytest.approx(alone.se * math.sqrt((sizes @ sizes) / sizes.sum()))
    assert found.p_value == two_sided(found.difference / found.se)
    with pytest.raises(DataError, match="2 units"):
        compare_pairs(replace(SHADOW, per_unit=unit_sums([0.0], [1000.0])), Goal("f1"))


def test_no_label_is_no_difference() -> None:
    found = compare_arms(CONTROL, ArmCounters(10, 10, 0, 0), Goal())
    assert found.control is not None
    assert found.challenger is None
    assert found.difference is None
    assert compare_pairs(ShadowCounters(10, Pairs(0, 0, 0, 0)), Goal()).difference is None


def test_it_refuses_pairs_that_contradict_one_another() -> None:
    with pytest.raises(DataError, match="1000 labelled pairs of 999"):
        ShadowCounters(999, PAIRS)
    with pytest.raises(DataError, match="both the negatives and the positives"):
        ShadowCounters(1000, PAIRS, NEGATIVES)
    with pytest.raises(DataError, match="do not add up"):
        ShadowCounters(1000, PAIRS, NEGATIVES, NEGATIVES)
    with pytest.raises(DataError, match="needs the confusion"):
        compare_pairs(ShadowCounters(1000, PAIRS), COSTS)
