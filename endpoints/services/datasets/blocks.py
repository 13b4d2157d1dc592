"""A dataset's file as frames of some rows, one after another: the whole of it is never in memory.

For workers alone, since it loads Polars. It knows no datasets and judges no cell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from endpoints.services.tables.headless import headless_csv
from endpoints.services.tables.records import MOST_ROW_BYTES

CSV_BYTES = 8 << 20
CELLS = 4_000_000
"""Of a block of a table whose cells are there already, or packed."""


@dataclass(frozen=True)
class Blocks:
    """Can be gone through several times; every block has the same columns."""

    begin: Callable[[], Iterator[pl.DataFrame]]

    def __iter__(self) -> Iterator[pl.DataFrame]:
        return self.begin()


def is_opaque(kind: pl.DataType) -> bool:
    """Say whether nobody can learn from such cells: lists, records, durations and bytes have no text."""
    return kind.is_nested() or kind in (pl.Duration, pl.Binary)


def of_frame(frame: pl.DataFrame) -> Blocks:
    return Blocks(lambda: frame.iter_slices(_rows(frame.width)))


def of_parquet(file: Path) -> Blocks:
    """Columns that nobody can learn from are lists that are not there."""

    def begin() -> Iterator[pl.DataFrame]:
        whole = pl.scan_parquet(file, glob=False)
        n = int(whole.select(pl.len()).collect().item())
        kinds = whole.collect_schema()
        opaque = [name for name, kind in kinds.items() if is_opaque(kind)]
        whole = whole.with_columns(pl.lit(None, pl.List(pl.Null)).alias(name) for name in opaque)
        step = _rows(len(kinds))
        for start in range(0, n, step):
            yield whole.slice(start, step).collect()

    return Blocks(begin)


def of_csv(file: Path, *, start: int, delimiter: str, columns: tuple[str, ...]) -> Blocks:
    """Every cell as text, from the byte on where the first row begins; a row that is too short or long is
    brought to its length: a training names it.
    """

    def begin() -> Iterator[pl.DataFrame]:
        for data in _pieces(file, start):
            try:
                yield _parsed(data, delimiter, columns, quote='"')
            except pl.exceptions.PolarsError:  # a quote that is never closed, say
                yield _parsed(data, delimiter, columns, quote=None)

    return Blocks(begin)


def _parsed(
    data: bytes, delimiter: str, columns: tuple[str, ...], *, quote: str | None
) -> pl.DataFrame:
    """To Polars a blank line and a row of empty cells are the same: only where it finds such, lines are looked at."""
    found = _table(data, delimiter, len(columns), quote)
    if _may_have_blank_lines(found):
        data = _without_blank_lines(data, delimiter, quote)
        found = _table(data, delimiter, len(columns), quote)
    found.columns = list(columns)
    return found


def _table(data: bytes, delimiter: str, width: int, quote: str | None) -> pl.DataFrame:
    kinds = [pl.String] * width
    return headless_csv(data, delimiter=delimiter, kinds=kinds, quote=quote, encoding="utf8-lossy")


def _may_have_blank_lines(found: pl.DataFrame) -> bool:
    first, *others = found.columns
    is_bare = pl.col(first).str.strip_chars().fill_null("") == ""
    are_null = [pl.col(name).is_null() for name in others]
    return bool(found.select(pl.all_horizontal(is_bare, *are_null).any()).item())


def _without_blank_lines(data: bytes, delimiter: str, quote: str | None) -> bytes:
    """Leave out the lines without a cell that stand outside quotes, as a table in memory does."""
    blanks = b" " if delimiter == "\t" else b" \t"
    blank = b"^[" + blanks + rb"]*\r?(?:\n|\Z)"
    if quote is None:
        return re.sub(blank, b"", data, flags=re.MULTILINE)
    return re.sub(rb'("[^"]*")|' + blank, rb"\1", data, flags=re.MULTILINE)


def _rows(width: int) -> int:
    return max(CELLS // max(width, 1), 1)


def _pieces(path: Path, start: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        rest = b""
        while data := file.read(CSV_BYTES):
            data = rest + data
            end = _end_of_rows(data)
            rest = data[end:]
            if end:
                yield data[:end]
        if rest.strip(b"\r\n"):
            yield rest


def _end_of_rows(data: bytes) -> int:
    """Behind the last line end outside quotes; 0 where there is none yet. No row is so long that a quote
    which is open for longer was meant: the last line end of all is taken then.
    """
    is_quoted = data.count(b'"') % 2
    end = len(data)
    while (at := data.rfind(b"\n", 0, end)) >= 0 and len(data) - at <= MOST_ROW_BYTES:
        is_quoted ^= data.count(b'"', at, end) % 2
        if not is_quoted:
            return at + 1
        end = at
    return data.rfind(b"\n") + 1 if len(data) > MOST_ROW_BYTES else 0
