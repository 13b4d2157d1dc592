"""Scores a table in whichever form it came, one row by the short way; it knows no endpoints and no log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from endpoints.services import histograms
from endpoints.services.histograms import SCORE_BINS, Counts
from mlcore.arrays import FloatArray
from mlcore.classifier import Classifier, Decided
from mlcore.rowscoring import RowReport
from mlcore.schema import Columns, Schema

Row = Mapping[str, object] | Sequence[object]
Cell = float | str | None
Table = Sequence[Row] | FloatArray | Mapping[str, Sequence[object] | NDArray[Any]]
"""Rows, a matrix of numbers in the order of the schema, or columns by name; NaN in an array is missing."""


@dataclass(frozen=True)
class OneRow:
    """The answer for one row, which is as it was sent."""

    classifier: Classifier
    row: Row
    report: RowReport

    @property
    def inputs(self) -> list[list[Cell]]:
        """The values that were scored, missing ones filled."""
        return [_filled(self.classifier.schema, self.row)]

    @property
    def predictions(self) -> list[int]:
        return [self.report.prediction]

    @property
    def probabilities(self) -> list[Sequence[float]]:
        return [self.report.probabilities]

    @property
    def scores(self) -> list[Sequence[float]]:
        return [self.report.scores]

    @property
    def imputed(self) -> Sequence[Sequence[str]]:
        return [self.report.imputed]

    @property
    def reports(self) -> list[RowReport]:
        return [self.report]

    @property
    def headlines(self) -> list[float]:
        probabilities = self.report.probabilities
        return [probabilities[1] if self.classifier.is_binary else max(probabilities)]

    def score_counts(self) -> Counts:
        return {histograms.score_bin(self.headlines[0]): 1}


@dataclass(frozen=True)
class ManyRows:
    """The answers for n rows, which are explained only when somebody asks."""

    classifier: Classifier
    columns: Columns
    decided: Decided

    @cached_property
    def predictions(self) -> list[int]:
        numbers: list[int] = self.decided.predictions.tolist()
        return numbers

    @cached_property
    def probabilities(self) -> list[Sequence[float]]:
        rows: list[Sequence[float]] = self.decided.probabilities.tolist()
        return rows

    @property
    def scores(self) -> list[Sequence[float]]:
        rows: list[Sequence[float]] = self.decided.scores.tolist()
        return rows

    @property
    def imputed(self) -> Sequence[Sequence[str]]:
        return self.columns.imputed

    @property
    def inputs(self) -> Any:
        """Lists of cells, or a matrix where all are numbers."""
        schema = self.classifier.schema
        columns = [self.columns.values[name] for name in schema.names]
        if all(column.kind == "number" for column in schema.columns):
            return np.array(columns).T.copy()
        return [list(row) for row in zip(*(values.tolist() for values in columns), strict=True)]

    @cached_property
    def reports(self) -> list[RowReport]:
        return self.classifier.score_columns(self.columns).rows()

    @property
    def headlines(self) -> list[float]:
        """A row's one probability: of the positive class, or of three and more the largest."""
        values: list[float] = self._headlines.tolist()
        return values

    @cached_property
    def _headlines(self) -> FloatArray:
        probabilities = self.decided.probabilities
        largest: FloatArray = probabilities.max(axis=1)
        return probabilities[:, 1] if self.classifier.is_binary else largest

    def score_counts(self) -> Counts:
        bins = np.minimum((self._headlines * SCORE_BINS).astype(np.int64), SCORE_BINS - 1)
        counts = np.bincount(bins, minlength=SCORE_BINS).tolist()
        return {str(place): count for place, count in enumerate(counts) if count}


Scored = OneRow | ManyRows


def score(classifier: Classifier, table: Table) -> Scored:
    """Answer for every row; raises SchemaError with a cell error for every cell that does not fit."""
    only = _only_row(table)
    if only is not None:
        return OneRow(classifier, only, classifier.score_row(only))
    columns = read(classifier.schema, table)
    return ManyRows(classifier, columns, classifier.decide_columns(columns))


def read(schema: Schema, table: Table) -> Columns:
    if isinstance(table, np.ndarray):
        return schema.read_matrix(table)
    if isinstance(table, Mapping):
        return schema.read_columns(table)
    return schema.read(table)


def _only_row(table: Table) -> Row | None:
    """Return the row of a table that has but one and can take the short way."""
    if len(table) != 1 or isinstance(table, Mapping):
        return None
    if not isinstance(table, np.ndarray):
        return table[0]
    is_usable = table.ndim == 2 and table.dtype == np.float64 and np.isfinite(table).all()
    return table[0].tolist() if is_usable else None


def _filled(schema: Schema, row: Row) -> list[Cell]:
    """The cells of a row that the schema has accepted, as `Schema.read` would give them."""
    cells: Iterable[Any]
    cells = (row[name] for name in schema.names) if isinstance(row, Mapping) else row
    return [
        column.fill if cell is None else float(cell) if column.kind == "number" else cell
        for column, cell in zip(schema.columns, cells, strict=True)
    ]
