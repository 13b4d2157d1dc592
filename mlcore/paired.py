"""By how much one classifier is better than another on the same labelled rows; knows no models.

Rows are drawn in pairs. What makes a row hard for both cancels in the difference, so its interval
is narrower than two separate ones would suggest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mlcore.arrays import FloatArray, IntArray
from mlcore.errors import DataError
from mlcore.intervals import (
    BootstrapSettings,
    Measure,
    area_of,
    over,
    percentile_ends,
    resamples,
)
from mlcore.scored import class_numbers, row_log_loss, scored


@dataclass(frozen=True, eq=False)
class Answers:
    """What a classifier says of n rows: probabilities (n, K) and the chosen class numbers (n,)."""

    probabilities: FloatArray
    chosen: IntArray


@dataclass(frozen=True)
class DifferenceReport:
    """first - second in a metric on n rows; the ends are None where too few resamples can tell."""

    metric: str
    first: float
    second: float
    low: float | None
    high: float | None
    n: int

    @property
    def difference(self) -> float:
        return self.first - self.second


def paired_difference(
    y: ArrayLike,
    first: Answers,
    second: Answers,
    metric: str,
    *,
    settings: BootstrapSettings | None = None,
) -> DifferenceReport:
    """The difference of a metric on the same rows, with its percentile interval (Efron 1979).

    y holds class numbers 0 .. K - 1; of two classes 1 is the positive one. The metrics are those of
    ``evaluate_predictions`` and ``evaluate_multiclass``. In each resample both classifiers get the
    same n rows, drawn with replacement. Raises DataError for an unknown metric and for one that is
    undefined on these rows.

    >>> y = [0, 1] * 30
    >>> sure = Answers(np.tile([[0.9, 0.1], [0.1, 0.9]], (30, 1)), np.tile([0, 1], 30))
    >>> vague = Answers(np.tile([[0.6, 0.4], [0.6, 0.4]], (30, 1)), np.tile([0, 0], 30))
    >>> report = paired_difference(y, sure, vague, "accuracy")
    >>> report.difference, report.low < 0.5 < report.high
    (0.5, True)
    """
    settings = settings or BootstrapSettings()
    labels = class_numbers(y, first.probabilities.shape[1])
    ours, theirs = (_measure(metric, labels, answers) for answers in (first, second))
    whole = np.ones((1, len(labels)))
    values = float(ours(whole)[0]), float(theirs(whole)[0])
    if np.isnan(values).any():
        raise DataError(f"{metric} is undefined: the rows do not hold every class")
    blocks = [ours(counts) - theirs(counts) for counts in resamples(len(labels), settings)]
    low, high = percentile_ends(np.concatenate(blocks), settings.level)
    return DifferenceReport(metric, *values, low, high, len(labels))


def _measure(metric: str, labels: IntArray, answers: Answers) -> Measure:
    """The metric of every row of a matrix of counts, NaN where it is undefined."""
    if metric == "roc_auc":
        return _area(labels, answers.probabilities)
    if metric in _OF_A_ROW:
        worth = _OF_A_ROW[metric](labels, answers)
        return lambda counts: counts @ worth / counts.sum(axis=1)
    if metric in _OF_COUNTS and (metric != "specificity" or answers.probabilities.shape[1] == 2):
        return _counted(_OF_COUNTS[metric], labels, answers)
    raise DataError(f"there is no {metric!r} of {answers.probabilities.shape[1]} classes")


def _area(labels: IntArray, P: FloatArray) -> Measure:
    """Of two classes the positive one's; of more the mean of each class against the rest."""
    classes = [1] if P.shape[1] == 2 else range(P.shape[1])
    areas = [area_of(scored(labels == k, P[:, k])) for k in classes]
    return lambda counts: np.asarray(np.mean([area(counts) for area in areas], axis=0))


def _accuracy(labels: IntArray, answers: Answers) -> FloatArray:
    right: FloatArray = (answers.chosen == labels).astype(np.float64)
    return right


def _log_loss(labels: IntArray, answers: Answers) -> FloatArray:
    return row_log_loss(labels, answers.probabilities)


def _brier(labels: IntArray, answers: Answers) -> FloatArray:
    """(p - y)^2 of two classes, the sum over all of more."""
    P = answers.probabilities
    if P.shape[1] == 2:
        own: FloatArray = (P[:, 1] - labels) ** 2
        return own
    total: FloatArray = np.sum((P - np.eye(P.shape[1])[labels]) ** 2, axis=1)
    return total


_OF_A_ROW = {"accuracy": _accuracy, "log_loss": _log_loss, "brier": _brier}


def _counted(value: Callable[..., FloatArray], labels: IntArray, answers: Answers) -> Measure:
    """A metric of how many rows of each class there are, were called so, and rightly."""
    unit = np.eye(answers.probabilities.shape[1])
    actual, called = unit[labels], unit[answers.chosen]
    stacked = np.hstack((actual * called, actual, called))

    def measure(counts: FloatArray) -> FloatArray:
        hits, drawn, named = np.split(counts @ stacked, 3, axis=1)
        return value(hits, drawn, named)

    return measure


def _averaged(values: FloatArray) -> FloatArray:
    """The positive class's of two, the plain mean of more."""
    if values.shape[1] == 2:
        return values[:, 1]
    mean: FloatArray = values.mean(axis=1)
    return mean


def _balanced_accuracy(hits: FloatArray, actual: FloatArray, _: FloatArray) -> FloatArray:
    """The mean recall of the classes that were drawn."""
    drawn = (actual > 0).sum(axis=1)
    mean: FloatArray = over(hits, actual, 0.0).sum(axis=1) / drawn
    return mean


def _mcc(hits: FloatArray, actual: FloatArray, called: FloatArray) -> FloatArray:
    """R_K of Gorodkin (2004), which is Matthews' coefficient for two classes."""
    total = actual.sum(axis=1)
    top = hits.sum(axis=1) * total - np.sum(actual * called, axis=1)
    spread = [total**2 - np.sum(side**2, axis=1) for side in (actual, called)]
    return over(top, np.sqrt(spread[0]) * np.sqrt(spread[1]), 0.0)


_OF_COUNTS: dict[str, Callable[..., FloatArray]] = {
    "precision": lambda hits, actual, called: _averaged(over(hits, called, 0.0)),
    "recall": lambda hits, actual, called: _averaged(over(hits, actual, 0.0)),
    "f1": lambda hits, actual, called: _averaged(over(2 * hits, actual + called, 0.0)),
    "specificity": lambda hits, actual, called: over(hits, actual, 0.0)[:, 0],
    "balanced_accuracy": _balanced_accuracy,
    "mcc": _mcc,
}
