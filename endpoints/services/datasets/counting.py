"""Counts one column of a table, block after block; for workers alone, since it loads Polars.

It judges nothing: `columns` does, from what is counted here.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from endpoints.services.datasets.blocks import is_opaque
from endpoints.services.datasets.columns import EXAMPLES, MOST_LISTED, Counts
from endpoints.services.datasets.sketches import Distinct, Levels, Moments
from mlcore.arrays import LIMIT
from mlcore.table import MISSING

LOOKED_AT = 50 * EXAMPLES
_SUMS = ("present", "numbers", "usable", "with_commas")
WORDS = sorted(MISSING - {""})
_COMMAS = r"^[+-]?\d+(,\d+)+$"


class Counting:
    """A column by its place in the table, since names may mean something to Polars; `most` different values
    are counted."""

    def __init__(self, place: int, name: str, kind: pl.DataType, most: int) -> None:
        self.place, self.name, self.kind = place, name, kind
        self.is_opaque = is_opaque(kind)
        self.read = [] if self.is_opaque else _read(place, kind)
        self.asked = _asked(place)
        self._distinct = Distinct(most)
        self._levels = Levels(MOST_LISTED)
        self._moments = Moments()
        self._sums = dict.fromkeys(_SUMS, 0)
        self._range: list[float] = []
        self._all_whole = True
        self._not_a_number: str | None = None
        self._no_value: str | None = None
        self._examples: list[str] = []

    def add(self, facts: dict[str, Any], values: pl.Series) -> None:
        """Take what was asked of a block, and the texts of its cells that are there."""
        for name in _SUMS:
            self._sums[name] += facts[name]
        if facts["usable"]:
            ends = [*self._range, facts["minimum"], facts["maximum"]]
            self._range = [min(ends), max(ends)]
            n = facts["usable"]
            self._moments = self._moments.plus(Moments(n, facts["mean"], n * facts["variance"]))
        self._all_whole &= facts["all_whole"]
        if self._not_a_number is None:
            self._not_a_number = facts["not_a_number"]
        self._examples += values.head(LOOKED_AT - len(self._examples)).to_list()
        self._distinct.add(values.hash().to_numpy())
        if self._levels.counts is not None:
            self._levels.add(_few(values))

    def look_for_a_word(self, block: pl.DataFrame, present: int) -> None:
        """Note the first cell that says in a word that there is no value; few columns have any to look at."""
        if self._no_value is None and present < block.height:
            text = _text_of(self.place, self.kind)
            self._no_value = block.select(text.filter(text.is_in(WORDS)).first()).item()

    @property
    def listed(self) -> list[tuple[str, int]]:
        """The values with their counts, none where they are many."""
        return list((self._levels.counts or {}).items())

    def counts(self, rows: int) -> Counts:
        levels, present = self._levels.counts, self._sums["present"]
        low, high = self._range or (None, None)
        return Counts(
            name=self.name,
            rows=rows,
            distinct=min(self._distinct.count, present) if levels is None else len(levels),
            is_counted=levels is not None or self._distinct.is_exact,
            minimum=low,
            maximum=high,
            mean=self._moments.mean if self._moments.n else None,
            sd=self._moments.sd,
            all_whole=self._all_whole,
            not_a_number=self._not_a_number,
            no_value=self._no_value,
            examples=self._examples,
            **self._sums,
        )


def number_of(place: int, kind: pl.DataType) -> pl.Expr:
    """The number of each cell, be it infinite; null where none is there. No word for a missing value is one."""
    cell = pl.nth(place) if kind.is_numeric() else _text_of(place, kind)
    return cell.cast(pl.Float64, strict=False).fill_nan(None)


def usable(number: pl.Expr) -> pl.Expr:
    """The same, but for numbers that training would not take."""
    return pl.when(number.abs() <= LIMIT).then(number)


def _text_of(place: int, kind: pl.DataType) -> pl.Expr:
    text = pl.nth(place) if kind == pl.String else pl.nth(place).cast(pl.String)
    return text.str.strip_chars()


def _value_of(place: int, kind: pl.DataType) -> pl.Expr:
    """The text of each cell without surrounding blanks; null where none is there."""
    text = _text_of(place, kind)
    return pl.when(~text.is_in(sorted(MISSING))).then(text)


def _read(place: int, kind: pl.DataType) -> list[pl.Expr]:
    """What is worked out once for all that is asked of the cells."""
    value, number = _value_of(place, kind), number_of(place, kind)
    return [value.alias(f"{place} value"), number.alias(f"{place} number")]


def _asked(place: int) -> list[pl.Expr]:
    """What `Counts` holds of a column, by name."""
    value, any_number = pl.col(f"{place} value"), pl.col(f"{place} number")
    number = usable(any_number)
    texts = value.filter(value.is_not_null() & number.is_null())
    facts = {
        "present": value.count(),
        "numbers": any_number.count(),
        "usable": number.count(),
        "with_commas": texts.str.contains(_COMMAS).sum(),
        "minimum": number.min(),
        "maximum": number.max(),
        "mean": number.mean(),
        "variance": number.var(ddof=0),
        "all_whole": (number == number.floor()).all(),
        "not_a_number": texts.first(),
    }
    return [fact.alias(f"{place} {name}") for name, fact in facts.items()]


def _few(values: pl.Series) -> dict[str, int]:
    """How often each value occurs; of very many no more than shows that they are."""
    counts = values.alias("of").value_counts().head(MOST_LISTED + 1)
    return dict(counts.iter_rows())
