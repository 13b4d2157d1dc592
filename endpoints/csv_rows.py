"""A CSV body as rows in the order of a schema: every cell is text until its column says what it is.

It knows no HTTP. Cells that mean "no value" are missing; what is no number stays text, for the
schema to refuse by row and column. Commas, semicolons, tabs or bars part the cells: whichever makes
the first line what the schema names, or what a line such as ``sep=;`` before it says.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Literal, NamedTuple, get_args

from endpoints.errors import InvalidRequest, InvalidRows, TooLarge
from mlcore.delimiters import DELIMITERS, declared
from mlcore.errors import MOST_CELLS, CellError, SchemaError, cut, did_you_mean, listed
from mlcore.schema import Column, Schema
from mlcore.table import MISSING, parse_number

Header = Literal["present", "absent", "guess"]
HEADERS: tuple[Header, ...] = get_args(Header)

MOST_COLUMNS = 5_000
GUESSED_BY = 64 * 1024  # characters that tell the delimiter
MOST_NAMED = 20  # looking for the nearest name takes time
UNNAMED = "a column has no name (pandas writes its index so, unless to_csv(index=False))"

Cell = float | str | None


class Labelled(NamedTuple):
    """Rows in the order of the schema, and their true labels as text: None where one is missing, and
    altogether where there is no such column. `lines` are the lines of the file where the rows begin."""

    rows: list[list[Cell]]
    labels: list[str | None] | None
    lines: list[int]


class _Record(NamedTuple):
    line: int
    cells: list[str]


class _Parsed(NamedTuple):
    """The names, none where there is no header, and the rows below it."""

    names: list[str]
    rows: list[list[str]]
    lines: list[int]


def read_csv(
    body: bytes, schema: Schema, *, most_rows: int, header: Header = "guess"
) -> list[list[Cell]]:
    """Return the rows in the order of the schema.

    Raises InvalidRequest, InvalidRows, SchemaError or, at the first row too many, TooLarge.

    Whether the first line is a header is guessed from its cells: names are no numbers.
    """
    names, rows, _ = _table(body, schema, most_rows, header)
    return _in_order(names, rows, schema)


def read_labelled_csv(
    body: bytes,
    schema: Schema,
    *,
    target: str,
    most_rows: int,
    classes: Collection[str] = (),
    header: Header = "guess",
) -> Labelled:
    """Return the rows as `read_csv` does; a column with the target's name holds their true labels.

    What does not fit is told by its line. A label that is one of the `classes` is never a missing one.
    """
    names, rows, lines = _table(body, schema, most_rows, header)
    if not rows:
        raise InvalidRequest("The CSV has a header but no rows.")
    try:
        if target not in names or target in schema.names:
            return Labelled(_in_order(names, rows, schema), None, lines)
        refuse_misfits(names, rows)
    except InvalidRows as error:
        raise by_line(error, lines) from error
    place = names.index(target)
    texts = (row[place].strip() for row in rows)
    labels = [None if text in MISSING and text not in classes else text for text in texts]
    features = [row[:place] + row[place + 1 :] for row in rows]
    names = names[:place] + names[place + 1 :]
    _refuse_foreign(names, schema)
    return Labelled(_in_order(names, features, schema), labels, lines)


def by_line(error: InvalidRows, lines: Sequence[int], *, label: str = "") -> InvalidRows:
    """Return the same error told by the lines of a file; `label` is what its column of labels is called."""
    cells = [_placed(cell, lines, label) for cell in error.cells]
    if not cells or cells[0].row is None:
        return InvalidRows(error.message, cells=cells)
    first = replace(cells[0], row=None, column=None)
    return InvalidRows(str(SchemaError.of([first, *cells[1:]], place="line")), cells=cells)


def _placed(cell: CellError, lines: Sequence[int], label: str) -> CellError:
    """`row` goes on counting rows; line and column stand in the message."""
    if cell.row is None or cell.row >= len(lines):
        return cell
    column = label if label and cell.column == "labels" else cell.column
    where = f"line {lines[cell.row]}" + (f", column {cut(column)}" if column else "")
    return replace(cell, column=column, message=f"{where}: {cell.message}")


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


def _table(body: bytes, schema: Schema, most_rows: int, header: Header) -> _Parsed:
    records = _records(_text(body), schema, most_rows)
    if not records:
        raise InvalidRequest("The CSV is empty.")
    lines, cells = [record.line for record in records], [record.cells for record in records]
    if header == "absent" or (header == "guess" and _is_row(cells[0], schema)):
        return _Parsed([], cells, lines)
    return _Parsed([cell.strip() for cell in cells[0]], cells[1:], lines[1:])


def _in_order(names: list[str], rows: list[list[str]], schema: Schema) -> list[list[Cell]]:
    if not names:
        return [_typed(schema.columns, row) for row in rows]
    _refuse_foreign(names, schema)
    refuse_misfits(names, rows)
    places = [names.index(name) for name in schema.names]
    return [_typed(schema.columns, [row[place] for place in places]) for row in rows]


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise InvalidRequest(f"Line {line} of the CSV is not UTF-8 text.") from None


def _records(text: str, schema: Schema, most_rows: int) -> list[_Record]:
    """Read a header and so many rows; a megabyte holds far more rows than are ever scored."""
    delimiter, start = declared(text)
    above, text = len(text[:start].splitlines()), text[start:]
    parsed = _parsed(text, delimiter or _delimiter(text, schema), above)
    records = list(islice(parsed, most_rows + 2))
    if len(records) > most_rows + 1:
        raise TooLarge(f"The CSV holds more than {most_rows:,} rows; that is the most at a time.")
    return records


def _parsed(text: str, delimiter: str, above: int = 0) -> Iterator[_Record]:
    """Each record with the line where it begins, empty lines left out; `above` are lines before the text."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = above + 1
    try:
        for cells in reader:
            if len(cells) > MOST_COLUMNS:
                raise TooLarge(
                    f"Line {line} of the CSV has {len(cells):,} cells; {MOST_COLUMNS:,} is the most."
                )
            if cells:
                yield _Record(line, cells)
            line = above + reader.line_num + 1
    except csv.Error as error:
        raise InvalidRequest(f"Line {line} cannot be read as CSV: {error}.") from None


def _delimiter(text: str, schema: Schema) -> str:
    """Choose what finds most names of the schema in the first line, else as many cells as it has columns."""

    def fits(delimiter: str) -> tuple[int, bool]:
        try:
            first = next(_parsed(text[:GUESSED_BY], delimiter), _Record(1, []))
        except (InvalidRequest, TooLarge):
            return 0, False
        names = {cell.strip() for cell in first.cells}
        return len(names.intersection(schema.names)), len(first.cells) == len(schema.columns)

    return max(DELIMITERS, key=fits)


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
