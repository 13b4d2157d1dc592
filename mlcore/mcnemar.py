"""Two classifiers on the same labelled rows, from the four cells of who was right; knows no rows.

What makes a row hard for both cancels: only the rows where one alone is right tell them apart, so
that a few hundred rows show what two separate samples need thousands for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mlcore.discrete import binomial_cdf, binomial_pmf
from mlcore.errors import DataError
from mlcore.proportions import Ends
from mlcore.special import chi_square_sf, critical_value


@dataclass(frozen=True)
class Pairs:
    """Rows on which both are right, A alone, B alone, and neither."""

    both: int
    only_a: int
    only_b: int
    neither: int

    def __post_init__(self) -> None:
        if min(self.both, self.only_a, self.only_b, self.neither) < 0:
            raise DataError(f"a cell of pairs cannot hold fewer than 0 rows, got {self}")

    @property
    def n(self) -> int:
        return self.both + self.only_a + self.only_b + self.neither

    @property
    def apart(self) -> int:
        """Rows on which they differ."""
        return self.only_a + self.only_b

    @property
    def difference(self) -> float:
        """How much more often B is right: (c - b) / n."""
        return (self.only_b - self.only_a) / self.n

    def __add__(self, other: Pairs) -> Pairs:
        return Pairs(
            self.both + other.both,
            self.only_a + other.only_a,
            self.only_b + other.only_b,
            self.neither + other.neither,
        )


@dataclass(frozen=True)
class McNemarReport:
    """p values of the hypothesis that both are right equally often, with their statistics.

    The chi-squares and their p values are None where the two never differ.
    """

    exact: float
    mid_p: float
    chi_square: float | None
    chi_square_p: float | None
    corrected: float | None
    corrected_p: float | None


def mcnemar(pairs: Pairs) -> McNemarReport:
    """McNemar's (1947) test: of the b + c rows that differ, is B right in half?

    exact = min(1, 2 P(X <= min(b, c))) for X binomial (b + c, 1/2), mid_p the same less
    P(X = min(b, c)), which is less cautious (Lancaster 1961). chi-square = (b - c)^2 / (b + c), and
    with the correction of Edwards (1948) max(|b - c| - 1, 0)^2 / (b + c), of one degree of freedom.

    >>> report = mcnemar(Pairs(both=800, only_a=40, only_b=71, neither=89))
    >>> [round(p, 12) for p in (report.exact, report.chi_square_p, report.corrected_p)]
    [0.004195534185, 0.003256896947, 0.004406769548]
    """
    apart, least = pairs.apart, min(pairs.only_a, pairs.only_b)
    tail = 2 * binomial_cdf(least, apart, 0.5)
    exact, mid_p = min(1.0, tail), min(1.0, tail - binomial_pmf(least, apart, 0.5))
    if apart == 0:
        return McNemarReport(exact, 1.0, None, None, None, None)
    distance = abs(pairs.only_b - pairs.only_a)
    plain, corrected = distance**2 / apart, max(distance - 1, 0) ** 2 / apart
    return McNemarReport(
        exact, mid_p, plain, chi_square_sf(plain, 1), corrected, chi_square_sf(corrected, 1)
    )


def paired_se(pairs: Pairs) -> float:
    """The standard error of the difference: sqrt(b + c - (c - b)^2 / n) / n.

    Raises DataError for no rows.

    >>> round(paired_se(Pairs(800, 40, 71, 89)), 15)
    0.010489947568982
    """
    if pairs.n == 0:
        raise DataError("a difference of pairs needs at least one row")
    return math.sqrt(pairs.apart - (pairs.only_b - pairs.only_a) ** 2 / pairs.n) / pairs.n


def paired_interval(pairs: Pairs, level: float = 0.95) -> Ends:
    """difference -+ z se (Wald): for ten rows and more that differ.

    >>> [round(end, 12) for end in paired_interval(Pairs(800, 40, 71, 89))]
    [0.010440080565, 0.051559919435]
    """
    reach = critical_value(level) * paired_se(pairs)
    return Ends(pairs.difference - reach, pairs.difference + reach)


def agresti_min(pairs: Pairs, level: float = 0.95) -> Ends:
    """The interval of Wald after adding half a row to each cell (2005), within -1 and 1.

    Good from a few rows on, and never a point.

    >>> [round(end, 4) for end in agresti_min(Pairs(20, 0, 0, 0))]
    [-0.0891, 0.0891]
    """
    n = pairs.n + 2
    difference = (pairs.only_b - pairs.only_a) / n
    reach = critical_value(level) * math.sqrt((pairs.apart + 1) / n - difference**2) / math.sqrt(n)
    return Ends(max(difference - reach, -1.0), min(difference + reach, 1.0))
