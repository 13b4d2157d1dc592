"""How far a measurement on few rows may be from the truth; it knows no models.

The bootstrap draws its resamples from splitmix64 hashes of (resample, draw), because NumPy
promises a random stream only for one build of NumPy: the same rows and seed give the same
interval on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlcore.alive import Alive, nothing
from mlcore.arrays import EPS, FloatArray
from mlcore.errors import DataError
from mlcore.ranking import group_starts
from mlcore.scored import Scored, both_classes, probable, scored
from mlcore.special import critical_value, two_sided
from mlcore.split import splitmix64

BootstrapMetric = Literal["roc_auc", "log_loss", "brier", "accuracy", "f1"]
_BLOCK = 250_000
_FEWEST = 20


@dataclass(frozen=True)
class IntervalReport:
    """A value with its interval; an end is None where the value or the interval is undefined."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    method: str


@dataclass(frozen=True)
class AucReport:
    """An area with its DeLong standard error and interval."""

    value: float
    se: float
    low: float
    high: float


@dataclass(frozen=True)
class AucComparisonReport:
    """Two areas on the same rows: first minus second, its error, interval and p value."""

    first: float
    second: float
    difference: float
    se: float
    low: float
    high: float
    z: float | None
    p_value: float | None


def wilson(k: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """The score interval of a share of k in n (Wilson 1927).

    (k + z^2/2 -+ z sqrt(k (n - k)/n + z^2/4)) / (n + z^2) with z = quantile((1 + level)/2). It
    stays inside [0, 1] and holds k/n. n = 0 gives (0, 1); weighted rows may pass fractions.
    Raises DataError unless 0 <= k <= n and 0 < level < 1.

    >>> [round(end, 6) for end in wilson(157, 180)]
    [0.815564, 0.913325]
    """
    if not 0 <= k <= n or math.isinf(n):
        raise DataError(f"a share needs 0 <= k <= n, got k = {k:g} and n = {n:g}")
    if n == 0:
        return 0.0, 1.0
    z = critical_value(level)
    middle = k + z * z / 2
    half = z * math.sqrt(k * (n - k) / n + z * z / 4)
    low, high = (middle - half) / (n + z * z), (middle + half) / (n + z * z)
    # Rounding must not push an end past the share itself.
    return min(max(low, 0.0), k / n) if k else 0.0, max(min(high, 1.0), k / n) if k < n else 1.0


def delong(y: ArrayLike, scores: ArrayLike, level: float = 0.95) -> AucReport:
    """ROC AUC with the standard error of DeLong et al. (1988), by midranks (Sun and Xu 2014).

    V_i = (rank of positive i among all - rank among positives) / N, W_j likewise for negatives;
    var = var(V) / P + var(W) / N with sample variances. The interval is value -+ z se, cut at 0
    and 1. Rows count alike (no weights). Raises DataError for fewer than 2 rows of a class.

    >>> report = delong([0, 0, 1, 0, 1, 1], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    >>> round(report.value, 4), round(report.se, 4)
    (0.8889, 0.1571)
    """
    rows = _two_of_each(y, scores)
    V, W = _placements(rows)
    value = float(V.mean())
    se = math.sqrt(V.var(ddof=1) / len(V) + W.var(ddof=1) / len(W))
    reach = critical_value(level) * se
    return AucReport(value, se, max(value - reach, 0.0), min(value + reach, 1.0))


def delong_comparison(
    y: ArrayLike, first: ArrayLike, second: ArrayLike, level: float = 0.95
) -> AucComparisonReport:
    """The difference of two areas on the same rows, and how surprising it is (DeLong 1988).

    The variance of the difference is that of the differences of the placements, so what the two
    have in common cancels. z and p are None when the variance is 0. Raises DataError as delong.

    >>> same = delong_comparison([0, 0, 1, 1], [0.1, 0.4, 0.3, 0.8], [0.1, 0.4, 0.3, 0.8])
    >>> same.difference, same.se, same.p_value
    (0.0, 0.0, None)
    """
    a, b = _placements(_two_of_each(y, first)), _placements(_two_of_each(y, second))
    V, W = a[0] - b[0], a[1] - b[1]
    difference = float(V.mean())
    se = math.sqrt(V.var(ddof=1) / len(V) + W.var(ddof=1) / len(W))
    reach = critical_value(level) * se
    z = difference / se if se > 0 else None
    return AucComparisonReport(
        first=float(a[0].mean()),
        second=float(b[0].mean()),
        difference=difference,
        se=se,
        low=difference - reach,
        high=difference + reach,
        z=z,
        p_value=None if z is None else two_sided(z),
    )


@dataclass(frozen=True)
class BootstrapSettings:
    """How many resamples, from which seed, at which level, and where a decision is cut."""

    resamples: int = 2000
    seed: int = 7
    level: float = 0.95
    threshold: float = 0.5

    def __post_init__(self) -> None:
        if self.resamples < _FEWEST:
            raise DataError(f"a bootstrap needs at least {_FEWEST} resamples")
        critical_value(self.level)  # raises for a level that is none


def bootstrap(
    y: ArrayLike,
    p: ArrayLike,
    metric: BootstrapMetric,
    *,
    weights: ArrayLike | None = None,
    settings: BootstrapSettings | None = None,
    alive: Alive = nothing,
) -> IntervalReport:
    """The percentile interval of a metric (Efron 1979): n rows drawn with replacement, many times.

    A resample is a vector of counts that multiply the row weights, so rows are sorted once and
    never copied: O(n) per resample. A resample in which the metric is undefined (no positive
    drawn) is left out; with fewer than 20 left the ends are None. ``alive`` is called now and
    then and may raise. Raises DataError for an unknown metric or rows that cannot be measured.

    >>> report = bootstrap([0, 1] * 30, [0.2, 0.6, 0.7, 0.9] * 15, "accuracy")
    >>> report.value, report.low < 0.75 < report.high
    (0.75, True)
    """
    (report,) = bootstraps(y, p, (metric,), weights=weights, settings=settings, alive=alive)
    return report


def bootstraps(
    y: ArrayLike,
    p: ArrayLike,
    metrics: Sequence[BootstrapMetric],
    *,
    weights: ArrayLike | None = None,
    settings: BootstrapSettings | None = None,
    alive: Alive = nothing,
) -> tuple[IntervalReport, ...]:
    """``bootstrap`` of several metrics, from the same resamples, drawn once.

    >>> both = bootstraps([0, 1] * 30, [0.2, 0.6, 0.7, 0.9] * 15, ("accuracy", "f1"))
    >>> both[1] == bootstrap([0, 1] * 30, [0.2, 0.6, 0.7, 0.9] * 15, "f1")
    True
    """
    settings = settings or BootstrapSettings()
    rows = probable(y, p, weights)
    measures = {metric: _measure(metric, rows, settings.threshold) for metric in metrics}
    values: dict[str, list[FloatArray]] = {metric: [] for metric in measures}
    for counts in resamples(len(rows.y), settings):
        alive()
        for metric, measure in measures.items():
            values[metric].append(measure(counts))
    whole = np.ones((1, len(rows.y)))
    return tuple(
        _interval(metric, float(measure(whole)[0]), np.concatenate(values[metric]), settings.level)
        for metric, measure in measures.items()
    )


def _interval(name: str, value: float, resampled: FloatArray, level: float) -> IntervalReport:
    low, high = percentile_ends(resampled, level)
    return IntervalReport(name, None if math.isnan(value) else value, low, high, "bootstrap")


def percentile_ends(found: FloatArray, level: float) -> tuple[float | None, float | None]:
    """The ends between which a share ``level`` of the resampled values lies, NaN left out.

    >>> percentile_ends(np.arange(101.0), 0.5), percentile_ends(np.full(101, np.nan), 0.5)
    ((25.0, 75.0), (None, None))
    """
    found = found[~np.isnan(found)]
    if len(found) < _FEWEST:
        return None, None
    tail = (1 - level) / 2
    low, high = np.quantile(found, (tail, 1 - tail)).tolist()
    return low, high


def resamples(n: int, settings: BootstrapSettings) -> Iterator[FloatArray]:
    """Blocks of multinomial counts (resamples, n); draw i of resample r hashes r n + i.

    >>> (counts,) = resamples(5, BootstrapSettings(resamples=20))
    >>> counts[0]
    array([0., 1., 1., 3., 0.])
    """
    size = max(1, _BLOCK // n)
    for first in range(0, settings.resamples, size):
        rows = min(size, settings.resamples - first)
        draws = np.arange(first * n, (first + rows) * n, dtype=np.uint64)
        # The upper 32 bits times n, shifted back: a row number without the bias of a remainder.
        upper = splitmix64(draws, settings.seed) >> np.uint64(32)
        drawn = ((upper * np.uint64(n)) >> np.uint64(32)).astype(np.int64)
        drawn += np.repeat(np.arange(rows, dtype=np.int64) * n, n)
        yield np.bincount(drawn, minlength=rows * n).reshape(rows, n).astype(np.float64)


Measure = Callable[[FloatArray], FloatArray]


def _measure(metric: str, rows: Scored, threshold: float) -> Measure:
    """The metric of every row of a matrix of counts, NaN where it is undefined."""
    if metric == "roc_auc":
        return area_of(rows)
    y, p, weights = rows
    positive = p >= threshold
    if metric == "f1":
        twice = 2.0 * weights * (positive & (y == 1))
        below = weights * (positive.astype(np.float64) + y)
        return lambda counts: over(counts @ twice, counts @ below, 0.0)
    kept = np.clip(np.where(y == 1, p, 1 - p), EPS, None)
    values = {
        "accuracy": (positive == (y == 1)).astype(np.float64),
        "brier": (p - y) ** 2,
        "log_loss": -np.log(np.minimum(kept, 1 - EPS)),
    }
    if metric not in values:
        known = ", ".join(["roc_auc", "f1", *values])
        raise DataError(f"no bootstrap for the metric {metric!r}; use {known}")
    worth = weights * values[metric]
    return lambda counts: over(counts @ worth, counts @ weights, np.nan)


def area_of(rows: Scored) -> Measure:
    """The area under the ROC curve of every row of a matrix of counts, NaN for one class alone.

    >>> rows = scored([0, 1, 1], [0.2, 0.1, 0.7])
    >>> area_of(rows)(np.array([[1.0, 1.0, 1.0], [1.0, 0.0, 2.0]]))
    array([0.5, 1. ])
    """
    order = np.argsort(rows.scores, kind="stable")
    starts = group_starts(rows.scores[order])
    positive = (rows.weights * rows.y)[order]
    negative = (rows.weights * (1 - rows.y))[order]

    def area(counts: FloatArray) -> FloatArray:
        drawn = counts[:, order]
        P = np.add.reduceat(drawn * positive, starts, axis=1)
        N = np.add.reduceat(drawn * negative, starts, axis=1)
        won = np.sum(P * (np.cumsum(N, axis=1) - N / 2), axis=1)
        return over(won, P.sum(axis=1) * N.sum(axis=1), np.nan)

    return area


def over(top: FloatArray, bottom: FloatArray, otherwise: float) -> FloatArray:
    """top / bottom, and ``otherwise`` where the bottom is 0.

    >>> over(np.array([1.0, 2.0]), np.array([4.0, 0.0]), 0.0)
    array([0.25, 0.  ])
    """
    return np.divide(top, bottom, out=np.full_like(top, otherwise), where=bottom > 0)


def _two_of_each(y: ArrayLike, scores: ArrayLike) -> Scored:
    rows = both_classes(scored(y, scores), "an area can only be judged")
    if min(rows.y.sum(), (1 - rows.y).sum()) < 2:
        raise DataError("the error of an area needs at least 2 rows of each class")
    return rows


def _placements(rows: Scored) -> tuple[FloatArray, FloatArray]:
    """For each positive the share of negatives below it, and for each negative of positives above."""
    positive = rows.y == 1
    ranks = _midranks(rows.scores)
    P, N = int(positive.sum()), int((~positive).sum())
    above = (ranks[positive] - _midranks(rows.scores[positive])) / N
    below = 1 - (ranks[~positive] - _midranks(rows.scores[~positive])) / P
    return above, below


def _midranks(values: FloatArray) -> FloatArray:
    """Ranks from 1; equal values share the mean of their ranks."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    middle: NDArray[np.float64] = last - (counts - 1) / 2
    return middle[group]
