"""Writes true labels, one or thousands in a transaction, with their history and their counts.

Every label goes through here. It knows no classes and nobody's rights.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, TypeVar
from uuid import UUID

from django.db import connection, transaction

from endpoints.models import AlgorithmVersion, Feedback, PredictionRequest
from endpoints.models.prediction import NOT_LIVE
from endpoints.services import label_counts
from endpoints.services.abtests import counting
from endpoints.services.access import Caller
from endpoints.services.label_counts import Labelled
from endpoints.services.metrics import metrics

PART = 400
"""Rows in a statement; each may take two parameters, and some builds of SQLite allow 999."""

Outcome = Literal["recorded", "unchanged", "corrected"]
Place = tuple[UUID, int]
T = TypeVar("T")


class Logged(NamedTuple):
    """The request that is labelled."""

    id: UUID
    version: AlgorithmVersion
    created_at: datetime
    source: str
    arm_id: int | None = None

    @classmethod
    def of(cls, request: PredictionRequest, version: AlgorithmVersion) -> Logged:
        return cls(request.pk, version, request.created_at, request.source, request.arm_id)


class TrueLabel(NamedTuple):
    request: Logged
    row: int
    label: str
    predicted: str
    came_at: datetime

    @property
    def place(self) -> Place:
        return self.request.id, self.row

    @property
    def correct(self) -> bool:
        return self.predicted == self.label


@dataclass(frozen=True)
class Recorded:
    feedback: Feedback
    outcome: Outcome


class _Step(NamedTuple):
    """A label, and the one that its row has so far."""

    label: TrueLabel
    before: Feedback | None

    @property
    def changes(self) -> bool:
        return self.before is None or self.before.label != self.label.label


def store(label: TrueLabel, *, actor: Caller) -> Recorded:
    """Make it the current label of its row."""
    with transaction.atomic():
        steps = _steps([label])
        [recorded] = _write(steps, actor)
        label_counts.add(_counted(steps))
        counting.add(list(_tested(steps)))
    metrics.labelled({(_slug(label), recorded.outcome): 1})
    return recorded


def store_many(labels: Collection[TrueLabel], *, actor: Caller) -> Counter[Outcome]:
    """Make each the current label of its row, all or none; no row may come twice.

    Others who label the same requests wait: all lock them in one order, so nobody waits in a circle.
    The counts come last for the same reason.
    """
    outcomes: Counter[Outcome] = Counter()
    told: Counter[tuple[str, str]] = Counter()
    changes: list[Labelled] = []
    tested: list[counting.Change] = []
    with transaction.atomic():
        for part in parts(sorted(labels, key=lambda label: label.place)):
            steps = _steps(part)
            became = [recorded.outcome for recorded in _write(steps, actor)]
            outcomes.update(became)
            told.update(zip(map(_slug, part), became, strict=True))
            changes += _counted(steps)
            tested += _tested(steps)
        label_counts.add(changes)
        counting.add(tested)
    metrics.labelled(told)
    return outcomes


def parts(things: Sequence[T]) -> Iterator[Sequence[T]]:
    return (things[start : start + PART] for start in range(0, len(things), PART))


def _steps(part: Sequence[TrueLabel]) -> list[_Step]:
    requests = {label.request.id for label in part}
    if connection.features.has_select_for_update:  # else the transaction has the whole database
        log = PredictionRequest.objects.filter(pk__in=requests).order_by("pk")
        list(log.select_for_update(no_key=True).values_list("pk"))
    present = Feedback.objects.filter(
        current=True, request__in=requests, row__in={label.row for label in part}
    )
    places = {label.place for label in part}
    # It finds all of these rows in all of these requests, which may be too many to hold.
    streamed = ((_place(label), label) for label in present.order_by().iterator())
    before = {place: label for place, label in streamed if place in places}
    return [_Step(label, before.get(label.place)) for label in part]


def _slug(label: TrueLabel) -> str:
    return label.request.version.endpoint.slug


def _place(label: Feedback) -> Place:
    return label.request_id, label.row


def _write(steps: Sequence[_Step], actor: Caller) -> Iterator[Recorded]:
    changing = [step for step in steps if step.changes]
    replaced = [step.before.pk for step in changing if step.before is not None]
    if replaced:
        Feedback.objects.filter(pk__in=replaced).update(current=False)
    added = iter(Feedback.objects.bulk_create(_rows(changing, actor)))
    for step in steps:
        if step.before is None:
            yield Recorded(next(added), "recorded")
        elif step.changes:
            yield Recorded(next(added), "corrected")
        else:
            yield Recorded(step.before, "unchanged")


def _rows(changing: Sequence[_Step], actor: Caller) -> list[Feedback]:
    name = actor.name
    return [
        Feedback(
            request_id=label.request.id,
            row=label.row,
            label=label.label,
            correct=label.correct,
            created_at=label.came_at,
            actor=actor.user,
            actor_name=name,
        )
        for label, _ in changing
    ]


def _counted(steps: Sequence[_Step]) -> Iterator[Labelled]:
    """Yield what the steps change in the counts, which are of live traffic alone."""
    for step in steps:
        new, request = step.label, step.label.request
        if not step.changes or request.source in NOT_LIVE:
            continue
        came = Labelled(
            request.version.endpoint_id,
            request.version.number,
            request.created_at,
            new.predicted,
            new.label,
        )
        yield came
        if step.before is not None:
            yield came._replace(label=step.before.label, rows=-1)


def _tested(steps: Sequence[_Step]) -> Iterator[counting.Change]:
    """Yield what the steps change in the counters of A/B tests."""
    for step in steps:
        new, request, old = step.label, step.label.request, step.before
        if request.arm_id is None or not step.changes:
            continue
        before = None if old is None else counting.Label(old.label, old.correct)
        label = counting.Label(new.label, new.correct)
        yield counting.Change(request.arm_id, request.id, new.row, label, before, new.came_at)
