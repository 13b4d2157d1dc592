"""How good the probabilities of three or more classes are; knows no models, names or files.

The scalars bear the names of ``metrics.MetricsReport``, so a caller reads either report alike.
Averages over classes are plain (macro): every class counts the same, however rare.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlcore.arrays import FloatArray, IntArray, floats
from mlcore.errors import DataError
from mlcore.ranking import roc_auc
from mlcore.scored import checked_weights, class_numbers, row_log_loss


@dataclass(frozen=True)
class ClassReport:
    """One class against the rest; support is its count, or the sum of its weights."""

    label: int
    precision: float
    recall: float
    f1: float
    support: float
    roc_auc: float | None


@dataclass(frozen=True)
class MulticlassReport:
    """All metrics of n rows of K classes; rows of ``confusion`` are true labels."""

    n: int
    accuracy: float
    balanced_accuracy: float
    precision: float
    recall: float
    f1: float
    mcc: float
    roc_auc: float | None
    log_loss: float
    brier: float
    confusion: tuple[tuple[float, ...], ...]
    per_class: tuple[ClassReport, ...]
    undefined: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def evaluate_multiclass(
    y: ArrayLike, P: ArrayLike, weights: ArrayLike | None = None
) -> MulticlassReport:
    """Every metric; y holds class numbers 0..K-1, P (n, K) probabilities; the largest wins.

    Of equal probabilities the lowest class wins. precision, recall and f1 are means over all K
    classes, empty ratios counting 0; balanced accuracy is the mean recall of the classes that
    occur; roc_auc the mean of each class against the rest, None when one is absent; mcc the R_K of
    Gorodkin (2004); log_loss = -mean log P[y], kept eps from 0 and 1; brier = mean sum_k
    (P_k - [y = k])^2, from 0 to 2. Raises DataError, naming the row, for what is no such input.

    >>> report = evaluate_multiclass([0, 1, 2], [[0.8, 0.1, 0.1], [0.2, 0.5, 0.3], [0.3, 0.4, 0.3]])
    >>> round(report.accuracy, 4), report.confusion
    (0.6667, ((1, 0, 0), (0, 1, 0), (0, 1, 0)))
    """
    labels, probabilities = _checked(y, P)
    weight = checked_weights(weights, len(labels))
    table = _confusion(labels, probabilities, None if weights is None else weight)
    classes = tuple(_one_class(k, table, labels, probabilities, weight) for k in range(len(table)))
    occurs, called = table.sum(axis=1) > 0, table.sum(axis=0) > 0
    areas = [c.roc_auc for c in classes if c.roc_auc is not None]
    area = float(np.mean(areas)) if len(areas) == len(classes) else None
    mcc = _gorodkin(table.astype(np.float64))
    missing = {
        "precision": not called.all(),
        "recall": not occurs.all(),
        "balanced_accuracy": not occurs.all(),
        "f1": not (occurs | called).all(),
        "mcc": mcc is None,
        "roc_auc": area is None,
    }
    return MulticlassReport(
        n=len(labels),
        accuracy=float(np.trace(table) / table.sum()),
        balanced_accuracy=float(np.mean([c.recall for c in classes if occurs[c.label]])),
        precision=_mean(lambda c: c.precision, classes),
        recall=_mean(lambda c: c.recall, classes),
        f1=_mean(lambda c: c.f1, classes),
        mcc=mcc or 0.0,
        roc_auc=area,
        log_loss=_log_loss(labels, probabilities, weight),
        brier=_brier(labels, probabilities, weight),
        confusion=tuple(tuple(row) for row in table.tolist()),
        per_class=classes,
        undefined=tuple(name for name, absent in missing.items() if absent),
    )


def _checked(y: ArrayLike, P: ArrayLike) -> tuple[IntArray, FloatArray]:
    given, probabilities = floats(y, "labels"), floats(P, "probabilities")
    if (
        given.ndim != 1
        or probabilities.ndim != 2
        or len(given) != len(probabilities)
        or not len(given)
    ):
        raise DataError(
            f"labels of shape {given.shape} do not go with probabilities of shape "
            f"{probabilities.shape}; give (n,) and (n, K) with n at least 1"
        )
    labels = class_numbers(given, probabilities.shape[1])
    # NaN compares as false on both sides.
    inside = np.all((probabilities >= 0) & (probabilities <= 1), axis=1)
    _refuse(np.logical_not(inside), "a probability outside 0 to 1")
    _refuse(np.abs(probabilities.sum(axis=1) - 1) > 1e-6, "probabilities that do not add up to 1")
    return labels, probabilities


def _refuse(bad: NDArray[np.bool_], what: str) -> None:
    if bad.any():
        raise DataError(f"row {int(np.argmax(bad))} has {what}")


def _confusion(
    labels: IntArray, probabilities: FloatArray, weights: FloatArray | None
) -> NDArray[Any]:
    """(K, K): counts, or sums of weights where given."""
    K = probabilities.shape[1]
    cell = labels * K + np.argmax(probabilities, axis=1)
    return np.bincount(cell, weights=weights, minlength=K * K).reshape(K, K)


def _one_class(
    k: int, table: NDArray[Any], labels: IntArray, probabilities: FloatArray, weights: FloatArray
) -> ClassReport:
    hit, support, called = table[k, k], table[k].sum(), table[:, k].sum()
    return ClassReport(
        label=k,
        precision=float(hit / called) if called else 0.0,
        recall=float(hit / support) if support else 0.0,
        f1=float(2 * hit / (support + called)) if support + called else 0.0,
        support=support.item(),
        roc_auc=roc_auc(labels == k, probabilities[:, k], weights),
    )


def _mean(value: Callable[[ClassReport], float], classes: tuple[ClassReport, ...]) -> float:
    return float(np.mean([value(c) for c in classes]))


def _gorodkin(table: FloatArray) -> float | None:
    """(c s - p.t) / sqrt((s^2 - p.p)(s^2 - t.t)), with shares for counts; None for 0 / 0."""
    share = table / table.sum()
    true, called = share.sum(axis=1), share.sum(axis=0)
    spread = _off(true), _off(called)
    if not min(spread) > 0:
        return None
    return float((np.trace(share) - true @ called) / np.sqrt(spread[0]) / np.sqrt(spread[1]))


def _off(share: FloatArray) -> float:
    """1 - sum share^2 as sum share (1 - share), exactly 0 for a single class."""
    rest = share.sum() - share
    return 0.0 if np.count_nonzero(share) < 2 else float(share @ rest)


def _log_loss(labels: IntArray, probabilities: FloatArray, weights: FloatArray) -> float:
    return float(np.average(row_log_loss(labels, probabilities), weights=weights))


def _brier(labels: IntArray, probabilities: FloatArray, weights: FloatArray) -> float:
    apart = probabilities.copy()
    apart[np.arange(len(labels)), labels] -= 1.0
    return float(np.average(np.sum(apart**2, axis=1), weights=weights))
