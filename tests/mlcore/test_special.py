"""Tail probabilities against SciPy, and against sums in 60 decimal digits."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from scipy import special as scipy_special

from mlcore.errors import DataError
from mlcore.special import (
    chi_square_sf,
    critical_value,
    gamma_p,
    gamma_q,
    kolmogorov_sf,
    normal_cdf,
    normal_quantile,
    normal_sf,
    student_t_two_sided,
    two_sided,
)


def poisson_tail(df: int, x: float) -> float:
    """The chi-square tail of an even df: e^-h (1 + h + h^2/2! + ..), df/2 terms, h = x/2."""
    with localcontext() as context:
        context.prec = 60
        h = Decimal(x) / 2
        term = total = Decimal(1)
        for k in range(1, df // 2):
            term *= h / k
            total += term
        return float(total * (-h).exp())


def test_it_works() -> None:
    assert normal_cdf(1.959963984540054) == pytest.approx(0.975, rel=1e-15)
    assert normal_sf(1.0) == pytest.approx(0.15865525393145707, rel=1e-15)
    assert two_sided(-6.209701372143) == pytest.approx(5.308538388e-10, rel=1e-9)
    assert normal_quantile(0.975) == pytest.approx(1.959963984540054, rel=1e-15)
    assert chi_square_sf(594.8073327053748, 6) == pytest.approx(3.0747654784e-125, rel=1e-10)


@pytest.mark.parametrize("x", np.linspace(-37.5, 37.5, 151).tolist())
def test_normal_tails_agree_with_scipy(x: float) -> None:
    assert normal_cdf(x) == pytest.approx(scipy_special.ndtr(x), rel=1e-12)
    assert normal_sf(x) == pytest.approx(scipy_special.ndtr(-x), rel=1e-12)
    assert two_sided(x) == pytest.approx(2 * scipy_special.ndtr(-abs(x)), rel=1e-12)


@pytest.mark.parametrize(
    "p", [*np.logspace(-305, -0.31, 120).tolist(), 0.02424, 0.02426, 0.3, 0.5, 0.7, 0.99, 1 - 1e-12]
)
def test_quantiles_agree_with_scipy_and_invert_the_cdf(p: float) -> None:
    x = normal_quantile(p)
    assert x == pytest.approx(scipy_special.ndtri(p), rel=1e-14, abs=1e-15)
    # An error of one unit in the last place of x changes the cdf by x^2 units.
    assert normal_cdf(x) == pytest.approx(p, rel=4e-16 * (2 + x * x))


def test_quantiles_are_symmetric_and_infinite_at_the_ends() -> None:
    assert normal_quantile(0.25) == -normal_quantile(0.75)
    assert (normal_quantile(0.0), normal_quantile(1.0)) == (-math.inf, math.inf)


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan])
def test_it_refuses_what_is_no_probability(p: float) -> None:
    with pytest.raises(DataError, match="between 0 and 1"):
        normal_quantile(p)


@pytest.mark.parametrize("df", [2, 4, 6, 10, 38, 40, 42, 100, 400, 2000, 12344])
@pytest.mark.parametrize("ratio", [0.01, 0.3, 0.8, 0.95, 1.0, 1.05, 1.3, 1.43, 2.0, 4.0, 9.0, 30.0])
def test_even_degrees_of_freedom_agree_with_the_exact_sum(df: int, ratio: float) -> None:
    x = df * ratio
    exact = poisson_tail(df, x)
    assert chi_square_sf(x, df) == pytest.approx(exact, rel=1e-12, abs=1e-306)


@pytest.mark.parametrize("df", [1, 3, 5, 7, 11, 39, 41, 101, 999])
def test_other_degrees_of_freedom_agree_with_scipy(df: int) -> None:
    for x in [*np.linspace(0, 3 * df, 40).tolist(), df + 5.0, 10.0 * df, 700.0]:
        expected = scipy_special.chdtrc(df, x)
        assert chi_square_sf(x, df) == pytest.approx(expected, rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("a", [0.01, 0.5, 1.0, 3.7, 19.9, 20.1, 250.0, 1e5])
def test_the_two_sides_agree_with_scipy_and_add_up(a: float) -> None:
    for x in [0.0, 1e-8, 0.3, 0.999, 1.0, a / 3, 0.99 * a, a, 1.01 * a, a + 1, 3 * a + 20]:
        assert gamma_p(a, x) == pytest.approx(scipy_special.gammainc(a, x), rel=1e-12, abs=1e-300)
        assert gamma_p(a, x) + gamma_q(a, x) == pytest.approx(1.0, abs=1e-15)


def test_a_chi_square_of_one_is_a_squared_normal() -> None:
    for z in (0.1, 1.0, 5.0, 20.0, 37.0):
        assert chi_square_sf(z * z, 1) == pytest.approx(two_sided(z), rel=1e-12)


def test_the_ends_are_exact() -> None:
    assert chi_square_sf(0.0, 3) == chi_square_sf(-5.0, 3) == 1.0
    assert chi_square_sf(math.inf, 3) == chi_square_sf(1e6, 3) == 0.0
    assert (chi_square_sf(0.0, 0), chi_square_sf(-1.0, 0)) == (0.0, 1.0)
    assert gamma_p(2.0, math.inf) == 1.0


def test_tails_fall_as_x_grows() -> None:
    for df in (1, 6, 39, 41, 500):
        tail = [chi_square_sf(x, df) for x in np.linspace(0, 4 * df, 300)]
        assert all(after <= before for before, after in zip(tail[:-1], tail[1:], strict=True))


@pytest.mark.parametrize(("a", "x"), [(0.0, 1.0), (-1.0, 1.0), (1.0, -1.0), (math.nan, 1.0)])
def test_it_refuses_arguments_outside_the_domain(a: float, x: float) -> None:
    with pytest.raises(DataError, match="a > 0 and x >= 0"):
        gamma_p(a, x)
    with pytest.raises(DataError, match="a > 0 and x >= 0"):
        gamma_q(a, x)


@pytest.mark.parametrize("level", [1e-9, 0.5, 0.9, 0.95, 0.999, 1 - 1e-12])
def test_an_interval_holds_what_its_level_says(level: float) -> None:
    assert critical_value(level) == pytest.approx(-scipy_special.ndtri((1 - level) / 2), rel=1e-13)
    assert 1 - two_sided(critical_value(level)) == pytest.approx(level, rel=1e-6)


@pytest.mark.parametrize("level", [0.0, 1.0, -0.5, math.nan])
def test_a_level_lies_between_0_and_1(level: float) -> None:
    with pytest.raises(DataError, match="level must lie between 0 and 1"):
        critical_value(level)


@pytest.mark.parametrize("x", [0.0, 0.01, *np.linspace(0.03, 3.0, 100).tolist(), 5.0, 12.0, 18.9])
def test_kolmogorovs_tail_agrees_with_scipy(x: float) -> None:
    expected = float(scipy_special.kolmogorov(x))
    assert kolmogorov_sf(x) == pytest.approx(expected, rel=1e-12, abs=1e-15)


def test_both_of_kolmogorovs_series_meet() -> None:
    below, above = kolmogorov_sf(math.nextafter(1.0, 0.0)), kolmogorov_sf(1.0)
    assert below == pytest.approx(above, rel=1e-14)
    assert (kolmogorov_sf(-1.0), kolmogorov_sf(math.inf)) == (1.0, 0.0)
    with pytest.raises(DataError, match="got nan"):
        kolmogorov_sf(math.nan)


@pytest.mark.parametrize(
    "df", [0.7, 1, 2, 3.7, 10, 39, 41, 100, 1598.3, 1e4, 1e5, 9.9e5, 1.1e6, 1e8]
)
def test_students_tail_agrees_with_scipy(df: float) -> None:
    for t in (1e-3, 0.1, 0.5, 1.0, 1.7, 2.0, 3.0, 4.862350178654064, 8.0, 20.0):
        expected = 2 * float(scipy_special.stdtr(df, -t))
        assert student_t_two_sided(t, df) == pytest.approx(expected, rel=2e-9, abs=1e-300)
        assert student_t_two_sided(-t, df) == student_t_two_sided(t, df)


def test_students_tail_in_closed_form() -> None:
    for t in (1e-8, 0.3, 2.0, 1e5):
        assert student_t_two_sided(t, 1) == pytest.approx(1 - 2 / math.pi * math.atan(t), abs=1e-15)
        assert student_t_two_sided(t, 2) == pytest.approx(1 - t / math.sqrt(2 + t * t), abs=1e-15)
    assert student_t_two_sided(0.0, 5) == 1.0
    assert student_t_two_sided(math.inf, 5) == 0.0
    assert student_t_two_sided(1.5, math.inf) == pytest.approx(two_sided(1.5), rel=1e-12)


@pytest.mark.parametrize(("t", "df"), [(math.nan, 3.0), (1.0, 0.0), (1.0, -2.0), (1.0, math.nan)])
def test_students_tail_refuses_what_it_is_not_defined_for(t: float, df: float) -> None:
    with pytest.raises(DataError, match="Student's t needs"):
        student_t_two_sided(t, df)
