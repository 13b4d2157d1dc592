"""Distances of samples, against published numbers and SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from mlcore import DataError, NewtonSettings, newton, roc_auc
from mlcore.distances import psi
from mlcore.special import kolmogorov_sf, two_sided
from mlcore.two_samples import (
    kolmogorov_smirnov,
    ks_p_value,
    shift_of_moments,
    smd,
    standardized_shift,
    wasserstein,
)
from tests.mlcore.monitored import samples

NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30)


def test_it_works() -> None:
    ref, cur = samples()
    assert ref[:3] == pytest.approx([0.304717079754, -1.03998410624, 0.750451195806], abs=5e-12)
    assert cur[:3] == pytest.approx([0.228860824769, -0.575144323648, -0.197367679003], abs=5e-13)
    means, spreads = (ref.mean(), cur.mean()), (ref.std(), cur.std())
    assert means == pytest.approx((-0.028891550995946837, 0.2314241264250081), rel=1e-14)
    assert spreads == pytest.approx((0.988722355396508, 1.228104600527628), rel=1e-14)
    shift = standardized_shift(ref, cur)
    assert shift.z is not None
    assert shift.z == pytest.approx(0.26328491107754953, rel=1e-12)
    assert shift.z * ref.std() / ref.std(ddof=1) == pytest.approx(0.26315323569493126, rel=1e-12)
    assert shift.t == pytest.approx(4.862350178654064, rel=1e-12)
    assert shift.p_value == pytest.approx(1.280501984689356e-06, rel=1e-10)
    assert smd(ref, cur) == pytest.approx(0.2333623980087717, rel=1e-12)
    assert wasserstein(ref, cur) == pytest.approx(0.2992435796077186, rel=1e-12)
    assert wasserstein(ref, cur) / ref.std() == pytest.approx(0.3026568358391297, rel=1e-12)
    assert kolmogorov_smirnov(ref, cur).statistic == pytest.approx(0.143, abs=1e-15)


def test_the_series_and_its_correction_of_the_same_distance() -> None:
    root = math.sqrt(1000 * 800 / 1800)
    assert kolmogorov_sf(root * 0.143) == pytest.approx(2.552157387052511e-08, rel=1e-9)
    stephens = kolmogorov_sf((root + 0.12 + 0.11 / root) * 0.143)
    assert stephens == pytest.approx(2.0551953107779022e-08, rel=1e-9)
    for method, other in (("exact", 2.2051240103291493e-08), ("asymp", 2.1923105322332513e-08)):
        peer = stats.ks_2samp(*samples(), method=method)
        assert peer.pvalue == pytest.approx(other, rel=1e-9)
        assert ks_p_value(0.143, 1000, 800) == pytest.approx(other, rel=0.05)


@pytest.mark.parametrize(
    ("seed", "sizes", "shift", "expected"),
    [
        (1, (100, 100), 0.3, (0.18, 0.0782212, 0.0783231, 0.0690924)),
        (2, (300, 150), 0.2, (0.096667, 0.301503, 0.307457, 0.292819)),
        (3, (1000, 1000), 0.08, (0.039, 0.432609, 0.432431, 0.425347)),
        (4, (5000, 200), 0.1, (0.0972, 0.0496041, 0.0528311, 0.04939)),
        (5, (8000, 8000), 0.03, (0.006875, 0.991557, 0.99155, 0.991352)),
    ],
)
def test_p_values_are_close_to_the_exact_ones(
    seed: int, sizes: tuple[int, int], shift: float, expected: tuple[float, float, float, float]
) -> None:
    (n, m), (d, exact, series, stephens) = sizes, expected
    rng = np.random.default_rng(seed)
    before, now = rng.normal(size=n), rng.normal(shift, 1, m)
    found, root = kolmogorov_smirnov(before, now), math.sqrt(n / (n + m) * m)
    assert found.statistic == pytest.approx(d, abs=5e-7)
    six = 5e-6  # half of the last of six digits
    assert stats.ks_2samp(before, now, method="exact").pvalue == pytest.approx(exact, rel=six)
    assert kolmogorov_sf(root * found.statistic) == pytest.approx(series, rel=six)
    corrected = kolmogorov_sf((root + 0.12 + 0.11 / root) * found.statistic)
    assert corrected == pytest.approx(stephens, rel=six)
    assert found.p_value == pytest.approx(exact, rel=0.06)


@pytest.mark.parametrize("sizes", [(5000, 50), (5000, 100), (720, 200), (100, 100), (300, 150)])
@pytest.mark.parametrize("target", [0.05, 0.01, 0.0014])
def test_the_tail_is_within_a_few_percent_of_the_exact_one(
    sizes: tuple[int, int], target: float
) -> None:
    """Found distances are the ones that decide: those whose exact chance is near the target."""
    n, m = sizes
    steps = math.lcm(n, m)
    d = round(stats.kstwobign.isf(target) / math.sqrt(n / (n + m) * m) * steps) / steps
    before = np.arange(n) / n
    # m values of which the distribution function lags by d: a sample with exactly this distance.
    now = np.clip((np.arange(m) + 0.5) / m + d - 0.5 / m, None, 2.0)
    exact = stats.ks_2samp(before, now, method="exact")
    assert ks_p_value(float(exact.statistic), n, m) == pytest.approx(exact.pvalue, rel=0.06)


def test_a_mean_is_blind_to_a_spread_that_grew() -> None:
    """100,000 rows of seven features: the last is half as wide again, the one before shifted by 0.25."""
    rng = np.random.default_rng(20261120)
    ref, cur = rng.normal(size=(100_000, 7)), rng.normal(size=(100_000, 7))
    cur[:, 5] += 0.25
    cur[:, 6] *= 1.5
    far = [wasserstein(a, b) / a.std() for a, b in zip(ref.T, cur.T, strict=True)]
    published = [0.00387308, 0.00633466, 0.00559713, 0.00377739, 0.00411969, 0.25639862, 0.40271850]
    assert far == pytest.approx(published, abs=5e-9)
    before, now = ref[:, 6], cur[:, 6]
    assert standardized_shift(before, now).z == pytest.approx(-0.00007, abs=5e-6)
    edges = np.quantile(before, np.arange(1, 10) / 10)
    counts = [np.bincount(np.searchsorted(edges, side), minlength=10) for side in (before, now)]
    assert psi(*counts) == pytest.approx(0.195, abs=5e-4)
    assert kolmogorov_smirnov(before, now).p_value < 1e-300


@given(NUMBERS, NUMBERS)
def test_distances_agree_with_scipy(before: list[float], now: list[float]) -> None:
    d = stats.ks_2samp(before, now, method="asymp").statistic
    assert kolmogorov_smirnov(before, now).statistic == pytest.approx(d, abs=1e-12)
    expected = stats.wasserstein_distance(before, now)
    assert wasserstein(before, now) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(st.integers(0, 1000), st.integers(2, 40), st.integers(2, 40))
def test_the_shift_of_a_mean_agrees_with_welchs_test(seed: int, n: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    before, now = rng.normal(size=n), rng.normal(0.5, 2.0, size=m)
    found, expected = standardized_shift(before, now), stats.ttest_ind(now, before, equal_var=False)
    assert found.t == pytest.approx(expected.statistic, rel=1e-9)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-8)
    assert found.se == pytest.approx(math.sqrt(1 / n + (now.std() / before.std()) ** 2 / m))


def test_a_constant_reference_is_never_divided_by() -> None:
    same, other = standardized_shift([5.0] * 10, [5.0] * 4), standardized_shift([5.0] * 10, [6.0])
    assert (same.z, same.p_value) == (0.0, None)
    assert other == (None, None, None, None)
    assert smd([5.0, 5.0], [5.0, 5.0]) == 0.0
    assert smd([5.0, 5.0], [6.0, 6.0]) is None
    assert smd([5.0], [6.0, 7.0]) is None


def test_a_mean_that_rounds_is_no_shift() -> None:
    assert standardized_shift([0.1] * 1000, [0.1] * 7).z == 0.0


def test_a_single_row_has_no_test() -> None:
    found = shift_of_moments((100, 0.0, 1.0), (1, 2.0, 0.0))
    assert (found.z, found.t, found.p_value) == (2.0, None, None)


def test_a_spread_that_outgrows_the_reference_by_any_factor_is_tested() -> None:
    found = shift_of_moments((100, 0.0, 1e-160), (50, 1.0, 1.0))
    assert found.t == pytest.approx(7.0, rel=1e-12)
    assert found.p_value == pytest.approx(2 * stats.t.sf(7.0, 49), rel=1e-9)
    assert (found.z, found.se) == pytest.approx((1e160, 1e160 / math.sqrt(50)))


def test_a_shift_beyond_the_largest_number_has_no_test() -> None:
    found = shift_of_moments((100, 0.0, 1e-200), (50, 1e200, 1.0))
    assert found == (math.inf, pytest.approx(1e200 / math.sqrt(50)), None, None)


@pytest.mark.parametrize("values", [[], [np.nan], [np.inf], ["a"]])
def test_it_refuses_what_no_sample_is(values: list[object]) -> None:
    for distance in (kolmogorov_smirnov, wasserstein, standardized_shift, smd):
        with pytest.raises(DataError):
            distance(values, [1.0])  # type: ignore[operator]


def test_a_classifier_tells_two_populations_apart_by_as_much_as_published() -> None:
    rng = np.random.default_rng(12)
    R, C = rng.normal(size=(1000, 3)), rng.normal(size=(800, 3))
    C[:, 0] += 0.3
    X, y = np.vstack((R, C)), np.repeat([0.0, 1.0], [1000, 800])
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    scores = np.empty(1800)
    for train, test in folds.split(X, y):
        report = newton(X[train], y[train], settings=NewtonSettings(lambda_=1e-9))
        scores[test] = X[test] @ report.weights + report.intercept
    area = roc_auc(y, scores)
    early, late = (
        roc_auc(y, cross_val_predict(peer, X, y, cv=folds, method="decision_function"))
        for peer in (LogisticRegression(C=1e6), LogisticRegression(C=1e6, tol=1e-12))
    )
    assert area == late
    assert area is not None
    assert early == pytest.approx(0.584118, abs=6e-7)  # the peer's default stops before the optimum
    assert area == pytest.approx(0.584118, abs=2e-5)
    spread = math.sqrt(1801 / (12 * 1000 * 800))
    assert spread == pytest.approx(0.013697, abs=5e-7)
    assert (early - 0.5) / spread == pytest.approx(6.141, abs=5e-4)
    ranks = stats.mannwhitneyu(scores[1000:], scores[:1000])
    assert ranks.pvalue == pytest.approx(8.2e-10, abs=5e-12)
    assert two_sided((area - 0.5) / spread) == pytest.approx(ranks.pvalue, rel=1e-2)
