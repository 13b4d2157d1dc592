"""Rows that lie elsewhere, in files or on other machines, passed over part by part; knows neither.

Whoever keeps the parts gives a ``map_`` that opens them where they lie. Only sums come back, and
they are added in the fixed tree of ``sums``: for the same parts the coefficients are the same to
the last bit, on one machine or many, whoever lost a part on the way and read it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np

from mlcore.arrays import FloatArray
from mlcore.errors import DataError
from mlcore.rows import ArrayRows, Block, Kernel, Rows, block_rows
from mlcore.sums import PairwiseSum, Place

FETCHED_BYTES = 16 * 2**20
"""A sample of at most so many bytes is brought here: a pass over it is cheaper than asking around."""


class MapParts(Protocol):
    """``map`` over handles of parts and further arguments: the function gets each part opened."""

    def __call__(self, function: Callable[..., Any], /, *items: Sequence[Any]) -> Iterable[Any]: ...


@dataclass(frozen=True, eq=False)
class RowsPart:
    """The rows of one part: X (n, d), y (n,), weights (n,) or None for all 1."""

    X: FloatArray
    y: FloatArray
    weights: FloatArray | None = None


class PartPlace(NamedTuple):
    """Where a part stands in the whole, and the samples that are taken of it."""

    n_rows: int
    first_row: int
    first_block: int
    shares: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class DistributedRows(Rows):
    """Rows in parts that somebody else keeps; labels are class numbers 0 .. n_classes - 1.

    >>> parts = [RowsPart(np.ones((3, 2)), np.array([0.0, 1.0, 1.0]))] * 2
    >>> rows = DistributedRows.of(parts, [3, 3], n_columns=2, n_classes=2, map_=map)
    >>> [(block.start, len(block.y)) for block in rows.blocks()]
    [(0, 3), (3, 3)]
    """

    handles: tuple[Any, ...]
    places: tuple[PartPlace, ...]
    n_columns: int
    n_classes: int
    map_: MapParts

    @classmethod
    def of(
        cls,
        handles: Sequence[Any],
        sizes: Sequence[int],
        *,
        n_columns: int,
        n_classes: int,
        map_: MapParts,
    ) -> DistributedRows:
        """``sizes`` counts the rows of each part; a part without any is left out."""
        kept = [(handle, size) for handle, size in zip(handles, sizes, strict=True) if size]
        if not kept:
            raise DataError("there are no rows; training needs rows of both classes")
        places = _places([PartPlace(size, 0, 0) for _, size in kept], n_columns)
        return cls(tuple(handle for handle, _ in kept), places, n_columns, n_classes, map_)

    def blocks(self) -> Iterator[Block]:
        """Every block, brought here part by part: for a look at single rows, not for a pass."""
        for handle, place in zip(self.handles, self.places, strict=True):
            for blocks in self.map_(_blocks, [handle], [place]):
                yield from blocks

    def largest_label(self) -> float:
        return float(self.n_classes - 1)

    def sample(self, share: int) -> Rows:
        """The same rows of each part as ``ArrayRows`` takes; few rows are brought here."""
        places = [place._replace(shares=(*place.shares, share)) for place in self.places]
        thinned = replace(self, places=_places(places, self.n_columns))
        n_rows = sum(_sampled_rows(place, self.n_columns) for place in thinned.places)
        if n_rows * self.n_columns * 8 > FETCHED_BYTES:
            return thinned
        parts = list(self.map_(_rows_alone, thinned.handles, thinned.places))
        weights = None if parts[0].weights is None else _joined([part.weights for part in parts])
        X, y = _joined([part.X for part in parts]), _joined([part.y for part in parts])
        return ArrayRows.of(X, y, weights, block_rows(self.n_columns))

    def nodes(self, make: Callable[[], Kernel]) -> dict[Place, FloatArray]:
        sums = PairwiseSum()
        makes = [make] * len(self.handles)
        for nodes in self.map_(_nodes, self.handles, self.places, makes):
            for place, value in nodes.items():
                sums.add(place, value)
        return sums.nodes


def _joined(arrays: Sequence[Any]) -> FloatArray:
    joined: FloatArray = np.concatenate(arrays)
    return joined


def _places(places: Sequence[PartPlace], n_columns: int) -> tuple[PartPlace, ...]:
    """The places one after the other; blocks are numbered through, so that sums find their node."""
    numbered, row, block = [], 0, 0
    for place in places:
        numbered.append(place._replace(first_row=row, first_block=block))
        row += place.n_rows
        block += len(_shape_of(place, n_columns).ranges)
    return tuple(numbered)


def _shape_of(place: PartPlace, n_columns: int) -> ArrayRows:
    """The part without its values: NumPy stores a repeated number once."""
    nothing = np.broadcast_to(0.0, (place.n_rows, n_columns))
    return _thinned(RowsPart(nothing, np.broadcast_to(0.0, (place.n_rows,))), place)


def _sampled_rows(place: PartPlace, n_columns: int) -> int:
    return sum(stop - start for start, stop in _shape_of(place, n_columns).ranges)


def _thinned(part: RowsPart, place: PartPlace) -> ArrayRows:
    rows = ArrayRows.of(part.X, part.y, part.weights, block_rows(part.X.shape[1]))
    for share in place.shares:
        rows = rows.sample(share)
    return replace(rows, first=place.first_block, first_row=place.first_row)


def _nodes(part: RowsPart, place: PartPlace, make: Callable[[], Kernel]) -> dict[Place, FloatArray]:
    return _thinned(part, place).nodes(make)


def _blocks(part: RowsPart, place: PartPlace) -> list[Block]:
    return list(_thinned(part, place).blocks())


def _rows_alone(part: RowsPart, place: PartPlace) -> RowsPart:
    """The sampled rows without the part around them."""
    blocks = _blocks(part, place)
    weights = None if part.weights is None else _joined([block.weights for block in blocks])
    return RowsPart(
        _joined([block.X for block in blocks]), _joined([block.y for block in blocks]), weights
    )


def standardised(part: RowsPart, means: FloatArray, scales: FloatArray) -> RowsPart:
    """The part with (x - mean) / scale, as ``Encoder`` computes it."""
    Z = part.X - means
    Z /= scales
    return replace(part, X=Z)
