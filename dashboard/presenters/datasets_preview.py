"""The first rows of a stored CSV file as it has them; it reads a few kilobytes and judges nothing."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from endpoints.models import Dataset
from endpoints.models.dataset import FileFormat
from endpoints.services.datasets import folders
from mlcore.delimiters import declared

HEAD_BYTES = 64 * 1024
MOST_ROWS, MOST_COLUMNS = 5, 30


@dataclass(frozen=True)
class Preview:
    """Each row with its line in the file."""

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[int, tuple[str, ...]], ...] = ()
    more_columns: int = 0


def preview(dataset: Dataset) -> Preview:
    """Return nothing of a file that is no text."""
    if dataset.format != FileFormat.CSV:
        return Preview()
    names = [str(column["name"]) for column in dataset.columns]
    delimiter = dataset.reading.get("delimiter") or ","
    head = _head(folders.source(dataset))
    before = 2 if declared(head)[0] else 1
    return _shown(names, _rows(head, delimiter)[before : before + MOST_ROWS])


def _head(path: Path) -> str:
    """The whole lines at the beginning of the file."""
    try:
        with path.open("rb") as file:
            text = file.read(HEAD_BYTES).decode("utf-8-sig", "replace")
            is_all = not file.read(1)
    except OSError:
        return ""
    return text if is_all else text[: text.rfind("\n") + 1]


def _rows(head: str, delimiter: str) -> list[tuple[int, tuple[str, ...]]]:
    reader = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter)
    found: list[tuple[int, tuple[str, ...]]] = []
    line = 1
    try:
        for cells in reader:
            if cells:
                found.append((line, tuple(cells)))
            line = reader.line_num + 1
            if len(found) > MOST_ROWS + 1:
                break
    except csv.Error:
        return found
    return found


def _shown(names: list[str], rows: list[tuple[int, tuple[str, ...]]]) -> Preview:
    return Preview(
        columns=tuple(names[:MOST_COLUMNS]),
        rows=tuple((line, cells[:MOST_COLUMNS]) for line, cells in rows),
        more_columns=max(len(names) - MOST_COLUMNS, 0),
    )
