"""Intervals and tests of two shares against published and library numbers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mlcore.errors import DataError
from mlcore.proportions import (
    Ends,
    Share,
    agresti_caffo,
    fisher_exact,
    newcombe,
    pooled_test,
    relative_lift,
    score_interval,
    unpooled_test,
    wald_interval,
)
from mlcore.special import normal_cdf, student_t_two_sided

CONTROL, CHALLENGER = Share(840, 1000), Share(871, 1000)

SHARES = st.integers(1, 60).flatmap(
    lambda n: st.integers(0, n).map(lambda k: Share(k, n)),
)


def welch_df() -> float:
    variances = [share.variance for share in (CONTROL, CHALLENGER)]
    return sum(variances) ** 2 / sum(variance**2 / 999 for variance in variances)


def test_it_works() -> None:
    found = pooled_test(CONTROL, CHALLENGER)
    assert found.z == pytest.approx(1.9715271653246431, rel=1e-14)
    assert found.p_value == pytest.approx(0.048663608927984055, rel=1e-13)
    assert found.z**2 == pytest.approx(3.886919363613015, rel=1e-14)  # Pearson's chi-square
    assert fisher_exact(CONTROL, CHALLENGER) == pytest.approx(0.05626211031571297, rel=1e-12)


@pytest.mark.parametrize(
    ("interval", "low", "high"),
    [
        (newcombe, 0.00015183898531710358, 0.061851241184964476),
        (wald_interval, 0.00021177924699674125, 0.06178822075300332),
        (agresti_caffo, 0.00011776740847913372, 0.06175848009649711),
    ],
)
def test_intervals_agree_with_statsmodels(interval: object, low: float, high: float) -> None:
    assert callable(interval)
    assert interval(CONTROL, CHALLENGER) == pytest.approx((low, high), abs=1e-13)


@pytest.mark.parametrize(
    ("second", "first", "score", "wilson_based"),
    [
        (Share(56, 70), Share(48, 80), (0.0528, 0.3382), (0.0524, 0.3339)),
        (Share(9, 10), Share(3, 10), (0.1700, 0.8406), (0.1705, 0.8090)),
        (Share(6, 7), Share(2, 7), (0.0342, 0.8534), (0.0582, 0.8062)),
        (Share(5, 56), Share(0, 29), (-0.0326, 0.1933), (-0.0381, 0.1926)),
        (Share(0, 10), Share(0, 10), (-0.2879, 0.2879), (-0.2775, 0.2775)),
        (Share(10, 10), Share(0, 20), (0.7156, 1.0), (0.6791, 1.0)),
    ],
)
def test_intervals_agree_with_the_comparison_of_newcombe_1998(
    second: Share, first: Share, score: tuple[float, float], wilson_based: tuple[float, float]
) -> None:
    assert score_interval(first, second) == pytest.approx(score, abs=6e-5)
    assert newcombe(first, second) == pytest.approx(wilson_based, abs=6e-5)


def test_the_score_interval_ends_where_the_likeliest_shares_are_barely_rejected() -> None:
    """By the root of the slope of the likelihood, which SciPy finds."""
    from scipy.optimize import brentq

    for end in score_interval(CONTROL, CHALLENGER):

        def slope(p: float, end: float = end) -> float:
            q = p + end
            return 840 / p - 160 / (1 - p) + 871 / q - 129 / (1 - q)

        p = brentq(slope, 1e-9, 1 - max(end, 0) - 1e-9, xtol=1e-15)
        q = p + end
        variance = (p * (1 - p) + q * (1 - q)) / 1000 * 2000 / 1999
        assert abs(0.031 - end) / math.sqrt(variance) == pytest.approx(1.959963984540054, rel=1e-9)


def test_a_lift_agrees_with_the_delta_method_of_growthbook() -> None:
    found = relative_lift(CONTROL, CHALLENGER)
    assert found.value == pytest.approx(0.03690476190476194, rel=1e-14)
    # GrowthBook takes Student's t.
    wider = stats.t.ppf(0.975, welch_df()) / stats.norm.ppf(0.975)
    reach = (found.high - found.low) / 2 * wider
    assert found.value - reach == pytest.approx(-0.0005135372511858305, abs=1e-7)
    assert found.value + reach == pytest.approx(0.07432306106070971, abs=1e-7)
    assert found.p_value == pytest.approx(0.0532250485294985, abs=2e-4)


def test_walds_test_agrees_with_the_test_of_welch_but_for_students_t() -> None:
    df = welch_df()
    z = unpooled_test(CONTROL, CHALLENGER).z
    assert student_t_two_sided(z, df) == pytest.approx(0.0485835006856028, rel=1e-9)
    assert 0.031 - 0.031 / z * stats.t.ppf(0.975, df) == pytest.approx(0.00019296801183429912)


@settings(deadline=None)
@given(SHARES, SHARES)
def test_fisher_agrees_with_scipy(first: Share, second: Share) -> None:
    table = [[first.k, first.n - first.k], [second.k, second.n - second.k]]
    assert fisher_exact(first, second) == pytest.approx(stats.fisher_exact(table)[1], rel=1e-9)


@settings(deadline=None)
@given(SHARES, SHARES, st.sampled_from([newcombe, score_interval, wald_interval, agresti_caffo]))
def test_exchanging_the_sides_turns_the_interval_round(
    first: Share, second: Share, interval: object
) -> None:
    assert callable(interval)
    low, high = interval(first, second)
    assert interval(second, first) == pytest.approx((-high, -low), abs=1e-9)
    assert low <= high


@settings(deadline=None)
@given(SHARES, SHARES, st.sampled_from([newcombe, score_interval]))
def test_good_intervals_hold_the_difference_and_stay_inside(
    first: Share, second: Share, interval: object
) -> None:
    assert callable(interval)
    low, high = interval(first, second)
    assert -1 <= low <= second.value - first.value <= high <= 1
    assert low < high


@settings(deadline=None)
@given(SHARES, SHARES)
def test_walds_test_rejects_what_its_interval_leaves_out(first: Share, second: Share) -> None:
    ends = wald_interval(first, second)
    for outside in (ends.low - 0.01, ends.high + 0.01):
        assert unpooled_test(first, second, outside).p_value < 0.05
    middle = (ends.low + ends.high) / 2
    assert unpooled_test(first, second, middle).z == pytest.approx(0, abs=1e-9)


def test_a_difference_without_a_variance_is_infinitely_surprising() -> None:
    assert unpooled_test(Share(0, 5), Share(5, 5)) == (math.inf, 0.0)
    assert unpooled_test(Share(5, 5), Share(5, 5)) == (0.0, 1.0)


def test_a_share_of_one_row_has_a_score_interval() -> None:
    assert score_interval(Share(0, 1), Share(1, 1)).high == 1.0


def test_the_interval_of_newcombe_covers_as_often_as_it_says() -> None:
    """Exactly, over all outcomes of 30 and 40 rows."""
    kept = 0.0
    for a in range(31):
        chance = stats.binom.pmf(a, 30, 0.8)
        for b in range(41):
            low, high = newcombe(Share(a, 30), Share(b, 40))
            if low <= 0.1 <= high:
                kept += chance * stats.binom.pmf(b, 40, 0.9)
    assert 0.94 < kept < 0.97


def test_the_two_sides_of_a_test_are_those_of_the_normal_distribution() -> None:
    found = unpooled_test(CONTROL, CHALLENGER, 0.01)
    assert found.p_value == pytest.approx(2 * normal_cdf(-abs(found.z)), rel=1e-12)
    assert isinstance(wald_interval(CONTROL, CHALLENGER), Ends)


@pytest.mark.parametrize("share", [Share(1, 0), Share(-1, 5), Share(6, 5), Share(0, 0)])
def test_it_refuses_what_is_no_share(share: Share) -> None:
    with pytest.raises(DataError, match="a share needs"):
        pooled_test(share, CONTROL)


def test_it_refuses_a_lift_from_nothing() -> None:
    with pytest.raises(DataError, match="share of 0"):
        relative_lift(Share(0, 10), Share(5, 10))
