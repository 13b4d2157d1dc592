"""Scores slices of a Parquet file; a slice keeps its columns as they are and gets the answers behind them.

A number is a number and a text is read as in a CSV file; null and NaN are missing.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import polars as pl

from endpoints.services.tables import answering, csv_results, csv_sections
from endpoints.services.tables.answering import Values
from endpoints.services.tables.cells import Fault, ReadRow, RowReader, sentence
from endpoints.services.tables.parquet_files import UNREADABLE, damaged, n_rows
from endpoints.services.tables.plans import Answered, Chunk, Position, Preview, ScoringPlan
from mlcore.arrays import IntArray
from mlcore.schema import Column

_CELL_BYTES = 16  # of a column in memory, about
_LEAST_ROWS = 1_000


def first_rows(plan: ScoringPlan, n: int) -> list[Preview]:
    table = _slice(plan, 0, n)
    answered, read = _score(plan, table, 0)
    places = {int(number) - 1: place for place, number in enumerate(answered.numbers)}
    found = []
    for row, cells in enumerate(table.rows()):
        texts = ["" if cell is None else str(cell) for cell in cells]
        if row in places:
            at = places[row]
            p, label = float(answered.headlines[at]), answered.labels[at]
            found.append(Preview(texts, p, label, ""))
        else:
            found.append(Preview(texts, None, "", sentence(read[row].faults)))
    return found


def chunks(plan: ScoringPlan, position: Position, chunk_bytes: int) -> Iterator[Chunk]:
    size = max(_LEAST_ROWS, chunk_bytes // (_CELL_BYTES * len(plan.reading.columns)))
    rows = n_rows(plan.source)
    for row in range(position.row, rows, size):
        yield _chunk(plan, _slice(plan, row, size), row)


def _slice(plan: ScoringPlan, start: int, size: int) -> pl.DataFrame:
    try:
        return pl.scan_parquet(plan.source, glob=False).slice(start, size).collect()
    except UNREADABLE as error:
        raise damaged(error) from None


def _chunk(plan: ScoringPlan, table: pl.DataFrame, before: int) -> Chunk:
    answered, read = _score(plan, table, before)
    faults = {before + row + 1: found.faults for row, found in read.items() if found.faults}
    return Chunk(
        end=Position(before + len(table), before + len(table)),
        results=_results(plan, table, answered, before, faults),
        errors=csv_results.error_lines(faults),
        n_rows=len(table),
        n_bad=len(faults),
        answered=answered,
        tally=answering.tally(answered, faults, formulas=False),
    )


def _score(
    plan: ScoringPlan, table: pl.DataFrame, before: int
) -> tuple[Answered, dict[int, ReadRow]]:
    values: Values = {}
    fits = np.ones(len(table), dtype=np.bool_)
    features = zip(plan.places, plan.classifier.schema.columns, strict=True)
    for place, column in features:
        cells, fitting = csv_sections.typed(column, _wanted(column, table.to_series(place)))
        values[column.name] = cells.copy()
        fits &= fitting
    labels = None if plan.label_place is None else _texts(table.to_series(plan.label_place))
    read = _read_one_by_one(plan, table, np.flatnonzero(~fits))
    for row, found in read.items():
        if not found.faults:
            fits[row] = True
            for name, cell in zip(plan.classifier.schema.names, found.cells, strict=True):
                values[name][row] = cell
    numbers_in_file = np.arange(before + 1, before + 1 + len(table))
    texts = None if labels is None else labels.to_list()
    good = np.flatnonzero(fits)
    return answering.answer(plan, values, good, numbers_in_file, read, texts), read


def _wanted(column: Column, cells: pl.Series) -> pl.Series:
    """The cells as the reader of text has them: True is no number, and a code may be a level."""
    if column.kind == "category":
        return _texts(cells)
    is_number = cells.dtype.is_numeric() or cells.dtype == pl.String
    return cells if is_number else cells.clear(len(cells))


def _texts(cells: pl.Series) -> pl.Series:
    """Cells as a CSV file would have them."""
    try:
        texts = cells.cast(pl.String)
    except UNREADABLE:  # a list or a structure: no feature is
        texts = pl.Series([str(cell) for cell in cells.to_list()], dtype=pl.String)
    return texts.fill_null("").str.strip_chars()


def _read_one_by_one(plan: ScoringPlan, table: pl.DataFrame, odd: IntArray) -> dict[int, ReadRow]:
    reader = RowReader(plan)
    columns = [_texts(table.to_series(place).gather(odd)).to_list() for place in plan.places]
    rows = zip(*columns, strict=True)
    return {
        row: reader.typed(texts, label="") for row, texts in zip(odd.tolist(), rows, strict=True)
    }


def _results(
    plan: ScoringPlan,
    table: pl.DataFrame,
    answered: Answered,
    before: int,
    faults: Mapping[int, Sequence[Fault]],
) -> bytes:
    rows = answered.numbers - before - 1
    p = answered.decided.probabilities
    shown = [p[:, 1]] if plan.classifier.is_binary else list(p.T)
    numbers = np.full((len(shown), len(table)), np.nan)
    numbers[:, rows] = shown
    labels = np.full(len(table), len(plan.classifier.classes), dtype=np.uint32)
    labels[rows] = answered.decided.predictions
    sentences = [""] * len(table)
    for row, found in faults.items():
        sentences[row - before - 1] = sentence(found)
    *probabilities, label, version, error = plan.answers
    added = [
        *(
            pl.Series(name, of, nan_to_null=True)
            for name, of in zip(probabilities, numbers, strict=True)
        ),
        pl.Series([*plan.classifier.classes, ""]).gather(labels).alias(label),
        pl.Series(version, [plan.version], dtype=pl.Int64).new_from_index(0, len(table)),
        pl.Series(error, sentences, dtype=pl.String),
    ]
    buffer = io.BytesIO()
    table.with_columns(added).write_parquet(buffer)
    return buffer.getvalue()
