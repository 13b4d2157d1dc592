"""What the columns and the target of a divided data set hold: kinds, levels, classes, rows a piece.

Workers of a cluster import it: it knows no Django.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, islice

import polars as pl

from endpoints.services.large.cells import PieceReader, RaggedPiece, lines_before
from endpoints.services.large.pieces import Layout, Map, Piece, line_ends
from mlcore.errors import MOST_LINES, CellError, DataError, did_you_mean
from mlcore.features import category, classes_of, is_number
from mlcore.preparation import Question
from mlcore.schema import Column

_MOST_TEXTS = 10_000
"""Different texts that are counted of a column and piece: far more than levels are allowed."""


@dataclass(frozen=True)
class Tally:
    """Of a column: cells with a value, those that read as a number, and the texts of the column
    where some do not."""

    n_present: int
    n_numbers: int
    texts: Counter[str] = field(default_factory=Counter)
    has_texts: bool = True


@dataclass(frozen=True)
class PieceSurvey:
    n_rows: int
    columns: dict[str, Tally]
    target: Counter[str]
    errors: tuple[CellError, ...] = ()


@dataclass(frozen=True)
class Survey:
    """The schema as far as it is known before fills, the classes, and the rows of each piece."""

    columns: tuple[Column, ...]
    classes: tuple[str, ...]
    class_rows: tuple[int, ...]
    sizes: tuple[int, ...]

    @property
    def first_rows(self) -> tuple[int, ...]:
        """The number of the first row of each piece, in the whole."""
        return tuple(accumulate(self.sizes, initial=0))[:-1]

    @property
    def n_rows(self) -> int:
        return sum(self.sizes)


def survey(layout: Layout, question: Question, *, map_: Map = map) -> Survey:
    """Read everything once. DataError as ``mlcore.features`` for what cannot be trained on."""
    names = _feature_names(layout, question)
    pieces = layout.pieces
    found: list[PieceSurvey] = list(
        map_(survey_piece, pieces, [names] * len(pieces), [question.target] * len(pieces))
    )
    sizes = tuple(part.n_rows for part in found)
    refuse(layout, sizes, [part.errors for part in found])
    counts = sum((part.target for part in found), Counter[str]())
    classes = classes_of(counts, target=question.target, positive=question.positive)
    for label in classes:
        if counts[label] < 2:
            raise DataError(
                f'class "{label}" of "{question.target}" has a single row; a split needs 2'
            )
    columns = tuple(_column(name, layout, found, map_) for name in names)
    return Survey(columns, classes, tuple(counts[label] for label in classes), sizes)


def _feature_names(layout: Layout, question: Question) -> tuple[str, ...]:
    if "" in layout.header:
        number = layout.header.index("") + 1
        raise DataError(f"column {number} of {layout.pieces[0].name} has no name")
    for name in (question.target, *(question.columns or ())):
        if name not in layout.learnable:
            hint = did_you_mean(name, layout.learnable)
            raise DataError(f'there is no column "{name}" in {layout.pieces[0].name}{hint}')
    chosen = set(question.columns or layout.learnable)
    if question.columns is not None and question.target in chosen:
        raise DataError(f'"{question.target}" is the target; it cannot be a feature column too')
    names = tuple(name for name in layout.header if name in chosen and name != question.target)
    if not names:
        raise DataError("there is no feature column; a model needs at least one")
    return names


def survey_piece(piece: Piece, names: Sequence[str], target: str) -> PieceSurvey:
    """Count the cells of one piece."""
    reader = PieceReader(piece)
    try:
        labels = reader.texts([target])[target]
        numbers = reader.numbers(names)
    except RaggedPiece as error:
        return PieceSurvey(0, {}, Counter(), error.cells)
    mixed = [name for name in names if numbers[name].odd]
    texts = reader.texts(mixed) if mixed else {}
    tallies = {}
    for name, column in numbers.items():
        n_present = len(column.values) - int(column.missing.sum())
        counted = counted_texts(texts[name]) if name in texts else Counter[str]()
        tallies[name] = Tally(n_present, n_present - column.n_words, counted, name in texts)
    return PieceSurvey(len(labels), tallies, counted_texts(labels))


def counted_texts(texts: pl.Series) -> Counter[str]:
    counts = texts.drop_nulls().value_counts(sort=True).head(_MOST_TEXTS)
    return Counter(dict(counts.iter_rows()))


def _column(name: str, layout: Layout, found: Sequence[PieceSurvey], map_: Map) -> Column:
    tallies = [part.columns[name] for part in found]
    n_present = sum(tally.n_present for tally in tallies)
    n_numbers = sum(tally.n_numbers for tally in tallies)
    if is_number(name, n_present=n_present, n_numbers=n_numbers):
        return Column(name, "number")
    texts = sum((tally.texts for tally in tallies), Counter[str]())
    # A piece in which every cell reads as a number has not counted them.
    unread = [
        piece
        for piece, tally in zip(layout.pieces, tallies, strict=True)
        if tally.n_present and not tally.has_texts
    ]
    for counts in map_(_texts_of, unread, [name] * len(unread)):
        texts += counts
    return category(name, texts)


def _texts_of(piece: Piece, name: str) -> Counter[str]:
    return counted_texts(PieceReader(piece).texts([name])[name])


def refuse(layout: Layout, sizes: Sequence[int], errors: Sequence[Sequence[CellError]]) -> None:
    """DataError for bad cells, which know their row in the piece: by file and line, the first 20."""
    cells = list(islice(_in_files(layout, sizes, errors), MOST_LINES))
    if cells:
        more = f" (and {len(cells) - 1} more)" if len(cells) > 1 else ""
        raise DataError(f"{cells[0].message}{more}", cells)


def _in_files(
    layout: Layout, sizes: Sequence[int], errors: Sequence[Sequence[CellError]]
) -> Iterator[CellError]:
    before, lines = 0, _Lines()
    for piece, size, found in zip(layout.pieces, sizes, errors, strict=True):
        before = 0 if piece.number == 0 else before
        starts = lines.of(piece) if found and piece.format == "csv" else []
        for cell in found:
            row = cell.row or 0
            place, number = "row", before + row + 1
            if starts:
                place, number = "line", starts[min(row, len(starts) - 1)]
            column = f", column {cell.column}" if cell.column else ""
            message = f"{piece.name}, {place} {number}{column}: {cell.message}"
            yield replace(cell, row=number, message=message)
        before += size


class _Lines:
    """The lines on which rows begin. Their file is read again, up to one piece after another."""

    def __init__(self) -> None:
        self._url, self._at, self._before = "", 0, 0

    def of(self, piece: Piece) -> list[int]:
        if piece.url != self._url:
            self._url, self._at, self._before = piece.url, 0, 0
        self._before += line_ends(piece.url, self._at, piece.start)
        self._at = piece.start
        return [self._before + lines + 1 for lines in lines_before(piece)]
