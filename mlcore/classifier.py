"""A trained classifier as it serves: rows in, explained decisions out; knows no files or training.

The result of a row does not depend on the rows around it, to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mlcore.arrays import FloatArray, IntArray
from mlcore.encoding import Encoder
from mlcore.explain import explain
from mlcore.loss import sigmoid
from mlcore.profile import Profile
from mlcore.schema import Columns, Schema


@dataclass(frozen=True, eq=False)
class ScoreReport:
    """What the classifier says of n rows.

    ``probabilities`` are of the positive class, ``predictions`` 0 or 1, ``labels`` the class
    names; ``contributions`` (n, columns) plus the intercept sum to ``logits``; ``imputed`` names
    the columns that were missing and filled, row by row.
    """

    logits: FloatArray
    probabilities: FloatArray
    predictions: IntArray
    labels: tuple[str, ...]
    contributions: FloatArray
    imputed: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, eq=False)
class Classifier:
    """Everything a prediction needs. ``dataclasses.replace`` gives one with another threshold.

    ``classes`` is (negative, positive); a row is positive when its probability >= threshold.
    """

    target: str
    classes: tuple[str, str]
    schema: Schema
    encoder: Encoder
    weights: FloatArray
    intercept: float
    threshold: float
    profile: Profile
    converged: bool

    def score(self, rows: Sequence[Mapping[str, object] | Sequence[object]]) -> ScoreReport:
        """Score JSON-shaped rows; raises SchemaError naming every cell that does not fit."""
        return self.score_columns(self.schema.read(rows))

    def score_columns(self, columns: Columns) -> ScoreReport:
        """Score rows that are columns already.

        p = sigmoid(intercept + sum_j w_j z_j), by elementwise operations in a fixed order.
        """
        logits, contributions = explain(
            self.encoder.transform(columns),
            self.weights,
            self.intercept,
            owners=self.encoder.owners,
            n_columns=len(self.schema.columns),
        )
        probabilities = sigmoid(logits)
        predictions = (probabilities >= self.threshold).astype(np.int64)
        return ScoreReport(
            logits=logits,
            probabilities=probabilities,
            predictions=predictions,
            labels=tuple([self.classes[positive] for positive in predictions.tolist()]),
            contributions=contributions,
            imputed=columns.imputed,
        )
