"""The confidence sequence: reference numbers, and how often it errs when looked at all the time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.errors import DataError
from mlcore.sequential import (
    AlwaysValid,
    boundary,
    confidence_sequence,
    lasting_p,
    mixture_scale,
    rows_to_decide,
)
from mlcore.special import critical_value, two_sided

SE = math.sqrt(0.84 * 0.16 / 1000 + 0.871 * 0.129 / 1000)
PAIRED_SE = 0.010489947568982413

FIRST, LAST, STEP = 50, 2000, 20


def test_it_works() -> None:
    found = confidence_sequence(0.031, SE, 2000)
    assert found.low == pytest.approx(-0.018070085479487623, rel=1e-12)
    assert found.high == pytest.approx(0.08007008547948768, rel=1e-13)
    assert found.p_value == pytest.approx(0.4647361499361823, rel=1e-12)


def test_the_scale_of_the_mixture_follows_from_the_rows_it_is_tuned_for() -> None:
    assert mixture_scale(0.05, 5000) == pytest.approx(0.03984006677137368, rel=1e-14)
    assert mixture_scale(0.05, 2000) == pytest.approx(0.06299267656536578, rel=1e-14)


@pytest.mark.parametrize(
    ("tuned_for", "low", "high", "p_value"),
    [(1000, -0.00083918, 0.06283918, 0.0618568141261994), (5000, -0.004287, 0.066287, 0.1104)],
)
def test_pairs_have_the_same_sequence_with_their_own_error(
    tuned_for: float, low: float, high: float, p_value: float
) -> None:
    found = confidence_sequence(0.031, PAIRED_SE, 1000, tuned_for=tuned_for)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-7)
    assert found.p_value == pytest.approx(p_value, rel=1e-3 if tuned_for == 5000 else 1e-10)


def test_it_is_the_mixture_sequential_ratio_test() -> None:
    """Johari et al.: L = sqrt(V / (V + n t)) exp(n^2 t d^2 / (2 V (V + n t))), p = 1 / L."""
    V, n = 0.84 * 0.16 + 0.871 * 0.129, 1000
    t = 2 * mixture_scale(0.05) ** 2 * V
    root, exponent = math.sqrt(V / (V + n * t)), n**2 * t * 0.031**2 / (2 * V * (V + n * t))
    found = confidence_sequence(0.031, SE, 2 * n)
    assert found.p_value == pytest.approx(1 / (root * math.exp(exponent)), rel=1e-12)


@settings(deadline=None)
@given(st.floats(0.001, 0.5), st.floats(0.01, 1), st.integers(1, 100_000), st.floats(10, 100_000))
def test_p_is_alpha_where_the_interval_begins_at_0(
    alpha: float, se: float, n: int, tuned_for: float
) -> None:
    edge = se * boundary(n, alpha, tuned_for)
    found = confidence_sequence(edge, se, n, alpha=alpha, tuned_for=tuned_for)
    assert found.low == pytest.approx(0, abs=1e-12)
    assert found.p_value == pytest.approx(alpha, rel=1e-9)


@settings(deadline=None)
@given(st.integers(2, 1_000_000), st.floats(0.001, 0.3))
def test_the_boundary_is_lowest_where_it_is_tuned_for(n: int, alpha: float) -> None:
    tuned = boundary(n, alpha, n)
    assert tuned > critical_value(1 - alpha)
    # The scale of the paper is a little off the very best.
    assert min(boundary(n, alpha, n * f) for f in (0.25, 0.5, 2, 4)) > 0.995 * tuned


def test_no_difference_has_a_p_value_of_1() -> None:
    assert confidence_sequence(0.0, 0.1, 100).p_value == 1.0


def test_an_enormous_difference_has_a_p_value_of_0_at_most() -> None:
    assert confidence_sequence(1.0, 1e-8, 100).p_value == 0.0


def test_looks_together_never_say_less_than_before() -> None:
    first, second = AlwaysValid(-0.1, 0.3, 0.5), AlwaysValid(-0.2, 0.1, 0.7)
    assert first.after(None) is first
    assert second.after(first) == (-0.1, 0.1, 0.5)
    assert second.after(first) == first.after(second)


def test_a_difference_that_moves_leaves_nothing_in_common() -> None:
    assert AlwaysValid(0.1, 0.2, 0.01).after(AlwaysValid(-0.2, 0.05, 0.4)).empty
    assert not AlwaysValid(0.1, 0.1, 0.01).empty


def simulated(p_a: float, p_b: float, runs: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """d - (p_b - p_a) and its se at every look of many runs, both (runs, looks)."""
    rng = np.random.default_rng(8)
    looks = np.arange(FIRST, LAST + 1, STEP)
    sizes = np.diff(looks, prepend=0)
    shares = [np.cumsum(rng.binomial(sizes, p, (runs, len(sizes))), 1) / looks for p in (p_a, p_b)]
    variances = [share * (1 - share) / looks for share in shares]
    return shares[1] - shares[0] - (p_b - p_a), np.sqrt(variances[0] + variances[1])


def bounds(tuned_for: float) -> np.ndarray:
    return np.array([boundary(2 * n, 0.05, tuned_for) for n in range(FIRST, LAST + 1, STEP)])


@pytest.mark.parametrize(("p_a", "p_b"), [(0.85, 0.85), (0.80, 0.90)])
def test_it_misses_the_truth_at_any_look_in_fewer_than_1_of_20_tests(
    p_a: float, p_b: float
) -> None:
    error, se = simulated(p_a, p_b)
    ever = np.any(np.abs(error) > se * bounds(2000), axis=1).mean()
    peeking = np.any(np.abs(error) > se * critical_value(0.95), axis=1).mean()
    assert ever < 0.04
    assert peeking > 0.25  # what the interval of a single look would have done


def test_it_finds_a_large_difference_long_before_the_end() -> None:
    error, se = simulated(0.85, 0.90)
    found = error + 0.05 > se * bounds(2000)
    stopped = np.where(found.any(axis=1), found.argmax(axis=1) * STEP + FIRST, LAST)
    assert found.any(axis=1).mean() == pytest.approx(0.977, abs=0.02)
    assert stopped.mean() == pytest.approx(794, rel=0.05)


def test_as_many_rows_as_planned_decide_as_often_as_planned() -> None:
    rows = rows_to_decide(0.05, 2 * (0.85 * 0.15 + 0.90 * 0.10), tuned_for=2000)
    assert 1000 < rows < 2 * LAST
    error, se = simulated(0.85, 0.90)
    kept = 1 + (int(rows / 2) - FIRST) // STEP
    found = (error + 0.05 > se * bounds(2000))[:, :kept]
    assert 0.79 < found.any(axis=1).mean() < 0.88


def test_a_coin_needs_no_rows_beyond_the_boundary() -> None:
    rows = rows_to_decide(-0.1, 1.0, power=0.5)
    assert math.sqrt(rows * 0.01) == pytest.approx(boundary(rows, 0.05), rel=1e-9)


@pytest.mark.parametrize("alpha", [0.0, 1.0, math.nan])
def test_it_refuses_what_is_no_error_probability(alpha: float) -> None:
    with pytest.raises(DataError, match="alpha"):
        mixture_scale(alpha)


def test_it_refuses_numbers_without_a_sequence() -> None:
    with pytest.raises(DataError, match="tuned for"):
        mixture_scale(0.05, 0)
    with pytest.raises(DataError, match="at least one row"):
        boundary(0, 0.05)
    with pytest.raises(DataError, match="error above 0"):
        confidence_sequence(0.1, 0.0, 100)
    with pytest.raises(DataError, match="finite difference"):
        confidence_sequence(math.nan, 0.1, 100)
    with pytest.raises(DataError, match="not 0"):
        rows_to_decide(0.0, 1.0)
    with pytest.raises(DataError, match="not 0"):
        rows_to_decide(0.1, 0.0)


def test_the_p_value_of_one_look_becomes_one_of_every_look() -> None:
    found = confidence_sequence(0.031, SE, 2000, alpha=0.001, tuned_for=1000)
    once = two_sided(0.031 / SE)
    assert lasting_p(once, 2000, alpha=0.001, tuned_for=1000) == pytest.approx(found.p_value)
    assert lasting_p(1.0, 10, alpha=0.001, tuned_for=1000) == 1.0
    assert lasting_p(0.0, 10, alpha=0.001, tuned_for=1000) == 0.0
    assert 0.0 < lasting_p(1e-300, 10, alpha=0.001, tuned_for=1000) < 1e-30
