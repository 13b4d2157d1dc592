"""From columns to a standardised matrix, with training statistics only; knows nothing of labels.

A number takes one slot of the matrix, a category one slot per level. ``owners`` remembers which
column a slot came from, so that explanations can be told in the user's columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mlcore.arrays import FloatArray, column_moments
from mlcore.schema import Columns, Schema


@dataclass(frozen=True, eq=False)
class Encoder:
    """z_ij = (x_ij - mean_j) / scale_j, with mean and population sd of the training rows.

    A slot that was constant in training keeps scale 1 and gives 0 for every training row.

    >>> from mlcore.schema import Column
    >>> schema = Schema((Column("a", "number"), Column("c", "category", ("x", "y"))))
    >>> columns = schema.read([[1.0, "x"], [3.0, "y"]])
    >>> encoder = Encoder.fit(schema, columns)
    >>> encoder.slots, encoder.owners
    (('a', 'c=x', 'c=y'), (0, 1, 1))
    >>> encoder.transform(columns)
    array([[-1.,  1., -1.],
           [ 1., -1.,  1.]])
    """

    schema: Schema
    means: FloatArray
    scales: FloatArray

    @classmethod
    def fit(cls, schema: Schema, columns: Columns) -> Encoder:
        moments = column_moments(_slot_matrix(schema, columns))
        return cls(schema, moments.mean, moments.scale)

    @cached_property
    def slots(self) -> tuple[str, ...]:
        return tuple(name for _, name in _slots(self.schema))

    @cached_property
    def owners(self) -> tuple[int, ...]:
        return tuple(owner for owner, _ in _slots(self.schema))

    def transform(self, columns: Columns) -> FloatArray:
        """Z of shape (n, d). Every element is computed on its own: other rows cannot change it."""
        return self.standardise(self.slot_matrix(columns))

    def slot_matrix(self, columns: Columns) -> FloatArray:
        """The slots before they are standardised: numbers as they are, levels as 0.0 and 1.0."""
        return _slot_matrix(self.schema, columns)

    def standardise(self, slots: FloatArray) -> FloatArray:
        """(x - mean) / scale of a slot matrix (n, d), as a new array."""
        Z = slots - self.means
        Z /= self.scales
        return Z

    def slot_means(self, columns: Columns) -> FloatArray:
        """The mean of every slot over some rows: of numbers, or the share of a level; shape (d,)."""
        means: FloatArray = self.slot_matrix(columns).mean(axis=0)
        return means


def _slots(schema: Schema) -> Iterator[tuple[int, str]]:
    for owner, column in enumerate(schema.columns):
        if column.kind == "number":
            yield owner, column.name
        else:
            yield from ((owner, f"{column.name}={level}") for level in column.levels)


def _slot_matrix(schema: Schema, columns: Columns) -> FloatArray:
    parts: list[FloatArray] = []
    for column in schema.columns:
        values = columns.values[column.name]
        if column.kind == "number":
            parts.append(values)
        else:
            parts += [(values == level).astype(np.float64) for level in column.levels]
    # Column by column in memory: scoring works along the columns.
    return np.array(parts).T
