"""The variance of a ratio of sums when rows come in units, such as users; knows no metrics.

Rows of one user resemble one another, so their number overstates what is known. What is needed of
the units are six sums, which a log can count as labels come in.
"""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import ArrayLike

from mlcore.arrays import floats
from mlcore.errors import DataError


@dataclass(frozen=True)
class UnitSums:
    """Over units i with n_i labels that are worth x_i together: how many, and sums of products.

    For accuracy x_i is how many labels the model got right. Two parts of a log are added with +
    when no unit is in both.
    """

    units: int
    x: float
    n: float
    xx: float
    xn: float
    nn: float

    def __add__(self, other: UnitSums) -> UnitSums:
        return UnitSums(
            self.units + other.units,
            self.x + other.x,
            self.n + other.n,
            self.xx + other.xx,
            self.xn + other.xn,
            self.nn + other.nn,
        )

    @property
    def ratio(self) -> float:
        """r = sum x / sum n."""
        return self.x / self.n


def unit_sums(x: ArrayLike, n: ArrayLike) -> UnitSums:
    """The sums of units with the totals x and the labels n, both of shape (k,).

    Raises DataError for other shapes.

    >>> unit_sums([1, 3], [2, 3])
    UnitSums(units=2, x=4.0, n=5.0, xx=10.0, xn=11.0, nn=13.0)
    """
    x, n = floats(x, "totals"), floats(n, "labels")
    if x.ndim != 1 or x.shape != n.shape:
        raise DataError(f"units need one total and one count each, got {x.shape} and {n.shape}")
    return UnitSums(
        len(x), float(x.sum()), float(n.sum()), float(x @ x), float(x @ n), float(n @ n)
    )


def ratio_variance(sums: UnitSums) -> float:
    """Var(sum x / sum n) = (s_x^2 - 2 r s_xn + r^2 s_n^2) / (k nbar^2), with sample variances.

    The delta method (Deng et al. 2018), for independent units; as sum (x_i - r n_i) is 0, this is
    k / (k - 1) sum (x_i - r n_i)^2 / (sum n)^2. Raises DataError for fewer than 2 units, and for
    no labels.

    >>> round(ratio_variance(unit_sums([1, 3, 2], [2, 3, 3])), 6)
    0.020508
    """
    if sums.units < 2 or sums.n <= 0:
        raise DataError(f"a ratio needs 2 units and a label, got {sums.units} and {sums.n:g}")
    r = sums.ratio
    spread = max(sums.xx - 2 * r * sums.xn + r * r * sums.nn, 0.0)
    return sums.units / (sums.units - 1) * spread / sums.n**2


def design_effect(sums: UnitSums) -> float:
    """How many rows of users tell as much as one independent row: ratio_variance / (r (1 - r) / n).

    For totals that count successes. Raises DataError as ratio_variance, and where r is 0 or 1.

    >>> round(design_effect(unit_sums([4, 0, 4, 0], [4, 4, 4, 4])), 6)
    5.333333
    """
    variance = ratio_variance(sums)
    binomial = sums.ratio * (1 - sums.ratio) / sums.n
    if binomial <= 0:
        raise DataError("there is no design effect where every label is worth the same")
    return variance / binomial
