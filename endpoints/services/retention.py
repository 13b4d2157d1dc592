"""Deletes what is kept long enough: logged requests with their labels, counts by minute, and the names of
units of A/B tests.

Deleting cannot be undone, so it is recorded before it begins. It goes in steps that others get between;
what a killed one leaves, the next one finds. It knows nothing of who asks and how.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import QuerySet

from endpoints import request_ids
from endpoints.errors import LogUnavailable
from endpoints.models import ABArm, Feedback, LabelCount, LabelledUnit, PredictionRequest, RollUp
from endpoints.models.roll_up import MINUTES_ARE_KEPT, Span
from endpoints.services import audit
from endpoints.services.access import Caller
from endpoints.services.log_tables import ARM_UNITS, REQUESTS, ROLL_UPS, partition_starts
from endpoints.sqlite.base import open_log

SYSTEM = Caller(system="retention")
STEP = 1_000
"""Rows in a transaction: SQLite has one writer at a time, and callers wait for theirs."""
PAGES = 500
BUSY_SECONDS = 30.0
LOCK_ATTEMPTS = 10
LOCK_NOT_AVAILABLE = "55P03"

Execute = Callable[..., Sequence[Any]]
"""Runs a statement with its parameters, marked %s, on the tables of the log; returns its rows."""


@dataclass(frozen=True)
class Old:
    """What is kept long enough: requests `before` a moment (None: they are kept for good) and their
    labels, rows of counts by minute, and units of tests that were stopped before that moment."""

    before: datetime | None
    requests: int
    labels: int
    minutes: int
    units: int


def find(*, days: int, now: datetime) -> Old:
    """Count what `delete` would delete. 0 days: requests are kept for good."""
    before = _before(days, now) if days else None
    minutes = _old_minutes(RollUp, now).count() + _old_minutes(LabelCount, now).count()
    if before is None:
        return Old(None, 0, 0, minutes, 0)
    requests = PredictionRequest.objects.before(before).order_by().count()
    return Old(before, requests, _labels(before).count(), minutes, _count_units(before))


def delete(*, days: int, now: datetime) -> Old:
    """Delete what is kept long enough, and return what that was."""
    old = find(days=days, now=now)
    if old.before is not None and (old.requests or old.labels or old.units):
        _record(old, days, now)
        with _log_tables() as execute:
            _delete_requests(execute, old.before)
        # Last: a request that is gone can get no label any more.
        _delete_labels(old.before)
    if old.before is not None and old.units:
        _delete_units(old.before)
    if old.minutes:
        _delete_minutes(now)
    return old


def _before(days: int, now: datetime) -> datetime:
    """PostgreSQL drops whole partitions, so the oldest week stays until all of it is old enough."""
    moment = now - timedelta(days=days)
    if connection.vendor != "postgresql":
        return moment
    [monday] = partition_starts([moment])
    return datetime(monday.year, monday.month, monday.day, tzinfo=UTC)


def _labels(before: datetime) -> QuerySet[Feedback]:
    return Feedback.objects.filter(request_id__lt=request_ids.earliest(before)).order_by()


def _old_minutes(counts: type[RollUp] | type[LabelCount], now: datetime) -> QuerySet[Any]:
    return counts.objects.filter(seconds=Span.MINUTE, start__lt=now - MINUTES_ARE_KEPT)


def _record(old: Old, days: int, now: datetime) -> None:
    audit.record(
        "delete_requests",
        actor=SYSTEM,
        endpoint=None,
        subject=f"requests before {old.before:%Y-%m-%d %H:%M} UTC",
        now=now,
        after={
            "days": days,
            "requests": old.requests,
            "labels": old.labels,
            "units": old.units,
        },  # fmt: skip
    )


@contextmanager
def _log_tables() -> Iterator[Execute]:
    """In SQLite the log is another file, which the site's own connection can only read."""
    log = settings.DATABASES["default"].get("LOG")
    if log is None or log.get("WRITABLE"):
        with connection.cursor() as cursor:
            yield lambda sql, *values: _rows(cursor.execute(sql, values) or cursor)
        return
    with closing(open_log(log, timeout=BUSY_SECONDS)) as file:
        yield lambda sql, *values: file.execute(sql.replace("%s", "?"), values).fetchall()


def _rows(cursor: Any) -> Sequence[Any]:
    """Return the rows of a statement, none of one that returns none."""
    rows: Sequence[Any] = cursor.fetchall() if cursor.description else ()
    return rows


def _delete_requests(execute: Execute, before: datetime) -> None:
    if connection.vendor == "postgresql":
        for name in _old_partitions(execute, before):
            _drop(execute, name)
        return
    oldest = f"SELECT id FROM {REQUESTS} WHERE id < %s ORDER BY id LIMIT {STEP}"  # noqa: S608
    delete = f"DELETE FROM {REQUESTS} WHERE id IN ({oldest}) RETURNING 1"  # noqa: S608
    _in_steps(lambda: len(execute(delete, request_ids.earliest(before).hex)))
    _shrink(execute)


def _old_partitions(execute: Execute, before: datetime) -> list[str]:
    """Return the names of the partitions that end at this Monday or earlier, the oldest first."""
    children = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass"
    first_kept = f"{REQUESTS}_{before:%Y%m%d}"
    return sorted(name for (name,) in execute(children, REQUESTS) if name < first_kept)


def _drop(execute: Execute, name: str) -> None:
    """Whoever reads the log holds its partitions, and whoever writes it would wait behind us: so briefly."""
    for _ in range(LOCK_ATTEMPTS):
        try:
            with transaction.atomic():
                execute("SET LOCAL lock_timeout = '1s'")
                execute(f"DROP TABLE IF EXISTS {name}")
            return
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", "") != LOCK_NOT_AVAILABLE:
                raise
        time.sleep(1.0)
    raise LogUnavailable("The oldest requests are being read all the time. Try again later.")


def _shrink(execute: Execute) -> None:
    """Give the empty pages back; does nothing to a log made before its file could shrink."""

    def give_back() -> int:
        [[empty]] = execute("PRAGMA log.freelist_count")
        execute(f"PRAGMA log.incremental_vacuum({PAGES})")
        [[left]] = execute("PRAGMA log.freelist_count")
        return int(empty - left)

    _in_steps(give_back)


def _delete_labels(before: datetime) -> None:
    some = _labels(before).values("pk")[:STEP]
    _in_steps(lambda: Feedback.objects.filter(pk__in=some).delete()[0])


def _over(before: datetime) -> list[int]:
    """Return the arms of tests whose requests are all gone: so nobody can label or correct them."""
    arms = ABArm.objects.filter(phase__test__stopped_at__lt=before)
    return list(arms.order_by().values_list("pk", flat=True))


def _count_units(before: datetime) -> int:
    """The counters stay for ever; who was counted does not."""
    arms = _over(before)
    with _log_tables() as execute:
        [[named]] = execute(f"SELECT count(*) FROM {ARM_UNITS} WHERE {_in_arms(arms)}", *arms)  # noqa: S608
    return int(named) + LabelledUnit.objects.filter(arm__in=arms).count()


def _delete_units(before: datetime) -> None:
    arms = _over(before)
    some = f"SELECT arm_id, unit FROM {ARM_UNITS} WHERE {_in_arms(arms)} LIMIT {STEP}"  # noqa: S608
    delete = f"DELETE FROM {ARM_UNITS} WHERE (arm_id, unit) IN ({some}) RETURNING 1"  # noqa: S608
    with _log_tables() as execute:
        _in_steps(lambda: len(execute(delete, *arms)))
    labelled = LabelledUnit.objects.filter(arm__in=arms).values("pk")[:STEP]
    _in_steps(lambda: LabelledUnit.objects.filter(pk__in=labelled).delete()[0])


def _in_arms(arms: Sequence[int]) -> str:
    return f"arm_id IN ({', '.join(['%s'] * len(arms))})" if arms else "1 = 0"


def _delete_minutes(now: datetime) -> None:
    until = connection.ops.adapt_datetimefield_value(now - MINUTES_ARE_KEPT)
    with _log_tables() as execute:
        execute(
            f"DELETE FROM {ROLL_UPS} WHERE seconds = %s AND start < %s",  # noqa: S608
            int(Span.MINUTE),
            until,
        )
    _old_minutes(LabelCount, now).delete()


def _in_steps(step: Callable[[], int]) -> None:
    """Repeat a step until it finds nothing, and leave others as much time as it takes."""
    began = time.monotonic()
    while step():
        time.sleep(max(0.01, time.monotonic() - began))
        began = time.monotonic()


class DailyJob:
    """The worker's part: it looks once an hour, and at what is a whole number of days old at midnight, so
    that requests go once a day however many workers there are."""

    def __init__(self, elapsed: Callable[[], float] = time.monotonic) -> None:
        self._elapsed = elapsed
        self._next_look = float("-inf")

    def __call__(self, clock: Callable[[], datetime]) -> str | None:
        """Delete what is due; return what became of it, None if nothing was."""
        if self._elapsed() < self._next_look:
            return None
        self._next_look = self._elapsed() + timedelta(hours=1).total_seconds()
        midnight = clock().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        try:
            old = delete(days=settings.RAISIN_LOG_DAYS, now=midnight)
        except LogUnavailable:
            return "busy"
        return "swept" if old.requests or old.labels or old.minutes or old.units else None


daily = DailyJob()
