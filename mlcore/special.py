"""Tail probabilities of the normal, chi-square, Student and Kolmogorov distributions; knows no data.

Scalars in, scalars out, with the standard library alone. Every tail is computed as itself,
never as one minus the other side: a p value of 1e-200 keeps its digits.
"""

from __future__ import annotations

import math

from mlcore.arrays import EPS
from mlcore.errors import DataError

_SQRT_2 = math.sqrt(2.0)
_SQRT_2_PI = math.sqrt(2.0 * math.pi)

# P. J. Acklam's rational approximations of the normal quantile (relative error 1.15e-9):
# numerators and denominators, highest power first, for the middle and for the lower tail.
_MIDDLE = (
    (-39.69683028665376, 220.9460984245205, -275.9285104469687)
    + (138.3577518672690, -30.66479806614716, 2.506628277459239),
    (-54.47609879822406, 161.5858368580409, -155.6989798598866)
    + (66.80131188771972, -13.28068155288572, 1.0),
)
_TAIL = (
    (-0.007784894002430293, -0.3223964580411365, -2.400758277161838)
    + (-2.549732539343734, 4.374664141464968, 2.938163982698783),
    (0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1.0),
)
_TAIL_BEGINS = 0.02425

_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188)
_STIRLING_FROM = 20.0


def normal_cdf(x: float) -> float:
    """P(Z <= x) = erfc(-x / sqrt 2) / 2 for a standard normal Z.

    >>> normal_cdf(0.0), f"{normal_cdf(-10.0):.6e}"
    (0.5, '7.619853e-24')
    """
    return 0.5 * math.erfc(-x / _SQRT_2)


def normal_sf(x: float) -> float:
    """P(Z > x), exact far out where 1 - cdf would be 0.

    >>> f"{normal_sf(10.0):.6e}"
    '7.619853e-24'
    """
    return normal_cdf(-x)


def two_sided(z: float) -> float:
    """P(|Z| > |z|) = erfc(|z| / sqrt 2): the p value of a Wald test.

    >>> round(two_sided(1.959963984540054), 12)
    0.05
    """
    return math.erfc(abs(z) / _SQRT_2)


def normal_quantile(p: float) -> float:
    """The x with P(Z <= x) = p; infinite at 0 and 1. DataError outside [0, 1].

    A rational approximation (P. J. Acklam) and one step of Halley's method on it. For the upper
    tail take -normal_quantile(q) with q = 1 - p, which keeps its digits when q is tiny.

    >>> round(normal_quantile(0.975), 12), normal_quantile(0.5), normal_quantile(0.0)
    (1.95996398454, 0.0, -inf)
    """
    if not 0 <= p <= 1:
        raise DataError(f"a probability must lie between 0 and 1, got {p}")
    if p in (0.0, 1.0):
        return math.copysign(math.inf, p - 0.5)
    if p > 0.5:
        return -_lower_quantile(1.0 - p)
    return _lower_quantile(p)


def critical_value(level: float) -> float:
    """The q with P(|Z| <= q) = level, the half width of an interval in standard errors.

    Raises DataError unless 0 < level < 1.

    >>> round(critical_value(0.95), 12)
    1.95996398454
    """
    if not 0 < level < 1:
        raise DataError(f"level must lie between 0 and 1, got {level:g}")
    return -normal_quantile((1.0 - level) / 2)


def _lower_quantile(p: float) -> float:
    if p >= _TAIL_BEGINS:
        q = p - 0.5
        x = q * _ratio(_MIDDLE, q * q)
    else:
        x = _ratio(_TAIL, math.sqrt(-2.0 * math.log(p)))
    # The error in units of the density; exp of a sum, because exp(x^2 / 2) alone may overflow.
    error = (normal_cdf(x) / p - 1.0) * math.exp(0.5 * x * x + math.log(p * _SQRT_2_PI))
    return x - error / (1.0 + 0.5 * x * error)


def _ratio(polynomials: tuple[tuple[float, ...], tuple[float, ...]], x: float) -> float:
    return _polynomial(polynomials[0], x) / _polynomial(polynomials[1], x)


def _polynomial(coefficients: tuple[float, ...], x: float) -> float:
    value = 0.0
    for coefficient in coefficients:
        value = value * x + coefficient
    return value


def chi_square_sf(x: float, df: float) -> float:
    """P(X > x) for a chi-square variable with df degrees of freedom: Q(df / 2, x / 2).

    With no degrees of freedom X is 0. DataError for df < 0 and for NaN.

    >>> f"{chi_square_sf(594.8073327053748, 6):.6e}", chi_square_sf(-1.0, 2)
    ('3.074765e-125', 1.0)
    """
    if df == 0:
        return float(x < 0)
    return gamma_q(0.5 * df, max(0.5 * x, 0.0))


def gamma_p(a: float, x: float) -> float:
    """The regularised lower incomplete gamma function P(a, x), a > 0, x >= 0.

    P(a, x) = 1 / Gamma(a) integral_0^x t^(a-1) e^-t dt.

    >>> round(gamma_p(1.0, math.log(2.0)), 15)
    0.5
    """
    _check(a, x)
    return _series(a, x) if x < max(a, 1.0) else 1.0 - _fraction(a, x)


def gamma_q(a: float, x: float) -> float:
    """The regularised upper incomplete gamma function Q(a, x) = 1 - P(a, x).

    Below the mean by the power series of P, above it by the continued fraction of Q (DLMF 8.7
    and 8.9; Lentz's algorithm), so that neither is a difference of near equals.

    >>> f"{gamma_q(1.0, 700.0):.6e}", f"{math.exp(-700.0):.6e}"
    ('9.859677e-305', '9.859677e-305')
    """
    _check(a, x)
    return 1.0 - _series(a, x) if x < max(a, 1.0) else _fraction(a, x)


def _check(a: float, x: float) -> None:
    if not (0 < a < math.inf and x >= 0):
        raise DataError(f"the incomplete gamma function needs a > 0 and x >= 0, got {a} and {x}")


def _series(a: float, x: float) -> float:
    """P = x^a e^-x / Gamma(a+1) (1 + x/(a+1) + x^2/((a+1)(a+2)) + ..)."""
    total = term = 1.0
    n = a
    while term > EPS * total:
        n += 1.0
        term *= x / n
        total += term
    return min(poisson_pmf(a, x) * total, 1.0)


def _fraction(a: float, x: float) -> float:
    """Q = x^a e^-x / Gamma(a) 1/(x+1-a- 1(1-a)/(x+3-a- 2(2-a)/(x+5-a- ..)))."""
    density = poisson_pmf(a, x)
    if density == 0.0:
        return 0.0
    b = x + 1.0 - a
    c, d = math.inf, 1.0 / b
    value, factor, n = d, 0.0, 0.0
    while abs(factor - 1.0) > EPS:
        n += 1.0
        b += 2.0
        numerator = n * (a - n)
        d = 1.0 / (numerator * d + b)
        c = b + numerator / c
        factor = c * d
        value *= factor
    return density * a * value


def poisson_pmf(a: float, x: float) -> float:
    """x^a e^-x / Gamma(a + 1), the Poisson probability of a at mean x > 0.

    For large a the three factors cancel; Loader (2000, "Fast and accurate computation of
    binomial probabilities") writes their logarithm as the sum of two small terms.

    >>> round(poisson_pmf(2, 1.0), 15) == round(math.exp(-1) / 2, 15)
    True
    """
    if x in (0.0, math.inf):
        return 0.0
    if a < _STIRLING_FROM:
        return math.exp(a * math.log(x) - x - math.lgamma(a + 1.0))
    error = _polynomial(_STIRLING[::-1], 1.0 / (a * a)) / a
    return math.exp(-error - _deviance(a, x)) / math.sqrt(2.0 * math.pi * a)


def _deviance(a: float, x: float) -> float:
    """a log(a / x) + x - a, by its series where a and x are close."""
    v = (a - x) / (a + x)
    if abs(v) > 0.5:
        return a * math.log(a / x) + x - a
    total = (a - x) * v
    term, k = 2.0 * a * v, 1.0
    while abs(term) > EPS * abs(total):
        k += 2.0
        term *= v * v
        total += term / k
    return total


def kolmogorov_sf(x: float) -> float:
    """P(K > x) = 2 sum_k (-1)^(k-1) exp(-2 k^2 x^2), k = 1, 2, ..: the limit of sqrt(n) D.

    Below 1 by the other series of the same function,
    1 - sqrt(2 pi) / x sum_k exp(-(2k - 1)^2 pi^2 / (8 x^2)). Four terms of either are exact to
    the last digits. Raises DataError for NaN. Source: Kolmogorov (1933), Smirnov (1948).

    >>> round(kolmogorov_sf(1.3580986), 6), kolmogorov_sf(0.0)
    (0.05, 1.0)
    """
    if math.isnan(x):
        raise DataError("the Kolmogorov distribution needs a number, got nan")
    if x <= 0.04:  # what is missing to 1 is below the smallest number
        return 1.0
    if x < 1.0:
        unit = (math.pi / x) ** 2 / 8
        below = sum(math.exp(-((2 * k - 1) ** 2) * unit) for k in range(4, 0, -1))
        return 1.0 - _SQRT_2_PI / x * below
    return 2 * math.fsum((-1) ** (k - 1) * math.exp(-2 * (k * x) ** 2) for k in range(1, 5))


def student_t_two_sided(t: float, df: float) -> float:
    """P(|T| > |t|) for Student's t of df degrees: I_x(df / 2, 1/2) with x = df / (df + t^2).

    By the continued fraction of the incomplete beta function (DLMF 8.17.22), above 10^6 degrees
    by the normal z of the same tail (Cornish and Fisher 1938). Raises DataError unless df > 0.

    >>> round(student_t_two_sided(2.228138852, 10), 9)
    0.05
    """
    if not df > 0 or math.isnan(t):
        raise DataError(f"Student's t needs a number and df > 0, got t = {t} and df = {df}")
    square = t * t
    if df > _NORMAL_FROM or math.isinf(square):
        third = (13 * square * square + 8 * square + 3) / 96 / df / df
        return two_sided(t * (1 - (square + 1) / (4 * df) + third)) if df > square else 0.0
    if square == 0.0:
        return 1.0
    x, y = df / (df + square), square / (df + square)
    log_beta = _log_beta_of_half(0.5 * df)
    if x * (0.5 * df + 2.5) > 0.5 * df + 1:
        return 1.0 - _beta(0.5, 0.5 * df, y, log_beta)
    return _beta(0.5 * df, 0.5, x, log_beta)


_NORMAL_FROM = 1e6


def _beta(a: float, b: float, x: float, log_beta: float) -> float:
    """I_x(a, b) by Lentz's algorithm, with ``log_beta`` = log B(a, b)."""
    density = math.exp(a * math.log(x) + b * math.log1p(-x) - log_beta)
    c, d = 1.0, 1.0 / (1.0 - (a + b) * x / (a + 1))
    value, factor, m = d, 0.0, 0.0
    while abs(factor - 1.0) > EPS:
        m += 1.0
        factor = 1.0
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 / (1.0 + numerator * d)
            c = 1.0 + numerator / c
            factor *= c * d
        value *= factor
    return min(density * value / a, 1.0)


def _log_beta_of_half(a: float) -> float:
    """log B(a, 1/2) = log Gamma(1/2) + log Gamma(a) - log Gamma(a + 1/2), whose last two cancel."""
    half = 0.5 * math.log(math.pi)
    if a < _STIRLING_FROM:
        return half + math.lgamma(a) - math.lgamma(a + 0.5)
    square = 1 / (a * a)
    series = _polynomial((-17 / 14336, 1 / 640, -1 / 192, 1 / 8), square) / a
    return half - 0.5 * math.log(a) + series
