"""Feeds detectors of change with the errors of each version, in the order in which labels came.

A row is fed once: when its first label is found, with the label that it has by then. Corrections that
come later move the counts of labels and nothing here. It knows no pages and tells nobody.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

from django.db import transaction

from endpoints.models import (
    AlgorithmVersion,
    Endpoint,
    Feedback,
    Monitor,
    PredictionRequest,
    StreamChange,
    StreamDetector,
)
from endpoints.services.label_store import Place, parts
from mlcore.change_point import means_around_change
from mlcore.streams import CLOCK, Adwin, PageHinkley

Detector = Adwin | PageHinkley
DETECTORS: Mapping[str, type[Adwin] | type[PageHinkley]] = MappingProxyType(
    {kind.name: kind for kind in (Adwin, PageHinkley)}
)
LEFT = timedelta(seconds=3)
"""Labels so new are left for the next time .."""
LEFT_AFTER_GAP = timedelta(minutes=1)
""".. and for longer where ids are missing before them: in PostgreSQL a lower id may be committed later."""
FIRST_LOOK = timedelta(days=7)
"""How far back the labels are read where none were read before."""
PAGE = 10_000
"""Labels that are read and stored together; sorted by request, as those of one list have no order."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fed:
    """What became of the labels that were new."""

    labels: int = 0
    changes: int = 0


@dataclass(frozen=True)
class Watched:
    """A detector as it stands: the share of errors among the newest `width` of the labels it saw."""

    detector: str
    labels: int
    width: int
    error_rate: float | None


def feed(endpoint: Endpoint, clock: Callable[[], datetime]) -> Fed:
    """Feed what came since the last time; where somebody else does the same, the first one counts."""
    labels = changes = 0
    while (fed := _feed_page(endpoint, clock())) is not None:
        labels += fed.labels
        changes += fed.changes
    return Fed(labels, changes)


def watched(version: AlgorithmVersion) -> tuple[Watched, ...]:
    """Return the version's detectors by name, none before its first label."""
    found = {stored.name: stored for stored in StreamDetector.objects.filter(version=version)}
    return tuple(
        Watched(name, found[name].fed, detector.width, detector.estimate)
        for name in sorted(DETECTORS.keys() & found.keys())
        for detector in [_restored(name, found[name])]
    )


class _Label(NamedTuple):
    pk: int
    request_id: UUID
    created_at: datetime


class _Error(NamedTuple):
    """A row whose label is known now, and whether its prediction was wrong."""

    request_id: UUID
    row: int
    predicted_at: datetime
    is_wrong: bool


@dataclass
class _Look:
    """What one look leaves to store."""

    detectors: list[StreamDetector] = field(default_factory=list)
    changes: list[StreamChange] = field(default_factory=list)


def _feed_page(endpoint: Endpoint, now: datetime) -> Fed | None:
    """Return None where nothing is new, or somebody else was faster."""
    monitor, _ = Monitor.objects.get_or_create(endpoint=endpoint)
    begin = monitor.label_cursor or _before_first_look(now)
    page = _page(begin, now)
    if not page:
        return None
    end = page[-1].pk
    errors = _errors(endpoint, {label.request_id for label in page}, begin, end)
    looks = [_look(version, found, now) for version, found in errors.items()]
    with transaction.atomic():
        unmoved = Monitor.objects.filter(pk=monitor.pk, label_cursor=monitor.label_cursor)
        if not unmoved.update(label_cursor=end):
            return None
        for look in looks:
            _store(look)
    return Fed(sum(map(len, errors.values())), sum(len(look.changes) for look in looks))


def _before_first_look(now: datetime) -> int:
    """Return the newest label that is too old to be read at all, 0 if none is."""
    older = Feedback.objects.filter(created_at__lt=now - FIRST_LOOK).order_by("-pk")
    return older.values_list("pk", flat=True).first() or 0


def _page(begin: int, now: datetime) -> list[_Label]:
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


def _errors(
    endpoint: Endpoint, request_ids: Collection[UUID], begin: int, end: int
) -> dict[int, list[_Error]]:
    """Return by version the rows whose first label is one of those after `begin` up to `end`."""
    errors: dict[int, list[_Error]] = {}
    for part in parts(sorted(request_ids)):
        log = PredictionRequest.objects.filter(pk__in=part, endpoint=endpoint).monitored()
        logged = {
            request_id: (version, created_at)
            for request_id, version, created_at in log.order_by().values_list(
                "pk", "version_id", "created_at"
            )
        }
        for (request_id, row), is_wrong in _new_rows(logged, begin, end):
            version, predicted_at = logged[request_id]
            error = _Error(request_id, row, predicted_at, is_wrong)
            errors.setdefault(version, []).append(error)
    return errors


def _new_rows(request_ids: Collection[UUID], begin: int, end: int) -> Iterator[tuple[Place, bool]]:
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
            yield place, wrong[place]


def _look(version: int, errors: Sequence[_Error], now: datetime) -> _Look:
    present = {stored.name: stored for stored in StreamDetector.objects.filter(version=version)}
    look = _Look()
    for name in DETECTORS:
        stored = present.get(name) or StreamDetector(version_id=version, name=name)
        detector = _restored(name, stored)
        for change in _changes(detector, errors):
            change.version_id, change.found_at = version, now
            change.labels += stored.fed
            look.changes.append(change)
        stored.state = detector.to_dict()
        stored.fed += len(errors)
        look.detectors.append(stored)
    return look


def _restored(name: str, stored: StreamDetector) -> Detector:
    """A state that cannot be read, such as one of another release, is begun anew."""
    kind = DETECTORS[name]
    if not stored.fed:
        return kind()
    try:
        return kind.from_dict(stored.state)
    except ValueError as error:
        logger.warning("%s starts anew: %s", stored, error)
        return kind()


def _changes(detector: Detector, errors: Sequence[_Error]) -> Iterator[StreamChange]:
    """Feed the errors and yield the changes found, each with its place in `labels`, from 1."""
    for place, error in enumerate(errors, start=1):
        before, after = _rates(detector)
        if detector.update(float(error.is_wrong)):
            yield StreamChange(
                detector=detector.name,
                request_id=error.request_id,
                predicted_at=error.predicted_at,
                labels=place,
                rate_before=before,
                rate_after=after,
            )


def _rates(detector: Detector) -> tuple[float | None, float | None]:
    """Return the rates of errors before and after a change that the next label may make plain.

    Page and Hinkley's test does not know where it was: its rate is that of all since it began, and
    there is none after.
    """
    if not isinstance(detector, Adwin):
        return detector.estimate, None
    if (detector.ticks + 1) % CLOCK:
        return None, None  # it looks for a change only once in so many
    found = means_around_change(detector)
    return (None, None) if found is None else (found.before, found.after)


def _store(look: _Look) -> None:
    for detector in look.detectors:
        detector.save()
    StreamChange.objects.bulk_create(look.changes)
