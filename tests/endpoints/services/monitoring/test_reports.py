"""Finding reports: the newest days of what is in production, and the requests that each speaks of."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest

from endpoints.errors import NotFound
from endpoints.filters import PredictionFilter
from endpoints.models import DriftReport, Endpoint, Monitor
from endpoints.services import feedback, lifecycle
from endpoints.services.monitoring import configuring, reports, tick
from endpoints.services.monitoring.reports import Limits
from tests import cast
from tests.endpoints.services.decisions import decision
from tests.endpoints.services.monitoring.traffic import (
    DAY,
    HOUR,
    NOON,
    SECOND,
    at,
    every,
    found,
    log,
    one_by_one,
    training_rows,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def watched(raisin: Endpoint) -> Endpoint:
    """v1 answered on two days and v2 on the second; ten rows are enough for a verdict."""
    Monitor.objects.create(endpoint=raisin, min_rows=10)
    log(raisin, one_by_one(training_rows(10)), every(SECOND, 10))
    log(raisin, one_by_one(training_rows(10)), every(SECOND, 10, since=NOON + DAY))
    log(raisin, one_by_one(training_rows(12)), every(SECOND, 12, since=NOON + DAY + HOUR), number=2)
    tick.tick(raisin, at(NOON + DAY + 2 * HOUR))
    return raisin


def test_without_traffic_there_is_none(raisin: Endpoint) -> None:
    assert reports.todays() == []
    with pytest.raises(NotFound, match="no drift report 7"):
        reports.find(raisin, 7)


@pytest.mark.parametrize("window", ["hour", "day", "week", "rows"])
def test_the_rows_behind_a_report_can_be_listed(watched: Endpoint, window: str) -> None:
    for report in reports.series(watched, window=window):
        query = {
            key: values[0] for key, values in parse_qs(reports.rows_behind(report).query).items()
        }
        filtered = PredictionFilter(query, endpoint=watched)
        assert filtered.is_valid()
        assert filtered.qs.count() == report.n_rows


@pytest.mark.parametrize("window", ["day", "week"])
def test_what_came_since_the_last_look_is_left_out(watched: Endpoint, window: str) -> None:
    later = NOON + DAY + HOUR + 30 * SECOND
    log(watched, one_by_one(training_rows(2)), [later, later + SECOND])
    report = reports.series(watched, window=window, version=1)[0]
    behind = reports.rows_behind(report)
    assert behind.seen(None) == behind

    def count(query: str) -> int:
        asked = {key: values[0] for key, values in parse_qs(query).items()}
        return PredictionFilter(asked, endpoint=watched).qs.count()

    assert count(behind.query) == count(behind.live()) == report.n_rows + 2
    assert count(behind.seen(Monitor.objects.get().log_cursor).live()) == report.n_rows


def test_todays_are_one_a_version_in_production(watched: Endpoint) -> None:
    [today] = reports.todays()
    assert (today.report.version.number, today.report.n_rows, today.accuracy) == (1, 10, None)
    assert (today.report.window, today.report.start) == ("day", NOON + DAY - 12 * HOUR)
    lifecycle.promote(version=watched.versions.get(number=2), decision=decision(seen=1))
    [today] = reports.todays()
    assert (today.report.version.number, today.report.n_rows) == (2, 12)


def test_a_day_with_few_rows_hides_none_that_has_enough(watched: Endpoint) -> None:
    version = watched.versions.get(number=1)
    log(watched, [training_rows(9)], [NOON + 2 * DAY])
    tick.tick(watched, at(NOON + 2 * DAY + HOUR))
    assert [report.n_rows for report in found(watched, "day")] == [10, 10, 9]
    [today] = reports.todays()
    assert (today.report.version, today.report.start) == (version, NOON + DAY - 12 * HOUR)
    Monitor.objects.update(min_rows=11)
    assert reports.todays() == []


def test_a_day_without_a_verdict_is_none_of_todays(watched: Endpoint) -> None:
    DriftReport.objects.filter(window="day").update(verdict="insufficient_data")
    assert reports.todays() == []


def test_few_labels_tell_no_accuracy(watched: Endpoint) -> None:
    for count, request in enumerate(watched.requests.filter(version__number=1)[:10], start=1):
        feedback.record(
            request=request, row=0, label=request.label, actor=cast.SYSTEM, now=NOON + DAY + HOUR
        )
        [today] = reports.todays()
        assert today.accuracy == (1.0 if count == 10 else None)


def test_a_series_leaves_what_is_large_in_the_database(watched: Endpoint) -> None:
    for report in reports.series(watched, window="day"):
        assert report.get_deferred_fields() == {"summary", "impact"}
    [one, *_] = reports.series(watched, window="day")
    assert reports.find(watched, one.pk).get_deferred_fields() == {"summary"}


def test_what_a_window_was_judged_by_outlives_the_settings(watched: Endpoint) -> None:
    tick.tick(watched, at(NOON + 2 * DAY))
    settings = {"effect": 0.4, "alpha": 0.2}
    configuring.configure(
        endpoint=watched, settings=settings, actor=cast.SYSTEM, now=NOON + 2 * DAY
    )
    day, week = (found(watched, window)[0] for window in ("day", "week"))
    assert (day.is_open, week.is_open) == (False, True)
    assert reports.limits_of(day) == Limits(effect=0.1, alpha=0.01)
    assert reports.limits_of(week) == Limits(effect=0.4, alpha=pytest.approx(0.02))


def test_what_was_put_away_tells_no_limits(watched: Endpoint) -> None:
    [day, _] = found(watched, "day")
    day.columns.update(results=[])
    assert reports.limits_of(day) is None


def test_todays_leave_what_is_large_in_the_database(watched: Endpoint) -> None:
    [today] = reports.todays()
    assert today.report.get_deferred_fields() == {"summary", "impact"}
    assert {
        name for column in today.report.columns.all() for name in column.get_deferred_fields()
    } == {"results", "bins"}
