"""Counts the requests of a test that have become old enough, with the labels that they have by then.

Labels that come early would otherwise count for more than those that take their time. Labels that come
later still are counted as they come, by abtests.counting.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

from django.db import models, transaction

from endpoints import request_ids
from endpoints.models import ABTest, Feedback, PredictionRequest
from endpoints.models.abtest import TestState
from endpoints.models.prediction import PredictionRequestQuerySet
from endpoints.services.abtests import looking
from endpoints.services.abtests.books import PART, Book
from endpoints.services.abtests.counting import Answered, Label, counted_until, labelled_row
from endpoints.services.abtests.counts import last_moment

STEP, MOST = timedelta(hours=1), 10_000
"""Requests of so much time, and about so many, are counted in one transaction; labels wait for it."""
LATECOMERS = timedelta(minutes=1)
"""Requests may still be answered for a test so long after it was stopped: serving looks once a second."""


def waiting() -> models.QuerySet[ABTest]:
    """Return the tests with requests that are not old enough yet."""
    unfinished = models.Q(counted_until__lt=models.F("stopped_at") + LATECOMERS)
    stopped = models.Q(unfinished | models.Q(counted_until=None), state=TestState.STOPPED)
    running = models.Q(state=TestState.RUNNING)
    return ABTest.objects.filter(running | stopped, maturation_hours__gt=0)


def mature(test: ABTest, now: datetime) -> int:
    """Count what is old enough by now; return how many labels that were. Any number may do so at once."""
    if not test.maturation_hours:
        return 0
    labels = 0
    while (counted := _step(test.pk, now)) is not None:
        labels += counted
    return labels


def _step(test_id: int, now: datetime) -> int | None:
    """Count the next requests; None when there is nothing to do.

    1. Lock the test, which whoever writes labels locks after writing them.
    2. Read the labels: those that are written by now are seen here, all others will find the requests
       old enough when they get the lock.
    """
    with transaction.atomic():
        [test] = looking.lock(ABTest.objects.filter(pk=test_id))
        begin = counted_until(test)
        if begin is None or test.state == TestState.DRAFT:
            return None
        last = _last(test, begin, now)
        if last <= begin:
            return None
        book = Book(test, looking.arms_of(test))
        book.settle(now)
        log = _log(test, book).since(begin)
        end = _end(log, last)
        labels = 0
        for part in _parts(log.before(end)):
            labels += _count(book, part)
        test.counted_until = end
        book.store(now)
        test.save(update_fields=["counted_until"])
        return labels


def _last(test: ABTest, begin: datetime, now: datetime) -> datetime:
    """Return until when is counted, at first no further than to the plan's last day: a test of one look is
    decided there, also where the worker was away meanwhile."""
    window = timedelta(hours=test.maturation_hours)
    ends = [now - window]
    if test.stopped_at:
        ends.append(test.stopped_at + LATECOMERS)
    day = last_moment(test)
    if day is not None and begin < day - window:
        ends.append(day - window)
    return min(ends)


def _log(test: ABTest, book: Book) -> PredictionRequestQuerySet:
    return PredictionRequest.objects.filter(endpoint=test.endpoint_id, arm__in=list(book.arms))


def _end(log: PredictionRequestQuerySet, last: datetime) -> datetime:
    """Return where the step ends that begins with the next request: hours without any are skipped."""
    first = log.before(last).order_by("id").values_list("id", flat=True).first()
    if first is None:
        return last
    begin = request_ids.moment_of(first)
    end = min(begin + STEP, last)
    ids = log.before(end).order_by("id").values_list("id", flat=True)
    for beyond in ids[MOST : MOST + 1]:
        end = max(request_ids.moment_of(beyond), begin + timedelta(microseconds=1))
    return end


def _parts(log: PredictionRequestQuerySet) -> Iterator[Sequence[Answered]]:
    rows = map(Answered._make, log.order_by().values_list(*Answered._fields).iterator())
    while part := list(islice(rows, PART)):
        yield part


def _count(book: Book, requests: Sequence[Answered]) -> int:
    log: Mapping[UUID, Answered] = {request.id: request for request in requests}
    for request in requests:
        book.add_request(request.arm_id, request.row_count, shadowed=bool(request.shadow))
    present = Feedback.objects.filter(current=True, request__in=list(log)).order_by()
    labels = 0
    for request_id, row, name, correct in present.values_list(
        "request_id", "row", "label", "correct"
    ):
        request = log[request_id]
        arm = book.arms[request.arm_id]
        book.add(arm.pk, labelled_row(request, row, Label(name, correct), arm))
        labels += 1
    return labels
