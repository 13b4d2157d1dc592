"""Live rows as they come, brought to one array a column; counts and judges nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlcore.arrays import FloatArray, floats
from mlcore.errors import DataError, listed
from mlcore.profile import Profile
from mlcore.schema import Columns

Table = Columns | FloatArray | Mapping[str, ArrayLike]


def arrays(table: Table, profile: Profile) -> dict[str, NDArray[Any]]:
    """One array a column, by name: float64 for numbers."""
    names = [column.name for column in profile.columns]
    if isinstance(table, np.ndarray):
        if table.ndim != 2 or table.shape[1] != len(names):
            raise DataError(f"a window takes a matrix of shape (n, {len(names)})")
        return dict(zip(names, table.astype(np.float64, copy=False).T, strict=True))
    values = table.values if isinstance(table, Columns) else table
    if set(values) != set(names):
        raise DataError(f"the columns of a window must be {listed(names)}")
    return {
        column.name: floats(values[column.name], f"values of {column.name}")
        if column.kind == "number"
        else np.asarray(values[column.name], object)
        for column in profile.columns
    }


def holes_of(
    table: Table, holes: Mapping[str, ArrayLike] | None, n: int
) -> dict[str, NDArray[np.bool_]]:
    """Where a column has no value of its own (n,), by name; columns without holes are left out."""
    found = {name: np.asarray(gaps, np.bool_) for name, gaps in (holes or {}).items()}
    if isinstance(table, Columns) and any(table.imputed):
        for row, names in enumerate(table.imputed):
            for name in names:
                found.setdefault(name, np.zeros(n, np.bool_))[row] = True
    if any(gaps.shape != (n,) for gaps in found.values()):
        raise DataError("the holes of a window must be as long as its columns")
    return found


def headline_scores(probabilities: FloatArray) -> FloatArray:
    """The positive class's of two, the largest of three or more; as the profile has them."""
    if probabilities.ndim == 1:
        return probabilities
    if probabilities.shape[1] == 2:
        return probabilities[:, 1]
    largest: FloatArray = probabilities.max(axis=1)
    return largest
