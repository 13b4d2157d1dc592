"""Lets a bandit give its better arm more of the units, in batches, as a new phase; it decides nothing.

What the shares should be follows from the labels by mlcore.bandit. A unit stays in its arm unless its
place lies between the old share and the new one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from django.db.models import Count

from endpoints.errors import Conflict
from endpoints.models import ABPhase, ABTest, LabelledUnit
from endpoints.models.abtest import TestKind, TestState
from endpoints.services.abtests import analysis, bandit_counts, events, standing, starting
from endpoints.services.abtests.counts import PhaseCounts, bandit_of, is_ready
from endpoints.services.abtests.plans import newest_phase
from endpoints.services.access import Caller
from endpoints.services.changing import unless_overtaken
from mlcore.adaptive import compared, posteriors
from mlcore.assignment import BUCKETS
from mlcore.bandit import basis_points, thompson_weights
from mlcore.posterior import Beta, probability_greater

FEWEST_NEW = 100
"""Labels of both arms between two thoughts about the shares; see also GROWTH."""
GROWTH = 0.1
"""As many new labels of those before, so that a long test has few phases: each asks for some work."""
LEAST_CHANGE = 100
"""Basis points; a smaller change is not worth a new phase."""
BANDIT = Caller(system="bandit")


@dataclass(frozen=True)
class Weighed:
    """The share that B deserves, in basis points, and the beliefs that it follows from."""

    share: int
    beliefs: tuple[Beta, Beta]

    @property
    def b_best(self) -> float:
        return probability_greater(self.beliefs[1], self.beliefs[0])


def steer(test: ABTest, now: datetime) -> ABPhase | None:
    """Begin a phase with the shares that the labels ask for by now, if they are others; return it.

    Nothing happens before the minimum of labels of each arm, between two batches of labels, and while the
    test is in doubt or a guardrail is broken: then the shares stay what they are. Any number of processes
    may ask at once.
    """
    phase = newest_phase(test)
    if test.kind != TestKind.BANDIT or not test.is_running or phase is None:
        return None
    counts = bandit_counts.read(test, phase)
    if counts is None or not is_due(test, counts) or is_frozen(test, counts, now):
        return None
    counts.phase.repeats = _repeats(test, counts)
    weighed = weigh(test, counts)
    if weighed is None:
        return None
    return _move(test, counts, weighed, now)


def is_due(test: ABTest, counts: PhaseCounts) -> bool:
    """Tell whether so many labels have come since the last thought that another is worth while."""
    before = counts.phase.weighed
    new = sum(side.arm.labels for side in counts.arms) - before
    return is_ready(test, counts) and new >= max(FEWEST_NEW, GROWTH * before)


def is_frozen(test: ABTest, counts: PhaseCounts, now: datetime) -> bool:
    """Tell whether the numbers cannot be trusted, or B does harm that they do not show."""
    return analysis.judge(test, counts, now).banner in ("do_not_trust", "guardrail")


def weigh(test: ABTest, counts: PhaseCounts) -> Weighed | None:
    """Return what the arms deserve: the floor each, and of the rest as much as it is likely to be best.

    It is believed what their rates over the same phases say, so that an arm is not blamed for the weeks
    in which it had the traffic. None where no phase has labels of both.
    """
    found = compared(bandit_of(test, counts))
    if found is None:
        return None
    beliefs = posteriors(found)
    shares = basis_points(thompson_weights(beliefs, test.floor / BUCKETS))
    return Weighed(shares[1], beliefs)


def _move(test: ABTest, counts: PhaseCounts, weighed: Weighed, now: datetime) -> ABPhase | None:
    """Begin the phase, or note that the shares are right as they are; nothing if somebody was first."""
    seen, labels = counts.phase, sum(side.arm.labels for side in counts.arms)
    if abs(weighed.share - seen.challenger_share) < LEAST_CHANGE:
        present = ABPhase.objects.filter(pk=seen.pk, weighed=seen.weighed, ended_at=None)
        present.update(weighed=labels, repeats=seen.repeats)
        return None
    try:
        with unless_overtaken(test.endpoint):
            running = standing.locked(test)
            last = running.phases.filter(pk=seen.pk, weighed=seen.weighed, ended_at=None).first()
            if running.state != TestState.RUNNING or last is None:
                return None
            known = {name: getattr(last, name) for name in ("low", "high", "p_value")}
            known |= {"weighed": labels, "b_best": weighed.b_best, "repeats": seen.repeats}
            phase = starting.next_phase(running, last, weighed.share, now, **known)
            _record(running, counts, (last, phase), now)
    except Conflict:  # two phases of one number: the other stands
        return None
    return phase


def _record(
    test: ABTest, counts: PhaseCounts, phases: tuple[ABPhase, ABPhase], now: datetime
) -> None:
    last, phase = phases
    events.record(
        "change_share",
        test,
        actor=BANDIT,
        now=now,
        before={"challenger_share": last.challenger_share, "phase": last.number},
        after={
            "challenger_share": phase.challenger_share,
            "phase": phase.number,
            "b_best": phase.b_best,
            **{side.arm.name: _counted(side.arm) for side in counts.arms},
        },
        reason=_reason(test, counts, phase),
    )


def _counted(arm: Any) -> dict[str, int]:
    return {"labels": arm.labels, "right": arm.tn + arm.tp}


def _reason(test: ABTest, counts: PhaseCounts, phase: ABPhase) -> str:
    """Say from what counts: “v2 is better than v1 with probability 0.966: right in ...”."""
    a, b = (
        f"{side.arm.version.label} right in {side.arm.tn + side.arm.tp:,} of {side.arm.labels:,}"
        for side in counts.arms
    )
    return (
        f"{test.challenger.label} is the better one with probability {phase.b_best:.3f} by "
        f"{len(counts.strata):,} {_PHASES[len(counts.strata) == 1]}: {b}, {a} labelled rows."
    )


_PHASES = MappingProxyType({True: "phase", False: "phases"})


def _repeats(test: ABTest, counts: PhaseCounts) -> float:
    """Return in how many phases a labelled unit of an arm has part on average, of the arm where it is more."""
    if len(counts.strata) == 1:
        return 1.0
    named = LabelledUnit.objects.filter(arm__phase__test=test, rows__gt=0).values("arm__name")
    found = named.annotate(parts=Count("pk"), names=Count("unit", distinct=True)).order_by()
    again = {row["arm__name"]: row["parts"] - row["names"] for row in found}
    repeats: float = max(
        units / (units - min(again.get(side.arm.name, 0), units - 1))
        for side in counts.arms
        if (units := side.arm.units)
    )
    return repeats
