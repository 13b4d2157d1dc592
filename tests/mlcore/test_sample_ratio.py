"""Whether arms got the units and labels that they should."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mlcore.errors import DataError
from mlcore.proportions import Share, fisher_exact
from mlcore.sample_ratio import MISMATCH, coverage_p, sample_ratio, sample_ratio_p


@pytest.mark.parametrize(
    ("units", "weights", "statistic", "p_value"),
    [
        ([5050, 4950], [50, 50], 1.0, 0.31731050786291115),
        ([10_000, 10_400], [50, 50], 7.8431372549019605, 0.005101399646004981),
        ([8100, 1900], [80, 20], 6.25, 0.01241933065155227),
    ],
)
def test_it_works(units: list[int], weights: list[int], statistic: float, p_value: float) -> None:
    found = sample_ratio(units, weights)
    assert found.statistic == pytest.approx(statistic, rel=1e-14)
    assert found.p_value == pytest.approx(p_value, rel=1e-12)
    assert sample_ratio_p(units, weights) == found.p_value


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 500), st.integers(1, 100)), min_size=2, max_size=5))
def test_any_number_of_arms_agrees_with_scipy(arms: list[tuple[int, int]]) -> None:
    units, weights = [list(side) for side in zip(*arms, strict=True)]
    if not sum(units):
        return
    expected = [sum(units) * weight / sum(weights) for weight in weights]
    found = sample_ratio(units, weights)
    assert found.df == len(arms) - 1
    assert (found.statistic, found.p_value) == pytest.approx(stats.chisquare(units, expected))


@pytest.mark.parametrize(("n", "off"), [(1000, 0.053), (10_000, 0.0165), (100_000, 0.0053)])
def test_more_units_show_smaller_faults(n: int, off: float) -> None:
    many = round(n * (0.5 + off))
    p_value = sample_ratio_p([many, n - many], [1, 1])
    assert p_value is not None
    assert p_value < MISMATCH


def test_few_units_show_nothing() -> None:
    assert sample_ratio_p([10, 2], [99, 1]) is None
    assert sample_ratio_p([0, 0], [1, 1]) is None


def test_labels_that_come_for_one_arm_more_often_show() -> None:
    table = [[900, 100], [850, 150]]
    chi_square = stats.chi2_contingency(table, correction=False)
    found = coverage_p(Share(900, 1000), Share(850, 1000))
    assert found == pytest.approx(chi_square.pvalue, rel=1e-10)
    assert found < MISMATCH


@pytest.mark.parametrize("first", [Share(1000, 1000), Share(995, 1000)])
def test_tables_with_a_rare_cell_are_tested_exactly(first: Share) -> None:
    second = Share(1000, 1000)
    assert coverage_p(first, second) == fisher_exact(first, second)


def test_an_arm_without_requests_has_no_coverage() -> None:
    assert coverage_p(Share(0, 0), Share(5, 10)) is None


def test_it_refuses_arms_without_units_or_weights() -> None:
    for units, weights in (([5, 5], [1, 0]), ([5, 5], [1]), ([], [])):
        with pytest.raises(DataError, match="weight above 0"):
            sample_ratio(units, weights)
    for units in ([0, 0], [5, -1]):
        with pytest.raises(DataError, match="needs units"):
            sample_ratio(units, [1, 1])
