"""Where to cut a probability into a decision; knows only labels, probabilities and weights.

A row is positive when its probability is >= the threshold, everywhere and always.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlcore.arrays import FloatArray
from mlcore.errors import DataError, shown
from mlcore.scored import Scored, both_classes, probable

SPECS = "accuracy, f1 or youden, cost:FP:FN, precision>=X, recall>=X or a number from 0 to 1"


@dataclass(frozen=True)
class ThresholdSpec:
    """What a threshold should achieve.

    ``target`` is the bound of precision and recall, or the value of fixed; the costs are those of
    one false positive and one false negative. Raises DataError for a spec that means nothing.

    >>> str(ThresholdSpec.parse("cost:5:1")), ThresholdSpec.parse("recall>=0.9").target
    ('cost:5:1', 0.9)
    """

    objective: str
    target: float | None = None
    cost_fp: float = 1.0
    cost_fn: float = 1.0

    def __post_init__(self) -> None:
        if self.objective in {"precision", "recall", "fixed"}:
            if self.target is None or not 0 <= self.target <= 1:
                raise DataError(f"{self.objective} needs a target between 0 and 1")
        elif self.objective not in {"accuracy", "f1", "youden", "cost"}:
            raise DataError(f"unknown threshold objective {shown(self.objective)}: use {SPECS}")
        elif self.target is not None:
            raise DataError(f"{self.objective} takes no target")
        costs = (self.cost_fp, self.cost_fn)
        if not all(math.isfinite(cost) and cost >= 0 for cost in costs) or not any(costs):
            raise DataError("costs are finite, not negative, and not both 0")

    @classmethod
    def of(cls, threshold: float | str) -> ThresholdSpec:
        """The spec of a number, or of words as ``parse`` reads them."""
        if isinstance(threshold, str):
            return cls.parse(threshold)
        if not 0 <= threshold <= 1:
            raise DataError(f"threshold must lie between 0 and 1, got {threshold}")
        return cls("fixed", target=float(threshold))

    @classmethod
    def parse(cls, text: str) -> ThresholdSpec:
        """The spec behind the words of a command line: f1, cost:5:1, precision>=0.9 or 0.4."""
        words = text.strip()
        try:
            if words.startswith("cost:"):
                _, cost_fp, cost_fn = words.split(":")
                return cls("cost", cost_fp=float(cost_fp), cost_fn=float(cost_fn))
            if ">=" in words:
                name, target = words.split(">=")
                if name.strip() in {"precision", "recall"}:
                    return cls(name.strip(), target=float(target))
            if words[:1].isdigit() or words[:1] in {".", "+", "-"}:
                return cls.of(float(words))
        except ValueError as error:
            raise DataError(f"cannot read the threshold {shown(text)}: use {SPECS}") from error
        return cls(words)

    def __str__(self) -> str:
        if self.objective == "cost":
            return f"cost:{_number(self.cost_fp)}:{_number(self.cost_fn)}"
        if self.objective == "fixed":
            return _number(self.target or 0.0)
        return self.objective + ("" if self.target is None else f">={_number(self.target)}")


class _Cuts(NamedTuple):
    """Every way to cut the rows: threshold, and the weight of what it calls positive."""

    at: FloatArray
    tp: FloatArray
    fp: FloatArray

    @property
    def recall(self) -> FloatArray:
        share: FloatArray = self.tp / self.tp[0]
        return share

    @property
    def precision(self) -> FloatArray:
        """NaN where nothing is called positive."""
        called = self.tp + self.fp
        return np.divide(self.tp, called, out=np.full_like(called, np.nan), where=called > 0)

    @property
    def f1(self) -> FloatArray:
        score: FloatArray = 2 * self.tp / (self.tp + self.fp + self.tp[0])
        return score

    def cost(self, spec: ThresholdSpec) -> FloatArray:
        paid: FloatArray = spec.cost_fp * self.fp + spec.cost_fn * (self.tp[0] - self.tp)
        return paid


def best_threshold(
    y: ArrayLike,
    p: ArrayLike,
    *,
    objective: ThresholdSpec | str | float,
    weights: ArrayLike | None = None,
) -> float:
    """The threshold that serves the objective best over every possible cut of these rows.

    accuracy = (TP + TN) / n, f1 = 2 TP / (2 TP + FP + FN), youden = TP / P - FP / N; cost is
    minimal cost_fp FP + cost_fn FN; ``precision>=x`` has the highest recall among cuts of at
    least that precision, ``recall>=x`` the highest precision among cuts of at least that recall.
    A row is positive when p >= threshold. A cut lies midway between two neighbouring
    probabilities (0 and 1 bound the outer ones); of equally good cuts the nearest to 0.5 is
    taken. Without weights all are compared without rounding; costs round only if they are not
    whole numbers.

    For probabilities that are calibrated no rows are needed: expected cost is least at
    t* = cost_fp / (cost_fp + cost_fn), since calling a row positive costs (1 - p) cost_fp and
    negative p cost_fn (Elkan 2001); see ``calibrated_threshold``.

    Raises DataError when a class is absent, the objective unknown or its target out of reach.

    >>> best_threshold(np.array([0.0, 0.0, 1.0]), np.array([0.1, 0.5, 0.7]), objective="f1")
    0.6
    """
    spec = objective if isinstance(objective, ThresholdSpec) else ThresholdSpec.of(objective)
    if spec.objective == "fixed" and spec.target is not None:
        return spec.target
    rows = both_classes(probable(y, p, weights), "a threshold can only be tuned")
    cuts = _all_cuts(rows)
    best = cuts.at[_winners(cuts, spec)]
    return float(best[np.argmin(np.abs(best - 0.5))])


def calibrated_threshold(spec: ThresholdSpec) -> float:
    """t* = cost_fp / (cost_fp + cost_fn): the least expected cost when probabilities are true.

    >>> calibrated_threshold(ThresholdSpec.parse("cost:4:1"))
    0.8
    """
    return spec.cost_fp / (spec.cost_fp + spec.cost_fn)


@dataclass(frozen=True)
class CurvePoint:
    """What one threshold would do; precision is None where nothing is called positive."""

    threshold: float
    precision: float | None
    recall: float
    f1: float
    cost: float
    share_positive: float


def threshold_curve(
    y: ArrayLike,
    p: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    spec: ThresholdSpec | None = None,
    points: int = 200,
) -> tuple[CurvePoint, ...]:
    """At most ``points`` cuts, evenly spread over the ranks, in ascending order, for a plot.

    ``cost`` is the cost per row (per unit of weight) at the costs of ``spec``, 1 and 1 unless
    given. Raises DataError when a class is absent or for fewer than 2 points.

    >>> [point.recall for point in threshold_curve([0, 1, 1], [0.2, 0.4, 0.9])]
    [1.0, 1.0, 0.5, 0.0]
    """
    if points < 2:
        raise DataError(f"a curve needs at least 2 points, got {points}")
    rows = both_classes(probable(y, p, weights), "a threshold can only be tuned")
    cuts, total = _all_cuts(rows), float(rows.weights.sum())
    chosen = np.unique(np.linspace(0, len(cuts.at) - 1, points).round().astype(np.int64))
    columns = (
        cuts.at,
        cuts.precision,
        cuts.recall,
        cuts.f1,
        cuts.cost(spec or ThresholdSpec("cost")) / total,
        (cuts.tp + cuts.fp) / total,
    )
    picked = np.column_stack([column[chosen] for column in columns]).tolist()
    return tuple(
        CurvePoint(at, None if math.isnan(precision) else precision, *others)
        for at, precision, *others in picked
    )


def _all_cuts(rows: Scored) -> _Cuts:
    counts = rows.weights > 0
    y, p, weights = (column[counts] for column in rows)
    levels, group = np.unique(p, return_inverse=True)
    positives = np.bincount(group, weights=weights * y)
    negatives = np.bincount(group, weights=weights * (1 - y))
    # Cut k calls the groups k, k+1, ... positive; the last cut calls none positive.
    tp = np.append(positives[::-1].cumsum()[::-1], 0.0)
    fp = np.append(negatives[::-1].cumsum()[::-1], 0.0)
    at = _places(levels)
    return _Cuts(at, tp[: len(at)], fp[: len(at)])


def _winners(cuts: _Cuts, spec: ThresholdSpec) -> NDArray[np.bool_]:
    """Whether each cut is among the equally best."""
    if spec.objective in {"precision", "recall"}:
        return _best_within(cuts, spec)
    score = _scores(cuts, spec)
    best: NDArray[np.bool_] = score == score.max()
    return best


def _scores(cuts: _Cuts, spec: ThresholdSpec) -> FloatArray:
    if spec.objective == "accuracy":
        return cuts.tp - cuts.fp  # (TP + TN) = tp + N - fp, and N is the same for every cut
    if spec.objective == "f1":
        return cuts.f1
    if spec.objective == "youden":
        youden: FloatArray = cuts.tp * cuts.fp[0] - cuts.fp * cuts.tp[0]
        return youden
    return -cuts.cost(spec)


def _best_within(cuts: _Cuts, spec: ThresholdSpec) -> NDArray[np.bool_]:
    """The cuts that reach the target and are best in the other; ties by the higher of its own."""
    bound, other = cuts.precision, cuts.recall
    if spec.objective == "recall":
        bound, other = other, bound
    bound, other = np.nan_to_num(bound, nan=-1.0), np.nan_to_num(other, nan=-1.0)
    reached = bound >= (spec.target or 0.0)
    if not reached.any():
        raise DataError(
            f"no threshold reaches {spec}; the best {spec.objective} on these rows is "
            f"{bound.max():.4g}: lower the target"
        )
    best: NDArray[np.bool_] = reached & (other == other[reached].max())
    best &= bound == bound[best].max()
    return best


def _places(levels: FloatArray) -> FloatArray:
    edges = np.concatenate(([0.0], levels, [1.0]))
    low, high = edges[:-1], edges[1:]
    middle = low + (high - low) / 2
    # Between two adjacent floats there is no middle: the upper one still cuts between them.
    cuts = np.where(middle > low, middle, high)
    cuts[0] = middle[0]
    # When the largest probability is 1, no threshold in [0, 1] calls every row negative.
    return cuts[:-1] if levels[-1] >= 1.0 else cuts


def _number(value: float) -> str:
    return repr(float(value)).removesuffix(".0")
