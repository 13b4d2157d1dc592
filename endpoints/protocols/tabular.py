"""The JSON tables of MLflow, TensorFlow Serving and Vertex AI, brought to rows; knows no schema and no HTTP.

It asks only who wraps whom. What a cell may hold is the schema's business.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, cast

from endpoints.csv_rows import MOST_COLUMNS, refuse_misfits
from endpoints.errors import InvalidRequest, TooLarge
from endpoints.rows import refuse_too_many
from mlcore.errors import cut, did_you_mean, listed

Rows = Sequence[Mapping[str, object] | Sequence[object]]


def one_of(body: Any, forms: Collection[str], others: Collection[str]) -> str:
    """Return the one key of the body that holds the table; `others` are the keys that may stand by."""
    wanted = f"a JSON object with exactly one of {', '.join(forms)}"
    if not isinstance(body, dict):
        raise InvalidRequest(f"The body must be {wanted}.")
    for key in body:
        if key not in forms and key not in others:
            known = (*forms, *others)
            hint = did_you_mean(key, known)
            raise InvalidRequest(
                f"“{cut(key)}” is not read here{hint or '.'} Known: {listed(known)}."
            )
    found = [form for form in forms if form in body]
    if len(found) != 1:
        raise InvalidRequest(f"The body must be {wanted}; it has {listed(found) or 'none'}.")
    return found[0]


def from_split(value: Any) -> Rows:
    """Read `{"columns": [...], "data": [[...]]}` of pandas; its `index` tells a model nothing."""
    if not isinstance(value, dict) or "data" not in value:
        raise _refused("dataframe_split", 'an object such as {"columns": [...], "data": [[...]]}')
    if unknown := sorted(value.keys() - {"columns", "index", "data"}):
        raise InvalidRequest(f"dataframe_split has columns, index and data, not {listed(unknown)}.")
    rows, columns = value["data"], value.get("columns")
    if isinstance(rows, list):
        refuse_too_many(len(rows))
    if not _holds_only(rows, list):
        raise _refused("data of dataframe_split", "a list of lists, one a row")
    if columns is None or _are_places(columns):
        return cast(Rows, rows)
    if not _holds_only(columns, str):
        raise _refused("columns of dataframe_split", "a list of names")
    return named(columns, rows)


def from_records(value: Any) -> Rows:
    """Read `[{"column": cell}]` of pandas."""
    if isinstance(value, list):
        refuse_too_many(len(value))
    if not _holds_only(value, dict):
        raise _refused("dataframe_records", "a list of objects, one a row")
    return cast(Rows, value)


def from_instances(value: Any) -> Rows:
    """Read one object or list a row; a bare value is the row of a model of one column."""
    if not isinstance(value, list):
        raise _refused("instances", "a list with one object or one list a row")
    refuse_too_many(len(value))
    return [row if isinstance(row, dict | list) else [row] for row in value]


def from_inputs(value: Any) -> Rows:
    """Read one list a column, by name; anything in a list is read as row by row."""
    if isinstance(value, list):
        return from_instances(value)
    if not isinstance(value, dict):
        raise _refused("inputs", "an object with one list a column, or a list of rows")
    if len(value) > MOST_COLUMNS:
        raise TooLarge(f"inputs has {len(value):,} columns; {MOST_COLUMNS:,} is the most here.")
    if not any(isinstance(cells, list) for cells in value.values()):
        return [value] if value else []
    columns = {name: _flat(name, cells) for name, cells in value.items()}
    lengths = {len(cells) for cells in columns.values()}
    refuse_too_many(max(lengths))
    if len(lengths) > 1:
        counted = (f"{name} {len(cells)}" for name, cells in columns.items())
        raise InvalidRequest(f"The columns of inputs have different lengths: {listed(counted)}.")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


FORMS: Mapping[str, Callable[[Any], Rows]] = {
    "dataframe_split": from_split,
    "dataframe_records": from_records,
    "instances": from_instances,
    "inputs": from_inputs,
}


def read_table(body: Any, forms: Collection[str], others: Collection[str] = ()) -> tuple[str, Rows]:
    """Return the name of the form that the body has, and its rows."""
    form = one_of(body, forms, others)
    return form, FORMS[form](body[form])


def named(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Rows:
    """Give the cells of each row their names."""
    refuse_misfits(columns, rows)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _are_places(columns: Any) -> bool:
    """Pandas numbers the columns of a frame that has no names for them."""
    return _holds_only(columns, int) and columns == list(range(len(columns)))


def _holds_only(value: Any, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(item, kind) for item in value)


def _flat(name: str, cells: Any) -> list[Any]:
    """The cells of a column; TensorFlow's columns of shape [n, 1] hold a list in each cell."""
    if not isinstance(cells, list):
        raise InvalidRequest(f"The column “{cut(name)}” of inputs is not a list.")
    if cells and all(isinstance(cell, list) and len(cell) == 1 for cell in cells):
        return [cell[0] for cell in cells]
    return cells


def _refused(what: str, wanted: str) -> InvalidRequest:
    return InvalidRequest(f"The {what} must be {wanted}.")
