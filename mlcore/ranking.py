"""How well scores order the positives before the negatives; it needs no probabilities.

Both areas are sums over groups of equal scores, so ties are exact and any increasing function
of the scores gives the same answer.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from mlcore.arrays import FloatArray
from mlcore.scored import Scored, scored


class TieGroups(NamedTuple):
    """The weight of positives and of negatives at each distinct score, scores ascending."""

    positive: FloatArray
    negative: FloatArray


def tie_groups(rows: Scored) -> TieGroups:
    """Sort once and add up the weights of equal scores.

    >>> rows = Scored(np.array([0.0, 1.0, 1.0]), np.array([0.3, 0.3, 0.1]), np.ones(3))
    >>> tie_groups(rows)
    TieGroups(positive=array([1., 1.]), negative=array([0., 1.]))
    """
    order = np.argsort(rows.scores, kind="stable")
    starts = group_starts(rows.scores[order])
    weights, positive = rows.weights[order], (rows.weights * rows.y)[order]
    return TieGroups(np.add.reduceat(positive, starts), np.add.reduceat(weights - positive, starts))


def group_starts(ranked: FloatArray) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Where a new value begins in sorted numbers.

    >>> group_starts(np.array([0.1, 0.1, 0.4]))
    array([0, 2])
    """
    return np.flatnonzero(np.concatenate(([True], ranked[1:] != ranked[:-1])))


def roc_auc(y: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None) -> float | None:
    """The chance that a random positive scores above a random negative, ties counting half.

    Over groups of equal scores in ascending order, with P_g positives, N_g negatives and C_g
    negatives up to and including the group: AUC = sum_g P_g (C_g - N_g / 2) / (P N), the
    Mann-Whitney statistic (Hanley and McNeil 1982). With weights, P_g, N_g, C_g are their sums.
    None when a class has no weight. Raises DataError for rows it cannot measure.

    >>> roc_auc(np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.1, 0.3, 0.3, 0.8]))
    0.875
    """
    P, N = tie_groups(scored(y, scores, weights))
    pairs = float(P.sum()) * float(N.sum())
    if not pairs > 0:
        return None
    return float(np.sum(P * (np.cumsum(N) - N / 2))) / pairs


def mean_roc_auc(
    labels: ArrayLike, scores: FloatArray, weights: ArrayLike | None = None
) -> float | None:
    """The plain mean over K classes of the ROC AUC of each against the rest.

    labels hold class numbers 0 .. K - 1 (n,), scores are (n, K). None when a class is missing.

    >>> mean_roc_auc([0, 1, 2], np.eye(3))
    1.0
    """
    y = np.asarray(labels)
    areas = [roc_auc(y == k, column, weights) for k, column in enumerate(scores.T)]
    known = [area for area in areas if area is not None]
    return float(np.mean(known)) if len(known) == len(areas) else None


def average_precision(
    y: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None
) -> float | None:
    """The area under the precision-recall steps: sum_g (R_g - R_{g-1}) Precision_g.

    g runs over groups of equal scores from the highest down; recall R_g and precision are those
    of calling everything down to g positive. No line is drawn between the points, which would
    promise too much (Davis and Goadrich 2006). None without positives.

    >>> round(average_precision([0, 1, 0, 1], [0.1, 0.3, 0.4, 0.8]), 6)
    0.833333
    """
    P, N = (column[::-1] for column in tie_groups(scored(y, scores, weights)))
    total = float(P.sum())
    if not total > 0:
        return None
    found, called = np.cumsum(P), np.cumsum(P + N)
    precision = np.divide(found, called, out=np.zeros_like(found), where=called > 0)
    return float(np.sum(P * precision)) / total
