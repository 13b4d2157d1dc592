"""Reads the labels of all endpoints in the order in which they came, and deals the new rows out.

A row is new with its first label, and has the label that counts by now. It feeds nobody and moves no cursor.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from endpoints.models import Feedback, PredictionRequest
from endpoints.services.label_store import Place, parts

LEFT = timedelta(seconds=3)
"""Labels so new are left for the next time .."""
LEFT_AFTER_GAP = timedelta(minutes=1)
""".. and for longer where ids are missing before them: in PostgreSQL a lower id may be committed later."""
FIRST_LOOK = timedelta(days=7)
"""How far back the labels are read where none were read before."""
PAGE = 10_000
"""Labels that are read and stored together; sorted by request, as those of one list have no order."""


class Labelled(NamedTuple):
    """A row whose label is known now, whether its prediction was wrong, and the id of its first label."""

    request_id: UUID
    row: int
    predicted_at: datetime
    is_wrong: bool
    version: int
    first: int


class Page(NamedTuple):
    """The id of the newest label that was read, and the rows that were new, by endpoint."""

    end: int
    rows: Mapping[int, Sequence[Labelled]]


class _Label(NamedTuple):
    pk: int
    request_id: UUID
    created_at: datetime


class _Logged(NamedTuple):
    endpoint: int
    version: int
    created_at: datetime


class _New(NamedTuple):
    place: Place
    is_wrong: bool
    first: int


def before_first_look(now: datetime) -> int:
    """Return the newest label that is too old to be read at all, 0 if none is."""
    older = Feedback.objects.filter(created_at__lt=now - FIRST_LOOK).order_by("-pk")
    return older.values_list("pk", flat=True).first() or 0


def read(since: Mapping[int, int], now: datetime) -> Page | None:
    """Return the labels after the least of these ids, None if there is none.

    `since` has by endpoint the label after which it reads on. Who has read the whole page gets nothing
    of it; of who has read a part, the rows of that part are among the others.
    """
    begin = min(since.values())
    labels = _labels(begin, now)
    if not labels:
        return None
    end = labels[-1].pk
    behind = {endpoint for endpoint, label in since.items() if label < end}
    return Page(end, _rows(behind, {label.request_id for label in labels}, begin, end))


def _labels(begin: int, now: datetime) -> list[_Label]:
    """Return labels of all endpoints in the order of their ids, up to the first that is too new."""
    newer = Feedback.objects.filter(pk__gt=begin).order_by("pk")
    rows = newer.values_list("pk", "request_id", "created_at")[:PAGE]
    page: list[_Label] = []
    last = begin
    for label in map(_Label._make, rows):
        follows = last in (0, label.pk - 1)
        if label.created_at > now - (LEFT if follows else LEFT_AFTER_GAP):
            break
        page.append(label)
        last = label.pk
    return page


def _rows(
    endpoints: Collection[int], request_ids: Collection[UUID], begin: int, end: int
) -> dict[int, list[Labelled]]:
    """Return by endpoint the rows whose first label is one of those after `begin` up to `end`."""
    rows: dict[int, list[Labelled]] = {}
    for part in parts(sorted(request_ids)):
        log = PredictionRequest.objects.filter(pk__in=part).monitored().order_by()
        found = log.values_list("pk", "endpoint_id", "version_id", "created_at")
        logged = {row[0]: _Logged(*row[1:]) for row in found if row[1] in endpoints}
        for (request_id, row), is_wrong, first in _new(logged, begin, end):
            endpoint, version, predicted_at = logged[request_id]
            new = Labelled(request_id, row, predicted_at, is_wrong, version, first)
            rows.setdefault(endpoint, []).append(new)
    return rows


def _new(request_ids: Collection[UUID], begin: int, end: int) -> Iterator[_New]:
    """Yield the rows that had no label before, in order, and whether the newest one is an error."""
    first: dict[Place, int] = {}
    wrong: dict[Place, bool] = {}
    labels = Feedback.objects.filter(request__in=request_ids).order_by("pk")
    columns = labels.values_list("pk", "request_id", "row", "correct", "current")
    for pk, request_id, row, correct, current in columns.iterator():
        first.setdefault((request_id, row), pk)
        if current:
            wrong[request_id, row] = not correct
    for place in sorted(wrong):
        if begin < first[place] <= end:
            yield _New(place, wrong[place], first[place])
