"""Whether the arms of a test got the units, and the labels, that they should; knows no metrics.

Too many units in one arm, or labels for more of one arm's rows than of the other's, mean a fault
on the way: what is measured then compares different units, however large it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from mlcore.distances import ChiSquare, chi_square_contingency
from mlcore.errors import DataError
from mlcore.proportions import Share, fisher_exact
from mlcore.special import chi_square_sf

MISMATCH = 0.001
"""A p value below this says that a test is faulty."""

_LEAST_EXPECTED = 5.0


def sample_ratio(units: Sequence[int], weights: Sequence[float]) -> ChiSquare:
    """Pearson's test that units fell on k arms by weight: sum (O - E)^2 / E, k - 1 degrees.

    Units, not requests: those of one unit are not independent. Raises DataError unless there is
    a weight above 0 for each arm, and where a count is negative or no unit came.

    >>> found = sample_ratio([8100, 1900], [80, 20])
    >>> found.statistic, round(found.p_value, 12)
    (6.25, 0.012419330652)
    """
    total, weight = sum(units), sum(weights)
    if len(units) != len(weights) or min(weights, default=0) <= 0:
        raise DataError(f"each arm needs a weight above 0, got {weights} for {len(units)} arms")
    if total == 0 or min(units) < 0:
        raise DataError(f"a sample ratio needs units, and counts of 0 or more, got {units}")
    expected = [total * share / weight for share in weights]
    pairs = zip(units, expected, strict=True)
    statistic = sum((seen - due) ** 2 / due for seen, due in pairs)
    return ChiSquare(statistic, len(units) - 1, chi_square_sf(statistic, len(units) - 1))


def sample_ratio_p(units: Sequence[int], weights: Sequence[float]) -> float | None:
    """The p value of ``sample_ratio``, None where fewer than 5 units are expected in an arm.

    >>> round(sample_ratio_p([5050, 4950], [50, 50]), 12), sample_ratio_p([3, 2], [99, 1])
    (0.317310507863, None)
    """
    if sum(units) * min(weights, default=0) < _LEAST_EXPECTED * sum(weights):
        return None
    return sample_ratio(units, weights).p_value


def coverage_p(first: Share, second: Share) -> float | None:
    """The p value of equal shares of labelled requests in two arms, None where an arm has none.

    Pearson's chi-square of the table; Fisher's exact test where a cell expects fewer than 5.

    >>> round(coverage_p(Share(900, 1000), Share(850, 1000)), 6)
    0.000723
    """
    if min(first.n, second.n) == 0:
        return None
    total = first.n + second.n
    rare = min(first.k + second.k, total - first.k - second.k)
    if rare * min(first.n, second.n) < _LEAST_EXPECTED * total:
        return fisher_exact(first, second)
    sides = ([side.k, side.n - side.k] for side in (first, second))
    return chi_square_contingency(*sides).p_value
