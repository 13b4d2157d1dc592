"""What a test says whose shares follow its own labels, a bandit: strata in, a decision out.

It knows no clock and no storage. The next shares are mlcore.bandit's business; here is only what
may be concluded although the shares moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mlcore.abtest import ABTestReport, ArmReport, Look, Plan, checks_of, conclude
from mlcore.assignment import Split
from mlcore.errors import DataError
from mlcore.outcomes import ArmCounters, Goal, estimate
from mlcore.posterior import Beta, belief
from mlcore.sequential import confidence_sequence
from mlcore.special import critical_value
from mlcore.stratified import Counted, Standardised, Stratified, stratified


class Phase(NamedTuple):
    """What both arms counted while the shares were these."""

    control: ArmCounters
    challenger: ArmCounters
    split: Split


@dataclass(frozen=True)
class Bandit:
    """All phases, the first one first, and both arms over all of them.

    ``repeats`` as ``stratified`` has it: in how many phases a labelled unit has part on average.
    """

    phases: Sequence[Phase]
    control: ArmCounters
    challenger: ArmCounters
    repeats: float = 1.0


def analyse_bandit(bandit: Bandit, plan: Plan, look: Look | None = None) -> ABTestReport:
    """The report of a test whose shares change with what its labels say. Accuracy alone.

    Pooled rates would be biased where the world changes together with the shares, so the arms are
    compared within the phases. The always-valid interval is that of the stratified difference,
    where time is what the labels tell and not their number (Howard et al. 2021, arXiv 1810.08240;
    the normal mixture): it holds however the shares followed the labels. There is no ``fixed``
    interval and no ``p_value``: shares that depend on labels leave no fixed sample to take them
    from. Both p values of the checks are the least of all phases, times k (k + 1) for phase k, so
    that any number of phases may follow. Raises DataError for another metric or looks at the end.

    >>> arms = ArmCounters(1000, 1000, 1000, 840), ArmCounters(1000, 1000, 1000, 871)
    >>> found = analyse_bandit(Bandit([Phase(*arms, Split())], *arms), Plan(5000, kind="bandit"))
    >>> found.decision, [round(end, 6) for end in found.always_valid], found.p_value
    ('keep_running', [-0.01807, 0.08007, 0.464736], None)
    """
    if plan.goal.metric != "accuracy" or plan.looks != "any_time":
        raise DataError("a bandit compares accuracies, and may be looked at at any time")
    found = compared(bandit)
    now = None
    if found is not None:
        now = confidence_sequence(
            found.difference, found.se, found.time, alpha=plan.alpha, tuned_for=plan.tuned_for
        )
    arms = (bandit.control, bandit.challenger)
    course = (plan, look or Look())
    said = conclude(min(arm.labels for arm in arms), None, now, checks(bandit.phases), course)
    level = 1 - plan.alpha
    return ABTestReport(
        goal=plan.goal,
        control=_arm(arms[0], found and found.first, level),
        challenger=_arm(arms[1], found and found.second, level),
        difference=found and found.difference,
        se=found and found.se,
        fixed=None,
        p_value=None,
        this_look=now,
        always_valid=said.total,
        belief=found and belief(*posteriors(found)),
        sample_ratio_p=said.checks[0],
        coverage_p=said.checks[1],
        doubts=said.doubts,
        decision=said.decision,
    )


def compared(bandit: Bandit) -> Stratified | None:
    """Both arms over the phases; None before a phase has labels of both."""
    variances = []
    for arm in (bandit.control, bandit.challenger):
        found = estimate(arm, _ACCURACY)
        if found is None or not found.variance > 0:
            return None
        variances.append(found.variance * arm.labels)
    strata = [(_counted(phase.control), _counted(phase.challenger)) for phase in bandit.phases]
    return stratified(strata, (variances[0], variances[1]), bandit.repeats)


def posteriors(found: Stratified) -> tuple[Beta, Beta]:
    """What is believed of each arm's accuracy: of one phase the beta posterior of its labels."""
    return found.first.posterior(), found.second.posterior()


def checks(phases: Sequence[Phase]) -> tuple[float | None, float | None]:
    """The p values of the units' shares and of the labels' coverage, phase by phase."""
    found = [checks_of((phase.control, phase.challenger), phase.split) for phase in phases]
    return _least([p for p, _ in found]), _least([p for _, p in found])


def _least(p_values: Sequence[float | None]) -> float | None:
    """sum over k of a / (k (k + 1)) = a: the chance that any phase at all is so unlikely."""
    known = [p * k * (k + 1) for k, p in enumerate(p_values, 1) if p is not None]
    return min(1.0, *known) if known else None


def _counted(arm: ArmCounters) -> Counted:
    return Counted(arm.correct, arm.labels)


def _arm(arm: ArmCounters, found: Standardised | None, level: float) -> ArmReport:
    if found is None:
        return ArmReport(arm.requests, arm.units, arm.labels, None, None, None)
    reach = critical_value(level) * found.se
    low, high = max(found.value - reach, 0.0), min(found.value + reach, 1.0)
    return ArmReport(arm.requests, arm.units, arm.labels, found.value, low, high)


_ACCURACY = Goal()
