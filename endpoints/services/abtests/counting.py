"""Keeps the counters of A/B tests in step with true labels, in the transaction that writes them.

What came before a label was old enough is left to abtests.maturing. It knows nobody's rights.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from endpoints import request_ids
from endpoints.models import ABArm, ABTest, PredictionRequest
from endpoints.services.abtests import looking
from endpoints.services.abtests.books import Book, slices
from endpoints.services.abtests.labelled_rows import LabelledRow, Said
from endpoints.services.label_classes import classes_of


class Label(NamedTuple):
    """A true label; correct: the version that answered said the same."""

    name: str
    correct: bool


class Change(NamedTuple):
    """A row of a request of a test has got a label, in the place of another where there was one."""

    arm_id: int
    request_id: UUID
    row: int
    label: Label
    before: Label | None
    at: datetime


class Answered(NamedTuple):
    """What the log has of a request of a test."""

    id: UUID
    arm_id: int
    unit: str
    row_count: int
    predictions: list[int]
    probabilities: list[Any]
    shadow: dict[str, Any]


def add(changes: Collection[Change]) -> None:
    """Count the changes. The labels are written, so that whoever waits for the lock finds them.

    1. Lock the tests: from here on nobody moves `counted_until`.
    2. Labels of requests since then are left out; all others are counted, and were before.
    """
    if not changes:
        return
    arms = ABArm.objects.filter(pk__in={change.arm_id for change in changes}).order_by()
    for test in looking.lock(ABTest.objects.filter(pk__in=arms.values("phase__test"))):
        book = Book(test, looking.arms_of(test))
        due = [change for change in changes if change.arm_id in book.arms and _is_due(test, change)]
        if not due:
            continue
        now = max(change.at for change in due)
        book.settle(now)
        for part in slices(due):
            _count(book, part)
        book.store(now)


def counted_until(test: ABTest) -> datetime | None:
    """Return the moment before which requests count with their labels; None: all do."""
    return (test.counted_until or test.started_at) if test.maturation_hours else None


def answered(requests: Collection[UUID]) -> Iterator[Answered]:
    log = PredictionRequest.objects.filter(pk__in=requests).order_by()
    return map(Answered._make, log.values_list(*Answered._fields))


def labelled_row(request: Answered, row: int, label: Label, arm: ABArm) -> LabelledRow:
    """Arm: the one that answered. Raises NoModel where three or more classes have lost their names."""
    said = Said(request.predictions[row], request.probabilities[row])
    shadow = None
    if request.shadow:
        shadow = Said(request.shadow["predictions"][row], request.shadow["probabilities"][row])
    unit = request.unit or (request.id.hex if request.row_count > 1 else "")
    return LabelledRow(unit, said, shadow, _truth(said, label, arm))


def _is_due(test: ABTest, change: Change) -> bool:
    until = counted_until(test)
    return until is None or change.request_id < request_ids.earliest(until)


def _count(book: Book, changes: Sequence[Change]) -> None:
    log: Mapping[UUID, Answered] = {
        request.id: request for request in answered({change.request_id for change in changes})
    }
    for change in changes:
        request = log.get(change.request_id)
        if request is None:  # the log's retention was faster
            continue
        arm = book.arms[change.arm_id]
        if change.before is not None:
            book.add(arm.pk, labelled_row(request, change.row, change.before, arm), sign=-1)
        book.add(arm.pk, labelled_row(request, change.row, change.label, arm))


def _truth(said: Said, label: Label, arm: ABArm) -> int:
    """Return the number of the true class, the same for both arms: they answer with the same classes."""
    if label.correct:
        return said.prediction
    if said.is_binary:
        return 1 - said.prediction
    return classes_of(arm.version).names.index(label.name)
