"""One row of text as a schema reads it, with a word for whatever does not fit. It knows no files.

A cell means what it means in a CSV body of the REST API.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from endpoints.services.tables.plans import Cell, ScoringPlan
from endpoints.services.tables.storable import storable
from mlcore import rowreading
from mlcore.arrays import LIMIT
from mlcore.errors import cut
from mlcore.schema import Column
from mlcore.table import MISSING, parse_number

_MOST_REMEMBERED = 1_000
_QUOTED = re.compile(r'"[^"]*"')
_BAR_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


@dataclass(frozen=True)
class Fault:
    """What is wrong with a cell, or with its row where no column is named."""

    code: str
    column: str
    value: str
    problem: str

    @property
    def sentence(self) -> str:
        return f"{self.column}: {self.problem}" if self.column else self.problem


@dataclass(frozen=True)
class ReadRow:
    """The cells in the order of the schema, missing ones filled; of a bad row its faults.

    A row without the header's shape has another number of cells; None if nobody can tell how many.
    """

    cells: Sequence[Cell] = ()
    imputed: tuple[str, ...] = ()
    label: str = ""
    faults: Sequence[Fault] = ()
    has_shape: bool = True
    n_cells: int | None = None


class RowReader:
    """Reads rows for one plan, and remembers what it said of the values that come again."""

    def __init__(self, plan: ScoringPlan) -> None:
        self.plan = plan
        self.columns = plan.classifier.schema.columns
        self.places = plan.places
        self.names = plan.reading.columns
        self._misfits: dict[tuple[int, bool], ReadRow] = {}
        self._said: dict[tuple[str, str, str], Fault] = {}

    def split(self, text: str) -> list[str]:
        """The cells of a row that is whole."""
        if '"' not in text:
            return text.split(self.plan.reading.delimiter)
        return next(csv.reader([text], delimiter=self.plan.reading.delimiter, strict=True))

    def read(self, text: str) -> ReadRow:
        if "\r" in text and "\r" in _QUOTED.sub("", text):
            return _refused("line_end", "a carriage return stands within the row")
        try:
            texts = self.split(text)
        except (csv.Error, StopIteration) as error:
            return _refused("unreadable", f"the row cannot be read as CSV: {error}")
        if len(texts) != len(self.names):
            return self._misfit(texts)
        label = texts[self.plan.label_place] if self.plan.label_place is not None else ""
        return self.typed([texts[place].strip() for place in self.places], label=label.strip())

    def typed(self, texts: Sequence[str], *, label: str) -> ReadRow:
        """Read the texts of the features, in the order of the schema."""
        cells: list[Cell] = []
        imputed: list[str] = []
        faults: list[Fault] = []
        for column, text, place in zip(self.columns, texts, self.places, strict=True):
            cell = _cell(column, text)
            if cell is None:
                cell = column.fill
                if cell is None or not _is_missing(column, text):
                    faults.append(self._fault(column, text, self.names[place]))
                else:
                    imputed.append(column.name)
            cells.append(cell)
        return ReadRow(cells, tuple(imputed), label, faults)

    def _misfit(self, texts: Sequence[str]) -> ReadRow:
        """What is said of a row depends on its length, and on whether text stands in the cells too many."""
        key = (len(texts), any(map(str.strip, texts[len(self.names) :])))
        if key not in self._misfits:
            self._misfits[key] = self._refused_for(*key)
        return self._misfits[key]

    def _refused_for(self, length: int, has_more: bool) -> ReadRow:
        expected = f"expected {len(self.names)} cells as in the header, got {length}"
        delimiter = self.plan.reading.delimiter
        hint = ""
        if has_more and delimiter in _BAR_NAMES:
            hint = f"; put a cell that holds a {_BAR_NAMES[delimiter]} in quotation marks"
        return _refused("wrong_length", expected + hint, length)

    def _fault(self, column: Column, text: str, name: str) -> Fault:
        fault = self._said.get((column.name, name, text))
        if fault is None:
            fault = _fault(column, text, name)
            if len(self._said) < _MOST_REMEMBERED:
                self._said[column.name, name, text] = fault
        return fault


def sentence(faults: Sequence[Fault]) -> str:
    """All that is wrong with a row, in one line."""
    first = faults[0].sentence.replace("\n", " ").replace("\r", " ")
    return f"{first} (and {len(faults) - 1} more)" if len(faults) > 1 else first


def _refused(code: str, problem: str, n_cells: int | None = None) -> ReadRow:
    return ReadRow(faults=(Fault(code, "", "", problem),), has_shape=False, n_cells=n_cells)


def refused(problem: str, row: bytes, plan: ScoringPlan) -> ReadRow:
    """A row that is refused before its cells are read."""
    if b'"' in row:
        return _refused("unreadable", problem)
    n_cells = row.count(plan.reading.delimiter.encode()) + 1
    found = _refused("unreadable", problem, n_cells)
    return replace(found, has_shape=n_cells == len(plan.reading.columns))


def _cell(column: Column, text: str) -> float | str | None:
    """What the column takes, None if it does not take the text."""
    if column.kind != "number":
        return text if text in column.levels else None
    number = parse_number(text)
    return number if number is not None and -LIMIT <= number <= LIMIT else None


def _is_missing(column: Column, text: str) -> bool:
    return text in MISSING and text not in column.levels


def _fault(column: Column, text: str, name: str) -> Fault:
    number = parse_number(text) if column.kind == "number" else None
    value = None if _is_missing(column, text) else text if number is None else number
    error = rowreading.cell_error(column, value, row=0)
    hint = "; write the decimals after a point" if _has_decimal_comma(column, text) else ""
    return Fault(error.code, name, storable(cut(text)), storable(error.message) + hint)


def _has_decimal_comma(column: Column, text: str) -> bool:
    is_one = column.kind == "number" and text.count(",") == 1
    return is_one and parse_number(text.replace(",", ".")) is not None
