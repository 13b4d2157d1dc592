"""Parquet files: their columns, and many put together into one; it knows no models."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from threading import Event

import polars as pl
from polars.exceptions import PanicException, PolarsError

from endpoints.errors import InvalidRequest
from mlcore.alive import Alive

_SECONDS = 0.2
UNREADABLE = (PolarsError, PanicException, OSError)
"""What Polars raises for a file that is damaged."""


def columns(path: Path, *, most_bytes: int) -> tuple[str, ...]:
    """The names of the columns; raises InvalidRequest for a file that is damaged, empty or a trap."""
    try:
        names = tuple(pl.read_parquet_schema(path))
        rows = n_rows(path)
    except UNREADABLE as error:
        raise damaged(error) from None
    if not names or not rows:
        raise InvalidRequest("The Parquet file has no rows.")
    if rows * len(names) > most_bytes:  # a few bytes can stand for a billion equal cells
        raise InvalidRequest(
            f"The Parquet file has {rows * len(names):,} cells; {most_bytes:,} is the most."
        )
    return names


def n_rows(path: Path) -> int:
    return int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())


def join(parts: Sequence[Path], target: Path, alive: Alive | None = None) -> None:
    """Write the rows of all parts, in order, as one file.

    `alive` is called now and then, and may raise: that ends the writing before its next rows.
    """
    whole = pl.scan_parquet(list(parts), glob=False)
    if alive is None:
        whole.sink_parquet(target, maintain_order=True)
        return
    is_over = Event()

    def passed_on(rows: pl.DataFrame) -> pl.DataFrame:
        if is_over.is_set():
            raise InterruptedError
        return rows

    watched = whole.map_batches(passed_on, streamable=True, validate_output_schema=False)
    with ThreadPoolExecutor(1) as beside:
        writing = beside.submit(watched.sink_parquet, target, maintain_order=True)
        try:
            while wait([writing], timeout=_SECONDS).not_done:
                alive()
        except BaseException:
            is_over.set()
            raise
        writing.result()


def damaged(error: BaseException) -> InvalidRequest:
    cause = str(error).partition("\n")[0][:200].rstrip(".")
    return InvalidRequest(f"The Parquet file cannot be read: {cause}.")
