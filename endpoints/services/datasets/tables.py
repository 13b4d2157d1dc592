"""A dataset's file as a table of text cells to train on, or as blocks to count; for workers alone.

Whether it fits into memory is decided here, by its size.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
from django.conf import settings
from polars.exceptions import PanicException, PolarsError

from endpoints.errors import InvalidData
from endpoints.models import Dataset
from endpoints.models.dataset import FileFormat
from endpoints.services.datasets import blocks, folders
from endpoints.services.datasets.blocks import Blocks
from endpoints.services.tables.reading import Reading
from mlcore.datasets import read_csv
from mlcore.table import Table

UNREADABLE = (PolarsError, PanicException)
CELL_BYTES = 8
"""Of a cell, as Parquet is measured: its file tells little of its size in memory."""


def table(dataset: Dataset) -> Table:
    """Read all rows; a problem is a DataError by line and column. The dataset is one that fits."""
    file = folders.source(dataset)
    if dataset.format == FileFormat.PARQUET:
        return _parquet_table(file, dataset)
    found = read_csv(file, name=dataset.name)
    return replace(found, sha256=dataset.sha256, synthetic=dataset.synthetic)


def fits_into_memory(dataset: Dataset) -> bool:
    if dataset.format == FileFormat.PARQUET:
        size = (dataset.rows or 0) * len(dataset.columns) * CELL_BYTES
    else:
        size = folders.source(dataset).stat().st_size
    return size <= int(settings.RAISIN_IN_MEMORY_BYTES)


def blocks_of(file: Path, reading: Reading, *, name: str) -> Blocks:
    """Open a file to count its cells, CSV as text. What fits into memory is checked cell by cell."""
    if reading.format == "parquet":
        return blocks.of_parquet(file)
    if file.stat().st_size <= settings.RAISIN_IN_MEMORY_BYTES:
        found = read_csv(file, name=name)
        cells = zip(*found.rows, strict=True)
        return blocks.of_frame(pl.DataFrame(dict(zip(found.header, map(list, cells), strict=True))))
    start = len(reading.header_bytes)
    return blocks.of_csv(file, start=start, delimiter=reading.delimiter, columns=reading.columns)


def _parquet_table(file: Path, dataset: Dataset) -> Table:
    """Rows are numbered from 1, since Parquet has no lines."""
    try:
        found = pl.read_parquet(file)
    except UNREADABLE as error:
        raise unreadable(dataset.name, error) from error
    flat = [name for name, kind in found.schema.items() if not blocks.is_opaque(kind)]
    texts = found.select(pl.col(name).cast(pl.String).fill_null("") for name in flat)
    return Table(
        header=tuple(flat),
        rows=tuple(texts.iter_rows()),
        lines=tuple(range(1, found.height + 1)),
        sha256=dataset.sha256,
        name=dataset.name,
        synthetic=dataset.synthetic,
    )


def unreadable(name: str, error: BaseException) -> InvalidData:
    words = str(error).partition("\n")[0][:200]
    return InvalidData(f"{name} cannot be read: {words}")
