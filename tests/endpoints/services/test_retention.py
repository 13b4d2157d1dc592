"""What is kept long enough is deleted with its labels, recorded, and in steps that may be cut short."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from endpoints.models import (
    ABTest,
    Endpoint,
    Event,
    Feedback,
    LabelCount,
    LabelledUnit,
    PredictionRequest,
    RollUp,
)
from endpoints.models.roll_up import MINUTES_ARE_KEPT, Span
from endpoints.services import retention
from tests import cast
from tests.endpoints.services.abtests import trial
from tests.endpoints.services.labelled import items, logged, send

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)  # a Monday
OLD = NOW - timedelta(days=100)
KEPT = NOW - timedelta(days=10)
on_sqlite = pytest.mark.skipif(connection.vendor != "sqlite", reason="deletes by the moment")
on_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="deletes by the week")


@pytest.fixture
def traffic(raisin: Endpoint) -> Endpoint:
    """Five old requests and three that are kept, all labelled."""
    for count, moment in ((5, OLD), (3, KEPT)):
        send(items(logged(raisin, count, now=moment), "Besni", "Kecimen"))
    return raisin


def left() -> tuple[int, int]:
    return PredictionRequest.objects.count(), Feedback.objects.count()


def test_it_works(traffic: Endpoint) -> None:
    old = retention.delete(days=90, now=NOW)
    assert (old.requests, old.labels) == (5, 5)
    assert left() == (3, 3)
    assert PredictionRequest.objects.before(KEPT).count() == 0


def test_it_counts_without_deleting(traffic: Endpoint) -> None:
    assert retention.find(days=90, now=NOW).requests == 5
    assert left() == (8, 8)
    assert not Event.objects.filter(verb="delete_requests").exists()


def test_it_deletes_step_by_step(traffic: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "STEP", 2)
    retention.delete(days=90, now=NOW)
    assert left() == (3, 3)


def test_zero_days_keep_all(traffic: Endpoint) -> None:
    assert retention.delete(days=0, now=NOW).before is None
    assert left() == (8, 8)


def test_it_records_what_it_deletes(traffic: Endpoint) -> None:
    retention.delete(days=90, now=NOW)
    event = Event.objects.get(verb="delete_requests")
    assert (event.actor_name, event.at) == ("retention", NOW)
    assert event.subject.startswith("requests before 2026-08-0")
    assert event.after == {"days": 90, "requests": 5, "labels": 5, "units": 0}


def test_a_second_time_it_finds_nothing(traffic: Endpoint) -> None:
    retention.delete(days=90, now=NOW)
    again = retention.delete(days=90, now=NOW)
    assert (again.requests, again.labels, again.minutes) == (0, 0, 0)
    assert Event.objects.filter(verb="delete_requests").count() == 1


def test_what_a_killed_one_leaves_goes_next_time(
    traffic: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(retention, "_delete_labels", killed)
        retention.delete(days=90, now=NOW)
    assert left() == (3, 8)
    assert retention.delete(days=90, now=NOW).labels == 5
    assert left() == (3, 3)


def test_counts_by_the_hour_outlive_those_by_the_minute(traffic: Endpoint) -> None:
    fresh = NOW - MINUTES_ARE_KEPT / 2
    send(items(logged(traffic, 2, now=fresh), "Besni"))
    retention.delete(days=90, now=NOW)
    for counts in (RollUp, LabelCount):
        starts = counts.objects.values_list("start", flat=True)
        assert set(starts.filter(seconds=Span.MINUTE)) == {fresh}
        assert set(starts.filter(seconds=Span.HOUR)) == {OLD, KEPT, fresh}


@on_sqlite
def test_a_request_goes_once_it_is_older(traffic: Endpoint) -> None:
    assert retention.delete(days=100, now=NOW).requests == 0
    assert retention.delete(days=100, now=NOW + timedelta(seconds=1)).requests == 5


@on_postgresql
def test_a_week_goes_once_all_of_it_is_older(traffic: Endpoint) -> None:
    sunday = datetime(2026, 7, 26, 23, 59, tzinfo=UTC)
    logged(traffic, 1, now=sunday)  # in the week of the old ones
    assert retention.delete(days=90, now=sunday + timedelta(days=90)).requests == 0
    assert retention.delete(days=90, now=sunday + timedelta(days=90, minutes=1)).requests == 6
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('endpoints_predictionrequest_20260720')")
        assert cursor.fetchone() == (None,)


@on_sqlite
@pytest.mark.django_db
def test_a_new_log_can_shrink() -> None:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA log.auto_vacuum")
        assert cursor.fetchone() == (2,)


def test_the_worker_looks_once_an_hour(traffic: Endpoint, settings: Any) -> None:
    settings.RAISIN_LOG_DAYS = 90
    elapsed = [0.0]
    job = retention.DailyJob(lambda: elapsed[0])
    assert job(lambda: NOW) == "swept"
    logged(traffic, 1, now=OLD)
    assert job(lambda: NOW) is None
    elapsed[0] = 3_600
    assert job(lambda: NOW) == "swept"
    assert left() == (3, 3)


def test_the_worker_deletes_nothing_more_on_the_same_day(traffic: Endpoint, settings: Any) -> None:
    settings.RAISIN_LOG_DAYS = 10
    job = retention.DailyJob(lambda: 0.0)
    assert job(lambda: NOW + timedelta(hours=1)) == "swept"
    assert left() == (3, 3)


def test_the_worker_deletes_no_request_unless_it_shall(traffic: Endpoint) -> None:
    retention.DailyJob(lambda: 0.0)(lambda: NOW)
    assert left() == (8, 8)


UNITS = 3


@pytest.fixture
def tested(raisin: Endpoint) -> ABTest:
    """A test with requests for three units of the control, and three whose labels came in groups."""
    test = trial.running_test(raisin, raisin.versions.get(number=2))
    arm = trial.arms(test)["control"]
    for number in range(UNITS):
        cast.prediction(raisin, unit=f"user-{number}", now=KEPT)
        LabelledUnit.objects.create(arm=arm, unit=f"user-{number}")
    return test


def stop(test: ABTest, at: datetime) -> None:
    trial.stop(test)
    ABTest.objects.update(stopped_at=at)


def named_units() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM endpoints_abunit")
        [[named]] = cursor.fetchall()
    return int(named)


@pytest.mark.parametrize("step", [1, 2, 1_000])
def test_the_units_of_a_test_go_once_it_is_over_for_as_long(
    tested: ABTest, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    monkeypatch.setattr(retention, "STEP", step)
    stop(tested, OLD)
    assert retention.find(days=90, now=NOW).units == 2 * UNITS
    assert (named_units(), LabelledUnit.objects.count()) == (UNITS, UNITS)
    assert retention.delete(days=90, now=NOW).units == 2 * UNITS
    assert (named_units(), LabelledUnit.objects.count()) == (0, 0)
    assert PredictionRequest.objects.count() == UNITS
    assert trial.traffic(tested)["control"]["units"] == UNITS
    assert Event.objects.get(verb="delete_requests").after["units"] == 2 * UNITS
    assert retention.delete(days=90, now=NOW).units == 0


def test_the_units_of_a_test_that_runs_or_ended_lately_stay(tested: ABTest) -> None:
    assert retention.delete(days=90, now=NOW).units == 0
    stop(tested, KEPT)
    assert retention.delete(days=90, now=NOW).units == 0
    assert retention.delete(days=0, now=NOW).units == 0
    assert (named_units(), LabelledUnit.objects.count()) == (UNITS, UNITS)


def test_units_alone_are_a_reason_to_sweep(tested: ABTest, settings: Any) -> None:
    settings.RAISIN_LOG_DAYS = 90
    stop(tested, OLD)
    assert retention.DailyJob()(lambda: NOW) == "swept"
    assert named_units() == 0
