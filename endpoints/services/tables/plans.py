"""What a scoring of a file starts from and what it gives, piece by piece; it reads no file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from endpoints.services.tables.reading import Reading
from endpoints.services.tables.tallies import Tally
from mlcore.arrays import IntArray
from mlcore.classifier import Classifier, Decided
from mlcore.schema import Columns
from mlcore.table import parse_number

Cell = float | str | None
ERRORS_HEADER = b"row,column,value,problem\n"
ANSWERS = ("probability", "label", "version", "error")


class Position(NamedTuple):
    """Where a row begins: its byte in the file (in a Parquet file its place), and how many are before it."""

    offset: int
    row: int


@dataclass(frozen=True)
class ScoringPlan:
    """`columns` names for each feature the column of the file that answers it. A classifier whose schema
    has no fills takes a missing value for an error."""

    source: Path
    reading: Reading
    classifier: Classifier
    columns: Mapping[str, str]
    label_column: str = ""
    version: int = 0

    @cached_property
    def places(self) -> list[int]:
        """The number of the column that answers each feature."""
        names = self.reading.columns
        return [names.index(self.columns[feature]) for feature in self.classifier.schema.names]

    @cached_property
    def label_place(self) -> int | None:
        return self.reading.columns.index(self.label_column) if self.label_column else None

    @property
    def start(self) -> Position:
        return Position(len(self.reading.header_bytes), 0)

    @cached_property
    def answers(self) -> list[str]:
        """The names of the columns that are added, none of which the file has."""
        first, *others = ANSWERS
        classes = self.classifier.classes
        firsts = [first] if len(classes) == 2 else [f"{first}_{name}" for name in classes]
        names: list[str] = []
        for name in [*firsts, *others]:
            names.append(_free(name, {*self.reading.columns, *names}))
        return names

    def true_label(self, text: str) -> str | None:
        """The class that a cell names, the cell itself where it names none."""
        if text in self._true_labels:
            return self._true_labels[text]
        number = parse_number(text)
        return self._by_value.get(number, text) if number is not None else text

    @cached_property
    def _true_labels(self) -> dict[str, str]:
        return {name: name for name in self.classifier.classes}

    @cached_property
    def _by_value(self) -> dict[float | None, str]:
        return {parse_number(name): name for name in reversed(self.classifier.classes)}


def _free(name: str, taken: set[str]) -> str:
    number, free = 2, name
    while free in taken:
        free, number = f"{name}_{number}", number + 1
    return free


@dataclass(frozen=True)
class Preview:
    """A row with its answer; `probability` is of the positive class, else of the largest."""

    cells: Sequence[str]
    probability: float | None
    label: str
    error: str


@dataclass(frozen=True, eq=False)
class Answered:
    """The rows of a piece that could be scored, in order; everything in it has their length.

    `numbers` are their numbers in the file, from 1 on.
    """

    classifier: Classifier
    numbers: IntArray
    columns: Columns
    decided: Decided
    true_labels: Sequence[str | None] | None = None

    @cached_property
    def rows(self) -> list[int]:
        found: list[int] = self.numbers.tolist()
        return found

    @cached_property
    def values(self) -> list[list[Cell]]:
        """What was scored, in the order of the schema, missing values filled."""
        found = [self.columns.values[name].tolist() for name in self.classifier.schema.names]
        return [list(row) for row in zip(*found, strict=True)]

    @property
    def imputed(self) -> Sequence[Sequence[str]]:
        return self.columns.imputed

    @cached_property
    def probabilities(self) -> list[list[float]]:
        found: list[list[float]] = self.decided.probabilities.tolist()
        return found

    @cached_property
    def predictions(self) -> list[int]:
        found: list[int] = self.decided.predictions.tolist()
        return found

    @cached_property
    def labels(self) -> list[str]:
        return [self.classifier.classes[number] for number in self.predictions]

    @cached_property
    def headlines(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """A row's one probability: of the positive class, of three and more the largest."""
        p = self.decided.probabilities
        found: np.ndarray[tuple[int], np.dtype[np.float64]]
        found = p[:, 1] if self.classifier.is_binary else p.max(axis=1)
        return found


@dataclass(frozen=True)
class Chunk:
    """A piece of the answers: what is to be written, what it counts, and the rows that were scored."""

    end: Position
    results: bytes
    errors: bytes
    n_rows: int
    n_bad: int
    answered: Answered
    tally: Tally = field(default_factory=Tally)
