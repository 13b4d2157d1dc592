"""Tables from CSV and ARFF text; knows no files, kinds, targets or models.

Cells stay text here, exactly as they were written; ``features`` decides what they mean.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Iterator

from mlcore.delimiters import declared, delimiter_of
from mlcore.errors import MOST_LINES, CellError, DataError, at_lines, listed, shown
from mlcore.table import Table

_UNDECODABLE = re.compile("[\udc80-\udcff]")
_ATTRIBUTE = re.compile(
    r"@attribute\s+(?:'([^']+)'|\"([^\"]+)\"|(\S+))\s+(numeric|real|integer|\{.*\})\s*$", re.I
)


def parse_csv(data: bytes, *, name: str) -> Table:
    """A table from the bytes of a CSV file whose first line names the columns.

    The delimiter is a comma, semicolon, tab or bar, whichever the text uses or a line ``sep=;`` before
    the header names; a byte order mark and wholly blank lines are skipped; quoted cells may contain
    newlines. ``sha256`` is that of the bytes. Raises one DataError naming up to 20 bad lines for bytes
    that are not UTF-8, NUL bytes and ragged rows, or for a header that does not name every column once.

    >>> table = parse_csv(b"a;b\\n1;2\\n\\n3;4\\n", name="demo")
    >>> table.header, table.rows, table.lines
    (('a', 'b'), (('1', '2'), ('3', '4')), (2, 4))
    """
    # Undecodable bytes become lone surrogates, so that they are found in their line and column.
    records = _records(data.decode("utf-8-sig", errors="surrogateescape"))
    header_line, first = next(records, (1, []))
    if not first:
        raise DataError(f"{name} is empty; the first line must name the columns")
    header = _header(first, header_line)
    rows, lines = _rows(header, records)
    if not rows:
        raise DataError(f"{name} has a header but no rows")
    return Table(header, rows, lines, hashlib.sha256(data).hexdigest(), name)


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    """Each record with the number of its first line, wholly blank lines left out."""
    begin = declared(text)[1]
    rows = io.StringIO(text, newline="")
    rows.seek(begin)
    reader = csv.reader(rows, delimiter=delimiter_of(text), strict=True)
    before = len(text[:begin].splitlines())
    line = 1 + before
    try:
        for record in reader:
            if len(record) > 1 or "".join(record).strip():
                yield line, record
            line = reader.line_num + 1 + before
    except csv.Error as error:
        problem = CellError("bad_line", f"not readable as CSV: {error}", line)
        raise DataError.of([problem], place="line") from error


def _header(record: list[str], line: int) -> tuple[str, ...]:
    names = tuple(cell.strip() for cell in record)
    for position, name in enumerate(names, start=1):
        if not name:
            raise _at(line, f"column {position} of the header has no name")
        if fault := _fault(name):
            raise _at(line, f"column {position} of the header holds {fault}")
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise _at(line, f"the header names a column twice: {listed(repeated)}")
    return names


def _rows(
    header: tuple[str, ...], records: Iterable[tuple[int, list[str]]]
) -> tuple[tuple[tuple[str, ...], ...], tuple[int, ...]]:
    rows: list[tuple[str, ...]] = []
    lines: list[int] = []
    errors: list[CellError] = []
    for line, record in records:
        errors += _problems(header, line, record)
        if len(errors) >= MOST_LINES:
            break
        rows.append(tuple(record))
        lines.append(line)
    if errors:
        raise at_lines(errors)
    return tuple(rows), tuple(lines)


def _problems(header: tuple[str, ...], line: int, record: list[str]) -> Iterator[CellError]:
    if len(record) != len(header):
        message = f"{len(record)} cells, but the header has {len(header)}"
        yield CellError("wrong_length", message, line)
        return
    for column, cell in zip(header, record, strict=True):
        if fault := _fault(cell):
            yield CellError("bad_text", f"the cell holds {fault}", line, column, shown(cell))


def _fault(cell: str) -> str | None:
    if "\0" in cell:
        return "a NUL byte; save the file as UTF-8 text"
    if not cell.isascii() and _UNDECODABLE.search(cell):
        return "bytes that are not UTF-8; save the file as UTF-8 text"
    return None


def _at(line: int, message: str) -> DataError:
    return DataError.of([CellError("bad_header", message, line)], place="line")


def read_arff(text: str, *, name: str = "arff") -> Table:
    """A table from ARFF text: comments, @relation, @attribute (numeric, real, {..}) and @data.

    Raises DataError, with the line, for anything else.

    >>> table = read_arff("@attribute a real\\n@attribute c {x, y}\\n@data\\n1.5, x\\n")
    >>> table.header, table.rows
    (('a', 'c'), (('1.5', 'x'),))
    """
    header: list[str] = []
    lines = enumerate(text.splitlines(), start=1)
    for number, line in lines:
        words = line.split(maxsplit=1)
        keyword = words[0].lower() if words else "%"
        if keyword == "@attribute":
            header.append(_attribute(line, number))
        elif keyword == "@data":
            break
        elif not keyword.startswith(("%", "@relation")):
            raise _at(number, f"not an ARFF declaration: {shown(line)}")
    if not header:
        raise DataError(f"{name} declares no attribute; it is no ARFF table")
    names = _header(header, 1)
    kept = ((n, line) for n, line in lines if line.strip() and not line.lstrip().startswith("%"))
    records = ((n, [cell.strip().strip("'\"") for cell in line.split(",")]) for n, line in kept)
    rows, numbers = _rows(names, records)
    if not rows:
        raise DataError(f"{name} has attributes but no rows")
    digest = hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()
    return Table(names, rows, numbers, digest, name)


def _attribute(line: str, number: int) -> str:
    match = _ATTRIBUTE.match(line.strip())
    if not match:
        raise _at(number, f"not a numeric or nominal attribute: {shown(line)}")
    return match[1] or match[2] or match[3]
