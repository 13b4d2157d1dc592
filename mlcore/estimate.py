"""Performance without labels: what calibrated probabilities say of themselves; knows no models.

Confidence-based performance estimation (CBPE, Hachej et al. in NannyML): a row whose calibrated
probability of the positive class is p counts p times as a positive and 1 - p times as a negative.
All of it works on weighted scores, so rows and the cells of a histogram are the same to it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from mlcore.arrays import FloatArray, floats
from mlcore.calibration_choice import chosen_calibration
from mlcore.errors import DataError
from mlcore.metrics import Confusion, confusion, log_loss
from mlcore.performance import ESTIMATED, ReferencePerformance, SamplingError
from mlcore.ranking import tie_groups
from mlcore.realised import ratios
from mlcore.reliability import expected_calibration_error
from mlcore.scored import Scored, class_numbers, probable

ASSUMPTIONS = (
    "The relation between features and labels is that of the reference: an estimate follows rows "
    "that moved (covariate shift) and cannot see that the same row now means another label "
    "(concept drift).",
    "The rows lie where the reference had some: of regions it never saw nothing is known.",
    "The band is +-3 standard errors of sampling; it leaves out the error of the calibration and "
    "wrong labels in the reference.",
)

BAND = 3.0
"""How many standard errors a band reaches to either side."""

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Estimate:
    """A metric's expectation with its sampling band, cut at 0 and 1; None where undefined."""

    value: float | None
    standard_error: float | None = None
    low: float | None = None
    high: float | None = None


def reference_performance(
    y: ArrayLike, probabilities: ArrayLike, threshold: float | None
) -> ReferencePerformance:
    """What estimates start from: metrics, sampling errors and calibration of labelled rows.

    The rows must not have been learnt from. Two classes: y (n,) of 0 and 1, probabilities (n,) of
    the positive one or (n, 2). Three or more: class numbers, (n, K), and no threshold; then a row
    is judged by whether the predicted class, the most probable one, is right.
    Sampling errors (sd, fraction of the rows): the root of m (1 - m) of a share m of the rows it
    speaks of (all, predicted positive, positive, negative); of F1 the sd over the K = TP + FP + FN
    rows of K / (TP + (FP + FN) / 2) at TP and else 0; of the area the sd, over the rows of the rarer
    class, of the share of the others that each is ranked apart from. Raises DataError for rows that
    cannot be measured.

    >>> found = reference_performance([0, 0, 1, 1], [0.1, 0.6, 0.7, 0.9], 0.5)
    >>> found.metrics["precision"], found.errors["precision"].fraction
    (0.6666666666666666, 0.75)
    """
    P = floats(probabilities, "probabilities")
    if threshold is None:
        return _of_classes(y, P)
    if P.ndim == 2 and P.shape[1] != 2:
        raise DataError(
            f"a threshold is for two classes; there are {P.shape[1]} probabilities a row"
        )
    rows = probable(y, P[:, 1] if P.ndim == 2 else P)
    called = rows.scores >= threshold
    counts = confusion(rows.y, called)
    area, area_error = _area(rows)
    metrics = {name: _share(*ratio) for name, ratio in ratios(counts).items()}
    reference = ReferencePerformance(
        n=len(rows.y),
        threshold=float(threshold),
        prevalence=float(rows.y.mean()),
        positive_rate=float(called.mean()),
        metrics={
            **metrics,
            "roc_auc": area,
            "log_loss": log_loss(rows.y, rows.scores),
            "brier": float(np.mean((rows.scores - rows.y) ** 2)),
            "ece": expected_calibration_error(rows.y, rows.scores),
        },
        errors={**_errors(counts), **area_error},
        calibration=chosen_calibration(rows.y, rows.scores),
        expected={},
    )
    return _with_expected(reference, rows)


def estimate_performance(
    reference: ReferencePerformance, scores: ArrayLike, predicted: ArrayLike | None = None
) -> dict[str, Estimate]:
    """Every metric of n rows, estimated from their probabilities alone.

    ``scores`` (n,) are the classifier's probabilities of the positive class (of three or more, of
    the predicted class), ``predicted`` (n,) the decisions that were served, 0 or 1, where they are
    not those of the reference's threshold. With p the calibrated scores: TP = sum of p and FP = sum
    of 1 - p over rows predicted positive, FN and TN likewise over the others; accuracy, precision,
    recall, specificity and F1 follow as from counts. The area takes the rows in the order of the
    raw scores, ties counting half. Bands are value +- 3 standard errors, which are those of the
    reference's threshold; see ``ASSUMPTIONS``. An empty denominator gives None. Raises
    DataError for rows that cannot be measured.

    >>> reference = reference_performance([0, 0, 1, 1], [0.1, 0.6, 0.7, 0.9], 0.5)
    >>> found = estimate_performance(reference, [0.2, 0.8, 0.9])
    >>> round(found["accuracy"].value, 4), round(found["recall"].value, 4)
    (0.8333, 0.8947)
    """
    values = floats(scores, "scores")
    if predicted is None:
        predicted = values >= (reference.threshold or 0.0)
    return _estimated(reference, probable(predicted, values))


def estimate_from_cells(
    reference: ReferencePerformance,
    cell_values: ArrayLike,
    counts: ArrayLike,
    threshold: float | None,
    *,
    n_positive: float | None = None,
) -> dict[str, Estimate]:
    """The same of a histogram: a score that stands for each cell (its mean) and the cell's rows.

    Empty cells may have any value. ``n_positive``, how many rows were predicted positive, divides
    the cell that holds the threshold; without it that cell is judged as one, by its mean, which
    counts as at the threshold if it is 1e-9 below it (the mean of equal scores may be rounded). No
    rows give no values. Of 1001 cells of equal reference mass, with ``n_positive``, in 400 simulated
    shifts of up to one sd: half of all values were within 0.0001 of those of the rows, 19 of 20
    within 0.002, and all accuracies within 0.006, the worst where rows piled up in one cell.
    Raises DataError for cells that cannot be measured.

    >>> reference = reference_performance([0, 0, 1, 1], [0.1, 0.6, 0.7, 0.9], 0.5)
    >>> found = estimate_from_cells(reference, [0.2, 0.8], [1, 2], 0.5)
    >>> found["accuracy"].value, found["accuracy"].high
    (0.8, 1.0)
    """
    values, weights = floats(cell_values, "cells"), floats(counts, "counts")
    if values.shape != weights.shape:
        raise DataError(f"{values.size} cells do not go with {weights.size} counts")
    filled = weights != 0
    if not filled.any():
        return {name: Estimate(None) for name in _names(reference)}
    cells = probable(np.zeros(filled.sum()), _unrounded(values[filled]), weights[filled])
    if n_positive is None:
        called = (cells.scores >= (threshold or 0.0) - _ROUNDING).astype(np.float64)
    else:
        called = _highest(cells, n_positive)
    return _estimated(reference, cells._replace(y=called))


def _unrounded(means: FloatArray) -> FloatArray:
    """The means of probabilities, those that rounding has pushed past 0 or 1 put back."""
    inside = np.clip(means, 0.0, 1.0)
    return np.where(np.abs(means - inside) <= _ROUNDING, inside, means)


def _highest(cells: Scored, n: float) -> FloatArray:
    """The share of each cell that is among the n rows with the highest scores."""
    order = np.argsort(-cells.scores, kind="stable")
    counts = cells.weights[order]
    reached = np.cumsum(counts)
    if not 0 <= n <= reached[-1]:
        raise DataError(f"{n:g} rows of {reached[-1]:g} cannot be predicted positive")
    shares = np.empty(len(counts))
    shares[order] = np.clip((n - (reached - counts)) / counts, 0.0, 1.0)
    return shares


def _of_classes(y: ArrayLike, P: FloatArray) -> ReferencePerformance:
    if P.ndim != 2 or P.shape[1] < 3:
        raise DataError("without a threshold, give probabilities (n, K) of three or more classes")
    labels = class_numbers(y, P.shape[1])
    if labels.shape != P.shape[:1]:
        raise DataError(f"{len(labels)} labels do not go with {len(P)} rows of probabilities")
    rows = probable(P.argmax(axis=1) == labels, P.max(axis=1))
    right = float(rows.y.mean())
    reference = ReferencePerformance(
        n=len(labels),
        threshold=None,
        prevalence=None,
        positive_rate=None,
        metrics={"accuracy": right},
        errors={"accuracy": SamplingError(math.sqrt(right * (1 - right)), 1.0)},
        calibration=chosen_calibration(rows.y, rows.scores),
        expected={},
    )
    return _with_expected(reference, rows)


def _with_expected(reference: ReferencePerformance, rows: Scored) -> ReferencePerformance:
    found = estimate_performance(reference, rows.scores)
    return replace(reference, expected={name: one.value for name, one in found.items()})


def _names(reference: ReferencePerformance) -> tuple[str, ...]:
    return ESTIMATED if reference.threshold is not None else ESTIMATED[:1]


def _estimated(reference: ReferencePerformance, rows: Scored) -> dict[str, Estimate]:
    """Of rows whose ``y`` says whether they were predicted positive."""
    called, scores, weights = rows
    p = scores if reference.calibration is None else reference.calibration.apply(scores)
    hit, miss = weights * p, weights * (1 - p)
    counts = Confusion(
        tp=float(hit @ called),
        fp=float(miss @ called),
        fn=float(hit @ (1 - called)),
        tn=float(miss @ (1 - called)),
    )
    values = {name: _share(*ratio) for name, ratio in ratios(counts).items()}
    if reference.threshold is None:
        values = {"accuracy": _share(counts.tp, counts.tp + counts.fp)}
    else:
        values["roc_auc"] = _area(Scored(p, scores, weights))[0]
    n = float(weights.sum())
    return {name: _banded(values[name], reference.errors.get(name), n) for name in values}


def _banded(value: float | None, error: SamplingError | None, n: float) -> Estimate:
    if value is None or error is None:
        return Estimate(value)
    se = error.standard_error(n)
    return Estimate(value, se, max(value - BAND * se, 0.0), min(value + BAND * se, 1.0))


def _share(top: float, bottom: float) -> float | None:
    return min(top / bottom, 1.0) if bottom > 0 else None


def _errors(counts: Confusion) -> dict[str, SamplingError]:
    """Of the metrics of decisions, those that have rows to scatter over."""
    n = counts.tp + counts.fp + counts.fn + counts.tn
    found = {}
    for name, (top, bottom) in ratios(counts).items():
        if bottom > 0 and name != "f1":
            share = top / bottom
            found[name] = SamplingError(math.sqrt(share * (1 - share)), bottom / n)
    looked_at = counts.tp + counts.fp + counts.fn
    if looked_at > 0:
        share = counts.tp / looked_at
        worth = looked_at / (counts.tp + (counts.fp + counts.fn) / 2)
        found["f1"] = SamplingError(worth * math.sqrt(share * (1 - share)), looked_at / n)
    return found


def _area(rows: Scored) -> tuple[float | None, dict[str, SamplingError]]:
    """The area under the ROC curve and its error; ``y`` may be the chance of being positive."""
    P, N = tie_groups(rows)
    total_P, total_N = float(P.sum()), float(N.sum())
    if not (total_P > 0 and total_N > 0):
        return None, {}
    below = (np.cumsum(N) - N / 2) / total_N
    area = float(P @ below) / total_P
    placed, weight = below, P
    if total_P > total_N:
        placed, weight = 1 - (np.cumsum(P) - P / 2) / total_P, N
    sd = math.sqrt(float(np.average((placed - area) ** 2, weights=weight)))
    rarer = min(total_P, total_N) / (total_P + total_N)
    return area, {"roc_auc": SamplingError(sd, rarer)}
