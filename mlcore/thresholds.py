"""Where to cut a probability into a decision; knows only labels and probabilities."""

from __future__ import annotations

from typing import Literal

import numpy as np

from mlcore.arrays import FloatArray, IntArray
from mlcore.errors import DataError

Objective = Literal["accuracy", "f1", "youden"]


def best_threshold(y: FloatArray, p: FloatArray, *, objective: Objective) -> float:
    """The threshold that maximises the objective over every possible cut of these rows.

    accuracy = (TP + TN) / n, f1 = 2 TP / (2 TP + FP + FN), youden = TP / P - FP / N, with a row
    positive when p >= threshold. A cut lies midway between two neighbouring probabilities (0
    and 1 bound the outer ones); of equally good cuts the nearest to 0.5 is taken. All three are
    compared without rounding. Raises DataError when a class is absent or the objective unknown.

    >>> best_threshold(np.array([0.0, 0.0, 1.0]), np.array([0.1, 0.5, 0.7]), objective="f1")
    0.6
    """
    levels, group = np.unique(p, return_inverse=True)
    positives = np.bincount(group, weights=y == 1).astype(np.int64)
    negatives = np.bincount(group).astype(np.int64) - positives
    if not positives.any() or not negatives.any():
        raise DataError("a threshold can only be tuned on rows of both classes")
    # Cut k calls the groups k, k+1, ... positive; the last cut calls none positive.
    tp = np.append(positives[::-1].cumsum()[::-1], 0)
    fp = np.append(negatives[::-1].cumsum()[::-1], 0)
    score = _scores(tp, fp, objective)
    cuts = _cuts(levels)
    score = score[: len(cuts)]
    best = cuts[score == score.max()]
    return float(best[np.argmin(np.abs(best - 0.5))])


def _scores(tp: IntArray, fp: IntArray, objective: str) -> IntArray | FloatArray:
    P, N = int(tp[0]), int(fp[0])
    if objective == "accuracy":
        return tp - fp  # (TP + TN) = tp + N - fp, and N is the same for every cut
    if objective == "f1":
        return 2 * tp / (tp + fp + P)
    if objective == "youden":
        return tp * N - fp * P
    raise DataError(f"unknown threshold objective {objective!r}: use accuracy, f1 or youden")


def _cuts(levels: FloatArray) -> FloatArray:
    edges = np.concatenate(([0.0], levels, [1.0]))
    low, high = edges[:-1], edges[1:]
    middle = low + (high - low) / 2
    # Between two adjacent floats there is no middle: the upper one still cuts between them.
    cuts = np.where(middle > low, middle, high)
    cuts[0] = middle[0]
    # When the largest probability is 1, no threshold in [0, 1] calls every row negative.
    return cuts[:-1] if levels[-1] >= 1.0 else cuts
