"""A CSV body as rows in the order of a schema: every cell is text until its column says what it is.

It knows no HTTP. Cells that mean "no value" are missing; what is no number stays text, for the
schema to refuse by row and column.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Literal, NamedTuple, get_args

from endpoints.errors import InvalidRequest, InvalidRows, TooLarge
from mlcore.errors import MOST_CELLS, CellError, SchemaError, cut, did_you_mean, listed
from mlcore.schema import Column, Schema
from mlcore.table import MISSING, parse_number

Header = Literal["present", "absent", "guess"]
HEADERS: tuple[Header, ...] = get_args(Header)

MOST_NAMED = 20  # looking for the nearest name takes time
UNNAMED = "a column has no name (pandas writes its index so, unless to_csv(index=False))"

Cell = float | str | None


class Labelled(NamedTuple):
    """Rows in the order of the schema, and their true labels as text: None where one is missing, and
    altogether where there is no such column."""

    rows: list[list[Cell]]
    labels: list[str | None] | None


def read_csv(
    body: bytes, schema: Schema, *, most_rows: int, header: Header = "guess"
) -> list[list[Cell]]:
    """Return the rows in the order of the schema.

    Raises InvalidRequest, InvalidRows, SchemaError or, at the first row too many, TooLarge.

    Whether the first line is a header is guessed from its cells: names are no numbers.
    """
    names, rows = _table(body, schema, most_rows, header)
    return _in_order(names, rows, schema)


def read_labelled_csv(
    body: bytes, schema: Schema, *, target: str, most_rows: int, header: Header = "guess"
) -> Labelled:
    """Return the rows as `read_csv` does; a column with the target's name holds their true labels."""
    names, rows = _table(body, schema, most_rows, header)
    if target not in names or target in schema.names:
        return Labelled(_in_order(names, rows, schema), None)
    refuse_misfits(names, rows)
    place = names.index(target)
    texts = (row[place].strip() for row in rows)
    labels = [None if text in MISSING else text for text in texts]
    features = [row[:place] + row[place + 1 :] for row in rows]
    return Labelled(_in_order(names[:place] + names[place + 1 :], features, schema), labels)


def refuse_misfits(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Refuse a name that is used twice, and rows that are longer or shorter than the names."""
    if repeated := [name for name, times in Counter(columns).items() if times > 1]:
        raise InvalidRequest(f"A column is named twice: {listed(repeated)}.")
    misfits = (
        CellError("wrong_length", f"expected {len(columns)} values, got {len(row)}", number)
        for number, row in enumerate(rows)
        if len(row) != len(columns)
    )
    if cells := list(islice(misfits, MOST_CELLS)):
        raise InvalidRows(f"row {cells[0].row}: {cells[0].message}", cells=cells)


def _table(
    body: bytes, schema: Schema, most_rows: int, header: Header
) -> tuple[list[str], list[list[str]]]:
    """Return the names, none where there is no header, and the rows below it."""
    records = _records(body, most_rows)
    if not records:
        raise InvalidRequest("The CSV is empty.")
    if header == "absent" or (header == "guess" and _is_row(records[0], schema)):
        return [], records
    return [cell.strip() for cell in records[0]], records[1:]


def _in_order(names: list[str], rows: list[list[str]], schema: Schema) -> list[list[Cell]]:
    if not names:
        return [_typed(schema.columns, row) for row in rows]
    _refuse_foreign(names, schema)
    refuse_misfits(names, rows)
    places = [names.index(name) for name in schema.names]
    return [_typed(schema.columns, [row[place] for place in places]) for row in rows]


def _records(body: bytes, most_rows: int) -> list[list[str]]:
    """Read a header and so many rows; a megabyte holds far more rows than are ever scored."""
    try:
        text = body.decode("utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        records = list(islice(filter(None, reader), most_rows + 2))
    except UnicodeDecodeError:
        raise InvalidRequest("The CSV is not UTF-8 text.") from None
    except csv.Error as error:
        raise InvalidRequest(f"The body cannot be read as CSV: {error}.") from None
    if len(records) > most_rows + 1:
        raise TooLarge(f"The CSV holds more than {most_rows:,} rows; that is the most at a time.")
    return records


def _is_row(record: Sequence[str], schema: Schema) -> bool:
    """Tell cells from names, which may be numbers too."""
    if {cell.strip() for cell in record} == set(schema.names):
        return False
    return all(cell.strip() in MISSING or parse_number(cell) is not None for cell in record)


def _refuse_foreign(names: Sequence[str], schema: Schema) -> None:
    """Refuse a header as a whole; row by row the same would be said a thousand times."""
    cells = [
        CellError("missing_field", f"the column {cut(name)} is missing", column=name)
        for name in schema.names
        if name not in names
    ]
    unknown = (name for name in names if name not in schema.names)
    for name in islice(unknown, MOST_NAMED):
        hint = did_you_mean(name, schema.names)
        about = f"unknown column {cut(name)}{hint}" if name else UNNAMED
        message = f"{about}; expected columns: {listed(schema.names)}"
        cells.append(CellError("unknown_field", message, column=cut(name)))
    if cells:
        raise SchemaError(f"header: {cells[0].message}", cells[:MOST_CELLS])


def _typed(columns: Sequence[Column], texts: Sequence[str]) -> list[Cell]:
    """A row of another length keeps its texts: the schema says what is wrong with it."""
    if len(texts) != len(columns):
        return list(texts)
    return [_cell(column, text.strip()) for column, text in zip(columns, texts, strict=True)]


def _cell(column: Column, text: str) -> Cell:
    if text in MISSING and text not in column.levels:
        return None
    number = parse_number(text) if column.kind == "number" else None
    return text if number is None else number
