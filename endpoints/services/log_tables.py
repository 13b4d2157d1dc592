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
from typing import Any, NamedTuple, Protocol

import orjson
from django.conf import settings
from django.db import connection, transaction

from endpoints import request_ids
from endpoints.services.arm_tallies import ArmChanges
from endpoints.services.tallies import Entry, Key, Tally
from endpoints.sqlite.base import open_log

REQUESTS, ROLL_UPS = "endpoints_predictionrequest", "endpoints_rollup"
ARM_TRAFFIC, ARM_UNITS = "endpoints_abtraffic", "endpoints_abunit"
PARTITION = timedelta(weeks=1)
STATEMENT_ROWS = 64
"""Written by one statement: each costs the writer the interpreter's lock, for which all others queue."""
Values = tuple[Any, ...]
_FIRST_MONDAY = date(1970, 1, 5)
_COUNTS = ("requests", "rows", "two_class_rows", "positives", "latencies", "scores", "refusals")
_ROLL_UP_COLUMNS = ("endpoint_id", "number", "seconds", "start", "writer", *_COUNTS)
_ARM_COUNTS = ("requests", "rows", "units", "errors", "agreed", "latencies")
_ARM_COLUMNS = ("arm_id", "writer", *_ARM_COUNTS)
_POSTGRESQL_TYPES = {
    "id": "uuid",
    "endpoint_id": "bigint",
    "version_id": "bigint",
    "created_at": "timestamptz",
    "row_count": "int",
    "threshold": "float8",
    "latency_us": "int",
    "probability": "float8",
    "arm_id": "bigint",
}
"""Of the columns of the log; the others are text."""


class Counted(NamedTuple):
    """The tallies that a commit changes, as they will be, and the name of their writer."""

    writer: str
    tallies: Mapping[Key, Tally]
    arms: ArmChanges


class LogTables(Protocol):
    def write(self, entries: Sequence[Entry], counted: Counted) -> None:
        """Store both in one transaction that is durable when this returns; named units that are new are
        added to the tallies of their arms on the way."""

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

    def write(self, entries: Sequence[Entry], counted: Counted) -> None:
        if self._connection is None:
            self._connection = open_log(self._log)
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            for part in _parts([_sqlite_values(entry) for entry in entries]):
                execute(_insert("?", len(part)), _flat(part))
            _write_counted(execute, "?", counted, _sqlite_moment)
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

    def write(self, entries: Sequence[Entry], counted: Counted) -> None:
        if not connection.in_atomic_block:  # within one it would be closed
            connection.close_if_unusable_or_obsolete()
        if connection.vendor == "postgresql":
            self._make_partitions(entries)
        with transaction.atomic(), connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                if entries:
                    cursor.execute(_INSERT_ARRAYS, list(map(list, zip(*entries, strict=True))))
                _write_counted(cursor.execute, "%s", counted, _as_it_is)
            else:
                for part in _parts([_sqlite_values(entry) for entry in entries]):
                    cursor.execute(_insert("%s", len(part)), _flat(part))
                _write_counted(cursor.execute, "%s", counted, _sqlite_moment)

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


def _write_counted(
    execute: Callable[..., Any], mark: str, counted: Counted, moment: Callable[[datetime], Any]
) -> None:
    for part in _parts(_roll_ups(counted, moment)):
        execute(_upsert(mark, len(part)), _flat(part))
    if counted.arms.tallies:
        for part in _parts(counted.arms.units):
            new = execute(_insert_units(mark, len(part)), _flat(part))
            counted.arms.count_new(chain.from_iterable(new.fetchall()))
        for part in _parts(_arm_traffic(counted)):
            execute(_upsert_arms(mark, len(part)), _flat(part))


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


def _roll_ups(counted: Counted, moment: Callable[[datetime], Any]) -> list[Values]:
    return [
        (
            key.endpoint_id,
            key.number,
            int(key.span),
            moment(key.start),
            counted.writer,
            tally.requests,
            tally.rows,
            tally.two_class_rows,
            tally.positives,
            *(orjson.dumps(c).decode() for c in (tally.latencies, tally.scores, tally.refusals)),
        )
        for key, tally in counted.tallies.items()
    ]


def _arm_traffic(counted: Counted) -> list[Values]:
    return [
        (
            arm_id,
            counted.writer,
            tally.requests,
            tally.rows,
            tally.units,
            tally.errors,
            tally.agreed,
            orjson.dumps(tally.latencies).decode(),
        )
        for arm_id, tally in counted.arms.tallies.items()
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
    return (
        f"INSERT INTO {ROLL_UPS} ({', '.join(_ROLL_UP_COLUMNS)}) VALUES {marks}"  # noqa: S608
        f" ON CONFLICT (endpoint_id, seconds, start, number, writer) DO UPDATE SET {_set(_COUNTS)}"
    )


@lru_cache(2 * STATEMENT_ROWS)
def _upsert_arms(mark: str, rows: int) -> str:
    marks = _marks(mark, len(_ARM_COLUMNS), rows)
    return (
        f"INSERT INTO {ARM_TRAFFIC} ({', '.join(_ARM_COLUMNS)}) VALUES {marks}"  # noqa: S608
        f" ON CONFLICT (arm_id, writer) DO UPDATE SET {_set(_ARM_COUNTS)}"
    )


@lru_cache(2 * STATEMENT_ROWS)
def _insert_units(mark: str, rows: int) -> str:
    """It answers with the arm of each unit that was not there yet."""
    marks = _marks(mark, 2, rows)
    return (
        f"INSERT INTO {ARM_UNITS} (arm_id, unit) VALUES {marks}"  # noqa: S608
        " ON CONFLICT (arm_id, unit) DO NOTHING RETURNING arm_id"
    )


def _set(names: Iterable[str]) -> str:
    return ", ".join(f"{name} = excluded.{name}" for name in names)


def _marks(mark: str, columns: int, rows: int) -> str:
    return ", ".join([f"({', '.join([mark] * columns)})"] * rows)


_ARRAYS = ", ".join(f"%s::{_POSTGRESQL_TYPES.get(name, 'text')}[]" for name in Entry._fields)
_INSERT_ARRAYS = (
    f"INSERT INTO {REQUESTS} ({', '.join(Entry._fields)})"  # noqa: S608
    f" SELECT * FROM UNNEST({_ARRAYS})"
)
