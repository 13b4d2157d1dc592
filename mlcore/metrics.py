"""How good probabilities and decisions are; knows no models, names or files.

Every metric is written from its definition. Undefined is None (ROC AUC of one class); a ratio
with an empty denominator is 0, as in scikit-learn's ``zero_division=0``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mlcore.arrays import EPS, FloatArray

METRIC_DIRECTION: Mapping[str, Literal[1, -1]] = MappingProxyType(
    {
        "accuracy": 1,
        "precision": 1,
        "recall": 1,
        "f1": 1,
        "roc_auc": 1,
        "log_loss": -1,
        "brier": -1,
    }
)
"""+1: higher is better, -1: lower is better."""


@dataclass(frozen=True)
class Confusion:
    """Counts of true and false negatives and positives."""

    tn: int
    fp: int
    fn: int
    tp: int


@dataclass(frozen=True)
class MetricsReport:
    """All metrics of n labelled rows at one decision threshold."""

    n: int
    accuracy: float
    precision: float
    recall: float
    f1: float
    roc_auc: float | None
    log_loss: float
    brier: float
    confusion: Confusion
    threshold: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def evaluate_predictions(
    y: FloatArray, probabilities: FloatArray, threshold: float = 0.5
) -> MetricsReport:
    """Every metric; a row is predicted positive when its probability is >= threshold.

    >>> report = evaluate_predictions(np.array([0.0, 1.0, 1.0]), np.array([0.2, 0.4, 0.9]))
    >>> report.accuracy, report.precision, report.recall, report.roc_auc
    (0.6666666666666666, 1.0, 0.5, 1.0)
    """
    counts = confusion(y, probabilities >= threshold)
    return MetricsReport(
        n=len(y),
        accuracy=_ratio(counts.tp + counts.tn, len(y)),
        precision=_ratio(counts.tp, counts.tp + counts.fp),
        recall=_ratio(counts.tp, counts.tp + counts.fn),
        f1=_ratio(2 * counts.tp, 2 * counts.tp + counts.fp + counts.fn),
        roc_auc=roc_auc(y, probabilities),
        log_loss=log_loss(y, probabilities),
        brier=float(np.mean((probabilities - y) ** 2)),
        confusion=counts,
        threshold=float(threshold),
    )


def confusion(y: FloatArray, predicted: NDArray[Any]) -> Confusion:
    """Counts over labels and decisions, each given as 0/1 or False/True."""
    tn, fp, fn, tp = np.bincount(2 * (y == 1) + (predicted == 1), minlength=4).tolist()
    return Confusion(tn=tn, fp=fp, fn=fn, tp=tp)


def log_loss(y: FloatArray, probabilities: FloatArray) -> float:
    """-mean(y log p + (1 - y) log(1 - p)), with p kept eps = 2.2e-16 away from 0 and 1."""
    p = np.clip(probabilities, EPS, 1.0 - EPS)
    return float(-np.mean(np.where(y == 1, np.log(p), np.log1p(-p))))


def roc_auc(y: FloatArray, scores: FloatArray) -> float | None:
    """The chance that a random positive scores above a random negative, ties counting half.

    Over groups of equal scores in ascending order, with P_g positives, N_g negatives and C_g
    negatives up to and including the group: AUC = sum_g P_g (C_g - N_g / 2) / (P N).
    None when there is only one class.

    >>> roc_auc(np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.1, 0.3, 0.3, 0.8]))
    0.875
    """
    order = np.argsort(scores, kind="stable")
    ranked, positive = scores[order], (y[order] == 1).astype(np.int64)
    n_positive = int(positive.sum())
    n_negative = len(y) - n_positive
    if n_positive == 0 or n_negative == 0:
        return None
    starts = np.flatnonzero(np.concatenate(([True], ranked[1:] != ranked[:-1])))
    P = np.add.reduceat(positive, starts)
    N = np.add.reduceat(1 - positive, starts)
    twice = int(np.sum(P * (2 * np.cumsum(N) - N)))
    return twice / (2 * n_positive * n_negative)


def _ratio(numerator: int, denominator: int) -> float:
    return numerator / denominator if denominator else 0.0
