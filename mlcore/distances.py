"""How far two sets of counts over the same bins lie apart, and by what chance; knows no profile.

``reference`` is what was there first, n rows; ``current`` is held against it, m rows. Counts are
numbers of 0 or more, with at least one row on each side; DataError for anything else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from mlcore.arrays import FloatArray, floats
from mlcore.discrete import hypergeometric_cdf, hypergeometric_sf
from mlcore.errors import DataError
from mlcore.special import chi_square_sf, two_sided


class ChiSquare(NamedTuple):
    """A contingency test: its statistic, degrees of freedom and p value."""

    statistic: float
    df: int
    p_value: float


class RankTest(NamedTuple):
    """P(current > reference) + P(equal) / 2 of a random pair, and the p value of its being 1/2."""

    superiority: float
    p_value: float


def psi(reference: ArrayLike, current: ArrayLike, *, smoothing: float = 0.5) -> float:
    """The population stability index sum_b (p_b - q_b) ln(p_b / q_b).

    Each share is (count + s) / (N + s B) over B bins, with s the ``smoothing``. Without smoothing
    a bin that one side alone fills makes it infinite. By habit 0.1 is worth a look and 0.25 is a
    shift.

    >>> live = [97, 51, 67, 55, 60, 67, 63, 82, 98, 160]
    >>> round(psi([100] * 10, live), 10), round(psi([100] * 10, live, smoothing=0), 10)
    (0.1226289554, 0.1240979779)
    """
    before, now = _pair(reference, current)
    p = (before + smoothing) / (before.sum() + smoothing * len(before))
    q = (now + smoothing) / (now.sum() + smoothing * len(now))
    differs = p != q
    with np.errstate(divide="ignore"):
        terms = (p[differs] - q[differs]) * np.log(p[differs] / q[differs])
    return float(np.sum(terms))


def psi_p_value(value: float, n: float, m: float, bins: int) -> float:
    """The chance that m rows drawn like the n of the reference have at least this index.

    Few rows differ by chance: the index is then about (1/n + 1/m) times chi-square of B - 1
    degrees (Yurdakul and Naranjo 2020), on average 0.06 for 720 and 200 rows in ten bins.

    >>> round(psi_p_value(0.0380677, 1000, 800, 10), 4)
    0.05
    """
    if bins < 2:
        return 1.0
    return chi_square_sf(max(value, 0.0) / (1 / n + 1 / m), bins - 1)


def jensen_shannon(reference: ArrayLike, current: ArrayLike) -> float:
    """sqrt((KL(p || M) + KL(q || M)) / 2) in base 2, M = (p + q) / 2: from 0 to 1.

    Source: Endres and Schindelin (2003), who show that it is a metric.

    >>> jensen_shannon([1, 0], [0, 1]), round(jensen_shannon([50, 50], [60, 40]), 6)
    (1.0, 0.085435)
    """
    p, q = _shares(reference, current)
    middle = (p + q) / 2
    divergence = (_divergence(p, middle) + _divergence(q, middle)) / 2
    return math.sqrt(min(max(divergence, 0.0), 1.0))


def hellinger(reference: ArrayLike, current: ArrayLike) -> float:
    """sqrt(1 - sum_b sqrt(p_b q_b)): from 0 to 1.

    >>> hellinger([1, 0], [0, 1]), round(hellinger([50, 50], [60, 40]), 6)
    (1.0, 0.071161)
    """
    p, q = _shares(reference, current)
    # Half the squares of sqrt p - sqrt q: 1 minus the sum of the products loses the digits.
    return math.sqrt(min(float(np.sum((np.sqrt(p) - np.sqrt(q)) ** 2)) / 2, 1.0))


def l_infinity(reference: ArrayLike, current: ArrayLike) -> float:
    """max_b |p_b - q_b|: the share of rows by which the most moved bin has grown or shrunk.

    >>> round(l_infinity([50, 50], [60, 40]), 12)
    0.1
    """
    p, q = _shares(reference, current)
    return float(np.abs(p - q).max())


def chi_square_contingency(reference: ArrayLike, current: ArrayLike) -> ChiSquare:
    """Pearson's test of a 2 x K table: X2 = sum (O - E)^2 / E with K - 1 degrees of freedom.

    E is what the two sides together expect; bins that neither fills are left out, and there is no
    correction for continuity. A single row of a new bin is therefore no sensation.

    >>> found = chi_square_contingency([502, 301, 197], [359, 263, 178])
    >>> round(found.statistic, 6), found.df, round(found.p_value, 6)
    (5.114156, 2, 0.077531)
    """
    before, now = _pair(reference, current)
    filled = before + now > 0
    before, now = before[filled], now[filled]
    n, m = before.sum(), now.sum()
    pooled = (before + now) / (n + m)
    statistic = float(np.sum((before - n * pooled) ** 2 / (n * pooled)))
    statistic += float(np.sum((now - m * pooled) ** 2 / (m * pooled)))
    df = len(before) - 1
    return ChiSquare(statistic, df, chi_square_sf(statistic, df) if df else 1.0)


def chi_square_sparse(
    reference: ArrayLike, current: ArrayLike, least: float = 5.0, *, gathered: int | None = None
) -> ChiSquare:
    """The contingency test for tables with rare bins, which make the bare one too quick to speak.

    Bins in which fewer than ``least`` live rows are expected are added up, if need be with the
    next larger ones (Cochran 1954). They have a say of their own: the chance that a binomial
    share m / (n + m) of their rows reaches their live count. The p value is the smaller of the
    two, doubled. For 200 levels and 50 rows the bare test finds p < 0.0014 70 times too often,
    this one as often as it says. ``gathered`` is the place of a bin that stands for many levels, as
    those the reference had not: rare however many rows it has, or live rows alone could fill it.

    >>> chi_square_contingency([5000, 0], [49, 1]).p_value < 1e-20
    True
    >>> round(chi_square_sparse([5000, 0], [49, 1]).p_value, 4)
    0.0198
    """
    before, now = _pair(reference, current)
    both = before + now
    share = float(now.sum() / both.sum())
    rare = (both > 0) & (both * share < least)
    if gathered is not None:
        rare[gathered] = both[gathered] > 0
    if not rare.any():
        return chi_square_contingency(before, now)
    chance = binomial_tail(int(now[rare].sum()), int(both[rare].sum()), share)
    for place in np.argsort(both, kind="stable"):
        if both[rare].sum() * share >= least:
            break
        rare[place] = rare[place] or both[place] > 0
    pooled = [np.append(side[~rare], side[rare].sum()) for side in (before, now)]
    found = chi_square_contingency(*pooled)
    return found._replace(p_value=min(2 * min(found.p_value, chance), 1.0))


def binomial_tail(k: int, n: int, p: float) -> float:
    """P(X >= k) of n trials that succeed with probability 0 < p < 1, term by term.

    >>> round(binomial_tail(8, 10, 0.5), 6)
    0.054688
    """
    if k <= 0:
        return 1.0
    if k < n * p:
        return 1.0 - binomial_tail(n - k + 1, n, 1 - p)
    term = math.exp(
        math.lgamma(n + 1)
        - math.lgamma(k + 1)
        - math.lgamma(n - k + 1)
        + k * math.log(p)
        + (n - k) * math.log1p(-p)
    )
    total = 0.0
    odds = p / (1 - p)
    for successes in range(k, n + 1):
        total += term
        term *= odds * (n - successes) / (successes + 1)
        if term < total * 1e-17:
            break
    return min(total, 1.0)


def rank_test(reference: ArrayLike, current: ArrayLike) -> RankTest:
    """The test of Mann and Whitney (1947) on counts over ordered bins, whose rows are ties.

    U = sum_b now_b (reference below b + reference_b / 2), its variance under equality
    n m (N + 1 - sum_b (t_b^3 - t_b) / (N (N - 1))) / 12 with N = n + m and t the counts of both
    sides. The p value is that of the normal distribution, without a correction for continuity.

    >>> found = rank_test([50, 50], [40, 60])
    >>> found.superiority, round(found.p_value, 4)
    (0.55, 0.1563)
    """
    before, now = _pair(reference, current)
    n, m = float(before.sum()), float(now.sum())
    total, ties = n + m, before + now
    superiority = float(now @ (np.cumsum(before) - before / 2)) / n / m
    tied = float(np.sum((ties / total) ** 3 - ties / total / total**2))
    if np.count_nonzero(ties) < 2:
        return RankTest(superiority, 1.0)
    variance = (total + 1 - total * total * tied / (total - 1)) / (12 * n * m)
    return RankTest(superiority, two_sided((superiority - 0.5) / math.sqrt(variance)))


def rank_test_sparse(reference: ArrayLike, current: ArrayLike, least: float = 10.0) -> RankTest:
    """The rank test for columns that all but always have one value, where the normal errs.

    With fewer than ``least`` live rows to be expected outside the most frequent value, ranks tell
    little but how many there are. The p value is then twice the smaller chance that so many or more,
    so many or fewer, of those of both sides are live: exactly, by the hypergeometric distribution.
    Two events in 50 rows, where the reference has one in 1,000, are no sensation.

    >>> before, now = [4995, 5], [48, 2]
    >>> found = rank_test(before, now), rank_test_sparse(before, now)
    >>> [f"{test.p_value:.2g}" for test in found]
    ['1.6e-13', '0.0039']
    """
    found = rank_test(reference, current)
    before, now = _pair(reference, current)
    top = int((before + now).argmax())
    m, all_rows = round(now.sum()), round(before.sum() + now.sum())
    others = all_rows - round(before[top] + now[top])
    if others * m >= least * all_rows:
        return found
    k = m - round(now[top])
    more = hypergeometric_sf(k - 1, all_rows, others, m)
    fewer = hypergeometric_cdf(k, all_rows, others, m)
    return found._replace(p_value=min(2 * min(more, fewer), 1.0))


def adjusted(p_values: Sequence[float]) -> list[float]:
    """p values corrected for being many (Benjamini and Hochberg 1995), in the order given.

    >>> [round(p, 3) for p in adjusted([0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074])]
    [0.007, 0.028, 0.059, 0.059, 0.059, 0.07, 0.074]
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    found = list(p_values)
    least = 1.0
    for rank in range(len(order), 0, -1):
        place = order[rank - 1]
        least = min(least, p_values[place] * len(order) / rank)
        found[place] = least
    return found


def _divergence(p: FloatArray, middle: FloatArray) -> float:
    filled = p > 0
    return float(np.sum(p[filled] * np.log2(p[filled] / middle[filled])))


def _shares(reference: ArrayLike, current: ArrayLike) -> tuple[FloatArray, FloatArray]:
    before, now = _pair(reference, current)
    return before / before.sum(), now / now.sum()


def _pair(reference: ArrayLike, current: ArrayLike) -> tuple[FloatArray, FloatArray]:
    before, now = _counts(reference), _counts(current)
    if before.shape != now.shape:
        raise DataError(f"{len(before)} bins cannot be compared with {len(now)}")
    return before, now


def _counts(counts: ArrayLike) -> FloatArray:
    found = floats(counts, "counts")
    if found.ndim != 1 or not (found >= 0).all() or not 0 < found.sum() < np.inf:
        raise DataError("a distance needs counts of 0 or more, and at least one row")
    return found
