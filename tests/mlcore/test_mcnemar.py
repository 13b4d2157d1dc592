"""McNemar's tests and the intervals of pairs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mlcore.errors import DataError
from mlcore.mcnemar import McNemarReport, Pairs, agresti_min, mcnemar, paired_interval, paired_se

TABLE = Pairs(both=800, only_a=40, only_b=71, neither=89)

TABLES = st.builds(Pairs, *[st.integers(0, 40)] * 4).filter(lambda pairs: pairs.n > 0)


def test_it_works() -> None:
    report = mcnemar(TABLE)
    assert report.exact == pytest.approx(0.004195534185394861, rel=1e-13)
    assert report.chi_square == pytest.approx(8.657657657657658, rel=1e-15)
    assert report.chi_square_p == pytest.approx(0.003256896947392942, rel=1e-12)
    assert report.corrected == pytest.approx(8.108108108108109, rel=1e-15)
    assert report.corrected_p == pytest.approx(0.004406769547655545, rel=1e-12)
    assert TABLE.difference == 0.031
    assert paired_se(TABLE) == pytest.approx(0.010489947568982413, rel=1e-14)
    assert paired_interval(TABLE) == pytest.approx(
        (0.010440080565080976, 0.05155991943491903), rel=1e-12
    )


@settings(deadline=None)
@given(TABLES)
def test_the_exact_p_is_that_of_a_fair_coin(pairs: Pairs) -> None:
    exact = stats.binomtest(pairs.only_b, pairs.apart, 0.5).pvalue if pairs.apart else 1.0
    assert mcnemar(pairs).exact == pytest.approx(exact, rel=1e-10)


@settings(deadline=None)
@given(TABLES)
def test_it_does_not_matter_which_comes_first(pairs: Pairs) -> None:
    turned = Pairs(pairs.both, pairs.only_b, pairs.only_a, pairs.neither)
    assert mcnemar(turned) == mcnemar(pairs)
    low, high = agresti_min(pairs)
    assert agresti_min(turned) == pytest.approx((-high, -low), abs=1e-12)


@settings(deadline=None)
@given(TABLES)
def test_the_mid_p_lies_between_nothing_and_the_exact_p(pairs: Pairs) -> None:
    report = mcnemar(pairs)
    assert 0 <= report.mid_p <= report.exact <= 1


@settings(deadline=None)
@given(TABLES)
def test_the_interval_of_few_pairs_is_no_point_and_stays_inside(pairs: Pairs) -> None:
    low, high = agresti_min(pairs)
    assert -1 <= low < high <= 1


def test_the_mid_p_takes_half_of_what_was_seen() -> None:
    # 3 of 10: 2 (C(10, 0) + C(10, 1) + C(10, 2) + C(10, 3) / 2) / 2^10
    assert mcnemar(Pairs(5, 3, 7, 0)).mid_p == pytest.approx(2 * (1 + 10 + 45 + 60) / 1024)


def test_classifiers_that_never_differ_have_no_chi_square() -> None:
    assert mcnemar(Pairs(9, 0, 0, 1)) == McNemarReport(1.0, 1.0, None, None, None, None)


def test_a_difference_of_one_is_none_after_the_correction() -> None:
    report = mcnemar(Pairs(0, 2, 2, 0))
    assert (report.corrected, report.corrected_p) == (0.0, 1.0)


def test_the_interval_for_few_pairs_covers_as_often_as_it_says() -> None:
    """Exactly, over all tables of 25 pairs."""
    kept = 0.0
    for b in range(26):
        for c in range(26 - b):
            chance = stats.multinomial.pmf([b, c, 25 - b - c], 25, [0.1, 0.3, 0.6])
            low, high = agresti_min(Pairs(25 - b - c, b, c, 0))
            kept += chance * (low <= 0.2 <= high)
    assert 0.94 < kept < 0.98


def test_tables_are_added_cell_by_cell() -> None:
    assert Pairs(1, 2, 3, 4) + Pairs(10, 20, 30, 40) == Pairs(11, 22, 33, 44)


def test_it_refuses_what_is_no_table() -> None:
    with pytest.raises(DataError, match="fewer than 0"):
        Pairs(1, -1, 0, 0)
    with pytest.raises(DataError, match="at least one row"):
        paired_se(Pairs(0, 0, 0, 0))
