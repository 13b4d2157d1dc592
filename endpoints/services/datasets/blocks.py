"""A dataset's file as frames of some rows, one after another: the whole of it is never in memory.

For workers alone, since it loads Polars. It knows no datasets and judges no cell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

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


def of_frame(frame: pl.DataFrame) -> Blocks:
    return Blocks(lambda: frame.iter_slices(_rows(frame.width)))


def of_parquet(file: Path) -> Blocks:
    """Columns of lists and records are empty ones: nobody can learn from them."""

    def begin() -> Iterator[pl.DataFrame]:
        whole = pl.scan_parquet(file, glob=False)
        n = int(whole.select(pl.len()).collect().item())
        kinds = whole.collect_schema()
        nested = [name for name, kind in kinds.items() if kind.is_nested()]
        whole = whole.with_columns(pl.lit(None, pl.List(pl.Null)).alias(name) for name in nested)
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
                yield _parsed(data, delimiter, columns, quote='"' if b'"' in data else None)
            except pl.exceptions.PolarsError:  # a quote that is never closed, say
                yield _parsed(data, delimiter, columns, quote=None)

    return Blocks(begin)


def _parsed(
    data: bytes, delimiter: str, columns: tuple[str, ...], *, quote: str | None
) -> pl.DataFrame:
    """A line in front of the rows tells Polars the width, and keeps it from what it does at the start of a file."""
    found = pl.read_csv(
        delimiter.encode() * (len(columns) - 1) + b"-\n" + data,
        has_header=False,
        separator=delimiter,
        quote_char=quote,
        schema={str(place): pl.String for place in range(len(columns))},
        truncate_ragged_lines=True,
        encoding="utf8-lossy",
    )
    found.columns = list(columns)
    return found[1:]


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
