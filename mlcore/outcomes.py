"""What the outcomes of decisions are worth, and one arm's estimate from counts; compares nothing.

Each metric of a test is a ratio of sums over labelled rows: an outcome adds x to the numerator and
n to the denominator. Accuracy, F1 and the expected cost thereby share one formula for the variance.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from mlcore.clustered import UnitSums, ratio_variance
from mlcore.errors import DataError
from mlcore.intervals import wilson
from mlcore.metrics import Confusion
from mlcore.special import critical_value

Metric = Literal["accuracy", "f1", "expected_cost"]
Worth = tuple[float, float]
"""What an outcome adds to the numerator and to the denominator."""

FEW = 5
"""With fewer rows of a kind than this, somewhat more of each makes the variance an honest one."""


@dataclass(frozen=True)
class Goal:
    """What a test compares: a metric, and for the expected cost the price of each error.

    The expected cost is (cost_fp FP + cost_fn FN) / n, and less of it is better. Raises DataError
    for an unknown metric, and unless the costs are finite, not negative and not both 0.
    """

    metric: Metric = "accuracy"
    cost_fp: float = 1.0
    cost_fn: float = 1.0

    def __post_init__(self) -> None:
        if self.metric not in ("accuracy", "f1", "expected_cost"):
            known = "accuracy, f1 or expected_cost"
            raise DataError(f"a test compares {known}, not {self.metric!r}")
        costs = (self.cost_fp, self.cost_fn)
        if not all(math.isfinite(cost) and cost >= 0 for cost in costs) or not any(costs):
            raise DataError("costs are finite, not negative, and not both 0")

    @property
    def unseen(self) -> float:
        """How many rows more of each kind make the variance where a kind was hardly seen.

        Half a row, as usual for shares. For the expected cost a whole one: an error that was not seen
        may be the dear one, and with half a row equal costs were told apart in up to 6 % of tests.
        """
        return 1.0 if self.metric == "expected_cost" else 0.5

    @property
    def direction(self) -> Literal[1, -1]:
        """+1: higher is better, -1: lower is better."""
        return -1 if self.metric == "expected_cost" else 1

    def worth(self, outcome: str) -> Worth:
        """Of a tn, fp, fn or tp.

        >>> Goal("f1").worth("tp"), Goal("expected_cost", cost_fn=3.0).worth("fn")
        ((2.0, 2.0), (3.0, 1.0))
        """
        if self.metric == "accuracy":
            return float(outcome in ("tp", "tn")), 1.0
        if self.metric == "f1":
            return {"tn": (0.0, 0.0), "tp": (2.0, 2.0)}.get(outcome, (0.0, 1.0))
        return {"fp": self.cost_fp, "fn": self.cost_fn}.get(outcome, 0.0), 1.0


@dataclass(frozen=True)
class ArmCounters:
    """What was counted of one arm.

    ``confusion`` is needed for F1 and the expected cost. ``per_unit`` is given where a unit may
    have several labels: its sums of x and n per unit, as ``Goal.worth`` has them, then give the
    variance. Raises DataError where the counts contradict one another.
    """

    requests: int
    units: int
    labels: int
    correct: int
    confusion: Confusion | None = None
    per_unit: UnitSums | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.correct <= self.labels <= self.requests or self.units < 0:
            raise DataError(f"an arm counts 0 <= correct <= labels <= requests, got {self}")
        counts = self.confusion
        if counts and (
            counts.tn + counts.fp + counts.fn + counts.tp != self.labels
            or counts.tn + counts.tp != self.correct
        ):
            raise DataError(f"the confusion does not add up to the labels of the arm: {self}")

    @property
    def outcomes(self) -> Confusion:
        """The confusion, or as much of it as the number of right answers tells."""
        return self.confusion or Confusion(0, self.labels - self.correct, 0, self.correct)


class Estimate(NamedTuple):
    """A metric of one arm, its interval, and the variance for comparisons."""

    value: float
    low: float
    high: float
    variance: float


def estimate(arm: ArmCounters, goal: Goal, level: float = 0.95) -> Estimate | None:
    """The metric of an arm; None before the first label that it can be made of.

    Accuracy has Wilson's interval, F1 = 2 J / (1 + J) that of the share J = TP / (TP + FP + FN);
    the expected cost, and every metric of units that come again, value -+ z se within what it can
    be. Where fewer than 5 rows are of one worth the variance is that of half a row more in each
    cell, or of ``Goal.unseen``. That of units is never taken to be below that of independent rows,
    and a single unit has none: None. Raises DataError for F1 and cost without a confusion.

    >>> found = estimate(ArmCounters(1000, 1000, 1000, 840), Goal())
    >>> [round(number, 7) for number in found]
    [0.84, 0.8159831, 0.8614147, 0.0001344]
    """
    if goal.metric != "accuracy" and arm.confusion is None:
        raise DataError(f"{goal.metric} needs the confusion of each arm")
    value = ratio(_cells(arm.outcomes, goal))
    if value is None:
        return None
    variance = _variance(_cells(arm.outcomes, goal), goal.unseen)
    if arm.per_unit is not None:
        if arm.per_unit.units < 2:
            return None
        variance = max(variance, ratio_variance(arm.per_unit))
    elif goal.metric == "accuracy":
        return Estimate(value, *wilson(arm.correct, arm.labels, level), variance)
    elif goal.metric == "f1":
        counts = arm.outcomes
        low, high = wilson(counts.tp, counts.tp + counts.fp + counts.fn, level)
        return Estimate(value, 2 * low / (1 + low), 2 * high / (1 + high), variance)
    reach = critical_value(level) * math.sqrt(variance)
    most = math.inf if goal.metric == "expected_cost" else 1.0
    return Estimate(value, max(value - reach, 0.0), min(value + reach, most), variance)


def ratio(cells: Iterable[tuple[float, Worth]]) -> float | None:
    """sum c x / sum c n over cells of c rows, None where the denominator is 0.

    >>> ratio([(3, (1.0, 1.0)), (1, (0.0, 1.0))])
    0.75
    """
    kept = list(cells)
    below = math.fsum(rows * worth[1] for rows, worth in kept)
    return math.fsum(rows * worth[0] for rows, worth in kept) / below if below > 0 else None


def few(cells: Iterable[tuple[float, Worth]]) -> bool:
    """Whether fewer than 5 of the rows that count are of one worth: an error that was hardly seen yet
    may be the dear one.

    >>> few([(3, (1.0, 1.0)), (100, (0.0, 1.0))]), few([(5, (1.0, 1.0)), (100, (0.0, 1.0))])
    (True, False)
    >>> few([(70, (0.0, 1.0)), (30, (1.0, 1.0)), (0, (100.0, 1.0))])
    True
    """
    rows_worth: dict[float, float] = defaultdict(float)
    for rows, (x, n) in cells:
        if n > 0:
            rows_worth[x] += rows
    return min(rows_worth.values()) < FEW


def _cells(counts: Confusion, goal: Goal) -> list[tuple[float, Worth]]:
    return [
        (counts.tn, goal.worth("tn")),
        (counts.fp, goal.worth("fp")),
        (counts.fn, goal.worth("fn")),
        (counts.tp, goal.worth("tp")),
    ]


def _variance(cells: list[tuple[float, Worth]], unseen: float) -> float:
    """sum c (x - r n)^2 / (sum c n)^2: p (1 - p) / n for accuracy."""
    if few(cells):
        cells = [(rows + unseen, worth) for rows, worth in cells]
    r = ratio(cells) or 0.0
    below = sum(rows * n for rows, (_, n) in cells)
    return sum(rows * (x - r * n) ** 2 for rows, (x, n) in cells) / below**2
