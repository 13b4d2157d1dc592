"""Rows in blocks that fit the cache, wherever they lie, and passes over them; knows no loss.

A pass reads each block once and adds up one flat vector a block (see ``sums``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlcore.arrays import FloatArray
from mlcore.errors import DataError
from mlcore.sums import PairwiseSum, Place

BLOCK_BYTES = 2**21
_FEWEST_ROWS, _MOST_ROWS = 1024, 8192
_FEWEST_SAMPLED = 512


class Block(NamedTuple):
    """Some consecutive rows: X (m, d) as float64, y (m,), weights (m,) or None for all 1."""

    X: FloatArray
    y: FloatArray
    weights: FloatArray | None
    start: int


Kernel = Callable[[Block], FloatArray]
"""The sums of one block as a flat vector; it may keep buffers, so every thread has its own."""

Source = Iterable[tuple[NDArray[Any], ...]] | Callable[[], Iterator[tuple[NDArray[Any], ...]]]
"""Blocks (X, y) or (X, y, weights) that can be read again and again."""

Map = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]]
"""``map``, or the same of a pool of threads or processes."""


class Rows(ABC):
    """Rows that can be passed over as often as needed."""

    n_columns: int

    @abstractmethod
    def blocks(self) -> Iterator[Block]: ...

    @abstractmethod
    def largest_label(self) -> float: ...

    def sample(self, share: int) -> Rows | None:
        """One row in ``share``, from all over the data; None where only whole passes are possible."""
        return None

    def alike(self, others: Rows) -> Rows:
        """Other rows, in the units of these."""
        return others

    def nodes(self, make: Callable[[], Kernel]) -> dict[Place, FloatArray]:
        """The sums of these blocks, as far as they can be added up on their own."""
        kernel, sums = make(), PairwiseSum()
        for number, block in enumerate(self.blocks(), self.first):
            sums.add((0, number), kernel(block))
        return sums.nodes

    def total(self, make: Callable[[], Kernel]) -> FloatArray:
        """The kernel's vectors, added over all blocks."""
        sums = PairwiseSum(self.nodes(make))
        if not sums.nodes:
            raise DataError("there are no rows; training needs rows of both classes")
        return sums.total()

    first: int = 0


@dataclass(frozen=True, eq=False)
class ArrayRows(Rows):
    """Rows of arrays, memory-mapped ones too; a block is a view, or a float64 copy of the block."""

    X: NDArray[Any]
    y: NDArray[Any]
    weights: NDArray[Any] | None
    ranges: tuple[tuple[int, int], ...]
    first: int = 0
    first_row: int = 0

    @classmethod
    def of(
        cls, X: NDArray[Any], y: NDArray[Any], weights: NDArray[Any] | None, block_rows: int
    ) -> ArrayRows:
        starts = range(0, len(X), block_rows)
        ranges = tuple((start, min(start + block_rows, len(X))) for start in starts)
        return cls(X, y, weights, ranges)

    @property
    def n_columns(self) -> int:  # type: ignore[override]
        return int(self.X.shape[1])

    def blocks(self) -> Iterator[Block]:
        return map(self._block, self.ranges)

    def total(self, make: Callable[[], Kernel]) -> FloatArray:
        if len(self.ranges) != 1:
            return super().total(make)
        return make()(self._block(self.ranges[0]))

    def _block(self, place: tuple[int, int]) -> Block:
        rows, weights = slice(*place), self.weights
        start = self.first_row + place[0]
        return Block(
            _numbers("X", self.X[rows], start),
            _numbers("y", self.y[rows], start),
            None if weights is None else _numbers("weights", weights[rows], start),
            start,
        )

    def largest_label(self) -> float:
        if len(self.y) == 0 or self.y.dtype.kind in "OSU":
            return max((float(np.fmax.reduce(block.y)) for block in self.blocks()), default=-1.0)
        return float(np.fmax.reduce(self.y))

    def sample(self, share: int) -> ArrayRows:
        """The first rows of every block, or whole blocks where theirs would be too few.

        Sorted or clustered data still give a mixed sample, and nothing is copied.
        """
        thinned = tuple((start, start + (stop - start) // share) for start, stop in self.ranges)
        if thinned[0][1] - thinned[0][0] >= _FEWEST_SAMPLED:
            return replace(self, ranges=tuple(r for r in thinned if r[0] < r[1]), first=0)
        return replace(self, ranges=self.ranges[::share], first=0)

    def part(self, ranges: slice) -> ArrayRows:
        """Some of the blocks, with only their own rows: what one worker needs."""
        mine = self.ranges[ranges]
        start, stop = mine[0][0], mine[-1][1]
        return ArrayRows(
            self.X[start:stop],
            self.y[start:stop],
            None if self.weights is None else self.weights[start:stop],
            tuple((a - start, b - start) for a, b in mine),
            self.first + ranges.start,
            self.first_row + start,
        )


@dataclass(frozen=True, eq=False)
class StreamedRows(Rows):
    """Rows that come as blocks from elsewhere, read anew in every pass."""

    source: Source
    block_rows: int | None = None

    def __post_init__(self) -> None:
        if isinstance(self.source, Iterator):
            raise DataError(
                "an iterator of blocks can be read only once, and a solver passes over the rows "
                "many times: give a list of blocks, or a function that returns a new iterator"
            )

    @property
    def n_columns(self) -> int:  # type: ignore[override]
        for block in self.blocks():
            return int(block.X.shape[1])
        raise DataError("there are no rows")

    def blocks(self) -> Iterator[Block]:
        start, n_columns = 0, -1
        for given in self.source() if callable(self.source) else self.source:
            X, y = np.asanyarray(given[0]), np.asanyarray(given[1])
            weights = None if len(given) < 3 or given[2] is None else np.asanyarray(given[2])
            check_shapes(X, y, weights)
            n_columns = X.shape[1] if n_columns < 0 else n_columns
            if X.shape[1] != n_columns:
                raise DataError(
                    f"the block from row {start} on has {X.shape[1]} columns, "
                    f"the blocks before it have {n_columns}"
                )
            rows = ArrayRows.of(X, y, weights, self.block_rows or block_rows(X.shape[1]))
            for block in rows.blocks():
                yield block._replace(start=start + block.start)
            start += len(X)

    def largest_label(self) -> float:
        return max((float(np.fmax.reduce(block.y)) for block in self.blocks()), default=-1.0)


@dataclass(frozen=True, eq=False)
class PartitionedRows(Rows):
    """The same rows in parts that are passed over side by side.

    >>> X, y = np.arange(12.0).reshape(6, 2), np.array([0.0, 1.0, 0.0, 1.0, 0.0, 1.0])
    >>> rows = PartitionedRows.of(X, y, parts=2, block_rows=2)
    >>> [len(list(part.blocks())) for part in rows.parts]
    [2, 1]
    """

    whole: ArrayRows
    parts: tuple[Rows, ...]
    map_: Map

    @classmethod
    def of(
        cls,
        X: NDArray[Any],
        y: NDArray[Any],
        weights: NDArray[Any] | None = None,
        *,
        parts: int,
        block_rows: int | None = None,
        map_: Map = map,
    ) -> PartitionedRows:
        """``map_`` is ``map``, or the same of a pool of threads or processes."""
        whole = ArrayRows.of(X, y, weights, block_rows or _default_block_rows(X.shape[1]))
        edges = np.linspace(0, len(whole.ranges), parts + 1).round().astype(int).tolist()
        slices = [slice(a, b) for a, b in zip(edges[:-1], edges[1:], strict=True) if a < b]
        return cls(whole, tuple(whole.part(part) for part in slices), map_)

    @property
    def n_columns(self) -> int:  # type: ignore[override]
        return self.whole.n_columns

    def blocks(self) -> Iterator[Block]:
        return self.whole.blocks()

    def largest_label(self) -> float:
        return self.whole.largest_label()

    def sample(self, share: int) -> ArrayRows:
        return self.whole.sample(share)

    def nodes(self, make: Callable[[], Kernel]) -> dict[Place, FloatArray]:
        sums = PairwiseSum()
        for nodes in self.map_(_Pass(make), self.parts):
            for place, value in nodes.items():
                sums.add(place, value)
        return sums.nodes


@dataclass(frozen=True)
class _Pass:
    make: Callable[[], Kernel]

    def __call__(self, part: Rows) -> dict[Place, FloatArray]:
        return part.nodes(self.make)


def block_rows(n_columns: int) -> int:
    """Rows whose float64 values take about 2 MiB: large enough for NumPy, small for the cache."""
    fit = BLOCK_BYTES // (8 * max(n_columns, 1))
    return min(max(fit, _FEWEST_ROWS), _MOST_ROWS)


def as_rows(X: Any, y: Any = None, weights: Any = None, *, block_rows: int | None = None) -> Rows:
    """Rows from arrays, from memory-mapped arrays, or from blocks that can be read repeatedly.

    X is (n, d) with y (n,) and weights (n,) or None; or X is a list of blocks (X, y[, weights]),
    or a function that returns an iterator of them, and y is None. Nothing is copied.
    Raises DataError for shapes that do not fit.

    >>> X, y = np.ones((5, 2)), np.array([0.0, 1.0, 0.0, 1.0, 0.0])
    >>> [len(block.y) for block in as_rows(X, y, block_rows=2).blocks()]
    [2, 2, 1]
    >>> [block.start for block in as_rows([(X, y), (X, y)]).blocks()]
    [0, 5]
    """
    if isinstance(X, Rows):
        return X
    if y is None:
        return StreamedRows(X, block_rows)
    X, y = np.asanyarray(X), np.asanyarray(y)
    weights = None if weights is None else np.asanyarray(weights)
    check_shapes(X, y, weights)
    return ArrayRows.of(X, y, weights, block_rows or _default_block_rows(X.shape[1]))


_default_block_rows = block_rows


def _numbers(name: str, values: NDArray[Any], start: int) -> FloatArray:
    try:
        if values.dtype.kind in "cmM":
            raise TypeError(f"values of type {values.dtype}")
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        rows = f"rows {start} to {start + len(values) - 1}"
        raise DataError(f"{name} must hold numbers; in {rows}: {error}") from None


def check_shapes(X: NDArray[Any], y: NDArray[Any], weights: NDArray[Any] | None) -> None:
    if np.ndim(X) != 2 or np.shape(y) != (len(X),):
        raise DataError(f"X must be (n, d) and y (n,), got {np.shape(X)} and {np.shape(y)}")
    if weights is not None and np.shape(weights) != (len(X),):
        raise DataError(f"weights must be ({len(X)},), got {np.shape(weights)}")
