"""The request log: an answered request is a logged request, so `write` returns when it is durable.

Refusals are counted only, and are written with the next group or within a second. It knows nothing of
models and scores.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from time import monotonic, perf_counter

from django.conf import settings
from django.db import Error

from endpoints.errors import LogUnavailable
from endpoints.services.log_tables import LogTables, open_tables
from endpoints.services.log_writer import GroupWriter
from endpoints.services.metrics import metrics
from endpoints.services.tallies import Answered, Refused, Tallies

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
        changed = (tallies := Tallies()).with_these(answered, ())
        try:
            tables.write([item.entry for item in answered], tallies.writer, changed)
        finally:
            if settings.RAISIN_LOG_GROUPED:
                tables.close()

    def count_refusal(self, refused: Refused) -> None:
        self._refusals.append(refused)
        if settings.RAISIN_LOG_GROUPED:
            self._group.start()  # perhaps nothing was answered yet
        else:
            self._commit_refusals()

    def _commit(self, answered: Sequence[Answered]) -> None:
        refused = [self._refusals.popleft() for _ in range(len(self._refusals))]
        self._tallies.make_room([item.entry.created_at for item in answered] or [refused[0].at])
        changed = self._tallies.with_these(answered, refused)
        started = perf_counter()
        try:
            self._tables.write([item.entry for item in answered], self._tallies.writer, changed)
        except BaseException:
            self._failed_at = monotonic()
            self._refusals.extendleft(reversed(refused))
            # It may be stored all the same, where the connection broke before the database could say so.
            # Counted under another name, what follows loses nothing and counts no answer twice.
            self._tallies = Tallies()
            raise
        self._failed_at = float("-inf")
        metrics.flushes.add(perf_counter() - started, len(answered))
        if settings.RAISIN_LOG_GROUPED:  # a test takes back what it wrote
            self._tallies.keep(changed)
        else:
            self._tallies = Tallies()
        self.written += len(answered)

    def _commit_refusals(self) -> None:
        if self._refusals:
            self._commit(())


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
