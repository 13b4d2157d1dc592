"""Binomial and hypergeometric probabilities against sums of whole numbers, and SciPy."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mlcore.discrete import (
    binomial_cdf,
    binomial_pmf,
    binomial_sf,
    hypergeometric_cdf,
    hypergeometric_pmf,
    hypergeometric_sf,
)
from mlcore.errors import DataError


def exact_binomial(k: int, n: int, p: float) -> float:
    q = Fraction(p)
    return float(sum(math.comb(n, j) * q**j * (1 - q) ** (n - j) for j in range(k + 1)))


def exact_hypergeometric(k: int, population: int, marked: int, drawn: int) -> float:
    ways = sum(
        math.comb(marked, j) * math.comb(population - marked, drawn - j) for j in range(k + 1)
    )
    return float(Fraction(ways, math.comb(population, drawn)))


@pytest.mark.parametrize(
    ("k", "n", "p"),
    [(40, 111, 0.5), (0, 5, 0.1), (3, 200, 0.3), (90, 200, 0.3), (199, 200, 0.999), (7, 40, 1e-9)],
)
def test_binomial_tails_are_the_exact_sums(k: int, n: int, p: float) -> None:
    assert binomial_cdf(k, n, p) == pytest.approx(exact_binomial(k, n, p), rel=1e-13)
    assert binomial_pmf(k, n, p) == pytest.approx(stats.binom.pmf(k, n, p), rel=1e-12)
    assert binomial_sf(k, n, p) == pytest.approx(stats.binom.sf(k, n, p), rel=1e-12)


@pytest.mark.parametrize(
    ("k", "urn"),
    [
        (3, (20, 7, 12)),
        (840, (2000, 1000, 1711)),
        (10, (300, 100, 50)),
        (50, (60, 55, 52)),
        (100, (1000, 900, 120)),
    ],
)
def test_hypergeometric_tails_are_the_exact_sums(k: int, urn: tuple[int, int, int]) -> None:
    below = exact_hypergeometric(k, *urn)
    here = below - exact_hypergeometric(k - 1, *urn)
    assert hypergeometric_cdf(k, *urn) == pytest.approx(below, rel=1e-13)
    assert hypergeometric_sf(k, *urn) == pytest.approx(1 - below, abs=1e-13)
    assert hypergeometric_pmf(k, *urn) == pytest.approx(here, rel=1e-10, abs=1e-15)


def test_millions_of_draws_keep_their_digits() -> None:
    # The sum of the same terms in 50 decimal digits, each by Stirling's series.
    assert hypergeometric_cdf(849_000, 2_000_000, 1_000_000, 1_700_000) == pytest.approx(
        3.7691779906519814e-05, rel=1e-13
    )


def test_a_tiny_tail_keeps_its_digits() -> None:
    assert binomial_cdf(0, 600, 0.5) == pytest.approx(2.0**-600, rel=1e-12)
    assert binomial_sf(599, 600, 0.5) == pytest.approx(2.0**-600, rel=1e-12)


@settings(deadline=None)
@given(st.integers(0, 400), st.floats(0, 1), st.integers(-2, 402))
def test_the_two_sides_of_a_binomial_make_up_1(n: int, p: float, k: int) -> None:
    assert binomial_cdf(k, n, p) + binomial_sf(k, n, p) == pytest.approx(1, rel=1e-12)


@settings(deadline=None)
@given(st.data())
def test_the_two_sides_of_a_draw_make_up_1(data: st.DataObject) -> None:
    population = data.draw(st.integers(0, 300))
    marked = data.draw(st.integers(0, population))
    drawn = data.draw(st.integers(0, population))
    k = data.draw(st.integers(-1, population + 1))
    urn = (population, marked, drawn)
    assert hypergeometric_cdf(k, *urn) + hypergeometric_sf(k, *urn) == pytest.approx(1, rel=1e-12)


def test_what_cannot_happen_has_the_probability_0() -> None:
    assert binomial_pmf(-1, 3, 0.5) == binomial_pmf(4, 3, 0.5) == 0
    assert binomial_cdf(-1, 3, 0.5) == binomial_sf(3, 3, 0.5) == 0
    assert hypergeometric_pmf(3, 4, 2, 3) == hypergeometric_pmf(0, 4, 2, 3) == 0
    assert hypergeometric_sf(2, 4, 2, 3) == 0


def test_what_must_happen_has_the_probability_1() -> None:
    assert binomial_pmf(0, 0, 0.3) == binomial_pmf(3, 3, 1.0) == binomial_pmf(0, 3, 0.0) == 1
    assert binomial_cdf(3, 3, 1.0) == binomial_sf(2, 3, 1.0) == 1
    assert binomial_cdf(2, 3, 1.0) == 0
    assert hypergeometric_pmf(2, 4, 2, 4) == hypergeometric_pmf(0, 0, 0, 0) == 1


@pytest.mark.parametrize(("n", "p"), [(-1, 0.5), (3, -0.1), (3, 1.1), (3, math.nan)])
def test_it_refuses_what_is_no_binomial(n: int, p: float) -> None:
    with pytest.raises(DataError, match="binomial needs"):
        binomial_cdf(1, n, p)


@pytest.mark.parametrize("urn", [(3, 4, 1), (3, 1, 4), (3, -1, 2), (3, 2, -1)])
def test_it_refuses_what_is_no_urn(urn: tuple[int, int, int]) -> None:
    with pytest.raises(DataError, match="cannot draw"):
        hypergeometric_pmf(1, *urn)
