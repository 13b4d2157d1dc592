"""Scored rows, which every measurement starts from: labels, scores and weights, checked once.

It knows no metrics and no models.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlcore.arrays import EPS, FloatArray, IntArray, floats
from mlcore.errors import DataError


class Scored(NamedTuple):
    """Labels of 0.0 and 1.0, scores and weights, all of shape (n,), n at least 1."""

    y: FloatArray
    scores: FloatArray
    weights: FloatArray


def scored(y: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None) -> Scored:
    """The three columns as float64; DataError, naming the row, for what cannot be measured.

    >>> scored([True, False], [2, -1]).weights
    array([1., 1.])
    """
    labels, values = floats(y, "labels"), floats(scores, "scores")
    if labels.ndim != 1 or labels.shape != values.shape:
        raise DataError(
            f"labels of shape {labels.shape} do not go with scores of shape {values.shape}; "
            "give one score for every label"
        )
    if len(labels) == 0:
        raise DataError("there are no rows to measure; give at least one")
    _refuse((labels != 0) & (labels != 1), labels, "label", "0 and 1")
    _refuse(~np.isfinite(values), values, "score", "finite numbers")
    return Scored(labels, values, checked_weights(weights, len(labels)))


def probable(y: ArrayLike, p: ArrayLike, weights: ArrayLike | None = None) -> Scored:
    """The same for scores that must be probabilities.

    >>> probable([1.0], [0.25]).scores
    array([0.25])
    """
    rows = scored(y, p, weights)
    outside = (rows.scores < 0) | (rows.scores > 1)
    _refuse(outside, rows.scores, "probability", "numbers between 0 and 1")
    return rows


def class_numbers(y: ArrayLike, n_classes: int) -> IntArray:
    """Labels of 0 .. K - 1 as integers; DataError, naming the row, for any other label.

    >>> class_numbers([2.0, 0.0], 3)
    array([2, 0])
    """
    labels = floats(y, "labels")
    # NaN fails the comparisons.
    known = (labels >= 0) & (labels < n_classes) & (labels == np.floor(labels))
    if not known.all():
        row = int(np.argmin(known))
        raise DataError(f"row {row} has a label that is no class number from 0 to {n_classes - 1}")
    return labels.astype(np.int64)


def both_classes(rows: Scored, purpose: str) -> Scored:
    """The rows, when both labels carry weight; else DataError."""
    counts = rows.weights > 0
    if len(np.unique(rows.y[counts])) < 2:
        raise DataError(f"{purpose} on rows of both classes")
    return rows


def checked_weights(weights: ArrayLike | None, n: int) -> FloatArray:
    """Row weights (n,): ones unless given; DataError for a negative one or a sum of zero.

    >>> checked_weights(None, 2)
    array([1., 1.])
    """
    if weights is None:
        return np.ones(n)
    values = floats(weights, "weights")
    if values.shape != (n,):
        raise DataError(f"weights of shape {values.shape} do not go with {n} rows; give one a row")
    _refuse(~(values >= 0) | np.isinf(values), values, "weight", "finite numbers, 0 or more")
    if not values.any():
        raise DataError("every row has the weight 0; at least one must count")
    return values


def logit(p: FloatArray) -> FloatArray:
    """log(p / (1 - p)), with p kept eps = 2.2e-16 away from 0 and 1: within +-36.05.

    >>> logit(np.array([0.5, 1.0])).round(4)
    array([ 0.    , 36.0437])
    """
    kept = np.clip(p, EPS, 1.0 - EPS)
    return np.log(kept) - np.log1p(-kept)


def row_log_loss(labels: IntArray, P: FloatArray) -> FloatArray:
    """-log of each row's probability of its own class, kept eps = 2.2e-16 away from 0 and 1.

    >>> row_log_loss(np.array([0, 1]), np.array([[1.0, 0.0], [0.5, 0.5]])).round(4)
    array([0.    , 0.6931])
    """
    own = P[np.arange(len(labels)), labels]
    return -np.log(np.clip(own, EPS, 1.0 - EPS))


def _refuse(bad: NDArray[np.bool_], values: FloatArray, what: str, wanted: str) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(f"row {row} has the {what} {values[row]:g}; use {wanted}")
