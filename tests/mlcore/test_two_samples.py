"""Distances of samples, against published numbers and SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.model_selection import StratifiedKFold

from mlcore import DataError, NewtonSettings, newton, roc_auc
from mlcore.special import kolmogorov_sf
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
    assert (ref.mean(), cur.mean()) == pytest.approx((-0.028891550995946837, 0.2314241264250081))
    assert (ref.std(), cur.std()) == pytest.approx((0.988722355396508, 1.228104600527628))
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
    assert ks_p_value(0.143, 1000, 800) == pytest.approx(2.2051240103291493e-08, rel=0.05)


@pytest.mark.parametrize(
    ("seed", "sizes", "shift", "expected"),
    [
        (1, (100, 100), 0.3, (0.18, 0.0782212, 0.0783231)),
        (2, (300, 150), 0.2, (0.096667, 0.301503, 0.307457)),
        (3, (1000, 1000), 0.08, (0.039, 0.432609, 0.432431)),
        (4, (5000, 200), 0.1, (0.0972, 0.0496041, 0.0528311)),
        (5, (8000, 8000), 0.03, (0.006875, 0.991557, 0.99155)),
    ],
)
def test_p_values_are_close_to_the_exact_ones(
    seed: int, sizes: tuple[int, int], shift: float, expected: tuple[float, float, float]
) -> None:
    (n, m), (d, exact, series) = sizes, expected
    rng = np.random.default_rng(seed)
    found = kolmogorov_smirnov(rng.normal(size=n), rng.normal(shift, 1, m))
    assert found.statistic == pytest.approx(d, abs=5e-7)
    bare = kolmogorov_sf(math.sqrt(n / (n + m) * m) * found.statistic)
    assert bare == pytest.approx(series, abs=5e-7)
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
    scores = np.empty(1800)
    for train, test in StratifiedKFold(5, shuffle=True, random_state=0).split(X, y):
        report = newton(X[train], y[train], settings=NewtonSettings(lambda_=1e-9))
        scores[test] = X[test] @ report.weights + report.intercept
    area = roc_auc(y, scores)
    assert area == pytest.approx(0.584118, abs=2e-5)
    spread = math.sqrt(1801 / (12 * 1000 * 800))
    assert spread == pytest.approx(0.013697, abs=5e-7)
    assert (area - 0.5) / spread == pytest.approx(6.141, abs=2e-3)
