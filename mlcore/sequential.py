"""Intervals and p values that hold at every look at growing data; knows no metrics or arms.

The asymptotic confidence sequence of Waudby-Smith et al. (2021, arXiv 2103.06476) with a normal
mixture, which for two shares is the mixture sequential ratio test of Johari et al. (2017). One may
look after every label and stop when one likes: the interval misses the truth at any look at all
with probability ``alpha``. It is a limit theorem, so begin with some 50 labels an arm.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from mlcore.errors import DataError
from mlcore.special import critical_value, normal_quantile

DEFAULT_TUNED_FOR = 5000


class AlwaysValid(NamedTuple):
    """An interval and the p value of a difference of 0, both valid at every look."""

    low: float
    high: float
    p_value: float

    @property
    def empty(self) -> bool:
        """No value was inside at every look: what is measured changed on the way."""
        return self.low > self.high

    def after(self, before: AlwaysValid | None) -> AlwaysValid:
        """What all looks so far say together: the common part of the intervals, the least p.

        >>> AlwaysValid(-0.1, 0.3, 0.5).after(AlwaysValid(-0.05, 0.4, 0.2))
        AlwaysValid(low=-0.05, high=0.3, p_value=0.2)
        """
        if before is None:
            return self
        return AlwaysValid(
            max(self.low, before.low),
            min(self.high, before.high),
            min(self.p_value, before.p_value),
        )


def mixture_scale(alpha: float, tuned_for: float = DEFAULT_TUNED_FOR) -> float:
    """rho = sqrt((-2 ln alpha + ln(-2 ln alpha + 1)) / N*): the interval is tightest near N*.

    Source: equation 155 of the paper. At a quarter of N* the interval is 8 % wider than the best
    for so many rows, at four times N* 3 %. Raises DataError unless 0 < alpha < 1 and N* > 0.

    >>> round(mixture_scale(0.05), 15)
    0.039840066771374
    """
    if not 0 < alpha < 1:
        raise DataError(f"alpha must lie between 0 and 1, got {alpha:g}")
    if not 0 < tuned_for < math.inf:
        raise DataError(f"the number of rows to be tuned for must be above 0, got {tuned_for:g}")
    twice = -2 * math.log(alpha)
    return math.sqrt((twice + math.log(twice + 1)) / tuned_for)


def boundary(n: float, alpha: float, tuned_for: float = DEFAULT_TUNED_FOR) -> float:
    """How many standard errors from 0 a difference is at p = alpha, after n rows in all.

    sqrt(2 (x + 1) / x ln(sqrt(x + 1) / alpha)) with x = n rho^2; a single look needs 1.96.

    >>> round(boundary(5000, 0.05), 4), round(boundary(20000, 0.05), 4)
    (3.0352, 3.1271)
    """
    if not 0 < n < math.inf:
        raise DataError(f"a confidence sequence needs at least one row, got {n:g}")
    x = n * mixture_scale(alpha, tuned_for) ** 2
    return math.sqrt(2 * (x + 1) / x * (0.5 * math.log1p(x) - math.log(alpha)))


def confidence_sequence(
    difference: float,
    se: float,
    n: float,
    *,
    alpha: float = 0.05,
    tuned_for: float = DEFAULT_TUNED_FOR,
) -> AlwaysValid:
    """The interval and p value of this look, from an estimate, its standard error and n rows.

    difference -+ se ``boundary``; p = min(1, sqrt(x + 1) exp(-z^2 x / (2 (x + 1)))) with
    x = n rho^2 and z = difference / se. ``tuned_for`` must be chosen before the data.
    Raises DataError unless se > 0 and the numbers are finite.

    >>> [round(value, 6) for value in confidence_sequence(0.031, 0.01572244, 2000)]
    [-0.018113, 0.080113, 0.465952]
    """
    if not 0 < se < math.inf or not math.isfinite(difference):
        raise DataError(
            f"a confidence sequence needs a finite difference and an error above 0, "
            f"got {difference} and {se}"
        )
    reach = se * boundary(n, alpha, tuned_for)
    x = n * mixture_scale(alpha, tuned_for) ** 2
    exponent = 0.5 * math.log1p(x) - (difference / se) ** 2 * x / (2 * (x + 1))
    return AlwaysValid(difference - reach, difference + reach, math.exp(min(exponent, 0.0)))


def lasting_p(p_value: float, n: float, *, alpha: float, tuned_for: float) -> float:
    """The p value of a single look after n rows, turned into one that is valid at every look.

    That of ``confidence_sequence`` for the normal z with P(|Z| > z) = p. Whoever asks after every
    toss of a fair coin sees p < 0.001 at some time in 4 of 100 series of 20,000 tosses, and this
    p value so low in 1 of 1000 at most. Raises DataError unless n > 0 and 0 <= p <= 1.

    >>> round(lasting_p(0.001, 10_000, alpha=0.001, tuned_for=1000), 4)
    0.0593
    """
    if p_value == 0:
        return 0.0
    z = -normal_quantile(p_value / 2)
    return confidence_sequence(z, 1.0, n, alpha=alpha, tuned_for=tuned_for).p_value


def rows_to_decide(
    difference: float,
    row_variance: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    tuned_for: float = DEFAULT_TUNED_FOR,
) -> float:
    """The n at which a test of looks at any time has decided with probability ``power`` or more.

    The n with |d| sqrt(n / V) = ``boundary`` + z_power, where se^2 = V / n. It may decide at an
    earlier look, so the true power is a little higher. Two arms of half the rows each have
    V = 2 (p_A (1 - p_A) + p_B (1 - p_B)), pairs V = P(one alone is right) - d^2. Raises DataError
    for a difference or a variance of 0.

    >>> round(rows_to_decide(0.03, 2 * (0.84 * 0.16 + 0.87 * 0.13)))
    8328
    """
    if difference == 0 or not 0 < row_variance < math.inf:
        raise DataError("a number of rows needs a difference and a variance that are not 0")
    extra = critical_value(2 * power - 1) if power > 0.5 else 0.0
    unit = row_variance / difference**2
    low = high = unit
    while _short(high, unit, extra, (alpha, tuned_for)):
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        if _short(middle, unit, extra, (alpha, tuned_for)):
            low = middle
        else:
            high = middle
    return high


def _short(n: float, unit: float, extra: float, tuning: tuple[float, float]) -> bool:
    return math.sqrt(n / unit) < boundary(n, *tuning) + extra
