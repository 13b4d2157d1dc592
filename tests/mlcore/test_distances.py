"""Distances of counts, held against published numbers, SciPy and chance itself."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon

from mlcore import DataError
from mlcore.distances import (
    adjusted,
    binomial_tail,
    chi_square_contingency,
    chi_square_sparse,
    hellinger,
    jensen_shannon,
    l_infinity,
    psi,
    psi_p_value,
    rank_test,
    rank_test_sparse,
)
from mlcore.special import chi_square_sf
from tests.mlcore.monitored import LEVELS, LEVELS_MOVED, LEVELS_NOW, LEVELS_THEN, samples

COUNTS = st.lists(st.integers(0, 1000), min_size=2, max_size=12).filter(any)
DISTANCES = (psi, jensen_shannon, hellinger, l_infinity)
DECILES = [-1.28311344, -0.8877833, -0.49261381, -0.25219336, 0.00617787]
DECILES += [0.2416506, 0.44614719, 0.77742354, 1.25399723]
DECILES_NOW = [97, 51, 67, 55, 60, 67, 63, 82, 98, 160]


def both_in(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.histogram(samples()[0], edges)[0], np.histogram(samples()[1], edges)[0]


def test_it_works() -> None:
    ref, cur = samples()
    edges = np.quantile(ref, np.arange(1, 10) / 10)
    assert edges == pytest.approx(DECILES, abs=5e-9)
    before, now = (np.bincount(np.searchsorted(edges, side), minlength=10) for side in (ref, cur))
    assert (before.tolist(), now.tolist()) == ([100] * 10, DECILES_NOW)
    assert psi([100] * 10, now) == pytest.approx(0.12262895540182867, rel=1e-12)
    assert psi([100] * 10, now, smoothing=0) == pytest.approx(0.12409797785847757, rel=1e-12)
    assert jensen_shannon([100] * 10, now) == pytest.approx(0.14861917945271022, rel=1e-12)


def test_the_index_over_the_bins_of_other_libraries() -> None:
    """Sturges over both samples and 1e-4 for an empty bin: the convention of a well-known report."""
    both = np.concatenate(samples())
    n, m = both_in(np.histogram_bin_edges(both, bins="sturges"))
    assert len(n) == 12
    p, q = (np.where(counts == 0, 1e-4, counts / counts.sum()) for counts in (n, m))
    scaled = [share / share.sum() * 1e12 for share in (p, q)]
    assert psi(*scaled, smoothing=0) == pytest.approx(0.1553372388005166, rel=1e-3)
    assert float(np.sum((q - p) * np.log(q / p))) == pytest.approx(0.1553372388005166, rel=1e-10)


def test_jensen_shannon_over_the_bins_of_other_libraries() -> None:
    n, m = both_in(np.histogram_bin_edges(np.concatenate(samples()), bins="sturges"))
    assert jensen_shannon(n, m) == pytest.approx(0.1622812332705996, rel=1e-12)
    natural = jensen_shannon(n, m) * math.sqrt(math.log(2))
    assert natural == pytest.approx(0.13510798906379567, rel=1e-12)
    assert natural == pytest.approx(jensenshannon(n, m), rel=1e-12)
    ref, cur = samples()
    edges = np.histogram_bin_edges(ref, bins="doane")
    n, m = both_in(edges)
    left_over = len(cur) - m.sum()
    assert jensen_shannon([*n, 0], [*m, left_over]) == pytest.approx(0.1649648104189928, rel=1e-10)
    assert hellinger([*n, 0], [*m, left_over]) == pytest.approx(0.14263670771378079, rel=1e-10)


def test_hellinger_over_the_bins_of_the_union() -> None:
    ref, cur = samples()
    edges = np.histogram_bin_edges(np.unique(np.concatenate((ref, cur))), bins="sturges")
    n, m = both_in(edges)
    assert hellinger(n, m) == pytest.approx(0.13708080492725538, rel=1e-10)


def test_levels() -> None:
    assert jensen_shannon(LEVELS, LEVELS_NOW) == pytest.approx(0.16007546605325787, rel=1e-12)
    natural = jensen_shannon(LEVELS, LEVELS_NOW) * math.sqrt(math.log(2))
    assert natural == pytest.approx(0.1332715673958574, rel=1e-12)
    assert hellinger(LEVELS, LEVELS_NOW) == pytest.approx(0.1594762929896084, rel=1e-12)
    assert l_infinity(LEVELS, LEVELS_NOW) == pytest.approx(0.05, rel=1e-12)
    moved = psi(LEVELS_THEN, LEVELS_MOVED, smoothing=0)
    assert moved == pytest.approx(0.011522289182364854, rel=1e-12)
    p, q = np.array([0.502, 0.301, 0.197, 1e-4]), np.array(LEVELS_NOW) / 800
    assert float(np.sum((q - p) * np.log(q / p))) == pytest.approx(0.3135709033774677, rel=1e-12)


def test_the_levels_are_those_that_were_drawn() -> None:
    rng = np.random.default_rng(7)
    then = rng.choice(list("abc"), 1000, p=[0.5, 0.3, 0.2])
    now = rng.choice(list("abcd"), 800, p=[0.45, 0.30, 0.20, 0.05])
    moved = np.random.default_rng(8).choice(list("abc"), 800, p=[0.44, 0.32, 0.24])
    assert [int(np.sum(then == level)) for level in "abcd"] == LEVELS
    assert [int(np.sum(now == level)) for level in "abcd"] == LEVELS_NOW
    assert [int(np.sum(then == level)) for level in "abc"] == LEVELS_THEN
    assert [int(np.sum(moved == level)) for level in "abc"] == LEVELS_MOVED


def test_the_contingency_test_knows_that_the_reference_is_a_sample_too() -> None:
    found = chi_square_contingency(LEVELS_THEN, LEVELS_MOVED)
    assert found.statistic == pytest.approx(5.114156223589597, rel=1e-12)
    assert found.p_value == pytest.approx(0.07753094656617349, rel=1e-12)
    expected = np.array(LEVELS_THEN) * 0.8
    certain = float(np.sum((LEVELS_MOVED - expected) ** 2 / expected))
    assert chi_square_sf(certain, 2) == pytest.approx(0.010021166333431001, rel=1e-12)
    limit = chi_square_contingency(np.array(LEVELS_THEN) * 1e9, LEVELS_MOVED)
    assert limit.p_value == pytest.approx(chi_square_sf(certain, 2), rel=1e-6)
    found = chi_square_contingency(LEVELS, LEVELS_NOW)
    assert (found.statistic, found.df) == (pytest.approx(51.53120714941866, rel=1e-12), 3)
    assert found.p_value == pytest.approx(3.7697357417854e-11, rel=1e-10)


def test_one_row_of_a_new_level_among_three_is_no_sensation() -> None:
    found = chi_square_contingency([5000, 5000, 0], [5000, 5000, 1])
    assert (found.statistic, found.df) == (pytest.approx(0.99995, abs=5e-6), 2)
    assert found.p_value == pytest.approx(0.6065, abs=5e-5)


def test_one_row_of_a_new_level_is_no_sensation() -> None:
    found = chi_square_contingency([10_000, 0], [10_000, 1])
    assert found.statistic == pytest.approx(0.99995, abs=1e-6)
    expected = stats.chi2_contingency([[10_000, 0], [10_000, 1]], correction=False)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-10)
    assert chi_square_sparse([10_000, 0], [50, 1]).p_value > 0.01


@given(COUNTS, st.integers(1, 50))
def test_the_contingency_test_agrees_with_scipy(counts: list[int], more: int) -> None:
    now = [count + more for count in counts[::-1]]
    table = np.array([counts, now])
    expected = stats.chi2_contingency(table, correction=False)
    found = chi_square_contingency(counts, now)
    assert found.df == expected.dof
    assert found.statistic == pytest.approx(expected.statistic, rel=1e-9, abs=1e-9)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-8)


@given(COUNTS)
def test_without_rare_bins_both_tests_are_the_same(counts: list[int]) -> None:
    before, now = [count + 20 for count in counts], [count + 20 for count in counts[::-1]]
    assert chi_square_sparse(before, now) == chi_square_contingency(before, now)


def test_rare_levels_raise_no_false_alarms() -> None:
    rng = np.random.default_rng(1)
    shares = 1 / np.arange(1, 201)
    shares /= shares.sum()
    tables = [(rng.multinomial(5000, shares), rng.multinomial(50, shares)) for _ in range(400)]
    bare = sum(chi_square_contingency(*table).p_value < 0.01 for table in tables)
    pooled = sum(chi_square_sparse(*table).p_value < 0.01 for table in tables)
    assert bare > 40
    assert pooled <= 8


def test_a_new_level_among_few_rows_is_still_seen() -> None:
    assert chi_square_sparse([2500, 2500, 0], [20, 20, 10]).p_value < 1e-6


def test_a_table_with_nothing_but_rare_bins_says_nothing_rash() -> None:
    assert 0.1 < chi_square_sparse([2, 1, 1], [1, 2, 1]).p_value <= 1.0


def test_what_the_reference_had_not_is_rare_however_much_of_it_there_is() -> None:
    """Shares that fall with the square of the rank: of 200 levels, 5,000 rows hold some 85."""
    rng = np.random.default_rng(2)
    shares = np.arange(1.0, 201.0) ** -2
    found = []
    for _ in range(200):
        before, now = (rng.multinomial(5000, shares / shares.sum()) for _ in range(2))
        known = before > 0
        tables = [*before[known], 0], [*now[known], now[~known].sum()]
        gathered = chi_square_sparse(*tables, gathered=int(known.sum()))
        found.append((chi_square_sparse(*tables).p_value < 0.01, gathered.p_value < 0.01))
    without, with_it = np.sum(found, axis=0)
    assert without > 150
    assert with_it <= 6


def test_a_new_level_is_still_seen_where_new_ones_are_gathered() -> None:
    assert chi_square_sparse([2500, 2500, 0], [20, 20, 10], gathered=2).p_value < 1e-6
    assert chi_square_sparse([2500, 2500, 0], [2000, 2000, 100], gathered=2).p_value < 1e-9
    none = [500, 600, 0], [400, 450, 0]
    assert chi_square_sparse(*none, gathered=2) == chi_square_contingency(*none)


def test_the_binomial_tail_agrees_with_scipy() -> None:
    for k, n, p in [(1, 3, 0.01), (8, 10, 0.5), (40, 500, 0.05), (3, 4000, 1e-4), (0, 5, 0.5)]:
        assert binomial_tail(k, n, p) == pytest.approx(stats.binom.sf(k - 1, n, p), rel=1e-9)


@given(st.integers(0, 20_000), st.integers(1, 20_000), st.floats(1e-6, 1 - 1e-6))
def test_no_binomial_tail_is_lost_on_the_way(k: int, n: int, p: float) -> None:
    k = min(k, n)
    assert binomial_tail(k, n, p) == pytest.approx(stats.binom.sf(k - 1, n, p), abs=1e-9)


def test_a_chance_below_every_number_is_none() -> None:
    assert binomial_tail(1000, 1000, 1e-3) == 0.0


@pytest.mark.parametrize("distance", DISTANCES)
@given(counts=COUNTS)
def test_a_distance_is_never_negative_and_the_same_both_ways(
    distance: Callable[..., float], counts: list[int]
) -> None:
    other = counts[::-1]
    assert distance(counts, counts) == pytest.approx(0.0, abs=1e-7)
    assert distance(counts, other) >= 0
    assert distance(counts, other) == pytest.approx(distance(other, counts), rel=1e-9, abs=1e-9)


@given(COUNTS)
def test_jensen_shannon_agrees_with_scipy(counts: list[int]) -> None:
    expected = jensenshannon(counts, counts[::-1], base=2)
    assert jensen_shannon(counts, counts[::-1]) == pytest.approx(expected, abs=1e-7)


def test_bins_of_one_side_alone_are_as_far_as_can_be() -> None:
    assert jensen_shannon([5, 0], [0, 9]) == hellinger([5, 0], [0, 9]) == 1.0
    assert l_infinity([5, 0], [0, 9]) == 1.0
    assert psi([5, 0], [0, 9], smoothing=0) == math.inf


@pytest.mark.parametrize("counts", [[], [0, 0], [1, -1], [[1, 2]], ["a"], [1, np.nan], [np.inf]])
@pytest.mark.parametrize("distance", [*DISTANCES, chi_square_contingency, rank_test])
def test_it_refuses_what_no_counts_are(distance: Callable[..., float], counts: object) -> None:
    with pytest.raises(DataError):
        distance(counts, counts)


def test_it_refuses_other_bins() -> None:
    with pytest.raises(DataError, match="2 bins cannot be compared with 3"):
        psi([1, 2], [1, 2, 3])


@pytest.mark.parametrize(("p", "critical"), [(0.01, 0.048748487), (0.05, 0.038067700)])
def test_the_index_has_critical_values(p: float, critical: float) -> None:
    last = 5e-10  # half of the last digit
    assert (
        psi_p_value(critical + last, 1000, 800, 10)
        < p
        < psi_p_value(critical - last, 1000, 800, 10)
    )
    assert psi_p_value(0.0, 100, 100, 1) == 1.0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_the_correction_agrees_with_scipy(p_values: list[float]) -> None:
    expected = stats.false_discovery_control(np.array(p_values))
    assert adjusted(p_values) == pytest.approx(expected.tolist(), abs=1e-12)


def test_the_correction_of_a_published_example() -> None:
    p_values = [0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074]
    expected = [0.007, 0.028, 0.0588, 0.0588, 0.0588, 0.07, 0.074]
    assert adjusted(p_values) == pytest.approx(expected, abs=1e-12)
    assert adjusted([]) == []


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=60),
    st.lists(st.integers(0, 9), min_size=1, max_size=60),
)
def test_the_rank_test_agrees_with_scipy(before: list[int], now: list[int]) -> None:
    found = rank_test(np.bincount(before, minlength=10), np.bincount(now, minlength=10))
    expected = stats.mannwhitneyu(now, before, use_continuity=False, method="asymptotic")
    assert found.superiority == pytest.approx(expected.statistic / len(before) / len(now))
    if len({*before, *now}) > 1:
        assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    else:
        assert found.p_value == 1.0


@pytest.mark.parametrize("turned", [False, True])
def test_the_ranks_of_a_column_that_hardly_moves_are_exact_chances(*, turned: bool) -> None:
    def found(before: list[int], now: list[int]) -> float:
        tables = (before[::-1], now[::-1]) if turned else (before, now)
        assert rank_test_sparse(*tables).superiority == rank_test(*tables).superiority
        return rank_test_sparse(*tables).p_value

    more = 2 * stats.hypergeom.sf(1, 5050, 7, 50)
    assert found([4995, 5], [48, 2]) == pytest.approx(more, rel=1e-9)
    fewer = 2 * stats.hypergeom.cdf(0, 1090, 100, 90)
    assert found([900, 100], [90, 0]) == pytest.approx(fewer, rel=1e-9)
    assert found([990, 10], [99, 1]) == 1.0


def test_ten_rows_to_be_expected_are_enough_for_ranks() -> None:
    enough, few = ([900, 100], [90, 10]), ([901, 99], [90, 10])
    assert rank_test_sparse(*enough) == rank_test(*enough)
    assert rank_test_sparse(*few).p_value != rank_test(*few).p_value


def test_rare_events_raise_no_false_alarms_by_their_ranks() -> None:
    rng = np.random.default_rng(5)
    tables = []
    for _ in range(2000):
        before, now = rng.binomial(5000, 0.001), rng.binomial(50, 0.001)
        tables.append(([5000 - before, before], [50 - now, now]))
    bare = sum(rank_test(*table).p_value < 0.001 for table in tables)
    exact = sum(rank_test_sparse(*table).p_value < 0.001 for table in tables)
    assert bare > 40
    assert exact <= 7
