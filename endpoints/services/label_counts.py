"""Keeps the counts of true labels in step with the labels, in the transaction that writes them.

As in the roll-ups, what people tried by hand is left out; services.label_store sees to that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from endpoints.models.roll_up import Span

_Key = tuple[int, int, int, datetime, str, str]
_UPSERT = """
    INSERT INTO endpoints_labelcount
        (endpoint_id, number, seconds, start, predicted, label, "rows")
    VALUES (%s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (endpoint_id, number, seconds, start, predicted, label) DO UPDATE SET
        "rows" = CASE WHEN endpoints_labelcount."rows" + %s > 0
            THEN endpoints_labelcount."rows" + %s ELSE 0 END
"""


class Labelled(NamedTuple):
    """Rows of a cell of the confusion matrix; -1: a label that was corrected leaves it."""

    endpoint_id: int
    number: int
    predicted_at: datetime
    predicted: str
    label: str
    rows: int = 1


def add(changes: Iterable[Labelled]) -> None:
    """Add the changes, in one order everywhere, so that two transactions never wait for each other.

    A cell stays at 0 where more leaves it than it has: minutes that are long past are deleted, and
    their labels may be corrected later still.
    """
    counted: Counter[_Key] = Counter()
    for change in changes:
        for span in Span:
            start = span.start(change.predicted_at)
            place = change.endpoint_id, change.number, span.value, start
            counted[*place, change.predicted, change.label] += change.rows
    rows = [_values(key, counted[key]) for key in sorted(counted) if counted[key]]
    with connection.cursor() as cursor:
        cursor.executemany(_UPSERT, rows)


def _values(key: _Key, rows: int) -> tuple[int | datetime | str | None, ...]:
    """A new row cannot start below nothing; both databases check that before they look for the old."""
    moment = connection.ops.adapt_datetimefield_value(key[3])  # SQLite has moments as text
    return (*key[:3], moment, *key[4:], max(rows, 0), rows, rows)
