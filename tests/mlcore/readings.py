"""What came of reading a table, in a form that two ways of reading can be compared by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlcore import Column, Columns, Schema, SchemaError

NUMBERS = Schema(
    (
        Column("Area", "number"),
        Column("Extent", "number", fill=0.7),
        Column("Perimeter", "number", fill=-1.0),
    )
)
MIXED = Schema(
    (
        Column("Area", "number"),
        Column("Extent", "number", fill=0.7),
        Column("Colour", "category", ("dark", "red"), fill="red"),
    )
)


def outcome(read: Callable[[Any], Columns], table: Any) -> str:
    """The columns with their types, or every problem; -0.0 unlike 0.0."""
    try:
        columns = read(table)
    except SchemaError as error:
        return repr((str(error), error.cells))
    values = {name: (column.dtype, column.tolist()) for name, column in columns.values.items()}
    return repr((sorted(values.items()), columns.n_rows, columns.imputed))
