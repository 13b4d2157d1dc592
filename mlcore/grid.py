"""The distribution function of a column's training values, as its quantiles tell; knows no window.

The distinct quantiles are edges. They cut the line into cells: what lies below the first edge, the
first edge itself, what lies between it and the second, .. and what lies above the last; E edges
give 2 E + 1 cells, the even ones open. Counts of rows per cell say where live values fell, to the
last row on every edge.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlcore.arrays import FloatArray, IntArray
from mlcore.profile import Bins, ColumnProfile, Profile


class Counted(NamedTuple):
    """Values in cells: rows per cell (2 E + 1,), sums of scaled values per open cell (E + 1,).

    ``points`` is the sum of the scaled values that lie on an edge, ``squares`` that of all squares.
    """

    cells: IntArray
    sums: FloatArray
    points: float
    squares: float
    minimum: float
    maximum: float


@dataclass(frozen=True, eq=False)
class Grid:
    """Where the n training values of a column lie.

    ``reached`` and ``below`` (E,) count those up to each edge and before it, exactly where the
    column repeats no value and at the deciles, else within a step of the quantiles (a thousandth).
    ``areas`` (E - 1,) are the integrals of ``reached`` from edge to edge in units of the sd.
    ``center`` and ``unit`` are mean and sd of the training, or 1 for a column without spread.
    """

    edges: FloatArray
    n: int
    reached: FloatArray
    below: FloatArray
    areas: FloatArray
    deciles: Bins
    center: float
    unit: float

    @classmethod
    def of(cls, column: ColumnProfile, n_rows: int) -> Grid:
        """The grid of a column of numbers in a profile of ``n_rows`` rows."""
        n = n_rows - column.missing
        quantiles = np.array(column.quantiles)
        edges, first, times = np.unique(quantiles, return_index=True, return_counts=True)
        last = first + times - 1
        steps = len(quantiles) - 1
        reached: FloatArray
        if column.deciles is None:
            reached = (n - 1) * last // steps + np.float64(1)
            deciles = _deciles_of_percents(quantiles, n)
        else:
            reached = _reached(last, times, n, steps)
            deciles = column.deciles
            at = np.searchsorted(edges, deciles.edges)
            reached[at] = np.cumsum(deciles.counts)[:-1]
        reached[-1] = n
        below = _below(first, times, reached, n if column.deciles else 0)
        if column.tails is not None and len(edges) > 1:
            if times[0] == 1:
                below[1] = column.tails.below
            if times[-1] == 1:
                reached[-2] = n - column.tails.above
        center = column.mean or 0.0
        unit = (column.sd or 1.0) if len(edges) > 1 else 1.0
        areas = _areas(column, (edges - center) / unit, reached, below)
        return cls(edges, n, reached, below, areas, deciles, center, unit)

    @cached_property
    def scaled_edges(self) -> FloatArray:
        return self.scaled(self.edges)

    @property
    def n_cells(self) -> int:
        return 2 * len(self.edges) + 1

    @property
    def cells(self) -> FloatArray:
        """The training rows in each cell (2 E + 1,)."""
        counts = np.zeros(self.n_cells)
        counts[1::2] = self.reached - self.below
        counts[2:-1:2] = self.below[1:] - self.reached[:-1]
        return counts

    def scaled(self, values: FloatArray) -> FloatArray:
        """Values as their distance from the training mean in sd."""
        with np.errstate(over="ignore"):
            scaled: FloatArray = (values - self.center) / self.unit
        return scaled

    def count(self, values: FloatArray) -> Counted:
        """Sort values (n,), n > 0, into the cells."""
        ordered = np.sort(values)
        bounds = np.empty(self.n_cells + 1, np.int64)
        bounds[0], bounds[-1] = 0, len(ordered)
        bounds[1:-1:2] = np.searchsorted(ordered, self.edges, side="left")
        bounds[2:-1:2] = np.searchsorted(ordered, self.edges, side="right")
        cells = np.diff(bounds)
        scaled = np.append(self.scaled(ordered), 0.0)
        with np.errstate(over="ignore", invalid="ignore"):
            sums = np.add.reduceat(scaled, bounds[:-1])[::2]
            squares = float(scaled @ scaled)
            points = float(cells[1::2] @ self.scaled_edges)
        sums = np.where(cells[::2] > 0, sums, 0.0)
        return Counted(cells, sums, points, squares, float(ordered[0]), float(ordered[-1]))

    def decile_counts(self, cells: NDArray[Any]) -> FloatArray:
        """Rows per decile bin of rows per cell; values below all of a first bin that is one value come first."""
        ends = 2 * np.searchsorted(self.edges, self.deciles.edges, side="right")
        if self.is_first_alone:
            ends = np.append(1, ends)
        reached = np.concatenate(([0], np.cumsum(cells)))[ends]
        return np.diff(reached, prepend=0, append=cells.sum()).astype(np.float64)

    @property
    def reference_deciles(self) -> FloatArray:
        """What ``decile_counts`` is compared with: the training rows per bin."""
        counts = np.array(self.deciles.counts, np.float64)
        return np.append(0.0, counts) if self.is_first_alone else counts

    @property
    def is_first_alone(self) -> bool:
        """Whether the first decile bin holds the smallest value alone, so that less is news."""
        return bool(self.deciles.edges[0] == self.edges[0])


def score_column(profile: Profile) -> ColumnProfile:
    """The training probabilities as a column of numbers called "score"."""
    scores = profile.scores
    grid = np.array(scores.quantiles)
    return ColumnProfile(
        name="score",
        kind="number",
        missing=0,
        mean=float(grid.mean()) if scores.mean is None else scores.mean,
        sd=float(grid.std()) if scores.sd is None else scores.sd,
        minimum=scores.quantiles[0],
        maximum=scores.quantiles[-1],
        quantiles=scores.quantiles,
        deciles=scores.deciles,
        tails=scores.tails,
    )


def _reached(last: IntArray, times: IntArray, n: int, steps: int) -> FloatArray:
    """The middle of what the ranks allow: a value that fills several steps may end within the next."""
    least = -(last * -n // steps)
    most = np.maximum(-((last + 1) * -n // steps) - 1, least)
    return np.maximum(np.where(times > 1, (least + most) / 2, least), 1.0)


def _below(first: IntArray, times: IntArray, reached: FloatArray, n: int) -> FloatArray:
    """Rows below each edge: all but one of those up to a value that stands alone.

    With at most as many rows as steps there is no row between the edges. A value that fills
    several steps has nothing between itself and one before it that does the same.
    """
    steps = int(first[-1] + times[-1]) - 1
    before = np.concatenate(([0.0], reached[:-1]))
    if 0 < n <= steps:
        return before
    alone = times == 1
    follows = ~alone & np.concatenate(([True], ~alone[:-1]))
    rank = np.where(alone, reached, -(first * -n // steps) if n else before + 1)
    below: FloatArray = np.where(follows, before, np.maximum(rank - 1, before))
    below[0] = 0.0
    return below


def _areas(
    column: ColumnProfile, edges: FloatArray, reached: FloatArray, below: FloatArray
) -> FloatArray:
    """Integrals of the counts between scaled edges: straight lines, but for the tails exactly."""
    areas: FloatArray = np.diff(edges) * (reached[:-1] + below[1:]) / 2
    tails, unit, center = column.tails, column.sd or 1.0, column.mean or 0.0
    if tails is None or len(edges) < 3:
        return areas
    if tails.below:
        areas[0] = tails.below * edges[1] - (tails.below_sum - tails.below * center) / unit
    if tails.above:
        beyond = (tails.above_sum - tails.above * center) / unit - tails.above * edges[-2]
        areas[-1] = reached[-1] * (edges[-1] - edges[-2]) - beyond
    return areas


def _deciles_of_percents(grid: FloatArray, n: int) -> Bins:
    """Deciles of 101 interpolated quantiles, with the counts that the quantiles tell.

    Where the grid steps from one repeated value to the next it has interpolated a number between
    them that no row has; the value before the step is the edge.
    """
    at = np.arange(10, 100, 10)
    level = grid[at - 1] == grid[at - 2]
    edges = np.unique(np.where(level, grid[at - 1], grid[at]))
    up_to = np.searchsorted(grid, edges, side="right") - 1
    reached = np.round(up_to / (len(grid) - 1) * n).astype(np.int64)
    return Bins(tuple(edges.tolist()), tuple(np.diff(reached, prepend=0, append=n).tolist()))
