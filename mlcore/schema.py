"""What a row must look like: names, kinds, levels and fills; knows nothing of models or files.

``Schema.read`` and its siblings are the only doors from what was sent to arrays. They read
everything before they answer, so that one reply names every bad cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mlcore import blockreading, rowreading
from mlcore.arrays import FloatArray, IntArray
from mlcore.blockreading import Block
from mlcore.errors import MOST_CELLS, SchemaError, shown
from mlcore.table_checks import Cells, equal_columns, no_rows, number_matrix, refused


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

    @cached_property
    def is_numeric(self) -> bool:
        return all(column.kind == "number" for column in self.columns)

    def without_fills(self) -> Schema:
        """The same columns, where a missing value is refused.

        >>> Schema((Column("Area", "number", fill=2.0),)).without_fills().read([[None]])
        Traceback (most recent call last):
        mlcore.errors.SchemaError: row 0, column Area: a value is needed here
        """
        return self._without_fills

    @cached_property
    def _without_fills(self) -> Schema:
        return Schema(tuple(replace(column, fill=None) for column in self.columns))

    def read(self, rows: Sequence[Mapping[str, object] | Sequence[object]]) -> Columns:
        """Validate rows, given as objects or as lists in schema order.

        Raises one SchemaError with a CellError for every bad cell (at most 100), and nothing
        else for anything that JSON can express.
        """
        if not isinstance(rows, Sequence) or isinstance(rows, str | bytes):
            raise refused("wrong_type", f"rows must be a list, got {shown(rows)}")
        if not rows:
            raise no_rows()
        block = blockreading.read_rows(self, rows)
        return self._read_by_cell(rows) if block is None else _columns(block)

    def read_matrix(self, X: NDArray[Any]) -> Columns:
        """Validate a matrix (n, C) of any numeric type in schema order; NaN is a missing value.

        X is copied. Raises the SchemaError of ``read`` for the same rows with None for NaN, and
        one for a schema with categories or an array of another shape or type.

        >>> schema = Schema((Column("Area", "number"), Column("Extent", "number", fill=0.5)))
        >>> columns = schema.read_matrix(np.array([[3.0, 0.25], [4.0, np.nan]]))
        >>> columns.values["Extent"], columns.imputed
        (array([0.25, 0.5 ]), ((), ('Extent',)))
        >>> schema.read_matrix(np.array([[np.inf, 0.25]]))
        Traceback (most recent call last):
        mlcore.errors.SchemaError: row 0, column Area: expected a finite number up to 1e150 in \
size, got inf
        """
        matrix = np.array(number_matrix(self, X), dtype=np.float64, order="F")
        if not len(matrix):
            raise no_rows()
        block = blockreading.read_matrix(self.columns, matrix)
        if block is None:
            raise self._cells_refused(matrix)
        return _columns(block)

    def read_columns(self, table: Mapping[str, Sequence[object] | NDArray[Any]]) -> Columns:
        """Validate columns by name: sequences of n cells, or arrays of shape (n,) or (n, 1).

        NaN in an array of numbers is a missing value, in a sequence it is refused. Raises the
        SchemaError of ``read`` for the same rows, and one that names every column that is
        missing, unknown, no column at all or not as long as the first.

        >>> schema = Schema((Column("Area", "number"), Column("colour", "category", ("red",))))
        >>> schema.read_columns({"colour": ["red"], "Area": np.array([3])}).values["Area"]
        array([3.])
        >>> schema.read_columns({"colour": ["red"], "Area": [3.0, 4.0]})
        Traceback (most recent call last):
        mlcore.errors.SchemaError: column colour: expected 2 values as in Area, got 1
        """
        cells = equal_columns(self.names, table)
        block = blockreading.read_columns(self.columns, cells)
        if block is None:
            return self._read_by_cell(zip(*map(_with_none, cells), strict=True))
        return _columns(block)

    def _read_by_cell(self, rows: Iterable[object]) -> Columns:
        return _columns(rowreading.read_rows(self, rows))

    def _cells_refused(self, X: FloatArray) -> SchemaError:
        odd = np.argwhere(blockreading.odd_cells(self.columns, X))[:MOST_CELLS].tolist()
        errors = [
            rowreading.cell_error(self.columns[place], _none_for_nan(float(X[row, place])), row=row)
            for row, place in odd
        ]
        return SchemaError.of(errors, place="row")


def _columns(block: Block) -> Columns:
    return Columns(block.values, len(block.imputed), block.imputed)


def _with_none(cells: Cells) -> Iterable[object]:
    return map(_none_for_nan, cells.tolist()) if isinstance(cells, np.ndarray) else cells


def _none_for_nan(value: float) -> float | None:
    return None if value != value else value  # noqa: PLR0124
