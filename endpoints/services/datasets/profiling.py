"""Goes through a table and says what its columns are, in bounded memory; for workers alone, since it loads Polars.

It knows neither datasets nor where their files lie.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import polars as pl

from endpoints.services.datasets.columns import BINS, ColumnProfile, Counts
from endpoints.services.datasets.counting import Counting, number_of, usable
from mlcore.alive import Alive

HASHES = 1 << 23
"""Of 8 bytes, in all columns together: those of a table with very many columns are estimated sooner."""
LEAST_COUNTED, COUNTED = 1 << 10, 1 << 14
"""Different values of a column up to which they are counted; beyond they are estimated."""
_OPAQUE = "It holds lists, records, durations or bytes; only numbers and texts can be trained on."


def profile(blocks: Iterable[pl.DataFrame], *, alive: Alive) -> tuple[int, list[ColumnProfile]]:
    """Return the number of rows and each column's profile, in the order of the table.

    The blocks are gone through twice, the second time for the numbers alone. `alive` is called with each,
    and may raise.
    """
    rows, columns = 0, list[Counting]()
    for block in blocks:
        alive()
        columns = columns or _columns(block)
        rows += block.height
        _count(columns, block)
    counts = {column.place: column.counts(rows) for column in columns}
    bins = [_Bins(column, counts[column.place]) for column in columns]
    bins = [each for each in bins if each.counts.has_bins]
    for block in blocks if bins else ():
        alive()
        _place(bins, block)
    histograms = {each.place: each.histogram.tolist() for each in bins}
    return rows, [_profile(column, counts[column.place], histograms) for column in columns]


def _columns(block: pl.DataFrame) -> list[Counting]:
    most = min(max(HASHES // max(block.width, 1), LEAST_COUNTED), COUNTED)
    kinds = zip(block.columns, block.dtypes, strict=True)
    return [Counting(place, name, kind, most) for place, (name, kind) in enumerate(kinds)]


def _count(columns: Sequence[Counting], block: pl.DataFrame) -> None:
    flat = [column for column in columns if not column.is_opaque]
    read = block.select(part for column in flat for part in column.read)
    answer = read.select(part for column in flat for part in column.asked)
    if not answer.height:
        return
    facts: dict[str, dict[str, Any]] = {}
    for key, value in answer.row(0, named=True).items():
        place, _, what = key.partition(" ")
        facts.setdefault(place, {})[what] = value
    for column in flat:
        values = read[f"{column.place} value"].drop_nulls()
        column.add(facts[str(column.place)], values)
        column.look_for_a_word(block, len(values))


class _Bins:
    """The numbers of a column in equal bins, from the smallest to the largest."""

    def __init__(self, column: Counting, counts: Counts) -> None:
        self.place, self.counts = column.place, counts
        low, high = counts.minimum or 0.0, counts.maximum or 0.0
        width = (high / BINS - low / BINS) or 1.0  # the range itself may be beyond all numbers
        bins = ((usable(number_of(column.place, column.kind)) - low) / width).floor()
        bins = bins.fill_nan(0.0).clip(0, BINS - 1)  # the tiniest width has no reciprocal
        self.asked = bins.cast(pl.Int32).alias(str(column.place))
        self.histogram = np.zeros(BINS, dtype=np.int64)


def _place(bins: Sequence[_Bins], block: pl.DataFrame) -> None:
    found = block.select(each.asked for each in bins)
    for each in bins:
        places = found[str(each.place)].drop_nulls().to_numpy()
        each.histogram += np.bincount(places, minlength=BINS)


def _profile(column: Counting, counts: Counts, histograms: dict[int, list[int]]) -> ColumnProfile:
    if column.is_opaque:
        return ColumnProfile(
            name=column.name, kind="text", missing=0, distinct=0, warning=_OPAQUE, feature=False
        )
    return counts.profile(levels=column.listed, histogram=histograms.get(column.place, ()))
