"""The first line of a CSV file: which delimiter parts it, and the names it gives; it reads no rows."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from endpoints.errors import InvalidRequest
from endpoints.services.tables.storable import NUL
from mlcore.delimiters import declared, delimiter_of
from mlcore.errors import listed, shown
from mlcore.table import MISSING, parse_number

MOST_COLUMNS = 5_000
MOST_LINE_BYTES = 1 << 20


@dataclass(frozen=True)
class Header:
    """`raw` is all that stands before the first row."""

    delimiter: str
    columns: tuple[str, ...]
    raw: bytes
    notes: tuple[str, ...] = ()


def read(source: Path) -> Header:
    """Read the header of a file of plain text; raises InvalidRequest."""
    with source.open("rb") as file:
        header = _begins(file)
        file.seek(len(header.raw))
        refuse_names(header.columns)
        if not _has_rows(file):
            raise InvalidRequest("The file has a header but no rows.")
    return header


def is_read_as_text(source: Path) -> bool:
    """Whether the header is UTF-8; where there is none, `read` says so."""
    with source.open("rb") as file, suppress(InvalidRequest):
        return is_text(_begins(file).raw)
    return True


def is_text(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _begins(file: BinaryIO) -> Header:
    start = file.read(MOST_LINE_BYTES) + file.readline()
    blank = len(start) - len(start.lstrip(b"\r\n"))
    if blank == len(start):
        raise InvalidRequest("The file holds nothing but blank lines.")
    text = start[blank:].decode(errors="surrogateescape")
    delimiter = delimiter_of(text)
    begin = declared(text)[1]
    if begin == len(text):
        raise InvalidRequest(f"The file ends after sep={delimiter}.")
    names, length = _first(text[begin:], delimiter)
    return Header(delimiter, names, start[: blank + begin + length], tuple(_notes(names)))


def refuse_names(names: Sequence[str]) -> None:
    """Refuse too many columns, two of one name, and NUL; columns without a name are left alone."""
    if len(names) > MOST_COLUMNS:
        raise InvalidRequest(f"The file has {len(names):,} columns; {MOST_COLUMNS:,} is the most.")
    odd = [shown(name) for name in names if NUL in name]
    if odd:
        raise InvalidRequest(
            f"The name of a column holds a NUL character: {listed(odd)}; rename it."
        )
    repeated = [name for name, times in Counter(names).items() if times > 1 and name]
    if repeated:
        raise InvalidRequest(f"A column is named twice: {listed(repeated)}.")


def _first(text: str, delimiter: str) -> tuple[tuple[str, ...], int]:
    """Return the names and the bytes of the first record."""
    lines = io.StringIO(text, newline="\n")
    try:
        names = next(csv.reader(lines, delimiter=delimiter, strict=True))
    except (csv.Error, StopIteration) as error:
        raise InvalidRequest(f"The header cannot be read as CSV: {error}.") from None
    read = text[: lines.tell()]
    return tuple(name.strip() for name in names), len(read.encode(errors="surrogateescape"))


def _has_rows(file: BinaryIO) -> bool:
    while block := file.read(MOST_LINE_BYTES):
        if block.strip(b"\r\n"):
            return True
    return False


def _notes(names: Sequence[str]) -> Iterator[str]:
    if all(name in MISSING or parse_number(name) is not None for name in names):
        yield "The first line looks like values: a file begins with the names of its columns."
