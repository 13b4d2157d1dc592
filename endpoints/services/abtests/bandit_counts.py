"""The counters of all phases of a bandit, read and added up; it judges nothing and moves no share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from copy import copy

from endpoints.models import ABArm, ABPhase, ABTest
from endpoints.models.abcount import ArmName
from endpoints.services import histograms
from endpoints.services.abtests.arm_traffic import traffic_of
from endpoints.services.abtests.counts import NO_TRAFFIC, ArmCounts, ArmTraffic, PhaseCounts

_LABELLED = (
    "requests", "tn", "fp", "fn", "tp", "squares", "fourths",
    "units", "sum_x", "sum_n", "sum_xx", "sum_xn", "sum_nn",
)  # fmt: skip
_ASKED = ("requests", "rows", "units", "errors", "agreed")


def read(test: ABTest, phase: ABPhase) -> PhaseCounts | None:
    """Return the counters of the phases up to this one; None for a test without arms."""
    pairs: dict[int, dict[str, ABArm]] = defaultdict(dict)
    arms = ABArm.objects.filter(phase__test=test, phase__number__lte=phase.number)
    for arm in arms.select_related("phase", "version").order_by("phase__number"):
        pairs[arm.phase_id][arm.name] = arm
    traffic = traffic_of([arm.pk for pair in pairs.values() for arm in pair.values()])
    strata = []
    for pair in pairs.values():
        a, b = (ArmCounts(pair[n], traffic.get(pair[n].pk, NO_TRAFFIC)) for n in ArmName.values)
        strata.append(PhaseCounts(a.arm.phase, a, b))
    return together(strata) if strata else None


def together(strata: Sequence[PhaseCounts]) -> PhaseCounts:
    """Add up phases of one test, the first one first; the phase is the newest of them."""
    newest = strata[-1].phase
    control, challenger = (
        _sum(newest, side) for side in zip(*(stratum.arms for stratum in strata), strict=True)
    )
    return PhaseCounts(newest, control, challenger, strata=tuple(strata))


def _sum(phase: ABPhase, counted: Sequence[ArmCounts]) -> ArmCounts:
    """Return the sums of an arm in a row that is not to be stored. A unit counts in each of its phases."""
    total = copy(counted[-1].arm)
    total.phase = phase
    for name in _LABELLED:
        setattr(total, name, sum(getattr(each.arm, name) for each in counted))
    latencies: histograms.Counts = {}
    for each in counted:
        histograms.add(latencies, each.traffic.latencies)
    asked = {name: sum(getattr(each.traffic, name) for each in counted) for name in _ASKED}
    return ArmCounts(total, ArmTraffic(**asked, latencies=latencies))
