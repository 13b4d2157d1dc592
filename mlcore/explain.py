"""Why a score is what it is: additive contributions by column; knows no tables or files.

A linear model is a sum, so its explanation needs no approximation: the contributions of the
columns and the intercept add up to the score of the row. The baseline is the average training
row, whose contributions are all zero (this is interventional linear SHAP with that baseline).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlcore.arrays import FloatArray
from mlcore.encoding import Encoder
from mlcore.errors import DataError, did_you_mean, listed
from mlcore.estimators import Linear, Logistic

if TYPE_CHECKING:
    from mlcore.classifier import Classifier


def by_column(slots: FloatArray, owners: Sequence[int], n_columns: int) -> FloatArray:
    """Contributions of slots (n, m, s) as contributions of the columns that own them (n, m, C).

    Slots are added one after the other, elementwise over the rows: other rows change nothing.

    >>> by_column(np.array([[[0.5, 2.0, -2.5]]]), owners=(0, 1, 1), n_columns=2)
    array([[[ 0.5, -0.5]]])
    """
    if n_columns == len(owners):  # every column has a single slot
        return slots
    columns = np.zeros((n_columns, slots.shape[1], slots.shape[0]))
    for owner, contribution in zip(owners, slots.transpose(2, 1, 0), strict=True):
        columns[owner] += contribution
    return columns.transpose(2, 1, 0)


def contributions(
    weights: FloatArray, Z: FloatArray, owners: Sequence[int], n_columns: int
) -> FloatArray:
    """The contribution of each column to each row's logit, shape (n, n_columns), in log-odds.

    exp(contribution) is the factor by which the column moves the odds of the positive class.

    >>> contributions(np.array([0.5, 1.0, 2.0]), np.array([[1.0, 2.0, -1.0]]), (0, 1, 1), 2)
    array([[0.5, 0. ]])
    """
    slots = Logistic(weights, 0.0).explain(Z).contributions
    columns: FloatArray = by_column(slots, owners, n_columns)[:, 0]
    return columns


def grouped(
    contributions: FloatArray, names: Sequence[str], groups: Mapping[str, Sequence[str]]
) -> dict[str, FloatArray]:
    """The summed contributions of named groups of columns: shape (..., C) to (...) a group.

    Columns that move together share their effect in an arbitrary way (Area and ConvexArea of a
    raisin, say); the sum over the group is what the data support. DataError names a column that
    is not among ``names``.

    >>> found = grouped(np.array([[3.0, -1.0, 0.5]]), ("a", "b", "c"), {"size": ("a", "b")})
    >>> found["size"]
    array([2.])
    """
    places = {name: place for place, name in enumerate(names)}
    for group, columns in groups.items():
        for column in columns:
            if column not in places:
                raise DataError(
                    f'group "{group}" names the unknown column "{column}"'
                    f"{did_you_mean(column, names)}; the columns are {listed(names)}"
                )
    return {
        group: contributions[..., [places[column] for column in columns]].sum(axis=-1)
        for group, columns in groups.items()
    }


def drift_impact(classifier: Classifier, means_now: FloatArray) -> FloatArray:
    """How far moved means move the average score: shape (m, C), in log-odds.

    impact_kj = w_kj (mean_now_j - mean_train_j) / scale_j, slots summed by column. ``means_now``
    are the means of the slots (s,) in the units of the columns, and shares for levels:
    ``Encoder.slot_means`` of the rows in question. A drift that the model does not look at has
    no impact, however large it is. DataError for an estimator that is not linear.
    """
    encoder, estimator = classifier.encoder, classifier.estimator
    if not isinstance(estimator, Linear):
        raise DataError(
            f"the impact of drift is known for linear classifiers, not for {estimator.family}"
        )
    moved = (means_now - encoder.means) / encoder.scales
    slots = estimator.matrix * moved
    impact: FloatArray = by_column(slots[np.newaxis], encoder.owners, len(encoder.schema.columns))[
        0
    ]
    return impact


@dataclass(frozen=True)
class Coefficient:
    """One slot's weight, for one class where there are three or more (``label``).

    ``weight`` is in log-odds per standard deviation, ``per_unit`` in log-odds per unit of the
    column as the user writes it, ``odds_ratio`` = exp(weight).
    """

    slot: str
    column: str
    weight: float
    per_unit: float
    odds_ratio: float
    label: str | None = None


def coefficients(
    encoder: Encoder, weights: FloatArray, *, classes: Sequence[str] = ()
) -> tuple[Coefficient, ...]:
    """One row per slot, in slot order; w_raw = w / sd folds the scaling back into the weight.

    Weights of shape (K, s) with their K ``classes`` give one row per slot and class.

    >>> from mlcore import TrainingSpec, synthetic_raisin, train
    >>> result = train(TrainingSpec(target="Class"), synthetic_raisin())
    >>> model = result.classifier
    >>> first = coefficients(model.encoder, model.estimator.weights)[0]
    >>> first.column, bool(first.per_unit == first.weight / model.encoder.scales[0])
    ('Area', True)
    """
    labels: Sequence[str | None] = classes if weights.ndim == 2 else (None,)
    names = encoder.schema.names
    table = np.atleast_2d(weights).T.tolist()
    slots = zip(encoder.slots, encoder.owners, table, encoder.scales.tolist(), strict=True)
    return tuple(
        Coefficient(slot, names[owner], weight, weight / scale, math.exp(min(weight, 700.0)), label)
        for slot, owner, row, scale in slots
        for weight, label in zip(row, labels, strict=True)
    )
