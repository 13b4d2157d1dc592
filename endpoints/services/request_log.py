"""The request log: an answered request is a logged request, so `write` returns when it is durable.

Refusals, and what an arm of a test could not answer, are counted only, and are written with the next
group or within a second. It knows nothing of models and scores.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from itertools import chain
from time import monotonic, perf_counter
from typing import TypeVar

from django.conf import settings
from django.db import Error

from endpoints.errors import LogUnavailable
from endpoints.services.arm_tallies import Tried
from endpoints.services.log_tables import Counted, LogTables, open_tables
from endpoints.services.log_writer import GroupWriter
from endpoints.services.metrics import metrics
from endpoints.services.tallies import Answered, Refused, Tallies

T = TypeVar("T")
MOST_REFUSALS = 10_000
"""That wait to be counted; beyond that they are lost, since nobody waits for them."""
FAILURE_COUNTS = 10.0
"""Seconds; while something waits to be written the writer tries again each second."""


class RequestLog:
    """The log of one process, and what the process counted."""

    def __init__(self) -> None:
        self._tables: LogTables = open_tables()
        self._tallies = Tallies()
        self._refusals: deque[Refused] = deque(maxlen=MOST_REFUSALS)
        self._failures: deque[Tried] = deque(maxlen=MOST_REFUSALS)
        self._group: GroupWriter[Answered] = GroupWriter(
            self._commit, capacity=settings.RAISIN_LOG_QUEUE, idle=self._commit_refusals
        )
        self.written = 0
        self._failed_at = float("-inf")

    @property
    def depth(self) -> int:
        return self._group.depth

    @property
    def has_just_failed(self) -> bool:
        """Say whether the newest attempt to write failed, and not long ago."""
        return monotonic() - self._failed_at < FAILURE_COUNTS

    def write(self, answered: Answered) -> None:
        """Return when the request is durable; raises LogUnavailable."""
        if settings.RAISIN_LOG_GROUPED:
            self._group.write(answered)
        else:
            self._commit([answered])

    def write_all(self, answered: Sequence[Answered]) -> None:
        """Write many at once, of any age; for what is not served, such as the demo's history."""
        tables = open_tables()
        counted = _counted(Tallies(), answered, (), ())
        try:
            tables.write([item.entry for item in answered], counted)
        finally:
            if settings.RAISIN_LOG_GROUPED:
                tables.close()

    def count_refusal(self, refused: Refused) -> None:
        self._refusals.append(refused)
        self._count_soon()

    def count_failure(self, tried: Tried) -> None:
        """Count a request that an arm of a test could not answer."""
        self._failures.append(tried)
        self._count_soon()

    def _count_soon(self) -> None:
        if settings.RAISIN_LOG_GROUPED:
            self._group.start()  # perhaps nothing was answered yet
        else:
            self._commit_refusals()

    def _commit(self, answered: Sequence[Answered]) -> None:
        refused, failed = _drained(self._refusals), _drained(self._failures)
        moments = [item.entry.created_at for item in answered] or [item.at for item in refused[:1]]
        self._tallies.make_room(moments)
        counted = _counted(self._tallies, answered, refused, failed)
        started = perf_counter()
        try:
            self._tables.write([item.entry for item in answered], counted)
        except BaseException:
            self._failed_at = monotonic()
            self._refusals.extendleft(reversed(refused))
            self._failures.extendleft(reversed(failed))
            # It may be stored all the same, where the connection broke before the database could say so.
            # Counted under another name, what follows loses nothing and counts no answer twice.
            self._tallies = Tallies()
            raise
        self._failed_at = float("-inf")
        metrics.flushes.add(perf_counter() - started, len(answered))
        if settings.RAISIN_LOG_GROUPED:  # a test takes back what it wrote
            self._tallies.keep(counted.tallies)
            self._tallies.arms.keep(counted.arms)
        else:
            self._tallies = Tallies()
        self.written += len(answered)

    def _commit_refusals(self) -> None:
        if self._refusals or self._failures:
            self._commit(())


def _drained(waiting: deque[T]) -> list[T]:
    return [waiting.popleft() for _ in range(len(waiting))]


def _counted(
    tallies: Tallies,
    answered: Sequence[Answered],
    refused: Sequence[Refused],
    failed: Sequence[Tried],
) -> Counted:
    tried = chain(failed, *(item.tried for item in answered if item.tried))
    return Counted(
        tallies.writer, tallies.with_these(answered, refused), tallies.arms.with_these(tried)
    )


_lock = threading.Lock()
_log: RequestLog | None = None


def log() -> RequestLog:
    """Return the process's log."""
    global _log  # noqa: PLW0603
    if _log is None:
        with _lock:
            _log = _log or RequestLog()
    return _log


def write(answered: Answered) -> None:
    try:
        log().write(answered)
    except LogUnavailable:
        metrics.dropped()
        raise
    except Error as error:
        metrics.dropped()
        raise LogUnavailable("The log of predictions cannot be written at the moment.") from error
