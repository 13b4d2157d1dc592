"""What a table must be before its cells are read: its shape and its names; knows no values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlcore.errors import MOST_CELLS, CellError, SchemaError, cut, did_you_mean, listed, shown

if TYPE_CHECKING:
    from mlcore.schema import Schema

Cells = Sequence[Any] | NDArray[np.float64]
"""One column as it came: a sequence of anything, or numbers with NaN for what is missing."""


def refused(code: str, message: str) -> SchemaError:
    """The error of a table that cannot be read at all."""
    return SchemaError(message, [CellError(code, message)])


def no_rows() -> SchemaError:
    return refused("missing_value", "rows is empty")


def number_matrix(schema: Schema, X: ArrayLike) -> NDArray[Any]:
    """X as an array (n, C) of numbers, not copied if it is one.

    Raises SchemaError for a schema with categories, another shape, or cells that are no numbers.
    """
    categories = [column.name for column in schema.columns if column.kind == "category"]
    if categories:
        message = "a matrix holds numbers, and this is a category: score rows or columns instead"
        raise SchemaError.of(
            [CellError("wrong_type", message, column=name) for name in categories], place="row"
        )
    X = np.asarray(X)
    if X.ndim != 2 or X.shape[1] != len(schema.columns):
        message = f"expected a matrix of shape (n, {len(schema.columns)}), got {X.shape}"
        raise refused("wrong_length", message)
    if X.dtype.kind not in "fiu":
        raise refused("wrong_type", f"expected a matrix of numbers, got one of {X.dtype}")
    return X


def field_errors(
    names: Sequence[str], fields: Mapping[Any, object], *, row: int | None = None
) -> list[CellError]:
    """One error for each name without a field, and for each field (at most 100) without a name."""
    errors = [
        CellError("missing_field", "the field is missing", row, name)
        for name in names
        if name not in fields
    ]
    known = frozenset(names)
    for key in islice((key for key in fields if key not in known), MOST_CELLS):
        name = key if isinstance(key, str) else shown(key)
        hint = did_you_mean(name, names)
        message = f"unknown field {shown(name)}{hint}; expected columns: {listed(names)}"
        errors.append(CellError("unknown_field", message, row, cut(name)))
    return errors


def equal_columns(names: Sequence[str], table: object) -> list[Cells]:
    """The cells of the columns of these names, in their order, as many in each and at least one.

    An array of numbers, of shape (n,) or (n, 1), stays one; any other becomes a list. Raises
    SchemaError for anything else, naming every column that does not fit.
    """
    if not isinstance(table, Mapping):
        message = f"columns must be an object of lists or arrays, got {shown(table)}"
        raise refused("wrong_type", message)
    errors = field_errors(names, table) if table.keys() != set(names) else []
    cells = [_cells(name, table[name], errors) for name in names if name in table]
    _raise_any(errors)
    n_rows = len(cells[0]) if cells else 0
    for name, column in zip(names, cells, strict=True):
        if len(column) != n_rows:
            message = f"expected {n_rows} values as in {cut(names[0])}, got {len(column)}"
            errors.append(CellError("wrong_length", message, column=name))
    _raise_any(errors)
    if not n_rows:
        raise no_rows()
    return cells


def _cells(name: str, values: object, errors: list[CellError]) -> Cells:
    if isinstance(values, np.ndarray):
        if values.ndim == 1 or (values.ndim == 2 and values.shape[1] == 1):
            column = values.reshape(-1)
            is_numeric = column.dtype.kind in "fiu"
            return np.asarray(column, np.float64) if is_numeric else column.tolist()
        message = f"expected an array of shape (n,) or (n, 1), got {values.shape}"
        errors.append(CellError("wrong_length", message, column=name))
    elif isinstance(values, Sequence) and not isinstance(values, str | bytes):
        return values
    else:
        message = f"a column is a list or an array, got {shown(values)}"
        errors.append(CellError("wrong_type", message, column=name, value=shown(values)))
    return ()


def _raise_any(errors: list[CellError]) -> None:
    if errors:
        raise SchemaError.of(errors[:MOST_CELLS], place="row")
