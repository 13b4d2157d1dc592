"""What a linear model would lose without a column: permutation importance from contributions.

It needs the scores and the contributions, never the matrix or the model: shuffling a column
shuffles its contribution, so z' = z - c_j + c_j[permutation] costs O(n) and no scoring (Breiman
2001, for a model whose log-odds are a sum over columns). Trees are no such sum: their
contributions change when another column does. The permutation of repeat r sorts the splitmix64
hashes of r n + i and is the same for all columns.

Correlated columns share what they know: each alone may look dispensable while together they are
not. Ask for such columns as one group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mlcore.alive import Alive, nothing
from mlcore.arrays import FloatArray, IntArray
from mlcore.errors import DataError
from mlcore.metrics import log_loss_of_logits
from mlcore.ranking import mean_roc_auc, roc_auc
from mlcore.scored import checked_weights, class_numbers, scored
from mlcore.softmax import softmax, softmax_losses
from mlcore.split import splitmix64

Groups = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class ImportanceRow:
    """One column or group: mean harm over the repeats, and their 2.5 and 97.5 % quantiles.

    The drop in ROC AUC (mean of one against the rest for K classes) is None where undefined.
    """

    name: str
    log_loss_increase: float
    log_loss_low: float
    log_loss_high: float
    roc_auc_drop: float | None
    roc_auc_low: float | None
    roc_auc_high: float | None


@dataclass(frozen=True)
class ImportanceReport:
    """Rows in the order of the groups; the log loss and area of the untouched scores."""

    n: int
    repeats: int
    seed: int
    log_loss: float
    roc_auc: float | None
    rows: tuple[ImportanceRow, ...]


@dataclass(frozen=True)
class ImportanceSettings:
    """How many shuffles, and from which seed; ``alive`` is called before each and may raise."""

    repeats: int = 30
    seed: int = 7
    alive: Alive = nothing

    def __post_init__(self) -> None:
        if self.repeats < 2:
            raise DataError(f"an interval needs at least 2 repeats, got {self.repeats}")


Quality = Callable[[FloatArray], tuple[float, float | None]]


def permutation_importance(
    y: ArrayLike,
    scores: ArrayLike,
    contributions: ArrayLike,
    *,
    groups: Groups | None = None,
    weights: ArrayLike | None = None,
    settings: ImportanceSettings | None = None,
) -> ImportanceReport:
    """The log loss a shuffled column adds and the ROC AUC it takes, with 95 % of the repeats.

    Two classes: y of 0 and 1, scores (n,) and contributions (n, C) in log-odds, or (n, 1) and
    (n, 1, C). K classes: y of class numbers, scores (n, K) and contributions (n, K, C), the
    logits of a softmax. ``groups`` names the contributions that are shuffled together: the slots
    of a column, or several columns; each of the C alone ("0", "1", ...) unless given. Raises
    DataError for shapes that do not fit and for a group that is empty or out of range.

    >>> report = permutation_importance([0, 0, 1, 1], [-2.0, -1.0, 1.0, 2.0],
    ...     [[-2.0, 0.0], [-1.0, 0.0], [1.0, 0.0], [2.0, 0.0]], groups={"size": [0], "hue": [1]})
    >>> report.rows[0].log_loss_increase > 0, report.rows[1].log_loss_increase
    (True, 0.0)
    """
    settings = settings or ImportanceSettings()
    z, parts = np.asarray(scores, dtype=np.float64), np.asarray(contributions, dtype=np.float64)
    if parts.ndim != z.ndim + 1 or parts.shape[:-1] != z.shape:
        raise DataError(
            f"contributions of shape {parts.shape} do not go with scores of shape {z.shape}; "
            "give one more axis, the columns"
        )
    if z.ndim == 2 and z.shape[1] == 1:  # the one score of two classes, kept as a column
        z, parts = z[:, 0], parts[:, 0]
    quality = _quality(y, z, checked_weights(weights, len(z)))
    loss, area = quality(z)
    columns = dict(_grouped(parts, groups))
    found: dict[str, list[tuple[float, float | None]]] = {name: [] for name in columns}
    for repeat in range(settings.repeats):
        order = permutation(len(z), repeat=repeat, seed=settings.seed)
        for name, part in columns.items():
            settings.alive()
            found[name].append(quality(z - part + part[order]))
    return ImportanceReport(
        n=len(z),
        repeats=settings.repeats,
        seed=settings.seed,
        log_loss=loss,
        roc_auc=area,
        rows=tuple(_row(name, moved, loss, area) for name, moved in found.items()),
    )


def permutation(n: int, *, repeat: int, seed: int) -> IntArray:
    """The order of the hashes of repeat n + 0 .. repeat n + n - 1.

    >>> permutation(4, repeat=0, seed=7)
    array([2, 1, 3, 0])
    """
    numbers = np.arange(repeat * n, (repeat + 1) * n, dtype=np.uint64)
    return np.argsort(splitmix64(numbers, seed), kind="stable")


def _grouped(parts: FloatArray, groups: Groups | None) -> Iterator[tuple[str, FloatArray]]:
    C = parts.shape[-1]
    for name, columns in (groups or {str(j): [j] for j in range(C)}).items():
        if not columns or not all(0 <= j < C for j in columns) or len(set(columns)) < len(columns):
            raise DataError(
                f'group "{name}" must name different contributions from 0 to {C - 1}, '
                f"got {list(columns)}"
            )
        yield name, parts[..., list(columns)].sum(axis=-1)


def _quality(y: ArrayLike, z: FloatArray, weights: FloatArray) -> Quality:
    """Log loss and area as a function of the scores alone."""
    if z.ndim == 1:
        rows = scored(y, z, weights)
        return lambda z: (log_loss_of_logits(rows.y, z, weights), roc_auc(rows.y, z, weights))
    labels = class_numbers(y, z.shape[1]).astype(np.float64)
    if labels.shape != (len(z),):
        raise DataError(f"give one class number for every row of scores, not {labels.shape}")
    return lambda z: (
        float(np.average(softmax_losses(z, labels), weights=weights)),
        mean_roc_auc(labels, softmax(z), weights),
    )


def _row(
    name: str, found: list[tuple[float, float | None]], loss: float, area: float | None
) -> ImportanceRow:
    more = np.array([new - loss for new, _ in found])
    low, high = np.quantile(more, (0.025, 0.975)).tolist()
    less = np.array([area - new for _, new in found if area is not None and new is not None])
    auc_low, auc_high = np.quantile(less, (0.025, 0.975)).tolist() if len(less) else (None, None)
    return ImportanceRow(
        name=name,
        log_loss_increase=float(more.mean()),
        log_loss_low=low,
        log_loss_high=high,
        roc_auc_drop=float(less.mean()) if len(less) else None,
        roc_auc_low=auc_low,
        roc_auc_high=auc_high,
    )
