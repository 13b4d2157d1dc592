"""Why a probability is what it is: additive contributions in log-odds; knows no tables or files.

A logistic model is a sum, so its explanation needs no approximation: the contributions of the
columns and the intercept add up to the logit of the row. The baseline is the average training
row, whose contributions are all zero (this is interventional linear SHAP with that baseline).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mlcore.arrays import FloatArray
from mlcore.encoding import Encoder


class Explained(NamedTuple):
    """Logits of shape (n,) and contributions of shape (n, n_columns), both in log-odds."""

    logits: FloatArray
    contributions: FloatArray


def explain(
    Z: FloatArray, weights: FloatArray, intercept: float, *, owners: Sequence[int], n_columns: int
) -> Explained:
    """logit_i = intercept + sum_j w_j z_ij, and the part of it that each column owns.

    Slots are added one after the other, elementwise over the rows. A matrix product or a sum
    along the row would be faster, but both order their additions by the shape of the whole
    batch: the same row would then differ in its last bits from batch to batch.

    >>> Z = np.array([[1.0, 2.0, -1.0]])
    >>> explain(Z, np.array([0.5, 1.0, 2.0]), 0.25, owners=(0, 1, 1), n_columns=2)
    Explained(logits=array([0.75]), contributions=array([[0.5, 0. ]]))
    """
    slots = (Z * weights).T
    logits = np.full(len(Z), intercept)
    for contribution in slots:
        logits += contribution
    if n_columns == len(owners):  # every column has a single slot
        return Explained(logits, slots.T)
    columns = np.zeros((n_columns, len(Z)))
    for owner, contribution in zip(owners, slots, strict=True):
        columns[owner] += contribution
    return Explained(logits, columns.T)


def contributions(
    weights: FloatArray, Z: FloatArray, owners: Sequence[int], n_columns: int
) -> FloatArray:
    """The contribution of each column to each row's logit, shape (n, n_columns), in log-odds.

    exp(contribution) is the factor by which the column moves the odds of the positive class.
    """
    return explain(Z, weights, 0.0, owners=owners, n_columns=n_columns).contributions


@dataclass(frozen=True)
class Coefficient:
    """One slot's weight.

    ``weight`` is in log-odds per standard deviation, ``per_unit`` in log-odds per unit of the
    column as the user writes it, ``odds_ratio`` = exp(weight).
    """

    slot: str
    column: str
    weight: float
    per_unit: float
    odds_ratio: float


def coefficients(encoder: Encoder, weights: FloatArray) -> tuple[Coefficient, ...]:
    """One row per slot, in slot order; w_raw = w / sd folds the scaling back into the weight."""
    names = encoder.schema.names
    return tuple(
        Coefficient(slot, names[owner], weight, weight / scale, math.exp(min(weight, 700.0)))
        for slot, owner, weight, scale in zip(
            encoder.slots, encoder.owners, weights.tolist(), encoder.scales.tolist(), strict=True
        )
    )
