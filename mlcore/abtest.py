"""What an A/B test of two models says so far, from counters: a plan in, a decision out.

It knows no clock and no storage: the caller keeps the plan, which is made before the first
request, and hands back what the last look said.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from mlcore.assignment import BUCKETS, Split
from mlcore.comparison import (
    Comparison,
    ShadowCounters,
    compare_arms,
    compare_pairs,
    shadow_arms,
)
from mlcore.errors import DataError
from mlcore.outcomes import ArmCounters, Estimate, Goal
from mlcore.posterior import Belief
from mlcore.proportions import Ends, Share
from mlcore.sample_ratio import MISMATCH, coverage_p, sample_ratio_p
from mlcore.sequential import AlwaysValid, confidence_sequence, lasting_p

Kind = Literal["split", "shadow", "bandit"]
Looks = Literal["any_time", "at_horizon"]
Decision = Literal[
    "keep_running", "b_better", "a_better", "no_difference", "inconclusive", "do_not_trust"
]
Doubt = Literal["sample_ratio", "coverage", "drifted"]
Checks = tuple[float | None, float | None]
"""The p values of the sample ratio and of coverage."""
CHECKS_TUNED_FOR = 1000
"""Units, or rows, at which the checks find a fault soonest; they are made at every look as well."""


@dataclass(frozen=True)
class Plan:
    """What is compared, how sure one wants to be and how long one waits; made before the test.

    ``margin`` is the largest difference that does not matter, in the metric's unit; with 0 no test
    ends in "no_difference". ``horizon`` is the number of labels of the smaller arm (of labelled
    pairs in a shadow test) at which the test ends. Before ``minimum_labels`` of each arm nothing
    is decided. ``split`` has the shares; those of a bandit are its phases', see mlcore.adaptive.
    ``looks`` says which interval decides: the always-valid one at any look, or the
    fixed one at the horizon alone, which needs fewer labels for the same power but may not be
    acted upon before. Raises DataError for numbers that make no plan.
    """

    horizon: int
    goal: Goal = Goal()
    kind: Kind = "split"
    margin: float = 0.0
    alpha: float = 0.05
    minimum_labels: int = 50
    looks: Looks = "any_time"
    split: Split = Split()

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise DataError(f"alpha must lie between 0 and 1, got {self.alpha:g}")
        if not 0 <= self.margin < math.inf:
            raise DataError(f"a margin is finite and not negative, got {self.margin:g}")
        if not 1 <= self.minimum_labels <= self.horizon:
            raise DataError(
                f"a horizon of {self.horizon} labels does not reach the "
                f"minimum of {self.minimum_labels}, which is at least 1"
            )
        if self.kind not in get_args(Kind) or self.looks not in ("any_time", "at_horizon"):
            raise DataError(f"there is no {self.kind!r} test with looks {self.looks!r}")
        if len(self.split.weights) != 2 or min(self.split.weights) == 0:
            raise DataError(f"a test has two arms, both with a weight, got {self.split.weights}")

    @property
    def tuned_for(self) -> float:
        """Half the labels at the horizon, where the always-valid interval is tightest.

        The interval at the horizon is then 1 % wider than it could be, those of the first eighth
        are 10 % narrower.
        """
        if self.kind == "shadow":
            return self.horizon / 2
        return self.horizon * BUCKETS / min(self.split.weights) / 2


class Settled(NamedTuple):
    """What the one look at the horizon found, by a plan that allows no other."""

    ends: Ends
    p_value: float


@dataclass(frozen=True)
class Look:
    """What the caller knows: the always-valid result so far, and whether the time is over.

    ``settled`` is the fixed result of the look at the horizon once it was taken: it stands, whatever
    the labels that come later say, since a second look at a fixed interval would be peeking.
    """

    before: AlwaysValid | None = None
    ended: bool = False
    settled: Settled | None = None


@dataclass(frozen=True)
class ArmReport:
    """One arm: what was counted, and its metric with the interval, None before the first label."""

    requests: int
    units: int
    labels: int
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class ABTestReport:
    """Everything that a page shows of a test.

    ``difference`` is challenger (B) minus control (A). ``fixed`` and ``p_value`` hold for a single
    look at the horizon, and are of that one once it is settled. ``always_valid`` is what all looks
    so far say together, and is to be handed to the next one; ``this_look`` is of this one alone.
    ``doubts`` are the reasons for not trusting the test; the p values of the checks behind them are
    valid at every look too.
    """

    goal: Goal
    control: ArmReport
    challenger: ArmReport
    difference: float | None
    se: float | None
    fixed: Ends | None
    p_value: float | None
    this_look: AlwaysValid | None
    always_valid: AlwaysValid | None
    belief: Belief | None
    sample_ratio_p: float | None
    coverage_p: float | None
    doubts: tuple[Doubt, ...]
    decision: Decision


def analyse_split(
    control: ArmCounters, challenger: ArmCounters, plan: Plan, look: Look | None = None
) -> ABTestReport:
    """The report of a test in which each unit was answered by one arm.

    The always-valid interval counts the labels of both arms. Where units come again the check of
    coverage allows for rows that get their labels together. Raises DataError as ``compare_arms``.

    >>> arms = ArmCounters(1000, 1000, 1000, 840), ArmCounters(1000, 1000, 1000, 871)
    >>> report = analyse_split(*arms, Plan(horizon=5000))
    >>> report.decision, [round(end, 6) for end in report.always_valid]
    ('keep_running', [-0.01807, 0.08007, 0.464736])
    """
    found = compare_arms(control, challenger, plan.goal, 1 - plan.alpha)
    arms = (control, challenger)
    checks = checks_of(arms, plan.split)
    return _report(arms, found, control.labels + challenger.labels, checks, (plan, look or Look()))


def analyse_shadow(counters: ShadowCounters, plan: Plan, look: Look | None = None) -> ABTestReport:
    """The report of a test in which both arms scored every request.

    There is no assignment whose ratio could be wrong, and a label is one of both arms. The
    always-valid interval counts pairs. Raises DataError as ``compare_pairs``.

    >>> from mlcore.mcnemar import Pairs
    >>> plan = Plan(horizon=2000, kind="shadow")
    >>> report = analyse_shadow(ShadowCounters(1000, Pairs(800, 40, 71, 89)), plan)
    >>> report.decision, [round(end, 6) for end in report.always_valid]
    ('keep_running', [-0.000839, 0.062839, 0.061857])
    """
    found = compare_pairs(counters, plan.goal, 1 - plan.alpha)
    arms = shadow_arms(counters)
    return _report(arms, found, counters.pairs.n, (None, None), (plan, look or Look()))


def checks_of(arms: tuple[ArmCounters, ArmCounters], split: Split) -> Checks:
    """The p values of the units' shares and of the labels' coverage, both valid at every look.

    >>> arms = ArmCounters(900, 900, 500, 400), ArmCounters(1100, 1100, 500, 400)
    >>> [round(p, 6) for p in checks_of(arms, Split())]
    [0.000355, 0.000322]
    """
    units, shares = [arm.units for arm in arms], [_labelled_share(arm) for arm in arms]
    return (
        _lasting(sample_ratio_p(units, split.weights), sum(units)),
        _lasting(coverage_p(shares[0], shares[1]), sum(share.n for share in shares)),
    )


class Concluded(NamedTuple):
    """What all looks say together, whether they can be trusted, and what follows."""

    total: AlwaysValid | None
    checks: Checks
    doubts: tuple[Doubt, ...]
    decision: Decision


def conclude(
    least: int,
    fixed: Settled | None,
    now: AlwaysValid | None,
    checks: Checks,
    course: tuple[Plan, Look],
) -> Concluded:
    """Put this look to those before. Least: the labels of the smaller arm."""
    plan, look = course
    # A limit theorem says nothing of the first labels, so their intervals bind no later look.
    total = now.after(look.before) if now and least >= plan.minimum_labels else look.before
    doubts = _doubts(checks, total)
    decision = "do_not_trust" if doubts else _decision(least, fixed, total, course)
    return Concluded(total, checks, doubts, decision)


def verdict(ends: Ends, plan: Plan) -> Decision | None:
    """What an interval of the difference says: who is better, that it does not matter, or nothing.

    A difference that lies within the margin altogether does not matter, be it 0 or not. A margin
    belongs below the effect that is looked for: an effect within it is "b_better" while the interval
    is wide, and "no_difference" once it is narrow.

    >>> plan = Plan(horizon=1000, margin=0.01)
    >>> verdict(Ends(0.005, 0.03), plan), verdict(Ends(0.002, 0.008), plan)
    ('b_better', 'no_difference')
    """
    low, high = ends if plan.goal.direction == 1 else (-ends[1], -ends[0])
    if plan.margin > 0 and -plan.margin <= low and high <= plan.margin:
        return "no_difference"
    if low > 0:
        return "b_better"
    return "a_better" if high < 0 else None


def _report(
    arms: tuple[ArmCounters, ArmCounters],
    found: Comparison,
    rows: int,
    checks: Checks,
    course: tuple[Plan, Look],
) -> ABTestReport:
    plan, look = course
    now = None
    if found.difference is not None and found.se is not None:
        now = confidence_sequence(
            found.difference, found.se, rows, alpha=plan.alpha, tuned_for=plan.tuned_for
        )
    fixed = look.settled
    if fixed is None and found.ends is not None and found.p_value is not None:
        fixed = Settled(found.ends, found.p_value)
    said = conclude(min(arm.labels for arm in arms), fixed, now, checks, course)
    return ABTestReport(
        goal=plan.goal,
        control=_arm(arms[0], found.control),
        challenger=_arm(arms[1], found.challenger),
        difference=found.difference,
        se=found.se,
        fixed=fixed.ends if fixed else None,
        p_value=fixed.p_value if fixed else None,
        this_look=now,
        always_valid=said.total,
        belief=found.belief,
        sample_ratio_p=checks[0],
        coverage_p=checks[1],
        doubts=said.doubts,
        decision=said.decision,
    )


def _lasting(p_value: float | None, n: int) -> float | None:
    if p_value is None:
        return None
    return lasting_p(p_value, n, alpha=MISMATCH, tuned_for=CHECKS_TUNED_FOR)


def _labelled_share(arm: ArmCounters) -> Share:
    """Labelled rows of all rows, both divided by sum n^2 / sum n where units come again.

    The rows of a unit, such as a list that was sent at once, may get their labels all together:
    that many of them then tell as much as one independent row. F1 weighs rows by what they are,
    so that n is no number of rows; the mean rows of a unit are never more than that ratio of them.
    """
    sums, together = arm.per_unit, 1.0
    if sums is not None and sums.units > 0:
        weighed = sums.nn / sums.n if sums.n > 0 else 0.0
        together = max(weighed, arm.labels / sums.units, 1.0)
    return Share(round(arm.labels / together), round(arm.requests / together))


def _arm(arm: ArmCounters, found: Estimate | None) -> ArmReport:
    value, low, high = (None, None, None) if found is None else found[:3]
    return ArmReport(arm.requests, arm.units, arm.labels, value, low, high)


def _doubts(checks: Checks, total: AlwaysValid | None) -> tuple[Doubt, ...]:
    doubts: list[Doubt] = []
    if checks[0] is not None and checks[0] < MISMATCH:
        doubts.append("sample_ratio")
    if checks[1] is not None and checks[1] < MISMATCH:
        doubts.append("coverage")
    if total is not None and total.empty:
        doubts.append("drifted")
    return tuple(doubts)


def _decision(
    least: int, fixed: Settled | None, total: AlwaysValid | None, course: tuple[Plan, Look]
) -> Decision:
    plan, look = course
    over = look.ended or least >= plan.horizon
    found: Decision | None = None
    if least >= plan.minimum_labels:
        if plan.looks == "any_time" and total is not None:
            found = verdict(Ends(total.low, total.high), plan)
        elif plan.looks == "at_horizon" and over and fixed is not None:
            found = _at_horizon(fixed, plan)
    return found or ("inconclusive" if over else "keep_running")


def _at_horizon(fixed: Settled, plan: Plan) -> Decision | None:
    """A winner needs both interval and test: of few pairs McNemar's exact p may be above alpha although
    the interval leaves 0 out."""
    found = verdict(fixed.ends, plan)
    if found in ("a_better", "b_better") and fixed.p_value > plan.alpha:
        return None
    return found
