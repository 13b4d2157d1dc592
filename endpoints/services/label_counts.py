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

_Key = tuple[int, int, int, datetime]
_UPSERT = """
    INSERT INTO endpoints_labelcount (endpoint_id, number, seconds, start, labels, correct)
    VALUES (%s, %s, %s, %s, %s, %s)
    ON CONFLICT (endpoint_id, number, seconds, start) DO UPDATE SET
        labels = endpoints_labelcount.labels + %s, correct = endpoints_labelcount.correct + %s
"""


class Labelled(NamedTuple):
    """A change of what is counted: a label that came or, with -1, one that was corrected away."""

    endpoint_id: int
    number: int
    predicted_at: datetime
    labels: int
    correct: int


def add(changes: Iterable[Labelled]) -> None:
    """Add the changes, in one order everywhere, so that two transactions never wait for each other."""
    labels: Counter[_Key] = Counter()
    correct: Counter[_Key] = Counter()
    for change in changes:
        for span in Span:
            key = (change.endpoint_id, change.number, span.value, span.start(change.predicted_at))
            labels[key] += change.labels
            correct[key] += change.correct
    rows = [
        _values(key, labels[key], correct[key])
        for key in sorted(labels)
        if labels[key] or correct[key]
    ]
    with connection.cursor() as cursor:
        cursor.executemany(_UPSERT, rows)


def _values(key: _Key, labels: int, correct: int) -> tuple[int | datetime | str | None, ...]:
    """A new row cannot start below nothing; both databases check that before they look for the old."""
    moment = connection.ops.adapt_datetimefield_value(key[3])  # SQLite has moments as text
    return (*key[:3], moment, max(labels, 0), max(correct, 0), labels, correct)
