"""Exact probabilities of the binomial and hypergeometric distributions; knows no data or tests.

A tail is summed outwards from its largest term until nothing is added: O(standard deviation)
steps, and a probability of 1e-200 keeps its digits.
"""

from __future__ import annotations

from collections.abc import Callable

from mlcore.arrays import EPS
from mlcore.errors import DataError
from mlcore.special import poisson_pmf


def binomial_pmf(k: int, n: int, p: float) -> float:
    """P(X = k) = C(n, k) p^k (1 - p)^(n - k), 0 outside 0 .. n.

    As the Poisson probabilities of k at n p and of n - k at n (1 - p), over that of n at n
    (Loader 2000): no factor is large. Raises DataError unless n >= 0 and 0 <= p <= 1.

    >>> round(binomial_pmf(3, 5, 0.5), 12)
    0.3125
    """
    _check_trials(n, p)
    if not 0 <= k <= n:
        return 0.0
    if p in (0.0, 1.0) or n == 0:
        return float(k == n * p)
    return poisson_pmf(k, n * p) * poisson_pmf(n - k, n * (1 - p)) / poisson_pmf(n, n)


def binomial_cdf(k: int, n: int, p: float) -> float:
    """P(X <= k) of n trials that succeed with probability p. Raises DataError as the pmf.

    >>> round(binomial_cdf(2, 10, 0.5), 12)
    0.0546875
    """
    return _binomial(0, min(k, n), n, p)


def binomial_sf(k: int, n: int, p: float) -> float:
    """P(X > k) of n trials that succeed with probability p. Raises DataError as the pmf.

    >>> round(binomial_sf(7, 10, 0.5), 12)
    0.0546875
    """
    return _binomial(max(k + 1, 0), n, n, p)


def hypergeometric_pmf(k: int, population: int, marked: int, drawn: int) -> float:
    """P(X = k) marked balls among ``drawn`` of a population: C(K, k) C(M - K, n - k) / C(M, n).

    The ratio of three binomial probabilities at p = n / M. Raises DataError unless
    0 <= marked, drawn <= population.

    >>> round(hypergeometric_pmf(1, 4, 2, 2), 12)
    0.666666666667
    """
    if not (0 <= marked <= population and 0 <= drawn <= population):
        raise DataError(f"cannot draw {drawn} of {population} balls with {marked} marked")
    p = drawn / population if population else 0.0
    among_marked = binomial_pmf(k, marked, p)
    return (
        among_marked
        * binomial_pmf(drawn - k, population - marked, p)
        / binomial_pmf(drawn, population, p)
    )


def hypergeometric_cdf(k: int, population: int, marked: int, drawn: int) -> float:
    """P(X <= k) of the marked balls in a draw. Raises DataError as the pmf.

    >>> round(hypergeometric_cdf(0, 4, 2, 2), 12)
    0.166666666667
    """
    return _hypergeometric(0, k, (population, marked, drawn))


def hypergeometric_sf(k: int, population: int, marked: int, drawn: int) -> float:
    """P(X > k) of the marked balls in a draw. Raises DataError as the pmf.

    >>> round(hypergeometric_sf(1, 4, 2, 2), 12)
    0.166666666667
    """
    return _hypergeometric(k + 1, drawn, (population, marked, drawn))


def _binomial(first: int, last: int, n: int, p: float) -> float:
    _check_trials(n, p)
    if p == 1.0:
        return float(first <= n <= last)

    def growth(k: int) -> float:
        return (n - k) / (k + 1) * (p / (1 - p))

    return _sum(first, last, int((n + 1) * p), lambda k: binomial_pmf(k, n, p), growth)


def _check_trials(n: int, p: float) -> None:
    if n < 0 or not 0 <= p <= 1:
        raise DataError(f"a binomial needs n >= 0 and 0 <= p <= 1, got n = {n} and p = {p}")


def _hypergeometric(first: int, last: int, urn: tuple[int, int, int]) -> float:
    population, marked, drawn = urn
    rest = population - marked - drawn

    def growth(k: int) -> float:
        return (marked - k) / (k + 1) * ((drawn - k) / (rest + k + 1))

    mode = (drawn + 1) * (marked + 1) // (population + 2)
    first, last = max(first, -rest, 0), min(last, marked, drawn)
    return _sum(first, last, mode, lambda k: hypergeometric_pmf(k, *urn), growth)


def _sum(
    first: int,
    last: int,
    mode: int,
    pmf: Callable[[int], float],
    growth: Callable[[int], float],
) -> float:
    """sum of pmf(k) for k = first .. last, with growth(k) = pmf(k + 1) / pmf(k)."""
    top = min(max(mode, first), last)
    largest = pmf(top)
    if first > last:
        return 0.0
    total = term = 1.0
    for k in range(top, last):
        term *= growth(k)
        total += term
        if term < total * EPS / 16:
            break
    term = 1.0
    for k in range(top, first, -1):
        term /= growth(k - 1)
        total += term
        if term < total * EPS / 16:
            break
    return min(largest * total, 1.0)
