"""Probabilities of very many rows, block by block in place; knows no labels or explanations.

A block stays in the processor's cache from its first operation to its last, and nothing as long
as the input is set up but the answers. Sums are ordered by the linear algebra library here: a row
may differ in its last bits from ``Classifier.score``, within 1e-12.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlcore.arrays import EPS, FloatArray
from mlcore.encoding import Encoder
from mlcore.errors import MOST_CELLS, CellError, SchemaError, shown
from mlcore.estimators import Linear, Logistic
from mlcore.schema import Columns, Schema
from mlcore.table_checks import number_matrix

if TYPE_CHECKING:
    from mlcore.classifier import Classifier

BLOCK = 16_384
"""Rows that are worked on at a time."""

_LARGEST_LOGIT = 709.0  # exp of more leaves the range of float64
_FOLDING_LOSS = 1e-13

Fill = Callable[[FloatArray, FloatArray], bool]
"""Writes the probabilities (K, b) of a block of slots (b, s); False if a value is not finite."""


def score_matrix(classifier: Classifier, X: ArrayLike) -> FloatArray:
    """Probabilities (n, K) of a matrix (n, C) of numeric columns in the order of the schema.

    X may be of any numeric type, order or place (a memory map, say), and is not changed.
    SchemaError names every value that is not finite (at most 100), and a matrix that cannot fit.
    """
    matrix = number_matrix(classifier.schema, X)
    answers = np.empty((len(classifier.classes), len(matrix)))
    _fill_matrix(classifier, matrix, answers)
    return answers.T


def score_positive(classifier: Classifier, X: ArrayLike) -> FloatArray:
    """The positive class of two alone, shape (n,): half the memory to set up and to write."""
    if not _is_plain(classifier):
        return np.ascontiguousarray(score_matrix(classifier, X)[:, 1])
    matrix = number_matrix(classifier.schema, X)
    answers = np.empty(len(matrix))
    _fill_matrix(classifier, matrix, answers[np.newaxis])
    return answers


def _fill_matrix(classifier: Classifier, X: NDArray[Any], answers: FloatArray) -> None:
    fill = _filler(classifier)
    for rows in _blocks(len(X)):
        values = np.ascontiguousarray(X[rows], dtype=np.float64)
        with np.errstate(over="ignore", invalid="ignore"):  # what is odd is named below
            is_finite = fill(values, answers[:, rows])
        if not is_finite:
            _refuse(classifier.schema, values, rows.start)


def score_columns(classifier: Classifier, columns: Columns) -> FloatArray:
    """Probabilities (n, K) of columns that the schema has read."""
    fill = _filler(classifier)
    answers = np.empty((len(classifier.classes), columns.n_rows))
    for rows in _blocks(columns.n_rows):
        part = {name: values[rows] for name, values in columns.values.items()}
        block = Columns(part, rows.stop - rows.start, columns.imputed[rows])
        fill(classifier.encoder.slot_matrix(block), answers[:, rows])
    return answers.T


def _blocks(n_rows: int) -> Iterator[slice]:
    for start in range(0, n_rows, BLOCK):
        yield slice(start, min(start + BLOCK, n_rows))


def _is_plain(classifier: Classifier) -> bool:
    return isinstance(classifier.estimator, Logistic) and classifier.calibration is None


def _filler(classifier: Classifier) -> Fill:
    encoder, estimator = classifier.encoder, classifier.estimator
    if _is_plain(classifier) and isinstance(estimator, Linear):
        return _sigmoid_filler(_folded(encoder, estimator))
    folded = _folded(encoder, estimator) if isinstance(estimator, Linear) else None

    def fill(values: FloatArray, answers: FloatArray) -> bool:
        if not np.isfinite(values).all():
            return False
        if folded is None:
            scores = estimator.scores(encoder.standardise(values))
        else:
            scores = folded.centred(values) @ folded.weights + folded.base
        if not np.isfinite(scores).all():
            return False
        answers[:] = classifier.calibrated(estimator.probabilities(scores)).T
        return True

    return fill


class _Folded(NamedTuple):
    """score_k = base_k + sum_j (x_j - mean_j) w'_kj, with the scaling in w'_kj = w_kj / scale_j.

    ``means`` None says that they are in the base too.
    """

    weights: FloatArray
    base: FloatArray
    means: FloatArray | None

    def centred(self, values: FloatArray) -> FloatArray:
        return values if self.means is None else values - self.means


def _folded(encoder: Encoder, estimator: Linear) -> _Folded:
    """b'_k = b_k - sum_j w'_kj mean_j where that costs no digits: where no part is too large."""
    weights = (estimator.matrix / encoder.scales).T
    largest = float((np.abs(encoder.means) @ np.abs(weights)).max(initial=0.0))
    if len(weights) * EPS * largest > _FOLDING_LOSS:
        return _Folded(weights, estimator.base, encoder.means)
    return _Folded(weights, estimator.base - encoder.means @ weights, None)


def _sigmoid_filler(folded: _Folded) -> Fill:
    """With e = exp(-logit): p = 1 / (1 + e) and 1 - p = e p, exact in both tails.

    Answers of one row take the positive class alone.
    """
    weights, base = -folded.weights[:, 0], -folded.base[0]

    def fill(values: FloatArray, answers: FloatArray) -> bool:
        e, positive = answers[0], answers[-1]
        np.dot(folded.centred(values), weights, out=e)
        e += base
        # One cheap sum finds what is not finite (w x is not either) and what exp cannot take.
        total = e @ e
        if not total < np.inf and not np.isfinite(e).all():
            return False
        if total >= _LARGEST_LOGIT**2:
            np.minimum(e, _LARGEST_LOGIT, out=e)
        np.exp(e, out=e)
        np.add(e, 1.0, out=positive)
        np.divide(1.0, positive, out=positive)
        if len(answers) == 2:
            e *= positive
        return True

    return fill


def _refuse(schema: Schema, values: FloatArray, start: int) -> None:
    """Values of 1e300 may be finite where their score is not: they are named like the others."""
    odd = ~np.isfinite(values)
    if not odd.any():
        odd = np.abs(values) == np.abs(values).max()
    message = "expected a finite number up to 1e150 in size, got {}; fill or drop missing values"
    raise SchemaError.of(
        [
            CellError(
                "not_finite",
                message.format(value := shown(float(values[row, column]))),
                start + row,
                schema.names[column],
                value,
            )
            for row, column in np.argwhere(odd)[:MOST_CELLS].tolist()
        ],
        place="row",
    )
