"""Reads a section of a CSV file and answers its rows: most of them together by Polars, the odd ones one by one.

A row is taken one by one where a cell is missing, no number or no known level, where its length is wrong
or where it holds line ends: `cells` says what such a row means, and nothing here decides it otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from endpoints.services.tables import answering
from endpoints.services.tables.answering import Values
from endpoints.services.tables.cells import Fault, ReadRow, RowReader, refused
from endpoints.services.tables.headless import headless_csv
from endpoints.services.tables.plans import Answered, Position, ScoringPlan
from endpoints.services.tables.records import PLACEHOLDER, Section
from mlcore.arrays import LIMIT, IntArray
from mlcore.schema import Column

_ALL_BYTES = bytes(range(256))
_QUOTED = '"[^"]*(?:""[^"]*)*"'


@dataclass(frozen=True)
class Scored:
    """A section with its answers. `lines` has an entry for each line of its text, null where it is blank;
    `good` are the lines that were scored, `read` those that were read one by one."""

    section: Section
    text: bytes
    lines: pl.Series
    numbers: IntArray
    good: IntArray
    read: Mapping[int, ReadRow]
    answered: Answered
    end: Position

    @cached_property
    def line_end(self) -> str:
        """How every line ends, or "" if they differ."""
        if b"\r" not in self.text:
            return "\n"
        pairs = self.text.count(b"\r\n")
        return "\r\n" if pairs == self.text.count(b"\r") == self.text.count(b"\n") else ""

    @cached_property
    def faults(self) -> dict[int, Sequence[Fault]]:
        """Of the bad rows, by their number in the file."""
        return {int(self.numbers[at]): row.faults for at, row in self.read.items() if row.faults}


def score(plan: ScoringPlan, section: Section, before: int) -> Scored:
    text = section.text
    lines = _lines(text)
    is_row = lines.is_not_null().to_numpy()
    table = _table(plan, text)
    values, fits = _features(plan, table)
    if not (fits.all() and _are_parted_alike(plan, table, text)):
        fits &= is_row & _has_all_cells(plan, lines, text)
    labels = None if plan.label_place is None else _texts(table[str(plan.label_place)])
    read = _read_one_by_one(plan, section, lines, np.flatnonzero(is_row & ~fits))
    for line, row in read.items():
        if not row.faults:
            _put(plan, values, line, row)
            fits[line] = True
            if labels is not None:
                labels[line] = row.label
    good, numbers = np.flatnonzero(fits), before + np.cumsum(is_row)
    answered = answering.answer(plan, values, good, numbers, read, labels)
    end = Position(section.end, before + int(is_row.sum()))
    return Scored(section, text, lines, numbers, good, read, answered, end)


def _lines(text: bytes) -> pl.Series:
    lines = pl.read_lines(text).to_series()
    is_blank = lines.str.len_bytes() == 0
    return lines.set(is_blank, None) if is_blank.any() else lines


def _table(plan: ScoringPlan, text: bytes) -> pl.DataFrame:
    """Read the columns that are needed, by their numbers; a cell that does not fit is null."""
    width, kinds = len(plan.reading.columns), _kinds(plan)
    return headless_csv(
        text,
        delimiter=plan.reading.delimiter,
        kinds=[kinds.get(place, pl.String) for place in range(width)],
        columns=sorted(kinds),
        ignore_errors=True,
    )


def _kinds(plan: ScoringPlan) -> dict[int, type[pl.DataType]]:
    """A column that is more than a number to somebody is read as text."""
    kinds: dict[int, type[pl.DataType]] = {}
    for place, column in zip(plan.places, plan.classifier.schema.columns, strict=True):
        is_text = column.kind != "number" or kinds.get(place) == pl.String
        kinds[place] = pl.String if is_text else pl.Float64
    if plan.label_place is not None:
        kinds[plan.label_place] = pl.String
    return kinds


def _features(plan: ScoringPlan, table: pl.DataFrame) -> tuple[Values, NDArray[np.bool_]]:
    """Return the cells by feature, and in which rows all of them are what the schema wants."""
    values: Values = {}
    fits = np.ones(len(table), dtype=np.bool_)
    for place, column in zip(plan.places, plan.classifier.schema.columns, strict=True):
        values[column.name], fitting = typed(column, table[str(place)])
        fits &= fitting
    return values, fits


def typed(column: Column, cells: pl.Series) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the cells of a feature, and which are what it wants; the others mean nothing."""
    if column.kind == "number":
        numbers = cells.cast(pl.Float64, strict=False).to_numpy()
        return numbers, np.abs(numbers) <= LIMIT  # NaN is none, and no more is null
    texts = cells.str.strip_chars()
    return texts.to_numpy(), texts.is_in(column.levels).fill_null(value=False).to_numpy()


def _texts(cells: pl.Series) -> list[str]:
    texts: list[str] = cells.fill_null("").str.strip_chars().to_list()
    return texts


def _are_parted_alike(plan: ScoringPlan, table: pl.DataFrame, text: bytes) -> bool:
    """Say whether it is plain that all lines have all their cells: none lacks the last one, and there are
    not too many in all."""
    last = len(plan.reading.columns) - 1
    if (
        str(last) not in table.columns
        or b'"' in text
        or b"\r" in text
        or table[str(last)].has_nulls()
    ):
        return False
    bar = ord(plan.reading.delimiter)
    found = np.count_nonzero(np.frombuffer(text, dtype=np.uint8) == bar)
    return bool(found == last * len(table))


def _has_all_cells(plan: ScoringPlan, lines: pl.Series, text: bytes) -> NDArray[np.bool_]:
    bar = plan.reading.delimiter
    found = _count_in_lines(bar.encode(), text)
    if b'"' in text:
        quoted = lines.str.contains('"', literal=True).arg_true()
        outside = lines.gather(quoted).str.replace_all(_QUOTED, "")
        found[quoted.to_numpy()] = outside.str.count_matches(bar, literal=True).to_numpy()
    has_all: NDArray[np.bool_] = found == len(plan.reading.columns) - 1
    if b"\r" in text and text.count(b"\r") > text.count(b"\r\n"):
        has_all &= ~lines.str.contains("\r", literal=True).fill_null(value=False).to_numpy()
    return has_all


def _count_in_lines(bar: bytes, text: bytes) -> IntArray:
    """How many there are in each line: all other bytes are dropped first.

    >>> _count_in_lines(b",", b"1,2,3\n\n4")
    array([2, 0, 0])
    """
    marks = text.translate(None, _ALL_BYTES.translate(None, bar + b"\n"))
    if not text.endswith(b"\n"):
        marks += b"\n"
    ends = np.flatnonzero(np.frombuffer(marks, dtype=np.uint8) == ord("\n"))
    return np.diff(ends, prepend=-1) - 1


def _read_one_by_one(
    plan: ScoringPlan, section: Section, lines: pl.Series, odd: IntArray
) -> dict[int, ReadRow]:
    reader, hidden = RowReader(plan), iter(section.hidden)
    read: dict[int, ReadRow] = {}
    for line, text in zip(odd.tolist(), lines.gather(odd).to_list(), strict=True):
        if text != PLACEHOLDER.decode():
            read[line] = reader.read(text)
            continue
        row = next(hidden)
        data = section.data[row.start : row.end]
        read[line] = refused(row.fault, data, plan) if row.fault else reader.read(data.decode())
    return read


def _put(plan: ScoringPlan, values: Values, line: int, row: ReadRow) -> None:
    for name, cell in zip(plan.classifier.schema.names, row.cells, strict=True):
        if not values[name].flags.writeable:
            values[name] = values[name].copy()
        values[name][line] = cell
