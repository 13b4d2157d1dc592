"""Where the columns of a scikit-learn model stand in our schema and encoder; reads no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mlcore.arrays import IntArray
from mlcore.encoding import Encoder
from mlcore.errors import CellError, DataError, at_lines
from mlcore.features import fill, read_cells
from mlcore.schema import Column, Columns, Schema
from mlcore.sklearn_steps import Feature, Features, as_text, numbers
from mlcore.table import Table


@dataclass(frozen=True, eq=False)
class Layout:
    """Our schema and encoder for a model's features, and the slot of each of them (``slots``).

    ``inputs`` are the columns of the model's own matrix, ``used`` those of them that matter.
    Columns that never reach the model are no part of the schema; levels that it dropped keep a
    slot that nothing looks at.
    """

    schema: Schema
    encoder: Encoder
    slots: IntArray
    inputs: tuple[str, ...]
    used: Mapping[str, Feature]

    @property
    def n_slots(self) -> int:
        return len(self.encoder.means)

    @classmethod
    def of(cls, features: Features, names: tuple[str, ...]) -> Layout:
        used = {feature.column: feature for feature in features}
        if not used:
            raise DataError("no column of the table reaches the model")
        schema = Schema(tuple(_column(used[name]) for name in names if name in used))
        named_slots = [
            (column.name, level)
            for column in schema.columns
            for level in (column.levels or (None,))
        ]
        slots = [_slot(feature, named_slots) for feature in features]
        for slot in set(slots):
            if slots.count(slot) > 1:
                raise _twice(named_slots[slot][0])
        means, scales = np.zeros(len(named_slots)), np.ones(len(named_slots))
        means[slots] = [feature.mean for feature in features]
        scales[slots] = [feature.scale for feature in features]
        return cls(schema, Encoder(schema, means, scales), np.array(slots), names, used)

    def read(self, table: Table) -> Columns:
        """The table's columns, filled; DataError by line for what the classifier would refuse."""
        cells = read_cells(self.schema.columns, table)
        holes = [
            CellError(
                "missing_value",
                "the model fills no missing value here; put a SimpleImputer into its pipeline",
                table.lines[row],
                column.name,
            )
            for column in self.schema.columns
            if column.fill is None
            for row in np.flatnonzero(cells.missing[column.name]).tolist()
        ]
        if holes:
            raise at_lines(holes)
        return fill(self.schema, cells)


def _slot(feature: Feature, named_slots: Sequence[tuple[str, str | None]]) -> int:
    """Slots of unused levels stay free: nothing looks at them."""
    name = (feature.column, feature.level)
    if name not in named_slots:
        raise _twice(feature.column)
    return named_slots.index(name)


def _twice(column: str) -> DataError:
    return DataError(
        f'column "{column}" reaches the model in more than one way; give every column to one '
        "step of the ColumnTransformer"
    )


def _column(feature: Feature) -> Column:
    where = f'column "{feature.column}"'
    if feature.level is None:
        fill = None if feature.fill is None else numbers([feature.fill], where)[0]
        return Column(feature.column, "number", (), fill)
    levels = tuple(as_text(value, where) for value in feature.categories)
    text = None if feature.fill is None else as_text(feature.fill, where)
    # A fill that the encoder never met would be an unknown level.
    return Column(feature.column, "category", levels, text if text in levels else None)
