"""When windows of live rows begin and end, and how long they can still grow; it knows no tables of rows.

Times are UTC. Hours, days and weeks are whole ones; a week begins on Monday.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from endpoints.models.monitoring import Window

LENGTHS: Mapping[str, timedelta] = MappingProxyType(
    {
        Window.HOUR.value: timedelta(hours=1),
        Window.DAY.value: timedelta(days=1),
        Window.WEEK.value: timedelta(weeks=1),
    }
)
"""Of the windows by time; one by count ends with its rows."""
SUMMARIES_ARE_KEPT: Mapping[str, timedelta] = MappingProxyType(
    {
        Window.HOUR.value: timedelta(days=8),
        Window.DAY.value: timedelta(days=35),
        Window.WEEK.value: timedelta(days=120),
    }
)
NEWEST_BY_COUNT = 20
"""So many windows by count of a version keep their summaries, .."""
REPORTS_BY_COUNT = 1_000
""".. and so many are kept at all."""
WINDOWS_AT_ONCE = 24
"""So many are grown or closed in one go: about so many summaries are in memory, and in a transaction."""

INSTANT = timedelta(microseconds=1)
"""The smallest step between two moments."""
_A_MONDAY = datetime(1970, 1, 5, tzinfo=UTC)


def start_of(window: str, moment: datetime) -> datetime:
    """Return when the hour, day or week that holds this moment began.

    >>> start_of("week", datetime(2026, 11, 21, 14, 30, tzinfo=UTC)).isoformat()
    '2026-11-16T00:00:00+00:00'
    """
    return moment.astimezone(UTC) - (moment - _A_MONDAY) % LENGTHS[window]


def end_of(window: str, start: datetime) -> datetime:
    """Return the first moment after the hour, day or week that began then."""
    return start + LENGTHS[window]
