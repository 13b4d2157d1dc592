"""What a row must look like: names, kinds, levels and fills; knows nothing of models or files.

``Schema.read`` is the only door from JSON-shaped rows to arrays. It reads everything before it
answers, so that one reply names every bad cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from operator import itemgetter
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mlcore.arrays import LIMIT, IntArray
from mlcore.errors import MOST_CELLS, CellError, SchemaError, cut, did_you_mean, listed, shown


@dataclass(frozen=True)
class Column:
    """One feature. ``fill`` replaces a missing value; None means that missing is refused."""

    name: str
    kind: Literal["number", "category"]
    levels: tuple[str, ...] = ()
    fill: float | str | None = None


@dataclass(frozen=True)
class Columns:
    """Rows turned into one array per column: float64 for numbers, objects for categories."""

    values: Mapping[str, NDArray[Any]]
    n_rows: int
    imputed: tuple[tuple[str, ...], ...]

    def take(self, rows: IntArray) -> Columns:
        """Some of the rows, in the order given."""
        values = {name: column[rows] for name, column in self.values.items()}
        return Columns(values, len(rows), tuple([self.imputed[row] for row in rows.tolist()]))


@dataclass(frozen=True)
class Schema:
    """The columns a classifier reads, in order.

    >>> schema = Schema((Column("Area", "number"), Column("colour", "category", ("dark", "red"))))
    >>> columns = schema.read([{"colour": "red", "Area": 3}, [4.5, "dark"]])
    >>> columns.values["Area"], columns.values["colour"]
    (array([3. , 4.5]), array(['red', 'dark'], dtype=object))
    >>> schema.read([{"Area": "3", "color": "red"}])
    Traceback (most recent call last):
    mlcore.errors.SchemaError: row 0, column colour: the field is missing (and 2 more problems)
    """

    columns: tuple[Column, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def read(self, rows: Sequence[Mapping[str, object] | Sequence[object]]) -> Columns:
        """Validate rows, given as objects or as lists in schema order.

        Raises one SchemaError with a CellError for every bad cell (at most 100), and nothing
        else for anything that JSON can express.
        """
        if not isinstance(rows, Sequence) or isinstance(rows, str | bytes):
            raise _refused("wrong_type", f"rows must be a list, got {shown(rows)}")
        if not rows:
            raise _refused("missing_value", "rows is empty")
        return _clean_columns(self.columns, rows) or self._read_by_cell(rows)

    def _read_by_cell(self, rows: Sequence[object]) -> Columns:
        reading = _Reading(self)
        for number, row in enumerate(rows):
            reading.read_row(number, row)
            if len(reading.errors) >= MOST_CELLS:
                break
        if reading.errors:
            raise SchemaError.of(reading.errors[:MOST_CELLS], place="row")
        return reading.columns()


def _refused(code: str, message: str) -> SchemaError:
    return SchemaError(message, [CellError(code, message)])


def _clean_columns(columns: Sequence[Column], rows: Sequence[Any]) -> Columns | None:
    """Rows without a fault or a hole, column by column; None if a cell needs a closer look."""
    types = set(map(type, rows))
    if types not in ({dict}, {list}, {tuple}) or set(map(len, rows)) != {len(columns)}:
        return None
    values: dict[str, NDArray[Any]] = {}
    for place, column in enumerate(columns):
        key = column.name if types == {dict} else place
        try:
            cells = list(map(itemgetter(key), rows))
            read = (
                _clean_numbers(cells) if column.kind == "number" else _clean_levels(cells, column)
            )
        except (KeyError, OverflowError):  # no such field; an integer beyond any float
            return None
        if read is None:
            return None
        values[column.name] = read
    return Columns(values, len(rows), ((),) * len(rows))


def _clean_numbers(cells: list[Any]) -> NDArray[Any] | None:
    """Only floats and integers themselves: NumPy would read True and "3" as numbers too."""
    if not set(map(type, cells)) <= {float, int}:
        return None
    values = np.array(cells, dtype=np.float64)
    # NaN fails both comparisons, as it must.
    return values if values.min() >= -LIMIT and values.max() <= LIMIT else None


def _clean_levels(cells: list[Any], column: Column) -> NDArray[Any] | None:
    if not set(map(type, cells)) <= {str} or not set(cells) <= set(column.levels):
        return None
    return np.array(cells, dtype=np.object_)


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

    def columns(self) -> Columns:
        values: dict[str, NDArray[Any]] = {}
        for column, cells in zip(self.schema.columns, zip(*self.table, strict=True), strict=True):
            dtype = np.float64 if column.kind == "number" else np.object_
            values[column.name] = np.array(cells, dtype=dtype)
        return Columns(values, len(self.table), tuple(self.imputed))

    def _pair(self, row: object) -> Iterable[tuple[Column, object]]:
        columns = self.schema.columns
        if isinstance(row, Mapping):
            if row.keys() != self.known:
                self._refuse_fields(row)
            return [(column, row[column.name]) for column in columns if column.name in row]
        if not isinstance(row, Sequence) or isinstance(row, str | bytes):
            self._refuse("wrong_type", f"a row is an object or a list, got {shown(row)}", value=row)
            return ()
        if len(row) != len(columns):
            message = f"expected {len(columns)} values, got {len(row)}"
            self._refuse("wrong_length", f"{message}; the order is {listed(self.schema.names)}")
            return ()
        return zip(columns, row, strict=True)

    def _refuse_fields(self, row: Mapping[Any, object]) -> None:
        for name in self.schema.names:
            if name not in row:
                self._refuse("missing_field", "the field is missing", column=name)
        unknown = (name for name in row if name not in self.known)
        for key in islice(unknown, MOST_CELLS):
            name = key if isinstance(key, str) else shown(key)
            hint = did_you_mean(name, self.schema.names)
            expected = f"expected columns: {listed(self.schema.names)}"
            message = f"unknown field {shown(name)}{hint}; {expected}"
            self._refuse("unknown_field", message, column=cut(name))

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
        if value is not None:
            self._refuse(*_fault(column, value), column=column.name, value=value)
        elif column.fill is None:
            self._refuse("missing_value", "a value is needed here", column=column.name)
        else:
            filled.append(column.name)
        return column.fill

    def _refuse(
        self, code: str, message: str, *, column: str | None = None, value: object = None
    ) -> None:
        cell = None if value is None else shown(value)
        self.errors.append(CellError(code, message, self.number, column, cell))


def _fault(column: Column, value: object) -> tuple[str, str]:
    if column.kind == "category":
        if not isinstance(value, str):
            return "wrong_type", f"expected a text, got {shown(value)}"
        hint = did_you_mean(value, column.levels)
        return "unknown_level", f"expected one of {listed(column.levels)}, got {shown(value)}{hint}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "wrong_type", f"expected a number, got {shown(value)}"
    return "not_finite", f"expected a finite number up to 1e150 in size, got {shown(value)}"
