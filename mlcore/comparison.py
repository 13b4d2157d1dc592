"""How two arms of a test differ, from counters, at a single look; it decides nothing.

Differences are challenger (B) minus control (A) in the metric's own unit. In a split test each
request was answered by one arm; in a shadow test both scored every request.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import NamedTuple

from mlcore.clustered import UnitSums, ratio_variance
from mlcore.errors import DataError
from mlcore.mcnemar import Pairs, agresti_min, mcnemar, paired_interval
from mlcore.metrics import Confusion
from mlcore.outcomes import ArmCounters, Estimate, Goal, Worth, estimate, ratio
from mlcore.posterior import Belief, belief, normal_belief, paired_belief, posterior
from mlcore.proportions import Ends, Share, pooled_test, square_and_add
from mlcore.special import critical_value, two_sided

_FEW_APART = 10


@dataclass(frozen=True)
class ShadowCounters:
    """What was counted of requests that both arms scored; ``pairs`` are the labelled ones.

    ``negatives`` and ``positives`` are the same rows by their true class, which F1 and the
    expected cost need. ``per_unit`` is given where a unit may have several labels: x is what its
    labels are worth to B less what they are to A, n how many they are; F1 has no such x. Raises
    DataError where the counts contradict one another.
    """

    requests: int
    pairs: Pairs
    negatives: Pairs | None = None
    positives: Pairs | None = None
    per_unit: UnitSums | None = None

    def __post_init__(self) -> None:
        if self.pairs.n > self.requests:
            raise DataError(f"{self.pairs.n} labelled pairs of {self.requests} requests")
        if (self.negatives is None) != (self.positives is None):
            raise DataError("pairs by class need both the negatives and the positives")
        if self.negatives and self.positives and self.negatives + self.positives != self.pairs:
            raise DataError("the pairs of the two classes do not add up to all pairs")


class Comparison(NamedTuple):
    """Two estimates and their difference; ``ends`` and ``p_value`` hold for one look.

    All that follows the estimates is None where an arm has none.
    """

    control: Estimate | None
    challenger: Estimate | None
    difference: float | None = None
    se: float | None = None
    ends: Ends | None = None
    p_value: float | None = None
    belief: Belief | None = None


def compare_arms(
    control: ArmCounters, challenger: ArmCounters, goal: Goal, level: float = 0.95
) -> Comparison:
    """The comparison of a split test.

    Accuracy of independent rows: Newcombe's interval, the pooled z test and the beta posteriors.
    F1: its interval is made of the arms' in the same way. Otherwise Wald's interval; these have
    Wald's test and the belief N(difference, se^2). Raises DataError as ``estimate``.

    >>> arms = [ArmCounters(1000, 1000, 1000, correct) for correct in (840, 871)]
    >>> found = compare_arms(*arms, Goal())
    >>> [round(number, 6) for number in (*found.ends, found.p_value, found.belief.b_better)]
    [0.000152, 0.061851, 0.048664, 0.975565]
    """
    a, b = estimate(control, goal, level), estimate(challenger, goal, level)
    if a is None or b is None:
        return Comparison(a, b)
    difference, se = b.value - a.value, math.sqrt(a.variance + b.variance)
    if control.per_unit or challenger.per_unit or goal.metric == "expected_cost":
        return _normal((a, b), se, goal, level)
    ends = square_and_add(a[:3], b[:3])
    if goal.metric == "f1":
        return _normal((a, b), se, goal, level)._replace(ends=ends)
    shares = [Share(arm.correct, arm.labels) for arm in (control, challenger)]
    believed = belief(*(posterior(*share) for share in shares))
    return Comparison(a, b, difference, se, ends, pooled_test(*shares).p_value, believed)


def compare_pairs(counters: ShadowCounters, goal: Goal, level: float = 0.95) -> Comparison:
    """The comparison of a shadow test.

    Accuracy: McNemar's exact p, the paired posterior, and the interval of Wald, or that of Agresti
    and Min where fewer than 10 pairs differ. F1 and the expected cost: the delta method,
    se^2 = sum c (u_B - u_A)^2 over cells of c pairs with u = (x - r n) / sum n of each arm. Where
    fewer than 10 pairs differ by one worth every cell counts half a pair more in it. Of units that come again
    the error is never taken to be below that of independent pairs; for F1, which is no sum over
    rows, it is the largest that it can be: se^2 sum n^2 / sum n, as if the pairs of a unit told
    no more than one. Raises DataError for F1 and cost without the pairs by class, and for
    per_unit of fewer than 2 units.

    >>> found = compare_pairs(ShadowCounters(1000, Pairs(800, 40, 71, 89)), Goal())
    >>> [round(number, 6) for number in (found.difference, found.se, *found.ends, found.p_value)]
    [0.031, 0.01049, 0.01044, 0.05156, 0.004196]
    """
    cells = _joint(counters, goal)
    a, b = (estimate(arm, goal, level) for arm in shadow_arms(counters))
    if a is None or b is None:
        return Comparison(a, b)
    difference, pairs = b.value - a.value, counters.pairs
    scarce = _are_few_apart(cells) or max(pairs.only_a, pairs.only_b) == pairs.n
    se = _paired_error(cells, goal.unseen if scarce else 0.0) or _paired_error(cells, goal.unseen)
    if goal.metric == "accuracy" and counters.per_unit is None:
        ends = agresti_min(pairs, level) if scarce else paired_interval(pairs, level)
        believed = paired_belief(pairs.only_a, pairs.only_b, pairs.n)
        return Comparison(a, b, difference, se, ends, mcnemar(pairs).exact, believed)
    if counters.per_unit is not None:
        by_unit = ratio_variance(counters.per_unit)
        if goal.metric == "f1":
            by_unit = se**2 * counters.per_unit.nn / counters.per_unit.n
        se = max(se, math.sqrt(by_unit))
    return _normal((a, b), se, goal, level)


def shadow_arms(counters: ShadowCounters) -> tuple[ArmCounters, ArmCounters]:
    """Each arm of a shadow test by itself.

    >>> [arm.correct for arm in shadow_arms(ShadowCounters(1000, Pairs(800, 40, 71, 89)))]
    [840, 871]
    """
    right_alone = (counters.pairs.only_a, counters.pairs.only_b)
    confusions: tuple[Confusion | None, Confusion | None] = (None, None)
    if counters.negatives and counters.positives:
        N, P = counters.negatives, counters.positives
        confusions = (
            _confusion(N.both + N.only_a, N.n, P.both + P.only_a, P.n),
            _confusion(N.both + N.only_b, N.n, P.both + P.only_b, P.n),
        )
    requests, labels, both = counters.requests, counters.pairs.n, counters.pairs.both
    first, second = (
        ArmCounters(requests, requests, labels, both + alone, confusion)
        for alone, confusion in zip(right_alone, confusions, strict=True)
    )
    return first, second


def _confusion(tn: int, negatives: int, tp: int, positives: int) -> Confusion:
    return Confusion(tn, negatives - tn, positives - tp, tp)


Cell = tuple[float, Worth, Worth]
"""A number of pairs, and what each is worth to A and to B."""


def _joint(counters: ShadowCounters, goal: Goal) -> list[Cell]:
    by_class = [(counters.pairs, "tp", "fn")]
    if counters.negatives and counters.positives:
        by_class = [(counters.negatives, "tn", "fp"), (counters.positives, "tp", "fn")]
    return [
        (rows, goal.worth(a), goal.worth(b))
        for pairs, right, wrong in by_class
        for rows, a, b in (
            (pairs.both, right, right),
            (pairs.only_a, right, wrong),
            (pairs.only_b, wrong, right),
            (pairs.neither, wrong, wrong),
        )
    ]


def _are_few_apart(cells: list[Cell]) -> bool:
    """Whether fewer than 10 pairs differ by one worth, in either direction: it may be the dear one."""
    pairs_apart: dict[frozenset[Worth], float] = defaultdict(float)
    for rows, a, b in cells:
        if a != b:
            pairs_apart[frozenset((a, b))] += rows
    return min(pairs_apart.values()) < _FEW_APART


def _paired_error(cells: list[Cell], more: float) -> float:
    rows = [count + more for count, _, _ in cells]
    u_a = _influence(rows, [a for _, a, _ in cells])
    u_b = _influence(rows, [b for _, _, b in cells])
    squares = (c * (b - a) ** 2 for c, a, b in zip(rows, u_a, u_b, strict=True))
    return math.sqrt(math.fsum(squares))


def _influence(rows: list[float], worths: list[Worth]) -> list[float]:
    """(x - r n) / sum n: by how much a row of each cell moves the ratio r."""
    r = ratio(zip(rows, worths, strict=True)) or 0.0
    below = sum(count * n for count, (_, n) in zip(rows, worths, strict=True))
    return [(x - r * n) / below for x, n in worths]


def _normal(arms: tuple[Estimate, Estimate], se: float, goal: Goal, level: float) -> Comparison:
    """Interval, test and belief of a difference that is normal with a known error."""
    difference = arms[1].value - arms[0].value
    reach = critical_value(level) * se
    ends = Ends(difference - reach, difference + reach)
    believed = normal_belief(goal.direction * difference, se)
    return Comparison(*arms, difference, se, ends, two_sided(difference / se), believed)
