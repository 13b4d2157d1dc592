"""Rows read cell by cell, with a word for whatever does not fit; knows no arrays of numbers.

This is what defines how cells are read. ``blockreading`` does the same in less time where nothing
is odd.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlcore.arrays import LIMIT
from mlcore.blockreading import Block
from mlcore.errors import MOST_CELLS, CellError, SchemaError, did_you_mean, listed, shown
from mlcore.table_checks import field_errors

if TYPE_CHECKING:
    from mlcore.schema import Column, Schema


def read_rows(schema: Schema, rows: Iterable[object]) -> Block:
    """The rows as columns; SchemaError names every cell that does not fit, at most 100."""
    reading = _Reading(schema)
    for number, row in enumerate(rows):
        reading.read_row(number, row)
        if len(reading.errors) >= MOST_CELLS:
            break
    if reading.errors:
        raise SchemaError.of(reading.errors[:MOST_CELLS], place="row")
    return reading.block()


class _Reading:
    """One pass over the rows: the cells read, the names filled and the errors met so far."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.known = frozenset(schema.names)
        self.table: list[list[float | str | None]] = []
        self.imputed: list[tuple[str, ...]] = []
        self.errors: list[CellError] = []
        self.number = 0

    def read_row(self, number: int, row: object) -> None:
        self.number = number
        filled: list[str] = []
        columns_and_cells = self._pair(row)
        self.table.append([self._cell(column, cell, filled) for column, cell in columns_and_cells])
        self.imputed.append(tuple(filled))

    def block(self) -> Block:
        values: dict[str, NDArray[Any]] = {}
        for column, cells in zip(self.schema.columns, zip(*self.table, strict=True), strict=True):
            dtype = np.float64 if column.kind == "number" else np.object_
            values[column.name] = np.array(cells, dtype=dtype)
        return Block(values, tuple(self.imputed))

    def _pair(self, row: object) -> Iterable[tuple[Column, object]]:
        columns, names = self.schema.columns, self.schema.names
        if isinstance(row, Mapping):
            if row.keys() != self.known:
                self.errors += field_errors(names, row, row=self.number)
            return [(column, row[column.name]) for column in columns if column.name in row]
        if not isinstance(row, Sequence) or isinstance(row, str | bytes):
            cell = None if row is None else shown(row)
            message = f"a row is an object or a list, got {shown(row)}"
            self.errors.append(CellError("wrong_type", message, self.number, value=cell))
            return ()
        if len(row) != len(columns):
            message = (
                f"expected {len(columns)} values, got {len(row)}; the order is {listed(names)}"
            )
            self.errors.append(CellError("wrong_length", message, self.number))
            return ()
        return zip(columns, row, strict=True)

    def _cell(self, column: Column, value: object, filled: list[str]) -> float | str | None:
        if column.kind == "number":
            if (
                isinstance(value, int | float)
                and not isinstance(value, bool)
                and -LIMIT <= value <= LIMIT
            ):
                return float(value)
        elif isinstance(value, str) and value in column.levels:
            return value
        if value is None and column.fill is not None:
            filled.append(column.name)
        else:
            self.errors.append(cell_error(column, value, row=self.number))
        return column.fill


def cell_error(column: Column, value: object, *, row: int) -> CellError:
    """What is wrong with a value that the column does not take; None is a missing one."""
    if value is None:
        return CellError("missing_value", "a value is needed here", row, column.name)
    return CellError(*_fault(column, value), row, column.name, shown(value))


def _fault(column: Column, value: object) -> tuple[str, str]:
    if column.kind == "category":
        if not isinstance(value, str):
            return "wrong_type", f"expected a text, got {shown(value)}"
        hint = did_you_mean(value, column.levels)
        return "unknown_level", f"expected one of {listed(column.levels)}, got {shown(value)}{hint}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "wrong_type", f"expected a number, got {shown(value)}"
    return "not_finite", f"expected a finite number up to 1e150 in size, got {shown(value)}"
