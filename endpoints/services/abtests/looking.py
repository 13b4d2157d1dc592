"""Takes a look at a test whenever labels were counted, and remembers what all looks say together.

It knows no traffic: an interval needs labels alone.
"""

from __future__ import annotations

import math
from datetime import datetime

from django.db.models import QuerySet

from endpoints.models import ABArm, ABLook, ABTest
from endpoints.services.abtests.counts import PhaseCounts, is_ready, statistics

GROWTH = math.log(1.05)
"""A look is kept for the chart whenever the labels have grown by 5 %."""
LOOKED = ("low", "high", "p_value")


def lock(tests: QuerySet[ABTest]) -> list[ABTest]:
    """Return the tests, which nobody else counts or changes before this transaction ends.

    All who lock several do so in one order. SQLite has one writer anyway.
    """
    return list(tests.order_by("pk").select_for_update(no_key=True))


def note(test: ABTest, counts: PhaseCounts, now: datetime, *, labels_before: int) -> None:
    """Look at these counters: change the phase's interval, which the caller stores, and keep the look
    if it is the first, or where the labels have passed another mark since there were so many."""
    is_first = counts.phase.low is None
    found = intersect(test, counts)
    if found is not None and (is_first or _mark(labels_before) != _mark(counts.labels)):
        found.at = now
        found.save()


def intersect(test: ABTest, counts: PhaseCounts) -> ABLook | None:
    """Return what this look found, and leave the common part of all looks in the phase.

    Before the minimum of labels there is no look: an interval of a few labels would bind all later ones.
    """
    report = statistics(test, counts) if is_ready(test, counts) else None
    if report is None or report.difference is None or report.always_valid is None:
        return None
    phase, total = counts.phase, report.always_valid
    phase.low, phase.high, phase.p_value = total
    return ABLook(
        phase=phase, labels=counts.labels, difference=report.difference, **total._asdict()
    )


def _mark(labels: int) -> int:
    return math.floor(math.log(labels) / GROWTH) if labels else 0


def arms_of(test: ABTest) -> list[ABArm]:
    """Return both arms of each phase."""
    return list(ABArm.objects.filter(phase__test=test).select_related("phase").order_by())
