"""Rows of a CSV file without its header as a table, by Polars; for workers alone. It judges no cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl


def headless_csv(
    text: bytes,
    *,
    delimiter: str,
    kinds: Sequence[type[pl.DataType]],
    quote: str | None = '"',
    **options: Any,
) -> pl.DataFrame:
    """Read whole rows; the columns are called by their numbers, `options` are those of `pl.read_csv`.

    A row that is too short or long is brought to its length. A line in front of the rows tells Polars the
    width, and keeps it from what it does at the start of a file.
    """
    table = pl.read_csv(
        delimiter.encode() * (len(kinds) - 1) + b"-\n" + text,
        separator=delimiter,
        quote_char=quote if b'"' in text else None,
        has_header=False,
        schema={str(place): kind for place, kind in enumerate(kinds)},
        truncate_ragged_lines=True,
        **options,
    )
    return table[1:]
