"""What a window of live rows holds, and where: one place a column of the profile; adds no rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from mlcore.arrays import FloatArray, IntArray
from mlcore.grid import Grid, score_column
from mlcore.profile import ColumnProfile, Profile


class NumberSummary(NamedTuple):
    """Live values of a number: rows per cell (2 E + 1,), sums of scaled values per open cell (E + 1,).

    ``total`` and ``squares`` are sums over all values and their squares, scaled by mean and sd of
    the training; minimum and maximum are None without values.
    """

    cells: IntArray
    sums: FloatArray
    missing: int
    total: float
    squares: float
    minimum: float | None
    maximum: float | None

    @property
    def n(self) -> int:
        return int(self.cells.sum())

    @property
    def below(self) -> int:
        """Values smaller than any of the training."""
        return int(self.cells[0])

    @property
    def above(self) -> int:
        """Values larger than any of the training."""
        return int(self.cells[-1])


class CategorySummary(NamedTuple):
    """Live values of a category: rows per level, of no level and missing; up to 20 texts of no level."""

    counts: IntArray
    unseen: int
    missing: int
    texts: Mapping[str, int]

    @property
    def n(self) -> int:
        return int(self.counts.sum()) + self.unseen


@dataclass(frozen=True, eq=False)
class Layout:
    """Where each column of a profile has its counts and sums in a window's two vectors."""

    profile: Profile

    @cached_property
    def columns(self) -> tuple[ColumnProfile, ...]:
        """The profile's columns, then its scores."""
        return (*self.profile.columns, score_column(self.profile))

    @cached_property
    def grids(self) -> tuple[Grid | None, ...]:
        """One for each number, None for categories."""
        return tuple(
            Grid.of(column, self.profile.n_rows) if column.kind == "number" else None
            for column in self.columns
        )

    @cached_property
    def n_classes(self) -> int:
        return len(self.profile.scores.class_rates) or 2

    @cached_property
    def counts(self) -> tuple[slice, ...]:
        """Of each column: rows per cell or level, then unseen levels, then missing; last the classes."""
        sizes = [
            grid.n_cells + 1 if grid else len(column.counts) + 2
            for grid, column in zip(self.grids, self.columns, strict=True)
        ]
        return _slices([*sizes, self.n_classes])

    @cached_property
    def sums(self) -> tuple[slice, ...]:
        """Of each number: sums per open cell, then of the points, then of all squares."""
        return _slices([len(grid.edges) + 3 if grid else 0 for grid in self.grids])

    @cached_property
    def fingerprint(self) -> bytes:
        told = hashlib.sha256()
        for grid, column in zip(self.grids, self.columns, strict=True):
            told.update(column.name.encode() + b"\0")
            if grid:
                told.update(np.append(grid.edges, (grid.center, grid.unit)).astype("<f8").tobytes())
            else:
                told.update(json.dumps([level for level, _ in column.counts]).encode())
        told.update(str(self.n_classes).encode())
        return told.digest()[:8]


def _slices(sizes: list[int]) -> tuple[slice, ...]:
    ends = np.cumsum(sizes).tolist()
    return tuple(slice(end - size, end) for size, end in zip(sizes, ends, strict=True))
