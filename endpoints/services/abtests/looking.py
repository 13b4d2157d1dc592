"""Takes a look at a test whenever labels were counted, and remembers what all looks say together.

It knows no traffic: an interval needs labels alone.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from django.db.models import QuerySet

from endpoints.models import ABArm, ABLook, ABPhase, ABTest
from endpoints.models.abtest import Looks
from endpoints.services.abtests.counts import PhaseCounts, is_over, is_ready, statistics

GROWTH = math.log(1.05)
"""A look is kept for the chart whenever the labels have grown by 5 %."""
LOOKED = ("low", "high", "p_value")


def lock(tests: QuerySet[ABTest]) -> list[ABTest]:
    """Return the tests, which nobody else counts or changes before this transaction ends.

    All who lock several do so in one order. SQLite has one writer anyway.
    """
    return list(tests.order_by("pk").select_for_update(no_key=True))


def note(
    test: ABTest,
    counts: PhaseCounts,
    now: datetime,
    *,
    labels_before: int,
    corrected: bool = False,
) -> None:
    """Look at these counters: change the phase's interval, which the caller stores, and keep the look
    if it is the first, or where the labels have passed another mark since there were so many. Corrected:
    some of them counted with another label before."""
    phase = counts.phase
    if corrected and not _is_settled(test, phase):
        forget(phase)
    elif corrected:
        _retake(test, counts)
    is_first = (phase.low is None or corrected) and not phase.course.exists()
    settle(test, counts, now)
    found = intersect(test, counts)
    if found is not None and (is_first or _mark(labels_before) != _mark(counts.labels)):
        found.at = now
        found.save()


def forget(phase: ABPhase) -> None:
    """Drop what all looks so far said, and their course: a label that they counted was wrong.

    The next look stands alone, which it may: an always-valid interval holds at every look by itself.
    Looks that contradict one another stay: else whoever corrects any label would lift that doubt.
    """
    if _is_contradicted(phase):
        return
    phase.low = phase.high = phase.p_value = None
    phase.course.all().delete()


def forget_all(test: ABTest, newest: ABPhase) -> None:
    """Do so for a bandit, whose looks are at all of its phases together."""
    if _is_contradicted(newest):
        return
    forget(newest)
    ABLook.objects.filter(phase__test=test).delete()


def _is_settled(test: ABTest, phase: ABPhase) -> bool:
    return test.looks == Looks.AT_HORIZON and phase.low is not None


def _retake(test: ABTest, counts: PhaseCounts) -> None:
    """Replace the one look of a plan that has no other by an interval that holds at every look: any number of
    corrections together are one more go. Where there is none, what was found stands."""
    phase = counts.phase
    report = statistics(test, counts, ended=True)
    if report is not None and report.this_look is not None:
        phase.low, phase.high, phase.p_value = report.this_look
        phase.course.all().delete()


def _is_contradicted(phase: ABPhase) -> bool:
    """Tell whether no difference fits all looks."""
    return phase.low is not None and phase.high is not None and phase.low > phase.high


def settle(test: ABTest, counts: PhaseCounts, now: datetime) -> None:
    """Leave in the phase what the first look at the end says, if the plan has no other and it is reached.

    Deciding by the same interval again with each label that comes later would be peeking.
    """
    phase = counts.phase
    if test.looks != Looks.AT_HORIZON or _is_settled(test, phase):
        return
    if not (is_ready(test, counts) and is_over(test, counts, _seen_at(test, now))):
        return
    report = statistics(test, counts, ended=True)
    if report is not None and report.fixed is not None:
        (phase.low, phase.high), phase.p_value = report.fixed, report.p_value


def _seen_at(test: ABTest, now: datetime) -> datetime:
    """Return the moment whose labels the counters are; where labels mature, counting may lag behind."""
    counted = test.counted_until or test.started_at
    if not test.maturation_hours or counted is None:
        return now
    return min(now, counted + timedelta(hours=test.maturation_hours))


def intersect(test: ABTest, counts: PhaseCounts) -> ABLook | None:
    """Return what this look found, and leave the common part of all looks in the phase; not by a plan of one
    look, for which it decides nothing.

    Before the minimum of labels there is no look: an interval of a few labels would bind all later ones.
    """
    report = statistics(test, counts) if is_ready(test, counts) else None
    if report is None or report.difference is None or report.always_valid is None:
        return None
    phase, total = counts.phase, report.always_valid
    if test.looks == Looks.ANY_TIME:
        phase.low, phase.high, phase.p_value = total
    return ABLook(
        phase=phase, labels=counts.labels, difference=report.difference, **total._asdict()
    )


def _mark(labels: int) -> int:
    return math.floor(math.log(labels) / GROWTH) if labels else 0


def arms_of(test: ABTest) -> list[ABArm]:
    """Return both arms of each phase."""
    return list(ABArm.objects.filter(phase__test=test).select_related("phase").order_by())
