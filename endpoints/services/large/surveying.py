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
"""Different texts of a column: far more than levels or classes are allowed. Of a piece no more are counted, and
where there are so many, those of further pieces are not."""


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
    sizes: tuple[int, ...]

    @property
    def first_rows(self) -> tuple[int, ...]:
        """The number of the first row of each piece, in the whole."""
        return tuple(accumulate(self.sizes, initial=0))[:-1]

    @property
    def n_rows(self) -> int:
        return sum(self.sizes)


@dataclass
class _Whole:
    """Of a column, over the pieces so far. In an ``unread`` piece every cell reads as a number, so its
    texts are not counted."""

    n_present: int = 0
    n_numbers: int = 0
    texts: Counter[str] = field(default_factory=Counter)
    unread: list[Piece] = field(default_factory=list)

    def add(self, piece: Piece, tally: Tally) -> None:
        self.n_present += tally.n_present
        self.n_numbers += tally.n_numbers
        _merge(self.texts, tally.texts)
        if tally.n_present and not tally.has_texts:
            self.unread.append(piece)


def survey(layout: Layout, question: Question, *, map_: Map = map) -> Survey:
    """Read everything once. DataError as ``mlcore.features`` for what cannot be trained on."""
    names = _feature_names(layout, question)
    pieces = layout.pieces
    columns = {name: _Whole() for name in names}
    counts = Counter[str]()
    sizes, errors = [], []
    found = map_(survey_piece, pieces, [names] * len(pieces), [question.target] * len(pieces))
    for piece, part in zip(pieces, found, strict=True):
        sizes.append(part.n_rows)
        errors.append(part.errors)
        _merge(counts, part.target)
        for name, tally in part.columns.items():
            columns[name].add(piece, tally)
    refuse(layout, sizes, errors)
    classes = classes_of(counts, target=question.target, positive=question.positive)
    for label in classes:
        if counts[label] < 2:
            raise DataError(
                f'class "{label}" of "{question.target}" has a single row; a split needs 2'
            )
    judged = tuple(_column(name, whole, map_) for name, whole in columns.items())
    return Survey(judged, classes, tuple(sizes))


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


def _column(name: str, whole: _Whole, map_: Map) -> Column:
    if is_number(name, n_present=whole.n_present, n_numbers=whole.n_numbers):
        return Column(name, "number")
    unread = [] if _is_full(whole.texts) else whole.unread
    for counts in map_(_texts_of, unread, [name] * len(unread)):
        _merge(whole.texts, counts)
    return category(name, whole.texts)


def _merge(counts: Counter[str], more: Counter[str]) -> None:
    if not _is_full(counts):
        counts.update(more)


def _is_full(counts: Counter[str]) -> bool:
    return len(counts) >= _MOST_TEXTS


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
