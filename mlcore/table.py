"""A table of text cells and how a cell is read; knows nothing of files, models or targets."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mlcore.errors import DataError, did_you_mean

MISSING = frozenset(
    {
        *("", "?", "NA", "N/A", "n/a", "#N/A", "#NA", "<NA>"),
        *("NaN", "nan", "NAN", "null", "NULL", "None"),
    }
)
"""The cells that mean "no value", once surrounding blanks are gone: what R, pandas, spreadsheets and databases write.

A word that is a level or class of a model means that.
"""


@dataclass(frozen=True)
class Table:
    """Text cells, untouched. ``lines`` holds the physical line number of each row."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    sha256: str
    name: str
    synthetic: bool = False

    def cells(self, column: str) -> list[str]:
        """The column's cells without surrounding blanks; DataError for an unknown column."""
        position = self.position(column)
        return [row[position].strip() for row in self.rows]

    def position(self, column: str) -> int:
        if column not in self.header:
            hint = did_you_mean(column, self.header)
            raise DataError(f'there is no column "{column}" in {self.name}{hint}')
        return self.header.index(column)

    def select(self, rows: Iterable[int], *, name: str) -> Table:
        """Some of the rows, as a table of its own with the line numbers of the original."""
        chosen = list(rows)
        texts = tuple(self.rows[row] for row in chosen)
        lines = tuple(self.lines[row] for row in chosen)
        return Table(
            header=self.header,
            rows=texts,
            lines=lines,
            sha256=sha256_of(self.header, texts),
            name=name,
            synthetic=self.synthetic,
        )


def canonical_csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """The table as comma-separated UTF-8 lines that end in LF, quoted only where needed.

    >>> canonical_csv(["a", "b"], [["1", "x, y"]])
    b'a,b\\n1,"x, y"\\n'
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def sha256_of(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return hashlib.sha256(canonical_csv(header, rows)).hexdigest()


def parse_number(text: str) -> float | None:
    """The number that a cell states, possibly infinite; None when it states none.

    Stricter than ``float``: no underscores, no digits outside ASCII and no NaN, which is a
    missing value and no number.

    >>> parse_number(" 1e3 "), parse_number("1_000"), parse_number("0x10"), parse_number("12,5")
    (1000.0, None, None, None)
    """
    text = text.strip()
    if "_" in text or not text.isascii():
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if value == value else None  # noqa: PLR0124 - only NaN differs from itself
