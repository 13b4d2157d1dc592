"""A trained classifier as it serves: rows in, explained decisions out; knows no files or training.

The result of a row does not depend on the rows around it, to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from mlcore import blockscoring
from mlcore.arrays import FloatArray, IntArray
from mlcore.calibration import Calibration, calibrated
from mlcore.encoding import Encoder
from mlcore.estimators import Estimator
from mlcore.explain import by_column
from mlcore.profile import Profile
from mlcore.rowscoring import RowReport, RowScorer, row_scorer, rows_of
from mlcore.schema import Columns, Schema

Row = Mapping[str, object] | Sequence[object]


class Decided(NamedTuple):
    """Of a ``ScoreReport``: scores (n, m), probabilities (n, K) and class numbers (n,)."""

    scores: FloatArray
    probabilities: FloatArray
    predictions: IntArray


@dataclass(frozen=True, eq=False)
class ScoreReport:
    """What the classifier says of n rows, for K classes and m scores (1 for two classes, else K).

    ``scores`` (n, m) are in the estimator's unit, ``probabilities`` (n, K) one for each class,
    ``predictions`` class numbers, ``labels`` their names; ``contributions`` (n, m, columns) plus
    the estimator's base sum to ``scores``; ``imputed`` names the columns that were missing and
    filled, row by row.
    """

    scores: FloatArray
    probabilities: FloatArray
    predictions: IntArray
    labels: tuple[str, ...]
    contributions: FloatArray
    imputed: tuple[tuple[str, ...], ...]

    @property
    def positive(self) -> FloatArray:
        """Of two classes, the probability of the positive one: shape (n,)."""
        if self.probabilities.shape[1] != 2:
            raise ValueError("three or more classes have no positive class; use probabilities")
        return self.probabilities[:, 1]

    @property
    def confidence(self) -> FloatArray:
        """The probability of the class that was chosen, shape (n,)."""
        return self.probabilities[np.arange(len(self.predictions)), self.predictions]

    def rows(self) -> list[RowReport]:
        """The same, row by row, in numbers that JSON can hold."""
        return rows_of(self)


@dataclass(frozen=True, eq=False)
class Classifier:
    """Everything a prediction needs. ``dataclasses.replace`` gives one with another threshold.

    Two ``classes`` are (negative, positive), and a row is positive when its calibrated
    probability >= threshold. Of three or more the most probable class wins, the first of equals;
    they have no threshold and no calibration. Contributions always explain the raw score.
    """

    target: str
    classes: tuple[str, ...]
    schema: Schema
    encoder: Encoder
    estimator: Estimator
    threshold: float | None
    profile: Profile
    converged: bool
    calibration: Calibration | None = None

    def __post_init__(self) -> None:
        """ValueError for parts that do not belong together."""
        if len(self.classes) != self.estimator.n_classes:
            raise ValueError(f"{len(self.classes)} classes, {self.estimator.n_classes} estimated")
        if len(self.encoder.means) != self.estimator.n_slots:
            raise ValueError(f"{len(self.encoder.means)} slots, {self.estimator.n_slots} expected")
        if self.is_binary != (self.threshold is not None):
            raise ValueError("a threshold belongs to two classes, and to no other number of them")
        if self.calibration is not None and not self.is_binary:
            raise ValueError("calibration is for two classes")

    @property
    def is_binary(self) -> bool:
        return len(self.classes) == 2

    def score(self, rows: Sequence[Row]) -> ScoreReport:
        """Score JSON-shaped rows; raises SchemaError naming every cell that does not fit."""
        return self.score_columns(self.schema.read(rows))

    def score_row(self, row: Row) -> RowReport:
        """Score one row as ``score`` does, to the last bit, in a hundredth of the time.

        A dict or list of clean numbers takes microseconds; everything else goes through ``score``
        and raises its SchemaError.
        """
        return self._row_scorer(row) or self.score([row]).rows()[0]

    @cached_property
    def _row_scorer(self) -> RowScorer:
        return row_scorer(self)

    def probabilities(self, rows: ArrayLike | Columns) -> FloatArray:
        """Probabilities (n, K) alone, for millions of rows: columns, or a matrix of numbers.

        They equal those of ``score`` within 1e-12. See ``blockscoring`` for what may be passed.
        """
        if isinstance(rows, Columns):
            return blockscoring.score_columns(self, rows)
        return blockscoring.score_matrix(self, rows)

    def positive_probabilities(self, X: ArrayLike) -> FloatArray:
        """P(positive) (n,) of two classes for a matrix, where the other probability is not needed."""
        if not self.is_binary:
            raise ValueError(f"none of {len(self.classes)} classes is the positive one")
        return blockscoring.score_positive(self, X)

    def score_columns(self, columns: Columns) -> ScoreReport:
        """Score and explain rows that are columns already."""
        explained = self.estimator.explain(self.encoder.transform(columns))
        decided = self._decided(explained.scores)
        return ScoreReport(
            *decided,
            labels=tuple([self.classes[number] for number in decided.predictions.tolist()]),
            contributions=by_column(
                explained.contributions, self.encoder.owners, len(self.schema.columns)
            ),
            imputed=columns.imputed,
        )

    def decide_columns(self, columns: Columns) -> Decided:
        """What ``score_columns`` says of n rows, to the last bit, without explaining it."""
        return self._decided(self.estimator.scores(self.encoder.transform(columns)))

    def _decided(self, scores: FloatArray) -> Decided:
        probabilities = self.calibrated(self.estimator.probabilities(scores))
        return Decided(scores, probabilities, self.decide(probabilities))

    def calibrated(self, probabilities: FloatArray) -> FloatArray:
        """The estimator's probabilities (n, K), corrected where there is a calibration."""
        return calibrated(probabilities, self.calibration)

    def decide(self, probabilities: FloatArray) -> IntArray:
        """The number of the class that each row of probabilities (n, K) is given to."""
        if self.threshold is None:
            chosen: IntArray = np.argmax(probabilities, axis=1)
            return chosen
        return (probabilities[:, 1] >= self.threshold).astype(np.int64)
