"""How good probabilities and decisions of two classes are; knows no models, names or files.

Every metric is written from its definition and takes row weights. Undefined is None (an area of
one class); a ratio with an empty denominator is 0, as in scikit-learn's ``zero_division=0``, and
its name stands in ``undefined``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from mlcore.arrays import EPS, FloatArray
from mlcore.loss import losses, margins
from mlcore.ranking import average_precision, roc_auc
from mlcore.reliability import calibration_line, expected_calibration_error
from mlcore.scored import checked_weights, probable

METRIC_DIRECTION: Mapping[str, Literal[1, -1]] = MappingProxyType(
    {
        "accuracy": 1,
        "balanced_accuracy": 1,
        "precision": 1,
        "recall": 1,
        "specificity": 1,
        "f1": 1,
        "mcc": 1,
        "roc_auc": 1,
        "average_precision": 1,
        "log_loss": -1,
        "brier": -1,
        "ece": -1,
    }
)
"""+1: higher is better, -1: lower is better. A calibration slope is best at 1: it has neither."""


@dataclass(frozen=True)
class Confusion:
    """True and false negatives and positives: counts, or sums of the weights where given."""

    tn: float
    fp: float
    fn: float
    tp: float


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
    specificity: float = 0.0
    balanced_accuracy: float = 0.0
    mcc: float = 0.0
    average_precision: float | None = None
    ece: float | None = None
    calibration_slope: float | None = None
    calibration_intercept: float | None = None
    prevalence: float | None = None
    undefined: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def evaluate_predictions(
    y: ArrayLike,
    probabilities: ArrayLike,
    threshold: float = 0.5,
    weights: ArrayLike | None = None,
) -> MetricsReport:
    """Every metric; a row is predicted positive when its probability is >= threshold.

    y holds 0 and 1, probabilities those of the positive class, weights (all 1 when absent) how
    much a row counts, each (n,). ``calibration_slope`` and ``_intercept`` are the logistic fit of
    y on logit(p), ``ece`` has ten bins of equal width, ``prevalence`` is the share of positives.
    Raises DataError for rows it cannot measure.

    >>> report = evaluate_predictions(np.array([0.0, 1.0, 1.0]), np.array([0.2, 0.4, 0.9]))
    >>> report.accuracy, report.precision, report.recall, report.roc_auc
    (0.6666666666666666, 1.0, 0.5, 1.0)
    """
    rows = probable(y, probabilities, weights)
    counts = confusion(rows.y, rows.scores >= threshold, weights)
    line = calibration_line(*rows)
    decided, undefined = _decisions(counts)
    found: dict[str, float | None] = {
        "roc_auc": roc_auc(*rows),
        "average_precision": average_precision(*rows),
        "calibration_slope": line.slope,
        "calibration_intercept": line.intercept,
    }
    return MetricsReport(
        n=len(rows.y),
        confusion=counts,
        threshold=float(threshold),
        log_loss=log_loss(*rows),
        brier=float(np.average((rows.scores - rows.y) ** 2, weights=rows.weights)),
        ece=expected_calibration_error(rows.y, rows.scores, weights=rows.weights),
        prevalence=float(np.average(rows.y, weights=rows.weights)),
        undefined=(*undefined, *(name for name, value in found.items() if value is None)),
        **decided,
        **found,  # type: ignore[arg-type]  # the keys above are its optional fields
    )


def confusion(y: ArrayLike, predicted: ArrayLike, weights: ArrayLike | None = None) -> Confusion:
    """Counts (or sums of weights) over labels and decisions, each given as 0/1 or False/True.

    >>> confusion([0, 1, 1], [0, 0, 1])
    Confusion(tn=1, fp=0, fn=1, tp=1)
    """
    cell = 2 * (np.asarray(y) == 1) + (np.asarray(predicted) == 1)
    given = None if weights is None else checked_weights(weights, len(cell))
    tn, fp, fn, tp = np.bincount(cell, weights=given, minlength=4).tolist()
    return Confusion(tn=tn, fp=fp, fn=fn, tp=tp)


def log_loss(y: ArrayLike, probabilities: ArrayLike, weights: ArrayLike | None = None) -> float:
    """-mean(y log p + (1 - y) log(1 - p)) in nats, with p kept eps = 2.2e-16 away from 0 and 1.

    >>> round(log_loss([0, 1], [0.5, 0.25]), 6)
    1.039721
    """
    labels, p, weight = probable(y, probabilities, weights)
    p = np.clip(p, EPS, 1.0 - EPS)
    own = np.where(labels == 1, np.log(p), np.log1p(-p))
    return float(np.average(-own, weights=weight))


def log_loss_of_logits(y: FloatArray, z: FloatArray, weights: ArrayLike | None = None) -> float:
    """The same from logits: mean of log(1 + exp((1 - 2y) z)), exact in both tails, never clipped.

    >>> log_loss_of_logits(np.array([0.0]), np.array([800.0]))
    800.0
    """
    return float(np.average(losses(margins(z, y)), weights=checked_weights(weights, len(y))))


def _decisions(counts: Confusion) -> tuple[dict[str, float], list[str]]:
    """The metrics of the four counts, and the names of those without a denominator."""
    tn, fp, fn, tp = counts.tn, counts.fp, counts.fn, counts.tp
    ratios = {
        "accuracy": (tp + tn, tp + tn + fp + fn),
        "precision": (tp, tp + fp),
        "recall": (tp, tp + fn),
        "specificity": (tn, tn + fp),
        "f1": (2 * tp, 2 * tp + fp + fn),
        "mcc": _mcc(tn, fp, fn, tp),
    }
    values = {name: top / bottom if bottom else 0.0 for name, (top, bottom) in ratios.items()}
    undefined = [name for name, (_, bottom) in ratios.items() if not bottom]
    present = [name for name in ("recall", "specificity") if name not in undefined]
    values["balanced_accuracy"] = sum(values[name] for name in present) / len(present)
    if len(present) < 2:
        undefined.append("balanced_accuracy")
    return values, undefined


def _mcc(tn: float, fp: float, fn: float, tp: float) -> tuple[float, float]:
    """(tp tn - fp fn) and the root of the product of the margins (Matthews 1975).

    The root is taken of each margin, so that neither integers nor the product overflow.
    """
    margins = (tp + fp, tp + fn, tn + fp, tn + fn)
    return tp * tn - fp * fn, math.prod(math.sqrt(margin) for margin in margins)
