"""Feeds a scikit-learn model the rows of a table, to compare its answers with ours.

scikit-learn and pandas are never imported: a model that was fitted on a data frame can only be
asked where its caller has pandas loaded.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore.arrays import FloatArray
from mlcore.errors import DataError
from mlcore.sklearn_steps import Feature, as_text, names_of
from mlcore.table import MISSING, Table, parse_number

TOLERANCE = 1e-12


def answers_of(
    model: Any, table: Table, names: Sequence[str], used: Mapping[str, Feature]
) -> FloatArray:
    """predict_proba of every row of the table; DataError when the model cannot be asked.

    ``names`` are the model's input columns in order, ``used`` those that it looks at.
    """
    columns = {name: _native(table.cells(name), used.get(name)) for name in names}
    inputs = _frame(columns) if names_of(model) else _matrix(columns)
    try:
        return np.asarray(model.predict_proba(inputs), dtype=np.float64)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"the model cannot score the rows of {table.name}: {error}") from error


def require_equal(ours: FloatArray, theirs: FloatArray, lines: Sequence[int]) -> None:
    """DataError when a probability differs by more than 1e-12 (or is not a number)."""
    if ours.shape != theirs.shape:
        raise DataError(f"the model gives probabilities of shape {theirs.shape}, not {ours.shape}")
    difference = np.abs(ours - theirs).max(axis=1)
    worst = int(np.argmax(difference))
    if not difference[worst] <= TOLERANCE:
        raise DataError(
            f"line {lines[worst]}: the model gives the probabilities {theirs[worst].tolist()}, "
            f"its conversion {ours[worst].tolist()}; the model does something that its class "
            "name and fitted attributes do not tell, so it cannot be converted"
        )


def _frame(columns: Mapping[str, NDArray[Any]]) -> Any:
    pandas = sys.modules.get("pandas")
    if pandas is None:
        raise DataError(
            "the model was fitted on a data frame, and its conversion is checked on one: "
            "import pandas first, or fit the model on an array"
        )
    # With its dtype said again, pandas keeps texts and None as they are.
    series = {name: pandas.Series(cells, dtype=cells.dtype) for name, cells in columns.items()}
    return pandas.DataFrame(series)


def _matrix(columns: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    numeric = all(column.dtype.kind in "biuf" for column in columns.values())
    dtype = np.float64 if numeric else np.object_
    return np.array([column.astype(dtype) for column in columns.values()]).T


def _native(cells: Sequence[str], feature: Feature | None) -> NDArray[Any]:
    """The cells as the model was given them: numbers, or its own categories."""
    if feature is None:
        return _unused(cells)
    if feature.level is None:
        return np.array([_number(cell) for cell in cells], dtype=np.float64)
    native = {as_text(value, feature.column): value for value in feature.categories}
    words = MISSING.difference(native)
    values = [feature.missing if cell in words else native[cell] for cell in cells]
    if isinstance(feature.categories[0], str):
        return np.array(values, dtype=np.object_)
    return np.array(values)


def _unused(cells: Sequence[str]) -> NDArray[Any]:
    values = [_number(cell) for cell in cells]
    if None in values:
        return np.array(cells, dtype=np.object_)
    return np.array(values, dtype=np.float64)


def _number(cell: str) -> float | None:
    return float("nan") if cell in MISSING else parse_number(cell)
