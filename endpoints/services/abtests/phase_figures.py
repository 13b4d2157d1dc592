"""What each phase of a test says for itself, for the record; it neither decides nor adds phases up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from endpoints.models import ABArm, ABPhase, ABTest
from endpoints.models.abcount import ArmName
from endpoints.models.abtest import Looks
from endpoints.services.abtests import counts as counters
from endpoints.services.abtests.arm_traffic import traffic_of
from endpoints.services.abtests.counts import NO_TRAFFIC, ArmCounts, PhaseCounts
from mlcore.abtest import ABTestReport


@dataclass(frozen=True)
class PhaseFigures:
    """One phase on its own: B less A with the interval that decides, None while the phase is hidden.

    Of a bandit, which is decided as a whole, there is no interval but how many labels were `right`.
    """

    phase: ABPhase
    requests: tuple[int, int]
    labels: tuple[int, int]
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    right: tuple[int, int] | None = None


def earlier(test: ABTest, newest: ABPhase) -> list[PhaseFigures]:
    """Return the phases before the newest, which a test of one phase does not read."""
    if newest.number == 1:
        return []
    arms: dict[int, dict[str, ABArm]] = defaultdict(dict)
    earlier = ABArm.objects.filter(phase__test=test, phase__number__lt=newest.number)
    for arm in earlier.select_related("phase").order_by("phase__number"):
        arms[arm.phase_id][arm.name] = arm
    traffic = traffic_of([arm.pk for pair in arms.values() for arm in pair.values()])
    found = []
    for pair in arms.values():
        a, b = (ArmCounts(pair[n], traffic.get(pair[n].pk, NO_TRAFFIC)) for n in ArmName.values)
        counts = PhaseCounts(a.arm.phase, a, b)
        shown = counters.statistics(test, counts) if counters.is_ready(test, counts) else None
        found.append(phase_figures(test, counts, shown))
    return found


def phase_figures(test: ABTest, counts: PhaseCounts, shown: ABTestReport | None) -> PhaseFigures:
    a, b = counts.arms
    figures = PhaseFigures(
        counts.phase, (a.traffic.requests, b.traffic.requests), (a.arm.labels, b.arm.labels)
    )
    if shown is None:
        return figures
    total = shown.fixed if test.looks == Looks.AT_HORIZON else shown.always_valid
    low, high = total[:2] if total is not None else (None, None)
    return replace(figures, difference=shown.difference, low=low, high=high)


def of_a_bandit(
    strata: Sequence[PhaseCounts], shown: ABTestReport | None
) -> Iterator[PhaseFigures]:
    """Yield all phases. Shown: None while the test is hidden."""
    for counts in strata:
        (a, b) = (side.arm for side in counts.arms)
        figures = PhaseFigures(
            counts.phase,
            (counts.control.traffic.requests, counts.challenger.traffic.requests),
            (a.labels, b.labels),
        )
        if shown is None:
            yield figures
            continue
        right = (a.tn + a.tp, b.tn + b.tp)
        difference = right[1] / b.labels - right[0] / a.labels if counts.labels else None
        yield replace(figures, difference=difference, right=right)
