"""The log looked through: each request is counted once, in every window that it lies in."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest

from endpoints.models import Alert, DriftReport, Endpoint, Monitor, StreamDetector
from endpoints.models.prediction import Source
from endpoints.services import feedback, logged_rows
from endpoints.services.alerts import rules
from endpoints.services.monitoring import configuring, tick
from mlcore.errors import DataError
from tests import cast
from tests.endpoints.protocols import berries
from tests.endpoints.services.monitoring.traffic import (
    DAY,
    HOUR,
    MONDAY,
    NOON,
    SECOND,
    at,
    every,
    found,
    log,
    one_by_one,
    shifted,
    training_rows,
)

pytestmark = pytest.mark.django_db
LATER = NOON + HOUR


def look(endpoint: Endpoint, moment=LATER) -> tick.Ticked:  # type: ignore[no-untyped-def]
    return tick.tick(endpoint, at(moment))


def test_it_works(raisin: Endpoint) -> None:
    log(raisin, one_by_one(training_rows(60)), every(SECOND, 60))
    ticked = look(raisin)
    assert (ticked.requests, ticked.rows, ticked.windows, ticked.complete) == (60, 60, 4, True)
    [hour], [day], [week], [rows] = (found(raisin, w) for w in ("hour", "day", "week", "rows"))
    assert {report.n_rows for report in (hour, day, week, rows)} == {60}
    assert (hour.start, hour.end) == (NOON, NOON + HOUR)
    assert (day.start, day.end) == (NOON - 12 * HOUR, NOON + 12 * HOUR)
    assert (week.start, week.end) == (MONDAY, MONDAY + 7 * DAY)
    assert (rows.start, rows.end) == (NOON, NOON + 59 * SECOND)
    assert (day.drifted, day.features) == (0, 7)
    assert [c.name for c in day.columns.all()][-2:] == ["score", "prediction"]


def test_looking_again_changes_nothing(raisin: Endpoint) -> None:
    log(raisin, one_by_one(training_rows(60)), every(SECOND, 60))
    look(raisin)
    before = list(DriftReport.objects.values())
    assert look(raisin).requests == 0
    assert list(DriftReport.objects.values()) == before


def test_windows_grow_as_if_all_rows_had_come_at_once(raisin: Endpoint) -> None:
    requests = one_by_one(shifted(training_rows(90)))
    log(raisin, requests[:50], every(SECOND, 50))
    look(raisin, NOON + 60 * SECOND)
    log(raisin, requests[50:], every(SECOND, 40, since=NOON + 100 * SECOND))
    look(raisin)
    in_steps = [summary_of(report) for report in DriftReport.objects.order_by("window")]
    DriftReport.objects.all().delete()
    Monitor.objects.all().delete()
    look(raisin)
    assert [summary_of(report) for report in DriftReport.objects.order_by("window")] == in_steps


def summary_of(report: DriftReport) -> tuple[object, ...]:
    columns = report.columns.values_list("name", "verdict", "missing", "out_of_range", "bins")
    return report.window, report.start, report.n_rows, report.drifted, list(columns)


def test_a_shift_is_found_and_named(raisin: Endpoint) -> None:
    log(raisin, one_by_one(shifted(training_rows(200))), every(SECOND, 200))
    look(raisin)
    [day] = found(raisin, "day")
    area = day.columns.get(name="Area")
    assert (day.verdict, area.verdict) == ("drift", "drift")
    assert area.effect is not None
    assert area.effect > 0.5
    assert area.p_adjusted is not None
    assert area.p_adjusted < 0.01
    assert area.z_shift is not None
    assert area.z_shift > 0.5
    assert day.columns.get(name="Extent").verdict == "no_drift"
    assert sum(area.bins["live"]) == pytest.approx(1.0)


def test_too_few_rows_tell_nothing(raisin: Endpoint) -> None:
    log(raisin, one_by_one(shifted(training_rows(49), factor=3)), every(SECOND, 49))
    look(raisin)
    assert {report.verdict for report in DriftReport.objects.all()} == {"insufficient_data"}


def test_hours_days_and_weeks_have_their_own_rows(raisin: Endpoint) -> None:
    moments = [MONDAY + 7 * DAY - SECOND, MONDAY + 7 * DAY, MONDAY + 7 * DAY + HOUR]
    log(raisin, one_by_one(training_rows(3)), moments)
    look(raisin, moments[-1] + 2 * HOUR)
    assert [r.n_rows for r in found(raisin, "hour")] == [1, 1, 1]
    assert [r.n_rows for r in found(raisin, "day")] == [1, 2]
    assert [r.n_rows for r in found(raisin, "week")] == [1, 2]
    assert [r.start for r in found(raisin, "week")] == [MONDAY, MONDAY + 7 * DAY]


def test_a_window_by_count_ends_with_the_request_that_fills_it(raisin: Endpoint) -> None:
    Monitor.objects.create(endpoint=raisin, window_rows=50)
    rows = training_rows(130)
    requests = [rows[:30], rows[30:60], rows[60:100], rows[100:]]
    log(raisin, requests[:3], every(SECOND, 3))
    look(raisin, NOON + 30 * SECOND)
    log(raisin, requests[3:], [NOON + 60 * SECOND])
    look(raisin)
    first, second = found(raisin, "rows")
    assert (first.n_rows, first.start, first.end) == (60, NOON, NOON + SECOND)
    assert (second.n_rows, second.start) == (70, NOON + 2 * SECOND)
    assert (second.end, second.is_open) == (NOON + 60 * SECOND, False)


def test_requests_of_one_moment_may_fill_many_windows(raisin: Endpoint) -> None:
    Monitor.objects.create(endpoint=raisin, window_rows=50)
    log(raisin, [training_rows(50)] * 3, [NOON] * 3)
    look(raisin)
    assert [r.n_rows for r in found(raisin, "rows")] == [50, 50, 50]


def test_each_version_has_windows_of_its_own(raisin: Endpoint) -> None:
    for number in (1, 2, 1):
        log(raisin, [training_rows(10)], [NOON + number * SECOND], number=number)
    assert look(raisin).windows == 8
    assert [r.n_rows for r in found(raisin, "day", number=1)] == [20]
    assert [r.n_rows for r in found(raisin, "day", number=2)] == [10]


def test_what_people_try_by_hand_is_left_out(raisin: Endpoint) -> None:
    log(raisin, [training_rows(10)], [NOON], source=Source.TRY)
    assert look(raisin).requests == 0
    assert not DriftReport.objects.exists()


def test_categories_and_missing_cells_are_counted(db: None) -> None:
    endpoint = berries.endpoint()
    rows = [[87_524.0, "red", 1_184.0], [None, "dark", 1_184.0], [None, "red", 9e9]]
    log(endpoint, [rows, rows], [NOON, NOON + SECOND])
    look(endpoint)
    area, colour, perimeter = found(endpoint, "day")[0].columns.all()[:3]
    assert (area.missing, area.out_of_range) == (4, 0)
    assert (colour.missing, colour.unseen) == (0, 0)
    assert (perimeter.missing, perimeter.out_of_range) == (0, 2)
    assert dict(zip(colour.bins["levels"], colour.bins["live"], strict=True)) == {
        "dark": pytest.approx(1 / 3),
        "red": pytest.approx(2 / 3),
    }


def test_the_newest_seconds_are_left_for_the_next_time(raisin: Endpoint) -> None:
    log(raisin, one_by_one(training_rows(2)), [NOON, NOON + 4 * SECOND])
    assert look(raisin, NOON + 5 * SECOND).requests == 1
    assert look(raisin, NOON + 8 * SECOND).requests == 1


def test_the_first_look_goes_back_seven_days(raisin: Endpoint) -> None:
    log(raisin, one_by_one(training_rows(2)), [LATER - 8 * DAY, LATER - 6 * DAY])
    assert look(raisin).requests == 1
    assert not found(raisin, "day")[0].is_open


def test_blocks_add_up(raisin: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logged_rows, "ROWS", 7)
    log(raisin, one_by_one(training_rows(50)), every(timedelta(minutes=5), 50))
    ticked = look(raisin, NOON + 10 * HOUR)
    assert (ticked.requests, ticked.complete) == (50, True)
    assert [r.n_rows for r in found(raisin, "hour")] == [12, 12, 12, 12, 2]
    assert [r.n_rows for r in found(raisin, "day")] == [50]


def test_a_block_holds_a_day_at_most(raisin: Endpoint) -> None:
    log(raisin, one_by_one(training_rows(49)), every(timedelta(minutes=30), 49))
    first = tick.tick(raisin, at(NOON + 2 * DAY), most_blocks=1)
    assert (first.requests, first.has_more, first.complete) == (48, True, False)
    rest = look(raisin, NOON + 2 * DAY)
    assert (rest.requests, rest.blocks, rest.complete) == (1, 1, True)


def test_a_block_fills_no_more_windows_than_fit_into_memory(raisin: Endpoint) -> None:
    Monitor.objects.create(endpoint=raisin, window_rows=50)
    rows = training_rows(25)
    log(raisin, [rows] * 100, every(SECOND, 100))
    blocks = []
    while (ticked := tick.tick(raisin, at(LATER), most_blocks=1)).has_more:
        blocks.append((ticked.rows, ticked.windows))
    assert blocks == [(1_200, 24 + 3), (1_200, 24 + 3), (100, 2 + 3)]
    assert [report.n_rows for report in found(raisin, "rows")] == [50] * 50


def test_it_stops_after_as_many_blocks_as_are_asked_for(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logged_rows, "ROWS", 7)
    log(raisin, one_by_one(training_rows(14)), every(SECOND, 14))
    assert not tick.tick(raisin, at(LATER), most_blocks=2).complete
    assert tick.tick(raisin, at(LATER), most_blocks=2).complete


def test_a_version_that_cannot_be_loaded_is_skipped(
    raisin: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    log(raisin, [training_rows(10)], [NOON])
    log(raisin, [training_rows(10)], [NOON + SECOND], number=2)
    raisin.versions.filter(number=1).update(artifact_sha256="0" * 64)
    with caplog.at_level(logging.WARNING):
        ticked = look(raisin)
    assert (ticked.requests, ticked.skipped, ticked.windows) == (2, 10, 4)
    assert "v1 is not monitored" in caplog.text
    assert look(raisin).requests == 0


def test_requests_wait_for_a_version_whose_file_may_come_back(raisin: Endpoint) -> None:
    log(raisin, [training_rows(10)], [NOON])
    version = raisin.versions.get(number=1)
    raisin.versions.filter(number=1).update(artifact_sha256="0" * 64)
    away = look(raisin, NOON + 60 * SECOND)
    assert (away.complete, away.requests, away.skipped) == (False, 0, 0)
    raisin.versions.filter(number=1).update(artifact_sha256=version.artifact_sha256)
    back = look(raisin, NOON + 120 * SECOND)
    assert (back.complete, back.rows, back.skipped) == (True, 10, 0)


def test_rows_that_cannot_be_read_hold_up_nothing(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    log(raisin, [training_rows(10)], [NOON])
    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING):
        patched.setattr(tick.watching, "grow", refuse)
        assert look(raisin, NOON + 10 * SECOND).skipped == 10
    assert "the columns are of another length" in caplog.text
    log(raisin, [training_rows(5)], [NOON + 60 * SECOND])
    assert look(raisin).skipped == 0
    assert {report.n_rows for report in DriftReport.objects.all()} == {5}


def refuse(*_: object) -> None:
    raise DataError("the columns are of another length")


def test_a_summary_that_cannot_be_read_is_begun_anew(raisin: Endpoint) -> None:
    log(raisin, [training_rows(10)], [NOON])
    look(raisin, NOON + 10 * SECOND)
    DriftReport.objects.update(summary=b"\x63 of another release")
    log(raisin, [training_rows(5)], [NOON + 60 * SECOND])
    look(raisin)
    assert {report.n_rows for report in DriftReport.objects.all()} == {5}


def test_windows_close_when_their_time_is_over(raisin: Endpoint) -> None:
    log(raisin, [training_rows(10)], [NOON])
    look(raisin, NOON + HOUR)
    assert [r.is_open for r in found(raisin, "hour")] == [True]
    look(raisin, NOON + HOUR + 3 * SECOND)
    assert [r.is_open for r in found(raisin, "hour")] == [False]
    assert [r.is_open for r in found(raisin, "day")] == [True]


def test_summaries_are_dropped_and_verdicts_stay(raisin: Endpoint) -> None:
    Monitor.objects.create(endpoint=raisin, window_rows=50)
    log(raisin, [training_rows(50)] * 25, every(SECOND, 25))
    look(raisin)
    look(raisin, NOON + 9 * DAY)
    kept = {w: [r.summary is not None for r in found(raisin, w)] for w in ("hour", "day", "rows")}
    assert kept == {"hour": [False], "day": [True], "rows": [False] * 5 + [True] * 20}
    assert found(raisin, "hour")[0].verdict == found(raisin, "day")[0].verdict != ""


def test_somebody_who_was_faster_has_done_the_work(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    log(raisin, [training_rows(10)], [NOON])
    judge = tick.judging.judge

    def late(*arguments):  # type: ignore[no-untyped-def]
        monkeypatch.setattr(tick.judging, "judge", judge)
        look(raisin)
        return judge(*arguments)

    monkeypatch.setattr(tick.judging, "judge", late)
    assert not look(raisin).complete
    assert {report.n_rows for report in DriftReport.objects.all()} == {10}


def test_settings_that_changed_meanwhile_are_judged_by(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    log(raisin, one_by_one(shifted(training_rows(60))), every(SECOND, 60))
    judge = tick.judging.judge

    def late(*arguments: Any) -> Any:
        monkeypatch.setattr(tick.judging, "judge", judge)
        settings = {"min_rows": 100}
        configuring.configure(endpoint=raisin, settings=settings, actor=cast.SYSTEM, now=LATER)
        return judge(*arguments)

    monkeypatch.setattr(tick.judging, "judge", late)
    assert not look(raisin).complete
    assert not DriftReport.objects.exists()
    assert look(raisin).complete
    assert {report.verdict for report in DriftReport.objects.all()} == {"insufficient_data"}


def test_a_fault_in_the_labels_keeps_no_alert_back(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules.add_default(raisin, actor=cast.SYSTEM, now=cast.THEN)
    log(raisin, one_by_one(shifted(training_rows(1_000))), every(SECOND, 1_000))
    monkeypatch.setattr(tick.label_stream, "feed", refuse)
    with pytest.raises(DataError, match="another length"):
        look(raisin)
    assert Alert.objects.get(rule__endpoint=raisin).state == "firing"


def test_drift_and_labels_are_acted_on_at_once(raisin: Endpoint) -> None:
    rules.add_default(raisin, actor=cast.SYSTEM, now=cast.THEN)
    ids = log(raisin, one_by_one(shifted(training_rows(1_000))), every(SECOND, 1_000))
    request = raisin.requests.get(pk=ids[0])
    feedback.record(request=request, row=0, label="Besni", actor=cast.SYSTEM, now=NOON)
    look(raisin)
    alert = Alert.objects.get(rule__endpoint=raisin)
    assert (alert.state, alert.value) == ("firing", 1)
    assert {detector.fed for detector in StreamDetector.objects.all()} == {1}
