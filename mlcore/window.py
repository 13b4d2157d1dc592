"""Live rows in summary, against the grid of a training profile: constant memory, mergeable.

It keeps counts and sums and no row, and knows nothing of drift, time or databases.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlcore.arrays import FloatArray, IntArray
from mlcore.errors import DataError
from mlcore.grid import Grid
from mlcore.layout import CategorySummary, Layout, NumberSummary
from mlcore.live_rows import Table, arrays, headline_scores, holes_of
from mlcore.profile import Profile

FORMAT = 1
MOST_UNSEEN = 20
_LONGEST_TEXT = 100
_LARGEST = 64 * 2**20
_HEAD = struct.Struct("<B8sQ")


@dataclass(eq=False)
class Window:
    """A growing summary of live rows; ``add`` rows, ``merge`` windows, keep ``to_bytes``.

    >>> from mlcore.profile import build_profile
    >>> from mlcore.schema import Column, Schema
    >>> schema = Schema((Column("a", "number"),))
    >>> rows = schema.read([[1.0], [3.0]])
    >>> profile = build_profile(schema, rows, probabilities=np.array([0.2, 0.9]), threshold=0.5)
    >>> window = Window.empty(profile)
    >>> window.add(np.array([[0.5], [2.0], [np.nan]]))
    >>> found = window.number(0)
    >>> window.n_rows, found.n, found.below, found.missing
    (3, 2, 1, 1)
    >>> Window.from_bytes(window.to_bytes(), profile).number(0).minimum
    0.5
    """

    layout: Layout
    n_rows: int
    counts: IntArray
    sums: FloatArray
    extremes: FloatArray
    texts: tuple[dict[str, int], ...]

    @classmethod
    def empty(cls, profile: Profile) -> Window:
        """A window without rows, for rows of the profile's columns."""
        return cls._of(Layout(profile))

    @classmethod
    def _of(cls, layout: Layout) -> Window:
        extremes = np.empty((2, len(layout.columns)))
        extremes[0], extremes[1] = np.inf, -np.inf
        return cls(
            layout=layout,
            n_rows=0,
            counts=np.zeros(layout.counts[-1].stop, np.int64),
            sums=np.zeros(layout.sums[-1].stop),
            extremes=extremes,
            texts=tuple({} for _ in layout.columns),
        )

    def add(
        self,
        columns: Table,
        holes: Mapping[str, ArrayLike] | None = None,
        probabilities: FloatArray | None = None,
        predicted: ArrayLike | None = None,
    ) -> None:
        """Count n rows: columns by name, or a matrix (n, C) in the profile's order.

        NaN, None, what ``holes`` marks by column (n,) and what ``Columns`` has filled are missing.
        ``probabilities`` (n,) or (n, K) are what the model answered, ``predicted`` (n,) the
        numbers of the classes. Raises DataError for columns that are not the profile's or of
        different lengths; then nothing has been counted.
        """
        table = arrays(columns, self.layout.profile)
        n = len(next(iter(table.values()))) if table else 0
        scores = None if probabilities is None else headline_scores(probabilities)
        chosen = None if predicted is None else np.asarray(predicted, np.int64)
        given = [*table.values(), *(part for part in (scores, chosen) if part is not None)]
        if any(part.shape != (n,) for part in given):
            raise DataError("the columns of a window must have one length")
        if chosen is not None and n and not (0 <= chosen.min() <= chosen.max() < self._n_classes):
            raise DataError(f"a predicted class is not one of 0 .. {self._n_classes - 1}")
        gaps = holes_of(columns, holes, n)
        for place, column in enumerate(self.layout.profile.columns):
            self._add(place, table[column.name], gaps.get(column.name))
        if scores is not None:
            self._add(len(self.layout.columns) - 1, scores, None)
        if chosen is not None:
            self.counts[self.layout.counts[-1]] += np.bincount(chosen, minlength=self._n_classes)
        self.n_rows += n

    def merge(self, other: Window) -> Window:
        """The window of the rows of both; DataError for windows of different profiles."""
        if self.layout is not other.layout and self.layout.fingerprint != other.layout.fingerprint:
            raise DataError("windows of different profiles cannot be merged")
        low, high = zip(self.extremes, other.extremes, strict=True)
        return Window(
            layout=self.layout,
            n_rows=self.n_rows + other.n_rows,
            counts=self.counts + other.counts,
            sums=self.sums + other.sums,
            extremes=np.array([np.minimum(*low), np.maximum(*high)]),
            texts=tuple(
                _tally(dict(mine), theirs)
                for mine, theirs in zip(self.texts, other.texts, strict=True)
            ),
        )

    def number(self, place: int) -> NumberSummary:
        """The summary of the number at this place of the profile; -1 is the score."""
        self._grid(place)
        counts = self.counts[self._counts_of(place)]
        sums = self.sums[self.layout.sums[place]]
        low, high = self.extremes[:, place].tolist()
        return NumberSummary(
            cells=counts[:-1],
            sums=sums[:-2],
            missing=int(counts[-1]),
            total=float(sums[:-1].sum()),
            squares=float(sums[-1]),
            minimum=low if low <= high else None,
            maximum=high if low <= high else None,
        )

    def category(self, place: int) -> CategorySummary:
        """The summary of the category at this place of the profile."""
        if self.layout.grids[place] is not None:
            raise DataError(f"{self.layout.columns[place].name} is no category")
        counts = self.counts[self._counts_of(place)]
        return CategorySummary(counts[:-2], int(counts[-2]), int(counts[-1]), self.texts[place])

    @property
    def scores(self) -> tuple[FloatArray, IntArray]:
        """The mean score and the rows of each cell that has any: the scores without the rows."""
        grid, found = self._grid(-1), self.number(-1)
        values = np.empty(len(found.cells))
        values[1::2] = grid.edges
        values[::2] = found.sums / np.maximum(found.cells[::2], 1) * grid.unit + grid.center
        filled = found.cells > 0
        return values[filled], found.cells[filled]

    @property
    def predicted(self) -> IntArray:
        """How many rows were given to each class, shape (K,)."""
        return self.counts[self.layout.counts[-1]]

    def to_bytes(self) -> bytes:
        """Version, fingerprint of the profile and rows, then everything else, compressed."""
        parts = (self.counts.astype("<i8"), self.sums.astype("<f8"), self.extremes.astype("<f8"))
        texts = json.dumps([list(found.items()) for found in self.texts], separators=(",", ":"))
        body = b"".join([*(part.tobytes() for part in parts), texts.encode()])
        return _HEAD.pack(FORMAT, self.layout.fingerprint, self.n_rows) + zlib.compress(body, 1)

    @classmethod
    def from_bytes(cls, data: bytes, profile: Profile) -> Window:
        """What ``to_bytes`` wrote; DataError for other bytes, another version or another profile."""
        return cls.read(data, Layout(profile))

    @classmethod
    def read(cls, data: bytes, layout: Layout) -> Window:
        """``from_bytes`` where many windows of a profile share their layout."""
        if len(data) < _HEAD.size or data[0] != FORMAT:
            raise DataError(f"these bytes are no window of version {FORMAT}")
        _, fingerprint, n_rows = _HEAD.unpack_from(data)
        if fingerprint != layout.fingerprint:
            raise DataError("the window was counted against another profile")
        found = cls._of(layout)
        found.n_rows = n_rows
        try:
            body = zlib.decompressobj().decompress(data[_HEAD.size :], _LARGEST)
            arrays = (found.counts, found.sums, found.extremes)
            for array in arrays:
                array[:] = np.frombuffer(body, array.dtype, array.size).reshape(array.shape)
                body = body[array.nbytes :]
            found.texts = tuple({str(k): int(n) for k, n in pairs} for pairs in json.loads(body))
        except (zlib.error, ValueError, TypeError) as error:
            raise DataError(f"the window is damaged: {error}") from error
        if len(found.texts) != len(layout.columns) or (found.counts < 0).any():
            raise DataError("the window is damaged: its parts do not belong together")
        return found

    @property
    def _n_classes(self) -> int:
        return self.layout.n_classes

    def _grid(self, place: int) -> Grid:
        grid = self.layout.grids[place]
        if grid is None:
            raise DataError(f"{self.layout.columns[place].name} is no column of numbers")
        return grid

    def _counts_of(self, place: int) -> slice:
        return self.layout.counts[place % len(self.layout.columns)]

    def _add(self, place: int, values: NDArray[Any], holes: NDArray[np.bool_] | None) -> None:
        present = values if holes is None else values[~holes]
        grid = self.layout.grids[place]
        counts = self.counts[self.layout.counts[place]]
        counts[-1] += len(values) - len(present)
        counts[-1] += (
            self._add_numbers(place, present, grid) if grid else self._add_levels(place, present)
        )

    def _add_numbers(self, place: int, values: FloatArray, grid: Grid) -> int:
        """Count numbers; returns how many are NaN."""
        nan = np.isnan(values)
        present = values[~nan] if nan.any() else values
        if len(present):
            found = grid.count(present)
            self.counts[self.layout.counts[place]][:-1] += found.cells
            sums = self.sums[self.layout.sums[place]]
            with np.errstate(over="ignore", invalid="ignore"):
                sums[:-2] += found.sums
                sums[-2] += found.points
                sums[-1] += found.squares
            low, high = self.extremes[:, place].tolist()
            self.extremes[:, place] = min(low, found.minimum), max(high, found.maximum)
        return len(values) - len(present)

    def _add_levels(self, place: int, values: NDArray[Any]) -> int:
        """Count levels; returns how many are None or NaN."""
        levels = {level: k for k, (level, _) in enumerate(self.layout.columns[place].counts)}
        counts, texts = self.counts[self.layout.counts[place]], self.texts[place]
        missing = 0
        for value, count in Counter(values.tolist()).items():
            if value in levels:
                counts[levels[value]] += count
            elif value is None or value != value:  # noqa: PLR0124 - NaN
                missing += count
            else:
                counts[-2] += count
                _tally(texts, {str(value)[:_LONGEST_TEXT]: count})
        return missing


def _tally(texts: dict[str, int], more: Mapping[str, int]) -> dict[str, int]:
    """Add counts to the texts known, and new texts as long as there is room."""
    for text, count in more.items():
        if text in texts or len(texts) < MOST_UNSEEN:
            texts[text] = texts.get(text, 0) + count
    return texts
