"""The counters of one phase of a test, and what mlcore makes of them; it reads and writes no tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from endpoints.models import ABArm, ABPhase, ABTest
from endpoints.models.abtest import TestKind
from endpoints.services.abtests.plans import plan_of
from mlcore.abtest import ABTestReport, Look, analyse_shadow, analyse_split
from mlcore.clustered import UnitSums
from mlcore.comparison import ShadowCounters
from mlcore.mcnemar import Pairs
from mlcore.metrics import Confusion
from mlcore.outcomes import ArmCounters
from mlcore.sequential import AlwaysValid

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
    it is asked for only while the phase has no labels itself."""

    phase: ABPhase
    control: ArmCounts
    challenger: ArmCounts
    labels_per_day: float | None = None

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
    if counts.labels < test.minimum_labels:
        return False
    return not units_repeat(test, counts) or labelled_units(test, counts) >= FEWEST_UNITS


def statistics(test: ABTest, counts: PhaseCounts, *, ended: bool = False) -> ABTestReport | None:
    """Return what the counters say together with all looks before; None where a single unit says it all."""
    plan = plan_of(test, counts.phase)
    look = Look(before=seen_before(counts.phase), ended=ended)
    if test.kind == TestKind.SPLIT:
        repeat = units_repeat(test, counts)
        control, challenger = (_split_arm(test, arm, repeat) for arm in counts.arms)
        return analyse_split(control, challenger, plan, look)
    pairs = _pairs(test, counts)
    if pairs.per_unit is not None and pairs.per_unit.units < 2:
        return None
    return analyse_shadow(pairs, plan, look)


def seen_before(phase: ABPhase) -> AlwaysValid | None:
    """Return the common part of all looks so far."""
    if phase.low is None or phase.high is None or phase.p_value is None:
        return None
    return AlwaysValid(phase.low, phase.high, phase.p_value)


def rows_asked(test: ABTest, counts: ArmCounts) -> int:
    """Return the rows that may have a label by now: where labels mature, those that are old enough.

    A row is in the log before its label is here. Traffic lies beside the log, though, and may have been
    lost with it: there are never fewer rows than labels.
    """
    rows = counts.arm.requests if test.maturation_hours else counts.traffic.rows
    return max(rows, counts.arm.labels)


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
