"""Reads the labelled rows that a training kept, no more of them than a serving process has room for."""

from __future__ import annotations

import csv
from itertools import islice

from endpoints.models import Run
from endpoints.services import artifacts
from mlcore import datasets
from mlcore.errors import DataError
from mlcore.table import Table

# Of a larger file every second, third, .. row is read: a page must not fill the server's memory.
MOST_BYTES = 4_000_000


def read(run: Run) -> tuple[Table, int]:
    """Return rows and step; step 3 means that every third row was read.

    Raises OSError where no rows are kept, DataError where they cannot be read.
    """
    path = artifacts.holdout_file(run)
    step = -(-path.stat().st_size // MOST_BYTES)
    if step <= 1:
        return datasets.read_csv(path), 1
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file)
            header = tuple(next(reader))
            rows = tuple(tuple(row) for row in islice(reader, 0, None, step))
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path.name}: {error}") from error
    lines = tuple(range(2, 2 + step * len(rows), step))
    return Table(header, rows, lines, sha256="", name=path.name), step
