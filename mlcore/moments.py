"""Mean, spread and Gram matrix of the columns in two passes, and rows seen through them.

It knows rows as blocks, and no labels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from mlcore.arrays import EPS, LIMIT, FloatArray
from mlcore.errors import DataError
from mlcore.labels import refuse_cells
from mlcore.rows import Block, Kernel, PartitionedRows, Rows
from mlcore.sums import Place


@dataclass(frozen=True, eq=False)
class Moments:
    """Weighted mean (d,), population covariance (d, d) and scale (d,); a constant column has scale 1."""

    mean: FloatArray
    covariance: FloatArray
    scale: FloatArray

    @classmethod
    def none(cls, d: int) -> Moments:
        """Those of columns that count as standardised already."""
        return cls(np.zeros(d), np.eye(d), np.ones(d))


def moments_of(rows: Rows) -> Moments:
    """One pass: sums of u and u u' for u = (x - shift) / unit.

    ``shift`` is the mean of the first block and ``unit`` a power of two near its spread, so that
    neither an offset of 1e12 nor a scale of 1e150 costs digits. Mean = shift + unit mean(u),
    covariance = unit^2 (mean(u u') - mean(u) mean(u)'). A column is constant when its variance
    cannot be told from the rounding of its mean: sd <= n eps |mean| (Chan, Golub, LeVeque 1983).
    Raises DataError for no rows, and for a cell that is not a finite number up to 1e150 in size
    where it spoils the moments.

    >>> from mlcore.rows import as_rows
    >>> found = moments_of(as_rows(np.array([[1.0, 5.0], [3.0, 5.0]]), np.array([0.0, 1.0])))
    >>> found.mean, found.scale
    (array([2., 5.]), array([1., 1.]))
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        found = _moments_of(rows)
    # A sum hides the cell that spoilt it, and standardised cells would hide its row.
    if not (np.abs(found.mean) + found.scale <= LIMIT).all():
        refuse_cells(rows)
    return found


def _moments_of(rows: Rows) -> Moments:
    seen = (b.X if b.weights is None else b.X[b.weights > 0] for b in rows.blocks())
    first = next((X for X in seen if len(X)), None)
    if first is None:
        raise DataError("there are no rows with a weight; training needs rows of both classes")
    shift, unit = _frame(first)
    sums = rows.total(_MomentSums(shift, unit))
    d, weight = len(shift), sums[0]
    mean = sums[2 : 2 + d] / weight
    covariance = sums[2 + d :].reshape(d, d) / weight - np.outer(mean, mean)
    sd = unit * np.sqrt(np.maximum(np.diag(covariance), 0.0))
    center = shift + unit * mean
    constant = sd <= sums[1] * EPS * np.abs(center)
    return Moments(center, covariance * unit * unit[:, np.newaxis], np.where(constant, 1.0, sd))


def _frame(X: FloatArray) -> tuple[FloatArray, FloatArray]:
    shift = X.mean(axis=0)
    _, exponent = np.frexp(np.abs(X - shift).max(axis=0))
    return shift, np.ldexp(1.0, exponent)


@dataclass(frozen=True, eq=False)
class _MomentSums:
    """[sum s, rows, sum s u, sum s u u'] of a block."""

    shift: FloatArray
    unit: FloatArray

    def __call__(self) -> Kernel:
        return self._of_block

    def _of_block(self, block: Block) -> FloatArray:
        U = (block.X - self.shift) / self.unit
        s = np.ones(len(U)) if block.weights is None else block.weights
        root = np.sqrt(s)[:, np.newaxis] * U
        return np.concatenate(([s.sum(), len(U)], s @ U, (root.T @ root).ravel()))


def smoothness(moments: Moments) -> float:
    """lmax of [X 1]' diag(s) [X 1] / S: four times the smoothness of the logistic loss."""
    mean = moments.mean
    d = len(mean)
    gram = np.empty((d + 1, d + 1))
    gram[:d, :d] = moments.covariance + np.outer(mean, mean)
    gram[:d, d] = gram[d, :d] = mean
    gram[d, d] = 1.0
    return float(np.linalg.eigvalsh(gram)[-1])


@dataclass(frozen=True, eq=False)
class StandardisedRows(Rows):
    """The same rows with (x - mean) / scale, computed block by block into one buffer."""

    rows: Rows
    moments: Moments

    @property
    def first(self) -> int:  # type: ignore[override]
        return self.rows.first

    @property
    def n_columns(self) -> int:  # type: ignore[override]
        return self.rows.n_columns

    def blocks(self) -> Iterator[Block]:
        buffer = np.empty((0, self.n_columns))
        for block in self.rows.blocks():
            if len(buffer) < len(block.X):
                buffer = np.empty(block.X.shape)
            Z = np.subtract(block.X, self.moments.mean, out=buffer[: len(block.X)])
            Z /= self.moments.scale
            yield block._replace(X=Z)

    def largest_label(self) -> float:
        return self.rows.largest_label()

    def sample(self, share: int) -> Rows | None:
        rows = self.rows.sample(share)
        return None if rows is None else replace(self, rows=rows)

    def alike(self, others: Rows) -> Rows:
        return StandardisedRows(others, self.moments)

    def nodes(self, make: Callable[[], Kernel]) -> dict[Place, FloatArray]:
        if not isinstance(self.rows, PartitionedRows):
            return super().nodes(make)
        parts = tuple(StandardisedRows(part, self.moments) for part in self.rows.parts)
        return replace(self.rows, parts=parts).nodes(make)


def standardised(rows: Rows, moments: Moments) -> Rows:
    return StandardisedRows(rows, moments)
