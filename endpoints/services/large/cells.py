"""A piece of a file as columns of numbers and texts, cell by cell as ``mlcore.features`` reads them.

Polars reads what is clean; what is not goes through the standard library, so that nothing is
guessed. Workers of a cluster import it: it knows no Django.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from endpoints.services.large.local_copies import here
from endpoints.services.large.pieces import Piece
from endpoints.services.large.places import read
from mlcore.arrays import LIMIT, FloatArray
from mlcore.errors import MOST_LINES, CellError, DataError, shown
from mlcore.table import MISSING, parse_number

_MISSING = sorted(MISSING)
_BLANKS = "".join(filter(str.isspace, map(chr, range(0x3001))))  # what str.strip takes away


@dataclass(frozen=True, eq=False)
class Numbers:
    """A column read as numbers: NaN where a cell is missing or no number. ``odd`` has the first
    rows whose cell is none that can be used, ``n_words`` counts the cells that are none at all."""

    values: FloatArray
    missing: NDArray[np.bool_]
    odd: tuple[tuple[int, str], ...] = ()
    n_words: int = 0


class PieceReader:
    """One piece, read once as numbers and, where that is not enough, once more as text."""

    def __init__(self, piece: Piece) -> None:
        self.piece = piece
        self._data = _ended(_bytes_of(piece)) if piece.format == "csv" else b""
        self._careful: pl.DataFrame | None = None

    def numbers(self, names: Sequence[str]) -> dict[str, Numbers]:
        """Columns as numbers, as far as their cells are."""
        frame = self._frame(names, pl.Float64)
        found: dict[str, Numbers] = {}
        unclear = [name for name in names if not _is_clean(frame[name])]
        for name in names:
            if name not in unclear:
                values = frame[name].to_numpy()
                found[name] = Numbers(values, np.zeros(len(values), dtype=bool))
        if unclear:
            for name, text in self.texts(unclear).items():
                found[name] = _numbers_of(text)
        return found

    def texts(self, names: Sequence[str]) -> dict[str, pl.Series]:
        """Columns as texts without surrounding blanks; null where a cell is missing."""
        frame = self._frame(names, pl.String)
        trimmed = frame.select(pl.col(name).str.strip_chars(_BLANKS) for name in names)
        return {
            name: trimmed.select(
                pl.when(pl.col(name).is_in(_MISSING)).then(None).otherwise(pl.col(name)).alias(name)
            )[name]
            for name in names
        }

    def _frame(self, names: Sequence[str], dtype: Any) -> pl.DataFrame:
        if self.piece.format == "parquet":
            return _parquet_frame(self.piece, names, dtype)
        if self._careful is None:
            try:
                return self._quick(names, dtype)
            except pl.exceptions.PolarsError:
                self._careful = _by_record(self.piece, self._data)
        return _as(self._careful, names, dtype)

    def _quick(self, names: Sequence[str], dtype: Any) -> pl.DataFrame:
        """By Polars, unless the last cell of some row may be lacking: it says the same of both. Nor
        does it say that a row is too long, unless it reads all columns."""
        header = self.piece.header
        kinds = {header[-1]: pl.String} | dict.fromkeys(names, dtype)
        read = header if self._has_quotes else tuple(kinds)
        frame = pl.read_csv(
            self._data,
            has_header=False,
            separator=self.piece.delimiter,
            schema=dict.fromkeys(header, pl.String) | kinds,
            columns=[header.index(name) for name in read],
            ignore_errors=dtype == pl.Float64,
        )
        if len(read) < len(header) and self._n_delimiters != frame.height * (len(header) - 1):
            raise pl.exceptions.ComputeError("a line is blank, short or long")
        if not frame.height or (frame[header[-1]].null_count() and not self._is_regular):
            raise pl.exceptions.ComputeError("a line is blank or short")
        return frame.select(names)

    @cached_property
    def _has_quotes(self) -> bool:
        return b'"' in self._data

    @cached_property
    def _n_delimiters(self) -> int:
        text = np.frombuffer(self._data, dtype=np.uint8)
        return int(np.count_nonzero(text == ord(self.piece.delimiter)))

    @cached_property
    def _is_regular(self) -> bool:
        """Whether every record has every cell: Polars says the same of one that lacks and one that
        is empty."""
        width = len(self.piece.header)
        return all(len(record) == width for record in _records(self.piece, self._data))


def _is_clean(series: pl.Series) -> bool:
    if series.null_count():
        return False
    values = series.to_numpy()
    return bool((np.abs(values) <= LIMIT).all())


def _numbers_of(text: pl.Series) -> Numbers:
    # A copy: what Polars gives may be read-only.
    values = text.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy().copy()
    missing = text.is_null().to_numpy()
    doubtful = np.flatnonzero(~(np.abs(values) <= LIMIT) & ~missing)
    if not len(doubtful):
        return Numbers(values, missing)
    cells = text.gather(doubtful)
    meant = {cell: parse_number(cell) for cell in cells.unique().to_list()}
    words = [cell for cell, number in meant.items() if number is None]
    useless = [n is None or abs(n) > LIMIT for n in (meant[cell] for cell in cells.to_list())]
    values[doubtful] = [_or_nan(meant[cell]) for cell in cells.to_list()]
    first = np.flatnonzero(useless)[:MOST_LINES].tolist()
    odd = tuple((int(doubtful[place]), str(cells[place])) for place in first)
    return Numbers(values, missing, odd, int(cells.is_in(words).sum()))


def _or_nan(number: float | None) -> float:
    return math.nan if number is None else number


def problem(cell: str) -> tuple[str, str]:
    """Code and message of a cell that is no usable number, as a training in memory says it."""
    if parse_number(cell) is None:
        return "wrong_type", f"expected a number, got {shown(cell)}"
    return "not_finite", f"expected a finite number up to 1e150 in size, got {shown(cell)}"


def _bytes_of(piece: Piece) -> bytes:
    data = read(piece.url, piece.start, piece.stop)
    if len(data) != piece.stop - piece.start:
        raise DataError(f"{piece.name} has become shorter while it was read")
    try:
        if not data.isascii():
            data.decode()
    except UnicodeDecodeError as error:
        at = piece.start + error.start
        raise DataError(
            f"{piece.name} is not UTF-8 at byte {at}, perhaps Windows-1252 or Latin-1; save it as UTF-8"
        ) from error
    if b"\0" in data:
        raise DataError(f"{piece.name} has a NUL byte at byte {piece.start + data.index(0)}")
    return data


def _ended(data: bytes) -> bytes:
    """With a line end: without one Polars passes over a last cell that is empty."""
    return data if data.endswith(b"\n") else data + b"\n"


def _records(piece: Piece, data: bytes) -> Iterator[list[str]]:
    return csv.reader(_lines(data), delimiter=piece.delimiter)


def _lines(data: bytes) -> Iterator[str]:
    return io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline="")


def _is_blank(piece: Piece, record: Sequence[str]) -> bool:
    return len(record) <= 1 < len(piece.header) and not "".join(record).strip()


def lines_before(piece: Piece) -> list[int]:
    """How many lines of the piece stand before each of its rows, and before what is none."""
    n_lines = 0

    def counted() -> Iterator[str]:
        nonlocal n_lines
        for line in _lines(_bytes_of(piece)):
            n_lines += line.endswith("\n")
            yield line

    found, before = [], 0
    with suppress(csv.Error):
        for record in csv.reader(counted(), delimiter=piece.delimiter):
            if not _is_blank(piece, record):
                found.append(before)
            before = n_lines
    return [*found, before]


def _by_record(piece: Piece, data: bytes) -> pl.DataFrame:
    """Every record by the standard library: blank lines left out, a ragged one refused."""
    header = piece.header
    rows: list[list[str]] = []
    errors: list[CellError] = []
    try:
        for record in _records(piece, data):
            if _is_blank(piece, record):
                continue
            if len(record) != len(header):
                message = f"{len(record)} cells, but the header has {len(header)}"
                errors.append(CellError("wrong_length", message, len(rows)))
            rows.append(record)
    except csv.Error as error:
        errors.append(CellError("bad_line", f"not readable as CSV: {error}", len(rows)))
    if errors:
        raise RaggedPiece(errors[:MOST_LINES])
    return pl.DataFrame(rows, schema=dict.fromkeys(header, pl.String), orient="row")


class RaggedPiece(DataError):
    """Records that do not fit the header, by their row in the piece."""

    def __init__(self, cells: Sequence[CellError]) -> None:
        super().__init__(cells[0].message, cells)


def _as(frame: pl.DataFrame, names: Sequence[str], dtype: Any) -> pl.DataFrame:
    chosen = frame.select(names)
    return chosen if dtype == pl.String else chosen.cast(dtype, strict=False)


def _parquet_frame(piece: Piece, names: Sequence[str], dtype: Any) -> pl.DataFrame:
    try:
        with here(piece.url) as path:
            scanned = pl.scan_parquet(path, glob=False)
            rows = scanned.slice(piece.start, piece.stop - piece.start)
            kinds = rows.collect_schema()
            return rows.select(_cast(name, kinds[name], dtype) for name in names).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{piece.name} cannot be read: {error}") from error


def _cast(name: str, kind: Any, dtype: Any) -> pl.Expr:
    # A date would turn into a count of days, and true into 1.
    is_number = kind.is_numeric() or kind == pl.Null
    column = pl.col(name) if is_number else pl.col(name).cast(pl.String)
    return column.cast(dtype, strict=False)
