"""Counts the columns of a table in bounded memory; for workers alone, since it loads Polars.

It knows neither datasets nor where their files lie.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from endpoints.services.datasets.columns import BINS, EXAMPLES, ColumnProfile, Counts
from mlcore.arrays import LIMIT
from mlcore.table import MISSING

CELLS_AT_ONCE = 4_000_000
"""Each lot of columns is two passes over the rows. What is asked of a column takes all its cells at once."""
MOST_COLUMNS_AT_ONCE = 50
COUNTED = 50_000
"""Rows up to which different values are counted one by one; beyond they are estimated, and
counted where they turn out to be few."""
_COMMAS = r"^[+-]?\d+(,\d+)+$"
_NESTED = "It holds lists or records; only numbers and texts can be trained on."


def profile(frame: pl.LazyFrame, *, alive: Callable[[], None]) -> tuple[int, list[ColumnProfile]]:
    """Return the number of rows and each column's profile, in the order of the table.

    `alive` is called between passes over the rows, and may raise.
    """
    names = frame.collect_schema().names()
    places = {name: f"c{place}" for place, name in enumerate(names)}  # “*” would mean all columns
    frame = frame.rename(places)
    rows = int(_collected(frame.select(pl.len())).item())
    schema = frame.collect_schema()
    columns = [
        _Column(name, places[name], schema[places[name]])
        for name in names
        if not schema[places[name]].is_nested()
    ]
    found: dict[str, ColumnProfile] = {}
    at_once = min(max(CELLS_AT_ONCE // max(rows, 1), 1), MOST_COLUMNS_AT_ONCE)
    for first in range(0, len(columns), at_once):
        some = columns[first : first + at_once]
        read = frame.select(part for column in some for part in column.read)
        alive()
        counts = _counts(read, some, rows)
        alive()
        found |= {profile.name: profile for profile in _profiles(read, some, counts)}
    return rows, [found.get(name) or _nested(name) for name in names]


@dataclass(frozen=True)
class _Column:
    """A column of the file, and where it stands in the frame."""

    name: str
    place: str
    kind: pl.DataType

    @property
    def read(self) -> Iterator[pl.Expr]:
        """The text and the number of each cell, worked out once for all that is asked of them."""
        text = pl.col(self.place)
        text = (text if self.kind == pl.String else text.cast(pl.String)).str.strip_chars()
        value = pl.when(~text.is_in(sorted(MISSING))).then(text)
        number = pl.col(self.place) if self.kind.is_numeric() else value
        yield value.alias(f"{self.place} value")
        yield number.cast(pl.Float64, strict=False).fill_nan(None).alias(f"{self.place} number")

    @property
    def value(self) -> pl.Expr:
        """The text of each cell without surrounding blanks; null where none is there."""
        return pl.col(f"{self.place} value")

    @property
    def any_number(self) -> pl.Expr:
        """The number of each cell, be it infinite; null where none is there."""
        return pl.col(f"{self.place} number")

    @property
    def number(self) -> pl.Expr:
        """The same, but for numbers that training would not take."""
        return pl.when(self.any_number.abs() <= LIMIT).then(self.any_number)


def _counts(frame: pl.LazyFrame, columns: Sequence[_Column], rows: int) -> list[Counts]:
    asked = [
        part.alias(f"{column.place} {what}")
        for column in columns
        for what, part in _asked(column, rows)
    ]
    answer = _collected(frame.select(asked)).row(0, named=True)
    facts: dict[str, dict[str, Any]] = {column.place: {} for column in columns}
    for key, value in answer.items():
        place, what = key.split(" ")
        facts[place][what] = value
    return [Counts(name=column.name, rows=rows, **facts[column.place]) for column in columns]


def _asked(column: _Column, rows: int) -> Iterator[tuple[str, pl.Expr]]:
    """What `Counts` holds of a column, by name."""
    value, number = column.value, column.number
    there = value.drop_nulls()
    yield "present", there.len()
    yield "distinct", there.n_unique() if rows <= COUNTED else there.approx_n_unique()
    yield "numbers", column.any_number.drop_nulls().len()
    yield "usable", number.drop_nulls().len()
    texts = value.filter(value.is_not_null() & number.is_null())
    yield "with_commas", texts.str.contains(_COMMAS).sum()
    yield "minimum", number.min()
    yield "maximum", number.max()
    yield "mean", number.mean()
    yield "sd", number.std()
    yield "all_whole", (number == number.floor()).all()
    yield "not_a_number", texts.first()
    yield "examples", there.head(50 * EXAMPLES).implode()


def _profiles(
    frame: pl.LazyFrame, columns: Sequence[_Column], counts: Sequence[Counts]
) -> Iterator[ColumnProfile]:
    asked = []
    for column, found in zip(columns, counts, strict=True):
        if found.is_listed:
            asked.append(_counted(column.value).alias(f"{column.place} levels"))
        if found.has_bins:
            asked.append(_counted(_bin(column, found)).alias(f"{column.place} bins"))
    answer = _collected(frame.select(asked)).row(0, named=True) if asked else {}
    for column, found in zip(columns, counts, strict=True):
        levels = answer.get(f"{column.place} levels") or ()
        bins = answer.get(f"{column.place} bins")
        exact = replace(found, distinct=len(levels)) if found.is_listed else found
        yield exact.profile(
            levels=[(level["of"], level["count"]) for level in levels],
            histogram=() if bins is None else _histogram(bins),
        )


def _counted(values: pl.Expr) -> pl.Expr:
    return values.alias("of").drop_nulls().value_counts().implode()


def _bin(column: _Column, counts: Counts) -> pl.Expr:
    low, high = counts.minimum or 0.0, counts.maximum or 0.0
    width = high / BINS - low / BINS  # the range itself may be beyond all numbers
    return ((column.number - low) / width).floor().clip(0, BINS - 1).cast(pl.Int32)


def _histogram(bins: Sequence[dict[str, int]]) -> list[int]:
    counts = {found["of"]: found["count"] for found in bins}
    return [counts.get(place, 0) for place in range(BINS)]


def _nested(name: str) -> ColumnProfile:
    return ColumnProfile(name=name, kind="text", missing=0, distinct=0, warning=_NESTED)


def _collected(frame: pl.LazyFrame) -> Any:
    return frame.collect(engine="streaming")
