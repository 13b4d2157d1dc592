"""Hours, days and weeks of UTC: every moment lies in one of each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpoints.services.monitoring.windows import INSTANT, LENGTHS, end_of, start_of

MOMENTS = st.datetimes(datetime(1970, 1, 6), datetime(2899, 1, 1), timezones=st.just(UTC))


@pytest.mark.parametrize(
    ("window", "start"),
    [("hour", (2026, 11, 4, 12)), ("day", (2026, 11, 4)), ("week", (2026, 11, 2))],
)
def test_it_works(window: str, start: tuple[int, ...]) -> None:
    moment = datetime(2026, 11, 4, 12, 59, 59, 999_999, tzinfo=UTC)
    assert start_of(window, moment) == datetime(*start, tzinfo=UTC)  # type: ignore[arg-type,misc]


@given(MOMENTS, st.sampled_from(sorted(LENGTHS)))
def test_windows_follow_one_another_without_a_gap(moment: datetime, window: str) -> None:
    start = start_of(window, moment)
    end = end_of(window, start)
    assert start <= moment < end
    assert start_of(window, start) == start
    assert start_of(window, end) == end
    assert start_of(window, end - INSTANT) == start


@given(MOMENTS)
def test_a_week_begins_on_a_monday_and_holds_whole_days(moment: datetime) -> None:
    week, day, hour = (start_of(window, moment) for window in ("week", "day", "hour"))
    assert week.isoweekday() == 1
    assert (week.hour, week.minute, week.second) == (0, 0, 0)
    assert week <= day <= hour


def test_the_clock_of_the_caller_does_not_matter() -> None:
    elsewhere = timezone(timedelta(hours=5, minutes=30))
    moment = datetime(2026, 11, 5, 1, 0, tzinfo=elsewhere)
    assert start_of("day", moment) == datetime(2026, 11, 4, tzinfo=UTC)
