"""Which character parts the cells of a CSV text, told by its beginning; knows no tables and no files."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

DELIMITERS = ",;\t|"  # the first one where others fit no better
_COMPARED = 50  # rows that tell the delimiter
_LOOKED_AT = 2**20
_DECLARED = re.compile(r'[\r\n]*"?sep=([,;\t|])"?(?:[\r\n]+|\Z)', re.IGNORECASE)


def declared(text: str) -> tuple[str, int]:
    """The delimiter that a first line such as ``sep=;`` names, as Excel writes it, and where the text goes on
    behind it and blank lines.

    >>> declared("sep=;\\na;b\\n"), declared("a;b\\n")
    ((';', 6), ('', 0))
    """
    found = _DECLARED.match(text)
    return (found[1], found.end()) if found else ("", 0)


def delimiter_of(text: str) -> str:
    """The declared delimiter, else the one that parts the first rows: alike, and in the most cells.

    >>> delimiter_of("a;b\\n1,5;2,5\\n3,5;4,5\\n")
    ';'
    """
    text = text[:_LOOKED_AT]
    return declared(text)[0] or max(DELIMITERS, key=lambda bar: _fit(text, bar))


def _fit(text: str, delimiter: str) -> tuple[bool, float, int]:
    """Whether a delimiter parts the first row at all, how many rows have as many cells, and how many those are."""
    rows: list[list[str]] = []
    with suppress(csv.Error):  # a quote that is not closed, say: the rows before it count
        rows.extend(row for row in islice(_parsed(text, delimiter), _COMPARED) if row)
    width = len(rows[0]) if rows else 0
    alike = sum(len(row) == width for row in rows) / max(len(rows), 1)
    return width > 1, alike, width


def _parsed(text: str, delimiter: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
