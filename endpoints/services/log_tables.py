"""The SQL that writes the request log, in either database; it knows nothing of queues or threads.

In SQLite the log has a file and a connection of its own; in PostgreSQL it lies beside all other tables,
the requests in one partition a week. Within a test's transaction the site's own connection writes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import chain
from typing import Any, Protocol

import orjson
from django.conf import settings
from django.db import connection, transaction

from endpoints import request_ids
from endpoints.services.tallies import Entry, Key, Tally
from endpoints.sqlite.base import open_log

REQUESTS, ROLL_UPS = "endpoints_predictionrequest", "endpoints_rollup"
PARTITION = timedelta(weeks=1)
STATEMENT_ROWS = 64
"""Written by one statement: each costs the writer the interpreter's lock, for which all others queue."""
Values = tuple[Any, ...]
_FIRST_MONDAY = date(1970, 1, 5)
_COUNTS = ("requests", "rows", "two_class_rows", "positives", "latencies", "scores", "refusals")
_ROLL_UP_COLUMNS = ("endpoint_id", "number", "seconds", "start", "writer", *_COUNTS)
_POSTGRESQL_TYPES = {
    "id": "uuid",
    "endpoint_id": "bigint",
    "version_id": "bigint",
    "created_at": "timestamptz",
    "row_count": "int",
    "threshold": "float8",
    "latency_us": "int",
    "probability": "float8",
}
"""Of the columns of the log; the others are text."""


class LogTables(Protocol):
    def write(self, entries: Sequence[Entry], writer: str, tallies: Mapping[Key, Tally]) -> None:
        """Store both in one transaction that is durable when this returns."""

    def close(self) -> None: ...


def open_tables() -> LogTables:
    """Return the way to write that suits the database."""
    if connection.vendor == "sqlite" and not settings.DATABASES["default"]["LOG"].get("WRITABLE"):
        return _SqliteFile(settings.DATABASES["default"]["LOG"])
    return _SiteConnection()


def partition_starts(moments: Iterable[datetime]) -> set[date]:
    """Return the Mondays of the weeks that these moments lie in."""
    days = {moment.astimezone(UTC).date() for moment in moments}
    return {day - (day - _FIRST_MONDAY) % PARTITION for day in days}


class _SqliteFile:
    """A connection to the log's file; opened where it is first needed."""

    def __init__(self, log: dict[str, Any]) -> None:
        self._log = log
        self._connection: sqlite3.Connection | None = None

    def write(self, entries: Sequence[Entry], writer: str, tallies: Mapping[Key, Tally]) -> None:
        if self._connection is None:
            self._connection = open_log(self._log)
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            for part in _parts([_sqlite_values(entry) for entry in entries]):
                execute(_insert("?", len(part)), _flat(part))
            for part in _parts(_roll_ups(writer, tallies, _sqlite_moment)):
                execute(_upsert("?", len(part)), _flat(part))
            execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                execute("ROLLBACK")
            raise

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _SiteConnection:
    """The connection that the thread has anyway."""

    def __init__(self) -> None:
        self._partitions: set[date] = set()

    def write(self, entries: Sequence[Entry], writer: str, tallies: Mapping[Key, Tally]) -> None:
        if not connection.in_atomic_block:  # within one it would be closed
            connection.close_if_unusable_or_obsolete()
        if connection.vendor == "postgresql":
            self._make_partitions(entries)
        with transaction.atomic(), connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                if entries:
                    cursor.execute(_INSERT_ARRAYS, list(map(list, zip(*entries, strict=True))))
                rows = _roll_ups(writer, tallies, _as_it_is)
            else:
                for part in _parts([_sqlite_values(entry) for entry in entries]):
                    cursor.execute(_insert("%s", len(part)), _flat(part))
                rows = _roll_ups(writer, tallies, _sqlite_moment)
            for part in _parts(rows):
                cursor.execute(_upsert("%s", len(part)), _flat(part))

    def _make_partitions(self, entries: Sequence[Entry]) -> None:
        missing = partition_starts(entry.created_at for entry in entries) - self._partitions
        for start in sorted(missing):
            _make_partition(start)
        if settings.RAISIN_LOG_GROUPED:  # a test takes back what it made
            self._partitions |= missing

    def close(self) -> None:
        connection.close()


def _make_partition(start: date) -> None:
    """Made apart and attached: that way neither readers nor writers of the log have to wait."""
    name = f"{REQUESTS}_{start:%Y%m%d}"
    begin, end = (
        request_ids.earliest(datetime(day.year, day.month, day.day, tzinfo=UTC))
        for day in (start, start + PARTITION)
    )
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [REQUESTS])
        cursor.execute("SELECT to_regclass(%s)", [name])
        if cursor.fetchone() == (None,):
            cursor.execute(f"CREATE TABLE {name} (LIKE {REQUESTS} INCLUDING ALL)")
            cursor.execute(
                f"ALTER TABLE {REQUESTS} ATTACH PARTITION {name}"
                f" FOR VALUES FROM ('{begin}') TO ('{end}')"
            )


def _parts(rows: Sequence[Values]) -> Iterator[Sequence[Values]]:
    for start in range(0, len(rows), STATEMENT_ROWS):
        yield rows[start : start + STATEMENT_ROWS]


def _flat(rows: Sequence[Values]) -> list[Any]:
    return list(chain.from_iterable(rows))


def _sqlite_values(entry: Entry) -> Values:
    return (*entry[:3], _sqlite_moment(entry.created_at), *entry[4:])


def _sqlite_moment(moment: datetime) -> str:
    """Write it as Django reads it."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ")


def _as_it_is(moment: datetime) -> datetime:
    return moment


def _roll_ups(
    writer: str, tallies: Mapping[Key, Tally], moment: Callable[[datetime], Any]
) -> list[Values]:
    return [
        (
            key.endpoint_id,
            key.number,
            int(key.span),
            moment(key.start),
            writer,
            tally.requests,
            tally.rows,
            tally.two_class_rows,
            tally.positives,
            *(orjson.dumps(c).decode() for c in (tally.latencies, tally.scores, tally.refusals)),
        )
        for key, tally in tallies.items()
    ]


@lru_cache(2 * STATEMENT_ROWS)
def _insert(mark: str, rows: int) -> str:
    # The names in these statements are ours; whatever callers send is a parameter.
    marks = _marks(mark, len(Entry._fields), rows)
    return f"INSERT INTO {REQUESTS} ({', '.join(Entry._fields)}) VALUES {marks}"  # noqa: S608


@lru_cache(2 * STATEMENT_ROWS)
def _upsert(mark: str, rows: int) -> str:
    """The row's writer is the only one who changes it, so what it holds may be replaced."""
    marks = _marks(mark, len(_ROLL_UP_COLUMNS), rows)
    changes = ", ".join(f"{name} = excluded.{name}" for name in _COUNTS)
    return (
        f"INSERT INTO {ROLL_UPS} ({', '.join(_ROLL_UP_COLUMNS)}) VALUES {marks}"  # noqa: S608
        f" ON CONFLICT (endpoint_id, seconds, start, number, writer) DO UPDATE SET {changes}"
    )


def _marks(mark: str, columns: int, rows: int) -> str:
    return ", ".join([f"({', '.join([mark] * columns)})"] * rows)


_ARRAYS = ", ".join(f"%s::{_POSTGRESQL_TYPES.get(name, 'text')}[]" for name in Entry._fields)
_INSERT_ARRAYS = (
    f"INSERT INTO {REQUESTS} ({', '.join(Entry._fields)})"  # noqa: S608
    f" SELECT * FROM UNNEST({_ARRAYS})"
)
