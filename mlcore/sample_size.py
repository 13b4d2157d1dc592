"""How many labelled rows a comparison of two models needs, and how likely it sees what is there.

For one look at a number of rows fixed beforehand; ``sequential.rows_to_decide`` is for looks at any
time. Knows no data: shares are what one expects.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mlcore.errors import DataError
from mlcore.special import critical_value, normal_cdf, normal_quantile


@dataclass(frozen=True)
class Precision:
    """The error of the first kind, two-sided, and the power to see the difference expected."""

    alpha: float = 0.05
    power: float = 0.8

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1 or not 0 < self.power < 1:
            raise DataError(
                f"alpha and power must lie between 0 and 1, got {self.alpha:g} and {self.power:g}"
            )

    @property
    def z(self) -> tuple[float, float]:
        """The normal quantiles of 1 - alpha / 2 and of the power."""
        return critical_value(1 - self.alpha), normal_quantile(self.power)


STANDARD = Precision()


def rows_per_arm(
    first: float, second: float, precision: Precision = STANDARD, *, ratio: float = 1.0
) -> float:
    """The rows of the first arm for the pooled z test; the second gets ``ratio`` times as many.

    (z_a sqrt(P (1 - P) (1 + 1/r)) + z_b sqrt(p_1 (1 - p_1) + p_2 (1 - p_2) / r))^2 / (p_2 - p_1)^2
    with P = (p_1 + r p_2) / (1 + r) (Fleiss et al. 1980). Round up. Raises DataError for shares
    outside [0, 1], equal ones, and a ratio that is not above 0.

    >>> round(rows_per_arm(0.84, 0.87), 3), round(rows_per_arm(0.80, 0.90), 3)
    (2161.187, 198.963)
    """
    _check(first, second, ratio)
    z_alpha, z_power = precision.z
    pooled = (first + ratio * second) / (1 + ratio)
    under_equality = z_alpha * math.sqrt(pooled * (1 - pooled) * (1 + 1 / ratio))
    reach = under_equality + z_power * math.sqrt(_spread(first, second, ratio))
    return (reach / _apart(second - first)) ** 2


def rows_per_arm_beyond(
    first: float,
    second: float,
    margin: float = 0.0,
    precision: Precision = STANDARD,
    *,
    ratio: float = 1.0,
) -> float:
    """The rows of the first arm for showing p_2 - p_1 > margin with each arm's own variance.

    (z_a + z_b)^2 (p_1 (1 - p_1) + p_2 (1 - p_2) / r) / (p_2 - p_1 - margin)^2. A margin below 0
    asks for "not worse by more than", above 0 for "better by more than" (Blackwelder 1982). Raises
    DataError as rows_per_arm.

    >>> round(rows_per_arm_beyond(0.84, 0.87), 2), round(rows_per_arm_beyond(0.84, 0.84, -0.03), 2)
    (2158.44, 2344.2)
    """
    _check(first, second, ratio)
    spread = _spread(first, second, ratio)
    return spread * (sum(precision.z) / _apart(second - first - margin)) ** 2


def power_per_arm(
    n: float, first: float, second: float, *, alpha: float = 0.05, ratio: float = 1.0
) -> float:
    """The probability that the pooled z test of n and ``ratio`` n rows finds the right sign.

    The inverse of ``rows_per_arm``: Phi((|p_2 - p_1| sqrt(n) - z_a sqrt(..)) / sqrt(..)).

    >>> round(power_per_arm(2161.187, 0.84, 0.87), 6)
    0.8
    """
    _check(first, second, ratio)
    z_alpha, _ = Precision(alpha).z
    pooled = (first + ratio * second) / (1 + ratio)
    under_equality = z_alpha * math.sqrt(pooled * (1 - pooled) * (1 + 1 / ratio))
    reach = abs(second - first) * math.sqrt(n) - under_equality
    spread = math.sqrt(_spread(first, second, ratio))
    return normal_cdf(reach / spread) if spread else float(reach > 0)


def detectable_difference(
    n: float, first: float, precision: Precision = STANDARD, *, ratio: float = 1.0
) -> float | None:
    """The smallest p_2 - p_1 > 0 that n rows of the first arm show; None if they show none.

    >>> round(detectable_difference(2161.187, 0.84), 6)
    0.03
    """
    low, high = 0.0, 1.0 - first
    _check(first, 1.0, ratio)
    if high == 0 or rows_per_arm(first, 1.0, precision, ratio=ratio) > n:
        return None
    for _ in range(50):
        middle = (low + high) / 2
        if rows_per_arm(first, first + middle, precision, ratio=ratio) > n:
            low = middle
        else:
            high = middle
    return high


def pairs_needed(apart: float, difference: float, precision: Precision = STANDARD) -> float:
    """The rows that both models score, for McNemar's test (Connor 1987).

    (z_a sqrt(psi) + z_b sqrt(psi - d^2))^2 / d^2 with psi = P(one alone is right). Raises
    DataError unless 0 < |d| <= psi <= 1.

    >>> round(pairs_needed(0.111, 0.03), 2)
    965.67
    """
    _check_pairs(apart, difference)
    z_alpha, z_power = precision.z
    reach = z_alpha * math.sqrt(apart) + z_power * math.sqrt(apart - difference**2)
    return (reach / difference) ** 2


def power_of_pairs(n: float, apart: float, difference: float, *, alpha: float = 0.05) -> float:
    """The probability that McNemar's test of n rows finds the right sign.

    The inverse of ``pairs_needed``. Raises DataError as it does.

    >>> round(power_of_pairs(965.67, 0.111, 0.03), 4)
    0.8
    """
    _check_pairs(apart, difference)
    reach = abs(difference) * math.sqrt(n) - Precision(alpha).z[0] * math.sqrt(apart)
    spread = math.sqrt(apart - difference**2)
    return normal_cdf(reach / spread) if spread else float(reach > 0)


def _spread(first: float, second: float, ratio: float) -> float:
    return first * (1 - first) + second * (1 - second) / ratio


def _apart(difference: float) -> float:
    if difference == 0:
        raise DataError("no number of rows shows a difference of 0")
    return difference


def _check(first: float, second: float, ratio: float) -> None:
    if not (0 <= first <= 1 and 0 <= second <= 1):
        raise DataError(f"shares must lie between 0 and 1, got {first:g} and {second:g}")
    if not 0 < ratio < math.inf:
        raise DataError(f"the ratio of the arms must be above 0, got {ratio:g}")


def _check_pairs(apart: float, difference: float) -> None:
    if not 0 < abs(difference) <= apart <= 1:
        raise DataError(
            f"a difference of {difference:g} needs models that differ on more than "
            f"{apart:g} of the rows, and not on more than all"
        )
