"""Looks through what is new in the request log and brings all that is known of it up to date.

It may run anywhere and any number of times at once: each block of requests is worked on without a lock,
and stored only if nobody else has stored it meanwhile. It knows nothing of who asks.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from endpoints.errors import NoModel
from endpoints.models import AlgorithmVersion, Endpoint, Monitor, PredictionRequest
from endpoints.services import away, snapshots
from endpoints.services.abtests import ticking
from endpoints.services.alerts import evaluating
from endpoints.services.logged_rows import Entry, blocks
from endpoints.services.monitoring import closing, judging, label_stream, watching
from endpoints.services.monitoring.configuring import unchanged
from endpoints.services.monitoring.judging import Judged
from endpoints.services.monitoring.windows import WINDOWS_AT_ONCE
from mlcore.errors import MlcoreError

logger = logging.getLogger(__name__)

SETTLED = timedelta(seconds=3)
"""A request gets its id before it is committed: what is younger may still be joined by an older one. One
that is committed later than this may be left out."""
LONGEST_LOOK_BACK = timedelta(days=7)
"""How far the first look at an endpoint goes back."""
PATIENCE = timedelta(minutes=30)
"""So long requests wait for a version that cannot be loaded: somebody may put its file back, and another
process may have it."""
EVERY = timedelta(minutes=1)
LONGEST_BLOCK = timedelta(hours=24)
BLOCKS_A_REQUEST = 20
"""Somebody who waits for the answer waits for so many blocks at most."""

Clock = Callable[[], datetime]


class _Waits(Exception):
    """The next requests are of a version that cannot be loaded just now."""


@dataclass
class Ticked:
    """What one look at an endpoint found. Skipped: rows that cannot be looked at, such as those of a
    version without its artefact.

    `overtaken`: another process looked at the same time and was faster, or the settings were changed.
    `waits`: the next requests are of a version that cannot be loaded just now.
    `has_more`: it stopped after as many blocks as were asked for.
    """

    endpoint: Endpoint
    requests: int = 0
    rows: int = 0
    skipped: int = 0
    windows: int = 0
    blocks: int = 0
    overtaken: bool = False
    has_more: bool = False
    waits: bool = False

    @property
    def complete(self) -> bool:
        """Whether everything was looked at, up to the newest seconds."""
        return not (self.overtaken or self.has_more or self.waits)

    @property
    def facts(self) -> dict[str, Any]:
        numbers = {name: getattr(self, name) for name in ("requests", "rows", "skipped", "windows")}
        return {"endpoint": self.endpoint.slug, **numbers, "complete": self.complete}


@dataclass(frozen=True)
class Failed:
    """An endpoint whose monitoring failed by a fault of ours; it is tried again the next time."""

    slug: str
    problem: str


def tick(endpoint: Endpoint, clock: Clock, *, most_blocks: int | None = None) -> Ticked:
    """Look through the requests and labels that came since the last time, then at the alerts.

    After so many blocks it stops: then there may be more, and labels and alerts are still to come.
    """
    ticked = Ticked(endpoint)
    settled = clock() - SETTLED
    while block := _next_block(monitor := _monitor(endpoint), settled):
        try:
            ticked.overtaken = not _take(monitor, block, ticked, clock())
        except _Waits:
            ticked.waits = True
            break
        ticked.blocks += 1
        ticked.has_more = ticked.blocks == most_blocks
        if not ticked.complete:
            return ticked
    ticked.overtaken = not closing.close(monitor, settled, clock())
    Monitor.objects.filter(pk=endpoint.pk).update(looked_at=clock())
    try:
        label_stream.feed(endpoint, clock)
    finally:
        evaluating.evaluate(endpoint, clock)
    return ticked


def tick_all(clock: Clock) -> list[Ticked | Failed]:
    """Look at all A/B tests and endpoints. What fails is logged and left for the next time."""
    _tick_tests(clock)
    _feed_labels(clock)
    return [_tick_or_tell(endpoint, clock) for endpoint in Endpoint.objects.order_by("slug")]


def _tick_or_tell(
    endpoint: Endpoint, clock: Clock, *, most_blocks: int | None = None
) -> Ticked | Failed:
    try:
        return tick(endpoint, clock, most_blocks=most_blocks)
    except Exception as error:
        if _is_of_the_database(error) and not _database_answers():
            raise  # all others would fail too
        logger.exception("the monitoring of %s failed", endpoint.slug)
        return Failed(endpoint.slug, str(error))


def _tick_tests(clock: Clock) -> None:
    for test in ticking.due():
        try:
            ticking.tick(test, clock())
        except Exception as error:
            if _is_of_the_database(error) and not _database_answers():
                raise
            logger.exception("the A/B test “%s” at %s failed", test, test.endpoint.slug)


def _feed_labels(clock: Clock) -> None:
    """Read the labels of all endpoints once. Where that fails each endpoint reads its own."""
    try:
        label_stream.feed_all(clock)
    except Exception as error:
        if _is_of_the_database(error) and not _database_answers():
            raise
        logger.exception("labels could not be dealt out")


def _is_of_the_database(error: Exception) -> bool:
    return isinstance(error, away.ERRORS)


def _database_answers() -> bool:
    """Tell a database that is away, or a lost connection, from one statement that took too long."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except away.ERRORS:
        return False
    return True


def _monitor(endpoint: Endpoint) -> Monitor:
    return Monitor.objects.get_or_create(endpoint=endpoint)[0]


def _next_block(monitor: Monitor, settled: datetime) -> Sequence[Entry]:
    """Return the oldest requests that nobody has looked at yet, the oldest first.

    They are so few that their windows fit into memory: no more than a day, and no more windows by count
    than WINDOWS_AT_ONCE and the one that is open.
    """
    logged = PredictionRequest.objects.filter(endpoint=monitor.endpoint_id).monitored()
    logged = logged.before(settled)
    if monitor.log_cursor is None:
        logged = logged.since(settled - LONGEST_LOOK_BACK)
    else:
        logged = logged.filter(id__gt=monitor.log_cursor)
    most_rows = WINDOWS_AT_ONCE * monitor.window_rows
    return list(_within(next(blocks(logged, most_rows), []), most_rows))


def _within(block: Sequence[Entry], most_rows: int) -> Iterator[Entry]:
    """Yield the requests before the first that has so many rows before it or comes a day later."""
    rows = 0
    for entry in block:
        later = watching.moment_of(entry) - watching.moment_of(block[0])
        if rows >= most_rows or later >= LONGEST_BLOCK:
            return
        yield entry
        rows += entry.row_count


def _take(monitor: Monitor, block: Sequence[Entry], ticked: Ticked, now: datetime) -> bool:
    """Add a block to its windows. Returns False, with nothing changed, if somebody was faster."""
    judged: list[Judged] = []
    skipped = 0
    for version, entries in _by_version(block):
        try:
            judged += _judged(version, entries, monitor, now)
        except (NoModel, MlcoreError) as error:
            if isinstance(error, NoModel) and now - watching.moment_of(entries[-1]) < PATIENCE:
                logger.warning("%s is not monitored for now: %s", version, error)
                raise _Waits from error
            # Whatever is odd about them stays so, and what comes later must not wait for it.
            skipped += sum(entry.row_count for entry in entries)
            logger.warning("%s is not monitored: %s", version, error)
    with transaction.atomic():
        if not unchanged(monitor).update(log_cursor=UUID(block[-1].id), looked_at=now):
            return False
        judging.store(judged)
    ticked.requests += len(block)
    ticked.rows += sum(entry.row_count for entry in block)
    ticked.skipped += skipped
    ticked.windows += len(judged)
    return True


def _judged(
    version: AlgorithmVersion, entries: Sequence[Entry], monitor: Monitor, now: datetime
) -> list[Judged]:
    classifier = snapshots.load(version)
    grown = watching.grow(version, classifier, entries, monitor.window_rows)
    return [judging.judge(version, classifier, window, monitor, now) for window in grown]


def _by_version(block: Sequence[Entry]) -> Iterable[tuple[AlgorithmVersion, list[Entry]]]:
    """Group a block by the version that answered; each keeps the order of time."""
    ordered = sorted(block, key=lambda entry: entry.version_id)
    groups = {key: list(group) for key, group in groupby(ordered, lambda entry: entry.version_id)}
    versions = AlgorithmVersion.objects.select_related("endpoint").in_bulk(groups)
    return [(versions[key], entries) for key, entries in groups.items()]


class MinuteJob:
    """The worker's part: once a minute it looks at all A/B tests, then at all endpoints, a block of
    requests at a time and in turn, so that other endpoints, other jobs and signals get between."""

    def __init__(self, elapsed: Callable[[], float] = time.monotonic) -> None:
        self._elapsed = elapsed
        self._next_look = float("-inf")
        self._waiting: deque[Endpoint] = deque()

    def __call__(self, clock: Clock) -> str | None:
        """Take a block if it is time; return what became of it, None if there is nothing new."""
        if not self._waiting and self._elapsed() >= self._next_look:
            self._next_look = self._elapsed() + EVERY.total_seconds()
            self._waiting.extend(Endpoint.objects.order_by("slug"))
            _tick_tests(clock)
            _feed_labels(clock)
        while self._waiting:
            endpoint = self._waiting.popleft()
            found = _tick_or_tell(endpoint, clock, most_blocks=1)
            if isinstance(found, Failed):
                return "unfinished"
            if found.has_more and not found.overtaken:
                self._waiting.append(endpoint)
            if found.requests:
                return "looked"
        return None


minutely = MinuteJob()
