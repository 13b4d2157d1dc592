"""Keeps the scored rows of a batch in the request log, each once however often its chunk is scored.

The id of an entry follows from the job and its first row, so what is there already is left alone. A
batch is no traffic: the counts that charts and alerts read leave it out, and no A/B test takes part.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from time import monotonic, sleep
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from django.conf import settings
from django.db import IntegrityError, OperationalError, connection

from endpoints import request_ids
from endpoints.errors import LogUnavailable
from endpoints.models import BatchJob, PredictionRequest
from endpoints.models.prediction import Source
from endpoints.services.arm_tallies import ArmChanges
from endpoints.services.leases import Stopped
from endpoints.services.log_tables import Counted, open_tables
from endpoints.services.tables.plans import Answered
from endpoints.services.tallies import Entry
from mlcore.alive import Alive
from mlcore.classifier import Classifier

MOST_ROWS = 1_000
AT_ONCE = 4
"""Entries in a transaction: SQLite has one writer at a time, and callers wait for their answers."""
ATTEMPTS = 12
"""To write while others hold the log, each of them some seconds long."""
PAUSE = 0.5
"""Seconds between two attempts: PostgreSQL may refuse one at once."""
UNAVAILABLE = "The log of predictions cannot be written at the moment."
UNCOUNTED = Counted("", {}, ArmChanges({}, []))


class Kept(NamedTuple):
    """An entry that is in the log, and the true labels of its rows: None where a row has none."""

    id: UUID
    created_at: datetime
    labels: Sequence[str]
    true_labels: Sequence[str | None]


class RowLog:
    """`alive` raises what keeps the worker from going on; it is asked between two attempts to write."""

    def __init__(self, job: BatchJob, classifier: Classifier, alive: Alive) -> None:
        self._job, self._alive = job, alive
        self._is_binary, self._threshold = classifier.is_binary, classifier.threshold
        self._tables = open_tables()

    def keep(self, answered: Answered) -> list[Kept]:
        """Log scored rows; return when they are durable. Raises Stopped where the log is busy for too long."""
        starts = range(0, len(answered.rows), MOST_ROWS)
        parts = [slice(start, start + MOST_ROWS) for start in starts]
        entries = [self._entry(answered, part) for part in parts]
        for start in range(0, len(entries), AT_ONCE):
            began = monotonic()
            self._write(entries[start : start + AT_ONCE])
            if (
                connection.vendor == "sqlite"
            ):  # others had to wait: now it is their turn for as long
                sleep(monotonic() - began)
        return [_kept(entry, answered, part) for entry, part in zip(entries, parts, strict=True)]

    def close(self) -> None:
        if settings.RAISIN_LOG_GROUPED:  # else it is the connection of a test
            self._tables.close()

    def _entry(self, answered: Answered, part: slice) -> Entry:
        job, numbers = self._job, answered.rows[part]
        assert job.started_at is not None  # noqa: S101  a job has begun before a row is scored
        probabilities = answered.decided.probabilities[part]
        headlines = answered.headlines[part].tolist()
        imputed = answered.imputed[part]
        is_single = len(numbers) == 1
        return Entry(
            id=request_ids.derived(job.started_at, job.pk, numbers[0]).hex,
            endpoint_id=job.endpoint_id,
            version_id=job.version_id,
            created_at=job.started_at,
            source=Source.BATCH,
            protocol="",
            caller=f"batch {job.file_name}"[:150],
            correlation_id=job.pk,
            traceparent="",
            row_count=len(numbers),
            inputs=_packed(answered.values[part]),
            imputed=_packed(imputed) if any(imputed) else "[]",
            probabilities=_packed(headlines if self._is_binary else probabilities.tolist()),
            predictions=_packed(answered.predictions[part]),
            threshold=self._threshold,
            latency_us=0,
            probability=headlines[0] if is_single else None,
            label=answered.labels[part.start] if is_single else "",
        )

    def _write(self, entries: Sequence[Entry]) -> None:
        """Write what is not there: the same chunk was perhaps scored before, or is just being scored."""
        for attempt in range(1, ATTEMPTS + 1):
            if not entries:
                return
            try:
                self._tables.write(entries, UNCOUNTED)
                return
            except (IntegrityError, sqlite3.IntegrityError):
                ids = [UUID(entry.id) for entry in entries]
                there = PredictionRequest.objects.filter(pk__in=ids).values_list("pk", flat=True)
                known = {key.hex for key in there}
                entries = [entry for entry in entries if entry.id not in known]
            except (OperationalError, sqlite3.OperationalError) as error:
                self._wait(error, attempt)
        raise LogUnavailable(UNAVAILABLE)

    def _wait(self, error: Exception, attempt: int) -> None:
        """Others write. If they do not come to an end, the job goes back to those that wait."""
        if not _is_busy(error):
            raise LogUnavailable(UNAVAILABLE) from error
        if attempt == ATTEMPTS:
            raise Stopped from error
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()  # `alive` asks over the same one
        self._alive()
        sleep(PAUSE)


def _is_busy(error: Exception) -> bool:
    """SQLite tells it from what waiting does not mend, as a full disk; PostgreSQL refuses for a while."""
    code = getattr(error.__cause__ or error, "sqlite_errorcode", None)
    return code is None or code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _kept(entry: Entry, answered: Answered, part: slice) -> Kept:
    labels, true_labels = answered.labels[part], answered.true_labels
    found = true_labels[part] if true_labels is not None else [None] * len(labels)
    return Kept(UUID(entry.id), entry.created_at, labels, found)


def _packed(value: Any) -> str:
    return orjson.dumps(value).decode()
