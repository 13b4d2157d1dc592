"""The counters of one phase of a test, and what mlcore makes of them; it reads and writes no tables."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from endpoints.models import ABArm, ABPhase, ABTest
from endpoints.models.abtest import Looks, TestKind
from endpoints.services.abtests.plans import plan_of, split_of
from mlcore.abtest import ABTestReport, Look, Settled, analyse_shadow, analyse_split
from mlcore.adaptive import Bandit, Phase, analyse_bandit
from mlcore.clustered import UnitSums
from mlcore.comparison import ShadowCounters
from mlcore.errors import DataError
from mlcore.mcnemar import Pairs
from mlcore.metrics import Confusion
from mlcore.outcomes import ArmCounters
from mlcore.proportions import Ends
from mlcore.sequential import AlwaysValid

logger = logging.getLogger(__name__)
FEWEST_UNITS = 50
"""Where units repeat, each arm needs so many: the error of a ratio of units is a limit theorem too."""

Side = Literal["negatives", "positives"]


@dataclass(frozen=True)
class ArmTraffic:
    """What all writers of the log counted of an arm."""

    requests: int = 0
    rows: int = 0
    units: int = 0
    errors: int = 0
    agreed: int = 0
    latencies: Mapping[str, int] = field(default_factory=dict)


NO_TRAFFIC = ArmTraffic()


@dataclass(frozen=True)
class ArmCounts:
    """Both halves of what is counted of an arm: its labels and its traffic."""

    arm: ABArm
    traffic: ArmTraffic = NO_TRAFFIC


@dataclass(frozen=True)
class PhaseCounts:
    """All counters of a phase. `labels_per_day` is what the endpoint's traffic promises the smaller arm;
    it is asked for only while the phase has no labels itself.

    Of a bandit they are those of all `strata`, its phases up to this one, the first one first.
    """

    phase: ABPhase
    control: ArmCounts
    challenger: ArmCounts
    labels_per_day: float | None = None
    strata: tuple[PhaseCounts, ...] = ()

    @property
    def arms(self) -> tuple[ArmCounts, ArmCounts]:
        return self.control, self.challenger

    @property
    def labels(self) -> int:
        """Of the smaller arm; in a shadow test both count the pairs."""
        return min(counts.arm.labels for counts in self.arms)


def labelled_units(test: ABTest, counts: PhaseCounts) -> int:
    """Return how many units have a label, of the smaller arm."""
    if test.kind == TestKind.SHADOW:
        return counts.phase.units
    return min(counts.arm.units for counts in counts.arms)


def units_repeat(test: ABTest, counts: PhaseCounts) -> bool:
    """Tell whether any unit has more than one label."""
    if test.kind == TestKind.SHADOW:
        return counts.phase.units < counts.control.arm.labels
    return any(counts.arm.units < counts.arm.labels for counts in counts.arms)


def is_ready(test: ABTest, counts: PhaseCounts) -> bool:
    """Tell whether there are labels enough for a first look."""
    return counts.labels >= test.minimum_labels and not waits_for_units(test, counts)


def waits_for_units(test: ABTest, counts: PhaseCounts) -> bool:
    """Tell whether units repeat and too few of them have a label."""
    return units_repeat(test, counts) and labelled_units(test, counts) < FEWEST_UNITS


def is_over(test: ABTest, counts: PhaseCounts, now: datetime) -> bool:
    """Tell whether the planned end is reached, or was before the test was stopped: by a plan of one look
    at the end nothing is decided earlier. The horizon waits for units enough, the last day for nothing."""
    last = last_moment(test)
    is_late = last is not None and (test.stopped_at or now) >= last
    return is_late or (counts.labels >= test.horizon and is_ready(test, counts))


def last_moment(test: ABTest) -> datetime | None:
    """Return when the plan's last day is over; None: there is none."""
    if test.most_days is None or test.started_at is None:
        return None
    return test.started_at + timedelta(days=test.most_days)


def statistics(test: ABTest, counts: PhaseCounts, *, ended: bool = False) -> ABTestReport | None:
    """Return what the counters say together with all looks before; None where a single unit says it all.

    None too, with a word in the log, where numbers leave the range that can be computed: no label, no
    end of a test and no change of production fails for that.
    """
    try:
        found = _statistics(test, counts, ended)
        if found is not None:
            _require_finite(found)
    except (DataError, ArithmeticError, ValueError):
        logger.exception("The result of A/B test %s cannot be computed.", test.pk)
        return None
    return found


def _require_finite(found: ABTestReport) -> None:
    numbers = (found.difference, found.se, *(found.fixed or ()), *(found.always_valid or ()))
    if not all(number is None or math.isfinite(number) for number in numbers):
        raise ValueError(f"a difference of {found.difference} with the error {found.se}")


def _statistics(test: ABTest, counts: PhaseCounts, ended: bool) -> ABTestReport | None:  # noqa: FBT001 - a fact
    plan = plan_of(test, counts.phase)
    look = _look(test, counts.phase, ended)
    if test.kind == TestKind.BANDIT:
        return analyse_bandit(bandit_of(test, counts), plan, look)
    if test.kind == TestKind.SPLIT:
        return analyse_split(*_split_arms(test, counts), plan, look)
    pairs = _pairs(test, counts)
    if pairs.per_unit is not None and pairs.per_unit.units < 2:
        return None
    return analyse_shadow(pairs, plan, look)


def _look(test: ABTest, phase: ABPhase, ended: bool) -> Look:  # noqa: FBT001 - a fact
    """Return what the phase keeps: the common part of all looks, or the one look at the end that counts."""
    if phase.low is None or phase.high is None or phase.p_value is None:
        return Look(ended=ended)
    if test.looks == Looks.AT_HORIZON:
        return Look(ended=ended, settled=Settled(Ends(phase.low, phase.high), phase.p_value))
    return Look(before=AlwaysValid(phase.low, phase.high, phase.p_value), ended=ended)


def rows_asked(test: ABTest, counts: ArmCounts) -> int:
    """Return the rows that may have a label by now: where labels mature, those that are old enough.

    A row is in the log before its label is here. Traffic lies beside the log, though, and may have been
    lost with it: there are never fewer rows than labels.
    """
    rows = counts.arm.requests if test.maturation_hours else counts.traffic.rows
    return max(rows, counts.arm.labels)


def bandit_of(test: ABTest, counts: PhaseCounts) -> Bandit:
    """Return the phases of a bandit, each with its own shares, and both arms over all of them."""
    phases = [
        Phase(*_split_arms(test, stratum), split_of(test, stratum.phase))
        for stratum in counts.strata or (counts,)
    ]
    return Bandit(phases, *_split_arms(test, counts), repeats=counts.phase.repeats)


def _split_arms(test: ABTest, counts: PhaseCounts) -> tuple[ArmCounters, ArmCounters]:
    repeat = units_repeat(test, counts)
    return (
        _split_arm(test, counts.control, repeat),
        _split_arm(test, counts.challenger, repeat),
    )


def _split_arm(test: ABTest, counts: ArmCounts, repeat: bool) -> ArmCounters:
    arm = counts.arm
    return ArmCounters(
        requests=rows_asked(test, counts),
        units=counts.traffic.units,
        labels=arm.labels,
        correct=arm.tn + arm.tp,
        confusion=Confusion(arm.tn, arm.fp, arm.fn, arm.tp),
        per_unit=unit_sums(arm) if repeat else None,
    )


def _pairs(test: ABTest, counts: PhaseCounts) -> ShadowCounters:
    negatives, positives = cells(counts.phase, "negatives"), cells(counts.phase, "positives")
    return ShadowCounters(
        requests=rows_asked(test, counts.challenger),
        pairs=negatives + positives,
        negatives=negatives,
        positives=positives,
        per_unit=unit_sums(counts.phase) if units_repeat(test, counts) else None,
    )


def cells(phase: ABPhase, side: Side) -> Pairs:
    """Return the labelled pairs of a true class."""
    return Pairs(
        *(getattr(phase, f"{side}_{who}") for who in ("both", "only_a", "only_b", "neither"))
    )


def unit_sums(counted: ABArm | ABPhase) -> UnitSums:
    return UnitSums(
        counted.units,
        counted.sum_x,
        counted.sum_n,
        counted.sum_xx,
        counted.sum_xn,
        counted.sum_nn,
    )
