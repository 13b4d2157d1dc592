"""Feeds detectors of change with the errors of each version, in the order in which labels came.

A row is fed once: when its first label is found, with the label that it has by then. Corrections that
come later move the counts of labels and nothing here. It knows no pages and tells nobody.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from django.db import transaction

from endpoints.models import (
    AlgorithmVersion,
    Endpoint,
    Monitor,
    StreamChange,
    StreamDetector,
)
from endpoints.services.monitoring import label_pages
from endpoints.services.monitoring.label_pages import Labelled, Page
from mlcore.change_point import means_around_change
from mlcore.streams import CLOCK, Adwin, PageHinkley

Clock = Callable[[], datetime]
Detector = Adwin | PageHinkley
DETECTORS: Mapping[str, type[Adwin] | type[PageHinkley]] = MappingProxyType(
    {kind.name: kind for kind in (Adwin, PageHinkley)}
)
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


def feed(endpoint: Endpoint, clock: Clock) -> Fed:
    """Feed what came since the last time; where somebody else does the same, the first one counts."""
    return _feed([endpoint], clock)


def feed_all(clock: Clock) -> Fed:
    """Feed all endpoints. Their labels lie together: they are read once, and dealt out."""
    return _feed(Endpoint.objects.order_by("slug"), clock)


def watched(version: AlgorithmVersion) -> tuple[Watched, ...]:
    """Return the version's detectors by name, none before its first label."""
    found = {stored.name: stored for stored in StreamDetector.objects.filter(version=version)}
    return tuple(
        Watched(name, found[name].fed, detector.width, detector.estimate)
        for name in sorted(DETECTORS.keys() & found.keys())
        for detector in [_restored(name, found[name])]
    )


@dataclass
class _Reader:
    """An endpoint, the cursor of its monitor as it is stored, and the label after which it reads on."""

    endpoint: int
    cursor: int
    since: int


@dataclass
class _Look:
    """What one look leaves to store."""

    detectors: list[StreamDetector] = field(default_factory=list)
    changes: list[StreamChange] = field(default_factory=list)


def _feed(endpoints: Iterable[Endpoint], clock: Clock) -> Fed:
    """Read on from the reader who is the furthest behind; each takes what is new to it.

    A monitor that somebody else has moved meanwhile is left to them.
    """
    labels = changes = 0
    readers = _readers(endpoints, clock())
    while readers:
        now = clock()
        page = label_pages.read({reader.endpoint: reader.since for reader in readers}, now)
        if page is None:
            break
        for reader in [reader for reader in readers if reader.since < page.end]:
            fed = _take(reader, page, now)
            if fed is None:
                readers.remove(reader)
                continue
            labels += fed.labels
            changes += fed.changes
    return Fed(labels, changes)


def _readers(endpoints: Iterable[Endpoint], now: datetime) -> list[_Reader]:
    monitors = [Monitor.objects.get_or_create(endpoint=endpoint)[0] for endpoint in endpoints]
    has_new = any(not monitor.label_cursor for monitor in monitors)
    first = label_pages.before_first_look(now) if has_new else 0
    return [
        _Reader(monitor.pk, monitor.label_cursor, monitor.label_cursor or first)
        for monitor in monitors
    ]


def _take(reader: _Reader, page: Page, now: datetime) -> Fed | None:
    """Feed what the page has for one endpoint; None where somebody else was faster."""
    rows: dict[int, list[Labelled]] = {}
    for row in page.rows.get(reader.endpoint, ()):
        if row.first > reader.since:
            rows.setdefault(row.version, []).append(row)
    looks = [_look(version, found, now) for version, found in rows.items()]
    with transaction.atomic():
        unmoved = Monitor.objects.filter(pk=reader.endpoint, label_cursor=reader.cursor)
        if not unmoved.update(label_cursor=page.end):
            return None
        for look in looks:
            _store(look)
    reader.cursor = reader.since = page.end
    return Fed(sum(map(len, rows.values())), sum(len(look.changes) for look in looks))


def _look(version: int, rows: Sequence[Labelled], now: datetime) -> _Look:
    present = {stored.name: stored for stored in StreamDetector.objects.filter(version=version)}
    look = _Look()
    for name in DETECTORS:
        stored = present.get(name) or StreamDetector(version_id=version, name=name)
        detector = _restored(name, stored)
        for change in _changes(detector, rows):
            change.version_id, change.found_at = version, now
            change.labels += stored.fed
            look.changes.append(change)
        stored.state = detector.to_dict()
        stored.fed += len(rows)
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


def _changes(detector: Detector, rows: Sequence[Labelled]) -> Iterator[StreamChange]:
    """Feed the rows and yield the changes found, each with its place in `labels`, from 1."""
    for place, row in enumerate(rows, start=1):
        before, after = _rates(detector)
        if detector.update(float(row.is_wrong)):
            yield StreamChange(
                detector=detector.name,
                request_id=row.request_id,
                predicted_at=row.predicted_at,
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
