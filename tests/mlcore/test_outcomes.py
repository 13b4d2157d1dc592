"""One arm's estimate from counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.clustered import unit_sums
from mlcore.errors import DataError
from mlcore.intervals import wilson
from mlcore.metrics import Confusion
from mlcore.outcomes import ArmCounters, Goal, estimate, few, ratio
from mlcore.realised import realised_metrics

COSTS = Goal("expected_cost", cost_fp=1.0, cost_fn=5.0)


def arm(tn: int, fp: int, fn: int, tp: int) -> ArmCounters:
    n = tn + fp + fn + tp
    return ArmCounters(n, n, n, tn + tp, Confusion(tn, fp, fn, tp))


ARM = arm(tn=80, fp=10, fn=13, tp=77)
ARMS = st.builds(arm, *[st.integers(0, 50)] * 4)


def test_it_works() -> None:
    found = estimate(ArmCounters(2000, 1500, 1000, 840), Goal())
    assert found is not None
    assert found[:3] == pytest.approx((0.84, 0.8159830663133126, 0.8614147379165099), rel=1e-12)
    assert found.variance == pytest.approx(0.84 * 0.16 / 1000)


def test_f1_has_the_interval_of_realised_metrics() -> None:
    found, known = estimate(ARM, Goal("f1")), realised_metrics(ARM.outcomes)["f1"]
    assert found is not None
    assert found[:3] == pytest.approx((known.value, known.low, known.high))


def test_the_expected_cost_is_what_errors_cost_per_row() -> None:
    found = estimate(ARM, COSTS)
    assert found is not None
    costs = np.repeat([0.0, 1.0, 5.0], [157, 10, 13])
    assert found.value == pytest.approx(costs.mean())
    assert found.variance == pytest.approx(costs.var() / 180)
    assert found.high - found.low == pytest.approx(2 * 1.959963985 * costs.std() / np.sqrt(180))


@pytest.mark.parametrize("goal", [Goal(), Goal("f1"), COSTS])
def test_the_variance_is_how_much_the_metric_scatters(goal: Goal) -> None:
    drawn = np.random.default_rng(3).multinomial(180, np.array([80, 10, 13, 77]) / 180, size=3000)
    values = [estimate(arm(*row), goal) for row in drawn.tolist()]
    scatter = np.var([found.value for found in values if found])
    found = estimate(ARM, goal)
    assert found is not None
    assert found.variance == pytest.approx(scatter, rel=0.1)


@settings(deadline=None)
@given(ARMS, st.sampled_from([Goal(), Goal("f1"), COSTS, Goal("expected_cost", cost_fp=0)]))
def test_an_estimate_is_never_without_an_error(counters: ArmCounters, goal: Goal) -> None:
    found = estimate(counters, goal)
    if found is None:
        counts = counters.outcomes
        assert counts.fp + counts.fn + counts.tp == 0
        assert goal.metric == "f1" or counters.labels == 0
    else:
        assert found.variance > 0
        assert found.low < found.high


def test_rows_of_one_kind_alone_have_the_variance_of_half_a_row_more_in_each_cell() -> None:
    found = estimate(ArmCounters(60, 60, 60, 60), Goal())
    assert found is not None
    assert found.variance == pytest.approx(61 / 62 * (1 / 62) / 62)
    assert found.value == 1


def test_a_dear_error_that_was_hardly_seen_counts_a_whole_row_more() -> None:
    goal = Goal("expected_cost", cost_fp=1.0, cost_fn=100.0)
    found = estimate(arm(tn=40, fp=30, fn=0, tp=30), goal)
    assert found is not None
    assert found.value == 0.3
    costs = np.repeat([0.0, 1.0, 100.0], [72, 31, 1])
    assert found.variance == pytest.approx(costs.var() / 104)


def test_units_that_come_again_have_a_larger_variance() -> None:
    x, n = np.tile([4, 4, 4, 4, 0], 20), np.full(100, 4)
    counters = ArmCounters(400, 100, 400, 320, per_unit=unit_sums(x, n))
    found, alone = estimate(counters, Goal()), estimate(replace(counters, per_unit=None), Goal())
    assert found is not None
    assert alone is not None
    assert found.variance == pytest.approx(4 * alone.variance * 100 / 99)
    assert found.high - 0.8 == pytest.approx(1.959963985 * found.variance**0.5)


def test_units_are_not_believed_to_know_more_than_their_rows() -> None:
    counters = ArmCounters(40, 20, 40, 20, per_unit=unit_sums([1] * 20, [2] * 20))
    found = estimate(counters, Goal())
    assert found is not None
    assert found.variance == pytest.approx(0.25 / 40)


def test_a_single_unit_says_nothing() -> None:
    counters = ArmCounters(40, 1, 40, 20, per_unit=unit_sums([20], [40]))
    assert estimate(counters, Goal()) is None


def test_no_label_is_no_estimate() -> None:
    assert estimate(ArmCounters(40, 20, 0, 0), Goal()) is None
    assert estimate(arm(tn=5, fp=0, fn=0, tp=0), Goal("f1")) is None


def test_only_rows_that_count_can_be_few() -> None:
    assert few([(100, (0.0, 0.0)), (100, (1.0, 1.0)), (4, (0.0, 1.0))])
    assert not few([(100, (1.0, 1.0)), (3, (0.0, 1.0)), (2, (0.0, 1.0))])
    assert ratio([(5, (0.0, 0.0))]) is None


def test_each_price_is_a_kind_of_its_own() -> None:
    cheap, dear, right = (30, (1.0, 1.0)), (100.0, 1.0), (70, (0.0, 1.0))
    assert few([cheap, (4, dear), right])
    assert not few([cheap, (5, dear), right])
    assert not few([(30, dear), (0, dear), right])


def test_the_number_of_right_answers_is_enough_for_accuracy() -> None:
    found = estimate(ArmCounters(60, 60, 60, 50), Goal())
    assert found is not None
    assert found[1:3] == wilson(50, 60)
    for goal in (Goal("f1"), COSTS):
        with pytest.raises(DataError, match="needs the confusion"):
            estimate(ArmCounters(60, 60, 60, 50), goal)


def test_it_refuses_counts_that_contradict_one_another() -> None:
    with pytest.raises(DataError, match="correct <= labels"):
        ArmCounters(10, 10, 5, 6)
    with pytest.raises(DataError, match="correct <= labels"):
        ArmCounters(10, -1, 5, 5)
    with pytest.raises(DataError, match="does not add up"):
        ArmCounters(10, 10, 5, 3, Confusion(1, 1, 1, 1))
    with pytest.raises(DataError, match="does not add up"):
        ArmCounters(10, 10, 5, 3, Confusion(1, 2, 1, 1))


def test_it_refuses_a_goal_that_is_none() -> None:
    with pytest.raises(DataError, match="not 'roc_auc'"):
        Goal("roc_auc")  # type: ignore[arg-type]
    for costs in ((0.0, 0.0), (-1.0, 1.0), (float("inf"), 1.0)):
        with pytest.raises(DataError, match="costs"):
            Goal("expected_cost", *costs)


def test_an_interval_stays_within_what_the_metric_can_be() -> None:
    units = unit_sums([20, 20, 19], [20, 20, 20])
    found = estimate(ArmCounters(60, 3, 60, 59, per_unit=units), Goal())
    assert found is not None and found.high == 1.0
    reach = found.value - found.low
    assert found.value + reach > 1.0
    free = estimate(ArmCounters(60, 60, 60, 60, Confusion(30, 0, 0, 30)), Goal("expected_cost"))
    assert free is not None and (free.low, free.value) == (0.0, 0.0) and free.high > 0
