"""Ratios of sums over units with several rows."""

from __future__ import annotations

import numpy as np
import pytest

from mlcore.clustered import UnitSums, design_effect, ratio_variance, unit_sums
from mlcore.errors import DataError


def of_users(seed: int, users: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Right answers and labels of users who are not equally hard."""
    rng = np.random.default_rng(seed)
    n = rng.poisson(4, users) + 1
    return rng.binomial(n, rng.beta(6, 2, users)), n


def test_it_works() -> None:
    x, n = of_users(1)
    found = ratio_variance(unit_sums(x, n))
    covariance = np.cov(x, n)
    r = x.sum() / n.sum()
    spread = covariance[0, 0] - 2 * r * covariance[0, 1] + r**2 * covariance[1, 1]
    assert found == pytest.approx(spread / (len(n) * n.mean() ** 2), rel=1e-10)


def test_it_is_how_much_the_ratio_scatters() -> None:
    sums = [unit_sums(*of_users(seed)) for seed in range(1500)]
    scatter = np.var([part.ratio for part in sums])
    assert np.mean([ratio_variance(part) for part in sums]) == pytest.approx(scatter, rel=0.1)
    assert 1.3 < np.mean([design_effect(part) for part in sums]) < 1.8


def test_one_row_a_unit_has_the_variance_of_a_share() -> None:
    sums = unit_sums([1] * 30 + [0] * 10, [1] * 40)
    assert ratio_variance(sums) == pytest.approx(0.75 * 0.25 / 39)
    assert design_effect(sums) == pytest.approx(40 / 39)


def test_parts_of_a_log_add_up() -> None:
    x, n = of_users(2)
    parts = unit_sums(x[:100], n[:100]) + unit_sums(x[100:], n[100:])
    assert parts == unit_sums(x, n)


def test_it_refuses_what_has_no_ratio() -> None:
    with pytest.raises(DataError, match="one total and one count"):
        unit_sums([1, 2], [1])
    with pytest.raises(DataError, match="one total and one count"):
        unit_sums([[1]], [[1]])
    with pytest.raises(DataError, match="2 units"):
        ratio_variance(unit_sums([1], [1]))
    with pytest.raises(DataError, match="2 units"):
        ratio_variance(UnitSums(3, 0, 0, 0, 0, 0))
    with pytest.raises(DataError, match="worth the same"):
        design_effect(unit_sums([2, 3], [2, 3]))
