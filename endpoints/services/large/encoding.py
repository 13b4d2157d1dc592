"""A piece of a file as the matrix a solver reads, and the rows of it that are looked at one by one.

Which rows validate and which are sampled follows from their number and the seed alone, not from
the pieces. Workers of a cluster import it: it knows no Django.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from endpoints.services.large.cells import Numbers, PieceReader, problem
from endpoints.services.large.pieces import Piece
from mlcore.arrays import FloatArray
from mlcore.distributed import RowsPart, standardised
from mlcore.errors import MOST_LINES, CellError, listed, shown
from mlcore.schema import Column
from mlcore.split import splitmix64

_WHOLE = 2.0**64


@dataclass(frozen=True)
class Encoding:
    """How rows are read and divided. A row validates where its hash is below ``test_size``, and is
    sampled where another hash is below the share of its part."""

    columns: tuple[Column, ...]
    target: str
    classes: tuple[str, ...]
    seed: int
    test_size: float
    train_share: float
    validation_share: float


@dataclass(frozen=True, eq=False)
class Sample:
    """Some rows: values by column (NaN and -1 where missing; levels by number), class numbers,
    the rows' numbers in the whole, and the hashes by which they were chosen."""

    values: Mapping[str, NDArray[Any]]
    y: FloatArray
    rows: NDArray[np.int64]
    hashes: NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class EncodedPart(RowsPart):
    """The training rows of a piece before they are standardised, NaN where a value is missing."""

    train: Sample | None = None
    validation: Sample | None = None
    class_rows: tuple[int, ...] = ()
    n_validation: int = 0
    holes: tuple[str, ...] = ()
    errors: tuple[CellError, ...] = ()


@dataclass(frozen=True, eq=False)
class PartFacts:
    """What is told of an encoded part, without its rows."""

    n_rows: int
    train: Sample
    validation: Sample
    class_rows: tuple[int, ...]
    n_validation: int
    holes: tuple[str, ...]
    errors: tuple[CellError, ...]


def facts_of(part: EncodedPart) -> PartFacts:
    assert part.train is not None and part.validation is not None  # noqa: S101 - for mypy
    return PartFacts(
        len(part.y),
        part.train,
        part.validation,
        part.class_rows,
        part.n_validation,
        part.holes,
        part.errors,
    )


def encode(piece: Piece, first_row: int, encoding: Encoding) -> EncodedPart:
    """Read a piece. Bad cells are told, not raised: they count as missing until somebody refuses."""
    reader = PieceReader(piece)
    errors: list[CellError] = []
    y = _labels(reader, encoding, errors)
    values = _values(reader, encoding.columns, errors)
    rows = np.arange(first_row, first_row + len(y))
    validates = splitmix64(rows, encoding.seed) < np.uint64(encoding.test_size * _WHOLE)
    hashes = splitmix64(rows, encoding.seed + 1)
    slots = _slots(encoding.columns, values)

    def sample(chosen: NDArray[np.bool_], share: float) -> Sample:
        picked = np.flatnonzero(chosen & _below(hashes, share))
        some = {name: column[picked] for name, column in values.items()}
        return Sample(some, y[picked], rows[picked], hashes[picked])

    train_y = y[~validates]
    return EncodedPart(
        slots[~validates],
        train_y,
        train=sample(~validates, encoding.train_share),
        validation=sample(validates, encoding.validation_share),
        class_rows=tuple(
            np.bincount(train_y.astype(np.int64), minlength=len(encoding.classes)).tolist()
        ),
        n_validation=int(validates.sum()),
        holes=tuple(name for name, column in values.items() if holes_in(column).any()),
        errors=tuple(sorted(errors, key=lambda cell: cell.row or 0)[:MOST_LINES]),
    )


def _below(hashes: NDArray[np.uint64], share: float) -> NDArray[np.bool_]:
    if share >= 1:
        return np.ones(len(hashes), dtype=bool)
    return hashes < np.uint64(share * _WHOLE)


def holes_in(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Which cells have no value: numbers are NaN there, and levels -1."""
    return np.isnan(values) if values.dtype.kind == "f" else values < 0


def _labels(reader: PieceReader, encoding: Encoding, errors: list[CellError]) -> FloatArray:
    texts = reader.texts([encoding.target])[encoding.target]
    numbers = _numbered(texts, encoding.classes)
    expected = f"expected one of {listed(encoding.classes)}"
    for row in np.flatnonzero(numbers < 0)[:MOST_LINES].tolist():
        message = "the target is missing; leave the row out"
        if texts[row] is not None:
            message = f"{expected}, got {shown(texts[row])}"
        errors.append(CellError("missing_value", message, row, encoding.target))
    return np.maximum(numbers, 0).astype(np.float64)


def _numbered(texts: pl.Series, levels: Sequence[str]) -> NDArray[np.int64]:
    """The number of each text among the levels; -1 for none."""
    numbers = texts.cast(pl.Enum(list(levels)), strict=False).to_physical()
    return numbers.cast(pl.Int64).fill_null(-1).to_numpy()


def _values(
    reader: PieceReader, columns: Sequence[Column], errors: list[CellError]
) -> dict[str, NDArray[Any]]:
    numbers = [column.name for column in columns if column.kind == "number"]
    categories = [column for column in columns if column.kind == "category"]
    read = reader.numbers(numbers) if numbers else {}
    texts = reader.texts([column.name for column in categories]) if categories else {}
    for name, column in read.items():
        errors += _odd_cells(name, column)
    levels = {column.name: _numbered(texts[column.name], column.levels) for column in categories}
    return {
        column.name: levels[column.name] if column.name in levels else read[column.name].values
        for column in columns
    }


def _odd_cells(name: str, column: Numbers) -> list[CellError]:
    return [
        CellError(*problem(cell), row=row, column=name, value=shown(cell))
        for row, cell in column.odd
    ]


def _slots(columns: Sequence[Column], values: Mapping[str, NDArray[Any]]) -> FloatArray:
    """The slots of ``Encoder``, row by row in memory, NaN in every slot of a missing level."""
    parts: list[FloatArray] = []
    for column in columns:
        found = values[column.name]
        if column.kind == "number":
            parts.append(found)
            continue
        for number in range(len(column.levels)):
            slot = (found == number).astype(np.float64)
            slot[found < 0] = np.nan
            parts.append(slot)
    return np.ascontiguousarray(np.array(parts).T)


def fill(part: EncodedPart, fills: FloatArray) -> RowsPart:
    """The part without holes; ``fills`` has one value a slot."""
    return RowsPart(np.where(np.isnan(part.X), fills, part.X), part.y)


def finish(
    part: RowsPart, means: FloatArray, scales: FloatArray, class_weights: FloatArray | None
) -> RowsPart:
    """The part as a solver reads it: standardised, with the weight of each row's class."""
    weights = None if class_weights is None else class_weights[part.y.astype(np.int64)]
    return replace(standardised(RowsPart(part.X, part.y), means, scales), weights=weights)
