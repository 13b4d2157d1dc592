"""What the labels and weights of some rows say, and the words for cells that cannot be used.

It knows rows as blocks, and no loss.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlcore.arrays import LIMIT, FloatArray
from mlcore.errors import DataError
from mlcore.rows import Block, Kernel, Rows

MOST_CLASSES = 1000


@dataclass(frozen=True, eq=False)
class Labels:
    """The rows in one glance: how many, their total weight, and the weight of each class."""

    n_rows: int
    weight: float
    of_class: FloatArray

    @property
    def rates(self) -> FloatArray:
        return self.of_class / self.weight

    @property
    def rarest(self) -> float:
        """Rows of the rarest class, were all weights equal."""
        return self.n_rows * float(self.of_class.min()) / self.weight if self.weight > 0 else 0.0


def count_labels(rows: Rows) -> Labels:
    """One pass over y and the weights.

    Raises DataError for a label that is no class number, a weight that is negative or not
    finite, and a class without weight: training needs rows of every class.
    """
    labels = tally_labels(rows)
    if labels.of_class.min() <= 0:
        empty = int(np.argmin(labels.of_class))
        some = "both classes" if len(labels.of_class) == 2 else "every class"
        raise DataError(f"training needs rows of {some}; class {empty} has none")
    if not 1 / LIMIT <= labels.weight <= LIMIT:
        raise DataError(f"weights must sum to between 1e-150 and 1e150, got {labels.weight:.3g}")
    return labels


def tally_labels(rows: Rows) -> Labels:
    """The same of rows that may lack a class."""
    # In this order a NaN counts as 1; the pass below names its row.
    n_classes = int(min(max(1.0, rows.largest_label()), MOST_CLASSES - 1)) + 1
    with np.errstate(invalid="ignore", over="ignore"):
        totals = rows.total(_LabelSums(n_classes))
    return Labels(int(totals[-2]), float(totals[-1]), totals[:-2])


@dataclass(frozen=True)
class _LabelSums:
    n_classes: int

    def __call__(self) -> Kernel:
        return self._of_block

    def _of_block(self, block: Block) -> FloatArray:
        y, weights = block.y, block.weights
        classes = y.astype(np.int64)
        if not np.array_equal(classes, y) or classes.min() < 0 or classes.max() >= self.n_classes:
            known = (y >= 0) & (y == np.floor(y)) & (y < MOST_CLASSES)
            _refuse_where(~known, block, "y", y, "class numbers 0, 1, 2 .. 999 only")
        if weights is None:
            counts = np.bincount(classes, minlength=self.n_classes)
            return np.append(counts, np.full(2, float(len(y))))
        bad = ~((weights >= 0) & np.isfinite(weights))
        _refuse_where(bad, block, "weights", weights, "finite numbers of at least 0 only")
        counts = np.bincount(classes, weights=weights, minlength=self.n_classes)
        return np.append(counts, np.array([len(y), weights.sum()]))


def _refuse_where(
    bad: NDArray[np.bool_], block: Block, name: str, values: FloatArray, expected: str
) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(
            f"{name} must hold {expected}, got {values[row]} in row {block.start + row}"
        )


def refuse_cells(rows: Rows) -> None:
    """DataError for the first cell of X that is not a finite number up to 1e150 in size."""
    for block in rows.blocks():
        usable = np.abs(block.X) <= LIMIT
        if not usable.all():
            row, column = np.argwhere(~usable)[0].tolist()
            value = block.X[row, column]
            place = f"row {block.start + row}, column {column}"
            raise DataError(f"X holds {value} in {place}; at most 1e150")
