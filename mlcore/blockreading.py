"""Many cells read at once where nothing is odd; knows no words for what does not fit.

Each reader answers None where a cell needs a closer look: ``rowreading`` takes it, and says what
is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, compress
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlcore.arrays import LIMIT, FloatArray
from mlcore.table_checks import Cells

if TYPE_CHECKING:
    from mlcore.schema import Column, Schema


class Block(NamedTuple):
    """The cells of n rows by column, and row by row the names of the columns that were filled."""

    values: dict[str, NDArray[Any]]
    imputed: tuple[tuple[str, ...], ...]


def read_rows(schema: Schema, rows: Sequence[Any]) -> Block | None:
    """Rows that are all dicts, all lists or all tuples, without a fault or a hole."""
    columns = schema.columns
    types = set(map(type, rows))
    if types not in ({dict}, {list}, {tuple}) or set(map(len, rows)) != {len(columns)}:
        return None
    if not columns:  # nothing to read at once
        return None
    keys: Sequence[Any] = schema.names if types == {dict} else range(len(columns))
    try:
        if schema.is_numeric:
            X = _numbers(list(_row_by_row(rows, keys)))
            return None if X is None else _split(schema.names, X.reshape(len(rows), -1))
        values = _values(columns, [list(map(itemgetter(key), rows)) for key in keys])
    except KeyError:  # no such field
        return None
    return None if values is None else Block(values, ((),) * len(rows))


def _row_by_row(rows: Sequence[Any], keys: Sequence[Any]) -> Iterable[Any]:
    if isinstance(keys, range):  # lists in the order of the schema
        return chain.from_iterable(rows)
    picked = map(itemgetter(*keys), rows)
    return picked if len(keys) == 1 else chain.from_iterable(picked)


def read_columns(columns: Sequence[Column], cells: Sequence[Cells]) -> Block | None:
    """Columns of equal length: arrays may have holes (NaN), sequences have neither fault nor hole."""
    values = _values(columns, cells)
    if values is None:
        return None
    if not any(isinstance(given, np.ndarray) for given in cells):
        return Block(values, ((),) * len(cells[0]))
    numbers = [column for column in columns if column.kind == "number"]
    X = np.array([values[column.name] for column in numbers])
    block = read_matrix(numbers, X.T)
    return None if block is None else Block(values | block.values, block.imputed)


def _values(columns: Sequence[Column], cells: Sequence[Cells]) -> dict[str, NDArray[Any]] | None:
    values: dict[str, NDArray[Any]] = {}
    for column, given in zip(columns, cells, strict=True):
        read = _numbers(given) if column.kind == "number" else _levels(given, column)
        if read is None:
            return None
        values[column.name] = read
    return values


def _numbers(cells: Cells) -> FloatArray | None:
    """Only floats and integers themselves: NumPy would read True and "3" as numbers too."""
    if isinstance(cells, np.ndarray):
        return cells
    if not set(map(type, cells)) <= {float, int}:
        return None
    try:
        values = np.fromiter(cells, np.float64, len(cells))
    except OverflowError:  # an integer beyond any float
        return None
    return values if _is_plain(values) else None


def _levels(cells: Cells, column: Column) -> NDArray[Any] | None:
    if not set(map(type, cells)) <= {str} or not set(cells) <= set(column.levels):
        return None
    return np.array(cells, dtype=np.object_)


def read_matrix(columns: Sequence[Column], X: FloatArray) -> Block | None:
    """Numbers (n, C) with NaN for what is missing, which is filled in place and named."""
    names = [column.name for column in columns]
    if _is_plain(X):
        return _split(names, X)
    if odd_cells(columns, X).any():
        return None
    missing = np.isnan(X)
    for column, values, holes in zip(columns, X.T, missing.T, strict=True):
        values[holes] = np.nan if column.fill is None else column.fill
    return _split(names, X)._replace(imputed=_filled_names(names, missing))


def odd_cells(columns: Sequence[Column], X: FloatArray) -> NDArray[np.bool_]:
    """Which cells of X (n, C) are refused: too large, or missing without a fill."""
    is_needed = [column.fill is None for column in columns]
    return np.where(np.isnan(X), is_needed, np.abs(X) > LIMIT)


def _split(names: Sequence[str], X: FloatArray) -> Block:
    """The columns of these names, each in one piece of memory; nothing was filled."""
    by_column = np.ascontiguousarray(X.T)
    return Block(dict(zip(names, by_column, strict=True)), ((),) * len(X))


def _is_plain(values: FloatArray) -> bool:
    """Whether every value is a number within the limit; NaN fails the comparison, as it must."""
    return bool(np.abs(values).max(initial=0.0) <= LIMIT)


def _filled_names(names: Sequence[str], missing: NDArray[np.bool_]) -> tuple[tuple[str, ...], ...]:
    imputed: list[tuple[str, ...]] = [()] * len(missing)
    for row in np.flatnonzero(missing.any(axis=1)).tolist():
        imputed[row] = tuple(compress(names, missing[row].tolist()))
    return tuple(imputed)
