"""The difference of two independent shares: intervals and tests for one look; knows no decisions.

A share is k of n rows. Differences are second minus first. The interval of a fixed number of rows
holds for a single look at them; looking again and again needs ``sequential``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from mlcore.discrete import hypergeometric_cdf, hypergeometric_pmf, hypergeometric_sf
from mlcore.errors import DataError
from mlcore.intervals import wilson
from mlcore.special import critical_value, two_sided


class Share(NamedTuple):
    """k rows of n."""

    k: int
    n: int

    @property
    def value(self) -> float:
        return self.k / self.n

    @property
    def variance(self) -> float:
        """Of the value: p (1 - p) / n."""
        return self.value * (1 - self.value) / self.n


class Ends(NamedTuple):
    """Where an interval begins and ends."""

    low: float
    high: float


class ZTest(NamedTuple):
    """A statistic that is standard normal without a difference, and its two-sided p value."""

    z: float
    p_value: float


def pooled_test(first: Share, second: Share) -> ZTest:
    """The z test of equal shares: d / sqrt(P (1 - P) (1 / n_1 + 1 / n_2)), P of both together.

    Its square is Pearson's chi-square of the table, without a correction. Where both are 0 or
    both 1 there is no sign of a difference: z = 0. Raises DataError unless 0 <= k <= n, n > 0.

    >>> found = pooled_test(Share(840, 1000), Share(871, 1000))
    >>> round(found.z, 12), round(found.p_value, 12)
    (1.971527165325, 0.048663608928)
    """
    _check(first, second)
    p = (first.k + second.k) / (first.n + second.n)
    return _test(second.value - first.value, p * (1 - p) * (1 / first.n + 1 / second.n))


def unpooled_test(first: Share, second: Share, difference: float = 0.0) -> ZTest:
    """The z test of Wald of a given difference, with each share's own variance.

    (p_2 - p_1 - difference) / sqrt(p_1 (1 - p_1) / n_1 + p_2 (1 - p_2) / n_2). It answers to
    ``wald_interval``. Infinite where neither share has a variance. Raises DataError as pooled_test.

    >>> round(unpooled_test(Share(840, 1000), Share(871, 1000)).z, 6)
    1.973446
    """
    _check(first, second)
    return _test(second.value - first.value - difference, first.variance + second.variance)


def fisher_exact(first: Share, second: Share) -> float:
    """The exact two-sided p value of equal shares, given how many rows succeeded in all.

    The probability of all tables no likelier than this one (Fisher 1935). It is cautious: with few
    rows it rejects less often than it says. Raises DataError as pooled_test.

    >>> round(fisher_exact(Share(840, 1000), Share(871, 1000)), 12)
    0.056262110316
    """
    _check(first, second)
    urn = (first.n + second.n, first.k + second.k, first.n)
    seen = hypergeometric_pmf(first.k, *urn) * (1 + 1e-7)  # equal but for rounding
    mode = (urn[1] + 1) * (urn[2] + 1) // (urn[0] + 2)
    if hypergeometric_pmf(mode, *urn) <= seen:
        return 1.0
    left = _edge(max(0, urn[1] - second.n) - 1, mode, seen, urn)
    right = _edge(min(urn[1], urn[2]) + 1, mode, seen, urn)
    return min(hypergeometric_cdf(left, *urn) + hypergeometric_sf(right - 1, *urn), 1.0)


def wald_interval(first: Share, second: Share, level: float = 0.95) -> Ends:
    """d -+ z sqrt(p_1 (1 - p_1) / n_1 + p_2 (1 - p_2) / n_2): too narrow for few rows.

    >>> [round(end, 12) for end in wald_interval(Share(840, 1000), Share(871, 1000))]
    [0.000211779247, 0.061788220753]
    """
    _check(first, second)
    difference = second.value - first.value
    reach = critical_value(level) * math.sqrt(first.variance + second.variance)
    return Ends(difference - reach, difference + reach)


def agresti_caffo(first: Share, second: Share, level: float = 0.95) -> Ends:
    """The interval of Wald after adding a success and a failure to each side (2000), within -1, 1.

    >>> [round(end, 12) for end in agresti_caffo(Share(840, 1000), Share(871, 1000))]
    [0.000117767408, 0.061758480097]
    """
    _check(first, second)
    more = [Share(side.k + 1, side.n + 2) for side in (first, second)]
    ends = wald_interval(more[0], more[1], level)
    return Ends(max(ends.low, -1.0), min(ends.high, 1.0))


def newcombe(first: Share, second: Share, level: float = 0.95) -> Ends:
    """The interval made of the two Wilson intervals (Newcombe 1998, method 10): the one to take.

    Good from a few rows on, always within -1 and 1, and never a point. Raises DataError as
    pooled_test and for a level outside (0, 1).

    >>> [round(end, 12) for end in newcombe(Share(840, 1000), Share(871, 1000))]
    [0.000151838985, 0.061851241185]
    """
    _check(first, second)
    sides = [(side.value, *wilson(side.k, side.n, level)) for side in (first, second)]
    return square_and_add(*sides)


def square_and_add(first: tuple[float, float, float], second: tuple[float, float, float]) -> Ends:
    """The interval of a difference from two independent (value, low, high) of one level.

    (d - sqrt((p_2 - l_2)^2 + (u_1 - p_1)^2), d + sqrt((u_2 - p_2)^2 + (p_1 - l_1)^2)): each end
    takes the errors at the ends where it lies (Zou and Donner 2008).

    >>> square_and_add((0.5, 0.1, 0.8), (0.5, 0.1, 0.8))
    Ends(low=-0.5, high=0.5)
    """
    difference = second[0] - first[0]
    below = math.hypot(second[0] - second[1], first[2] - first[0])
    above = math.hypot(second[2] - second[0], first[0] - first[1])
    return Ends(difference - below, difference + above)


def score_interval(first: Share, second: Share, level: float = 0.95) -> Ends:
    """All differences that the score test of Miettinen and Nurminen (1985) does not reject.

    The variance is that of the likeliest shares which differ by exactly so much, times
    N / (N - 1). Exact to 1e-12 by bisection. Raises DataError as newcombe.

    >>> [round(end, 12) for end in score_interval(Share(840, 1000), Share(871, 1000))]
    [0.000174798115, 0.061945733979]
    """
    _check(first, second)
    limit = critical_value(level)
    difference = second.value - first.value

    def rejected(candidate: float) -> bool:
        variance = _variance_given(first, second, candidate)
        return abs(difference - candidate) > limit * math.sqrt(variance)

    return Ends(*(_last_kept(difference, end, rejected) for end in (-1.0, 1.0)))


class Lift(NamedTuple):
    """A relative difference with its interval and p value."""

    value: float
    low: float
    high: float
    p_value: float


def relative_lift(first: Share, second: Share, level: float = 0.95) -> Lift:
    """(p_2 - p_1) / p_1 by the delta method: var = v_2 / p_1^2 + v_1 p_2^2 / p_1^4.

    v = p (1 - p) / n of each. With the normal distribution. Raises DataError as newcombe and where
    the first share is 0.

    >>> round(relative_lift(Share(840, 1000), Share(871, 1000)).value, 12)
    0.036904761905
    """
    _check(first, second)
    if first.k == 0:
        raise DataError("there is no relative difference from a share of 0")
    p, q = first.value, second.value
    lift = (q - p) / p
    variance = second.variance / p**2 + first.variance * q**2 / p**4
    reach = critical_value(level) * math.sqrt(variance)
    return Lift(lift, lift - reach, lift + reach, _test(lift, variance).p_value)


def _check(*shares: Share) -> None:
    for share in shares:
        if not 0 <= share.k <= share.n or share.n == 0:
            raise DataError(f"a share needs 0 <= k <= n and a row, got {share.k} of {share.n}")


def _test(difference: float, variance: float) -> ZTest:
    if variance == 0:
        z = math.copysign(math.inf, difference) if difference else 0.0
    else:
        z = difference / math.sqrt(variance)
    return ZTest(z, two_sided(z))


def _edge(outside: int, inside: int, seen: float, urn: tuple[int, int, int]) -> int:
    """The count nearest to the mode, on the side of ``outside``, that is no likelier than seen."""
    while abs(outside - inside) > 1:
        middle = (outside + inside) // 2
        if hypergeometric_pmf(middle, *urn) <= seen:
            outside = middle
        else:
            inside = middle
    return outside


def _variance_given(first: Share, second: Share, difference: float) -> float:
    """The variance of d when p_1 is the likeliest one with p_2 = p_1 + difference."""
    p = _likeliest(first, second, difference)
    q = p + difference
    total = first.n + second.n
    variance = max(p * (1 - p), 0.0) / first.n + max(q * (1 - q), 0.0) / second.n
    return variance * total / (total - 1) if total > 1 else variance


def _likeliest(first: Share, second: Share, difference: float) -> float:
    """The p_1 at which the log likelihood of both, which is concave in it, is greatest."""
    low, high = max(0.0, -difference), min(1.0, 1.0 - difference)
    for _ in range(60):
        p = (low + high) / 2
        q = p + difference
        # The slope, times p (1 - p) q (1 - q), so that neither end divides by 0.
        slope = (first.k - first.n * p) * q * (1 - q) + (second.k - second.n * q) * p * (1 - p)
        low, high = (p, high) if slope > 0 else (low, p)
    return (low + high) / 2


def _last_kept(kept: float, limit: float, rejected: Callable[[float], bool]) -> float:
    """Where, on the way from a difference that is kept to the limit, rejection begins."""
    if not rejected(limit):
        return limit
    for _ in range(60):
        middle = (kept + limit) / 2
        kept, limit = (kept, middle) if rejected(middle) else (middle, limit)
    return kept
