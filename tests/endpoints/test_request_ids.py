"""Ids of logged requests: their order is that of time, and the time can be read back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from endpoints import request_ids

MOMENTS = st.datetimes(
    min_value=datetime(1970, 1, 1), max_value=datetime(9999, 1, 1), timezones=st.just(UTC)
)


def test_it_works() -> None:
    given_at = datetime(2026, 11, 21, 10, 30, 0, 123_456, tzinfo=UTC)
    found = request_ids.new(given_at)
    assert (found.version, found.variant) == (7, "specified in RFC 4122")
    assert request_ids.moment_of(found) == given_at
    assert found != request_ids.new(given_at)


def test_its_milliseconds_are_where_the_standard_has_them() -> None:
    """The example of RFC 9562, appendix A.6."""
    example = UUID("017F22E2-79B0-7CC3-98C4-DC0C0C07398F")
    moment = datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)
    assert request_ids.new(moment).int >> 80 == example.int >> 80


@settings(deadline=None)  # the machine may be busy
@given(MOMENTS, st.timedeltas(min_value=timedelta(microseconds=1), max_value=timedelta(days=9)))
def test_a_later_one_is_larger(moment: datetime, after: timedelta) -> None:
    first, second = request_ids.new(moment), request_ids.new(moment + after)
    assert request_ids.earliest(moment) <= first < request_ids.earliest(moment + after) <= second
    assert (first.hex < second.hex) and (str(first) < str(second))


PLACES = st.integers(0, 2**32 - 1)


@settings(deadline=None)
@given(MOMENTS, PLACES, PLACES)
def test_derived_ones_are_in_the_order_of_places(moment: datetime, one: int, other: int) -> None:
    first, second = (request_ids.derived(moment, "job", place) for place in (one, other))
    assert (first < second) == (one < other)
    assert (first == second) == (one == other)
    assert first == request_ids.derived(moment, "job", one)
    assert (first.version, request_ids.moment_of(first)) == (7, moment)
    after = moment + timedelta(microseconds=1)
    assert request_ids.earliest(moment) <= first < request_ids.earliest(after)


def test_derived_ones_of_others_are_others() -> None:
    moment = datetime(2026, 11, 21, tzinfo=UTC)
    assert request_ids.derived(moment, "a", 1) != request_ids.derived(moment, "b", 1)
