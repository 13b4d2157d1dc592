"""Streams tables as CSV that a spreadsheet opens without running anything in it."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Sequence

from django.http import StreamingHttpResponse

MOST_ROWS = 100_000
# A spreadsheet takes a cell that starts with one of these for a formula.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class _Line:
    """The file that csv.writer writes to: it hands each line on."""

    def write(self, line: str) -> str:
        return line


def answer(
    header: Sequence[str], rows: Iterable[Sequence[object]], *, name: str
) -> StreamingHttpResponse:
    response = StreamingHttpResponse(lines(header, rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def lines(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    writer = csv.writer(_Line(), lineterminator="\r\n")
    yield writer.writerow([safe(name) for name in header])
    for row in rows:
        yield writer.writerow([safe(cell) for cell in row])


def safe(cell: object) -> object:
    """Put an apostrophe before text that a spreadsheet would run; numbers stay numbers."""
    if cell is None:
        return ""
    if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) and not is_number(cell):
        return f"'{cell}"
    return cell


def is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text)) and text.strip() == text
    except ValueError:
        return False
