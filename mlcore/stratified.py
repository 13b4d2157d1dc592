"""The difference of two arms whose shares of the traffic changed on the way; knows no tests.

Pooled over time, such arms differ by when they were asked as well: an arm that had most of the
traffic in bad weeks looks bad. So they are compared within each stretch of constant shares, a
stratum, and the strata are put together with the weights of Mantel and Haenszel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from mlcore.errors import DataError
from mlcore.posterior import Beta


class Counted(NamedTuple):
    """What the labels of an arm are worth together, and how many there are; of one stratum."""

    x: float
    n: float


class Standardised(NamedTuple):
    """An arm's mean over the strata, its standard error, and of how many rows in one it would be."""

    value: float
    se: float
    rows: float

    def posterior(self) -> Beta:
        """Beta(1 + x, 1 + n - x) of a share of right answers, in whole rows.

        >>> Standardised(0.84, 0.0164, 500.0).posterior()
        Beta(a=421, b=81)
        """
        rows = round(self.rows)
        right = min(max(round(self.value * self.rows), 0), rows)
        return Beta(1 + right, 1 + rows - right)


class Stratified(NamedTuple):
    """Both arms over the same strata, their difference (second less first), its standard error.

    ``time`` is 4 sum w: the rows of a test with even shares that would tell as much.
    """

    first: Standardised
    second: Standardised
    difference: float
    se: float
    time: float


Stratum = tuple[Counted, Counted]


def stratified(
    strata: Sequence[Stratum], row_variances: tuple[float, float], repeats: float = 1.0
) -> Stratified | None:
    """d = sum w_k (x_2k / n_2k - x_1k / n_1k) / sum w_k with w_k = n_1k n_2k / (n_1k + n_2k).

    Each arm's mean has the same weights, so that d is the difference of the two. A stratum in which
    an arm has no label has the weight 0; None where all have. The weights do not depend on what the
    labels say, and a share is set before the labels of its stratum come, so that
    sum w_k (d_k - d) is a martingale with the variance sum w_k^2 (v_1 / n_1k + v_2 / n_2k).
    ``row_variances`` are v_1 and v_2, of one row; ``repeats`` multiplies all variances: in how many
    strata a unit has part on average, as if its labels in all of them told no more than in one.

    Sources: Mantel and Haenszel (1959); Greenland and Robins (1985), for the difference of shares.
    Raises DataError for variances that are not above 0, and repeats below 1.

    >>> strata = [(Counted(80, 100), Counted(90, 100)), (Counted(3, 10), Counted(76, 190))]
    >>> found = stratified(strata, (0.16, 0.09))
    >>> round(found.difference, 6), round(found.second.value - found.first.value, 6)
    (0.1, 0.1)
    """
    if not all(variance > 0 for variance in row_variances) or not repeats >= 1:
        raise DataError(f"variances are above 0, repeats 1 at least: {row_variances}, {repeats}")
    both = [stratum for stratum in strata if min(side.n for side in stratum) > 0]
    if not both:
        return None
    weights = [a.n * b.n / (a.n + b.n) for a, b in both]
    sides = list(zip(*both, strict=True))
    first, second = (
        _standardised(side, weights, variance, repeats)
        for side, variance in zip(sides, row_variances, strict=True)
    )
    se = math.hypot(first.se, second.se)
    return Stratified(
        first, second, second.value - first.value, se, 4 * math.fsum(weights) / repeats
    )


def _standardised(
    side: Sequence[Counted], weights: Sequence[float], row_variance: float, repeats: float
) -> Standardised:
    total = math.fsum(weights)
    pairs = list(zip(weights, side, strict=True))
    value = math.fsum(w * counted.x / counted.n for w, counted in pairs) / total
    spread = repeats * math.fsum(w * w / counted.n for w, counted in pairs) / total**2
    return Standardised(value, math.sqrt(row_variance * spread), 1 / spread)
