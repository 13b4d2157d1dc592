"""Windows whose time is over: their last verdict, and what of them is let go."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from endpoints.models import DriftReport, Endpoint, FeatureDrift, Monitor
from endpoints.services.monitoring import closing, judging, tick
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
    shifted,
    training_rows,
)

pytestmark = pytest.mark.django_db
OVER = NOON + HOUR + 3 * SECOND
ROWS = 60


def look(endpoint: Endpoint, moment: datetime) -> tick.Ticked:
    return tick.tick(endpoint, at(moment))


@pytest.fixture
def doubtful(raisin: Endpoint) -> Endpoint:
    """Rows that are drift at the endpoint's alpha, and not at a tenth of it."""
    log(raisin, one_by_one(training_rows(ROWS)), every(SECOND, ROWS))
    look(raisin, NOON + HOUR)
    shifts = FeatureDrift.objects.filter(report__window="hour", effect__gte=0.1)
    smallest = min(shift.p_adjusted or 1.0 for shift in shifts.filter(kind="number"))
    DriftReport.objects.all().delete()
    Monitor.objects.update(log_cursor=None, alpha=min(0.5, 2 * smallest))
    return raisin


def test_an_open_window_needs_more_evidence_than_a_closed_one(doubtful: Endpoint) -> None:
    look(doubtful, NOON + HOUR)
    assert "drift" not in {report.verdict for report in DriftReport.objects.all()}
    look(doubtful, OVER)
    [hour], [day] = found(doubtful, "hour"), found(doubtful, "day")
    assert (hour.is_open, hour.verdict, day.is_open) == (False, "drift", True)
    assert hour.drifted == hour.columns.filter(verdict="drift", kind="number").count() > 0
    assert (hour.columns.count(), hour.n_rows, hour.computed_at) == (9, ROWS, OVER)
    assert day.verdict != "drift"


def test_a_window_by_count_is_judged_for_good_when_it_is_full(doubtful: Endpoint) -> None:
    Monitor.objects.update(window_rows=ROWS)
    look(doubtful, NOON + HOUR)
    [rows] = found(doubtful, "rows")
    assert (rows.is_open, rows.verdict) == (False, "drift")


@pytest.mark.parametrize(("rows", "verdict"), [(ROWS, "drift"), (9, "insufficient_data")])
def test_a_window_by_count_that_nothing_fills_ends_after_a_week(
    raisin: Endpoint, rows: int, verdict: str
) -> None:
    log(raisin, one_by_one(shifted(training_rows(rows))), every(SECOND, rows))
    last = NOON + (rows - 1) * SECOND
    look(raisin, NOON + HOUR)
    look(raisin, last + 7 * DAY + 2 * SECOND)
    [window] = found(raisin, "rows")
    assert window.is_open
    look(raisin, last + 7 * DAY + 3 * SECOND)
    [window] = found(raisin, "rows")
    assert (window.is_open, window.n_rows, window.end) == (False, rows, last)
    assert window.verdict == verdict


def test_a_window_that_ends_before_it_is_full_is_judged_for_good(doubtful: Endpoint) -> None:
    look(doubtful, NOON + HOUR)
    [before] = found(doubtful, "rows")
    look(doubtful, NOON + 8 * DAY)
    [after] = found(doubtful, "rows")
    assert (before.verdict != "drift", after.verdict) == (True, "drift")


def test_rows_that_come_after_all_begin_the_next_window(raisin: Endpoint) -> None:
    log(raisin, [training_rows(ROWS)], [NOON])
    look(raisin, NOON + HOUR)
    look(raisin, NOON + 8 * DAY)
    log(raisin, [training_rows(5)], [NOON + 8 * DAY])
    look(raisin, NOON + 8 * DAY + HOUR)
    windows = [(window.n_rows, window.is_open) for window in found(raisin, "rows")]
    assert windows == [(ROWS, False), (5, True)]


def test_a_version_that_still_answers_keeps_its_window(raisin: Endpoint) -> None:
    for number, moments in ((1, every(6 * DAY, 3)), (2, [NOON])):
        log(raisin, [training_rows(5)] * len(moments), moments, number=number)
    for days in (1, 7, 13):
        look(raisin, NOON + days * DAY)
    [live], [quiet] = found(raisin, "rows"), found(raisin, "rows", number=2)
    assert ((live.n_rows, live.is_open), quiet.is_open) == ((15, True), False)


def test_without_its_artefact_a_window_keeps_its_verdict(doubtful: Endpoint) -> None:
    look(doubtful, NOON + HOUR)
    [before] = found(doubtful, "hour")
    doubtful.versions.update(artifact_sha256="0" * 64)
    look(doubtful, OVER)
    [hour] = found(doubtful, "hour")
    assert (hour.is_open, hour.verdict) == (False, before.verdict)


def test_many_windows_are_closed_a_few_at_a_time(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = []
    store = judging.store

    def counted(judged: Any) -> None:
        together.append(len(judged))
        store(judged)

    log(raisin, one_by_one(training_rows(5)), every(HOUR, 5))
    look(raisin, NOON + SECOND)
    monkeypatch.setattr(closing, "WINDOWS_AT_ONCE", 2)
    monkeypatch.setattr(closing.judging, "store", counted)
    look(raisin, NOON + 5 * HOUR)
    assert not any(report.is_open for report in found(raisin, "hour")[:4])
    assert together[-2:] == [2, 2]


@pytest.mark.parametrize("meanwhile", ["rows", "settings"])
def test_what_came_meanwhile_is_not_lost(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    log(raisin, [training_rows(ROWS)], [NOON])
    look(raisin, NOON + HOUR)
    again = judging.judge_again

    def late(*given: Any, **options: Any) -> Any:
        monkeypatch.setattr(closing.judging, "judge_again", again)
        if meanwhile == "rows":
            log(raisin, [training_rows(5)], [NOON + 60 * SECOND])
            look(raisin, OVER)
        else:
            Monitor.objects.update(min_rows=1_000)
        return again(*given, **options)

    monkeypatch.setattr(closing.judging, "judge_again", late)
    assert not look(raisin, OVER).complete
    look(raisin, OVER)
    [hour] = found(raisin, "hour")
    if meanwhile == "rows":
        assert (hour.n_rows, hour.is_open) == (ROWS + 5, False)
    else:
        assert (hour.verdict, hour.is_open) == ("insufficient_data", False)


def test_summaries_are_dropped_with_checks_and_distributions(raisin: Endpoint) -> None:
    log(raisin, [training_rows(ROWS)], [NOON])
    look(raisin, NOON + HOUR)
    look(raisin, NOON + 9 * DAY)
    [hour], [day] = found(raisin, "hour"), found(raisin, "day")
    assert (hour.summary, day.summary is None) == (None, False)
    assert {(str(c.results), str(c.bins)) for c in hour.columns.all()} == {("[]", "{}")}
    assert all(c.results and c.bins for c in day.columns.filter(kind="number"))
    numbers = ("effect", "psi", "z_shift", "verdict")
    assert [*hour.columns.values_list(*numbers)] == [*day.columns.values_list(*numbers)]


def test_the_newest_reports_by_count_are_kept(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "REPORTS_BY_COUNT", 22)
    monkeypatch.setattr(closing, "STEP", 2)
    Monitor.objects.create(endpoint=raisin, window_rows=50)
    rows = training_rows(50)
    log(raisin, [rows] * 25, every(SECOND, 25))
    log(raisin, [rows], [NOON], number=2)
    look(raisin, NOON + HOUR)
    assert [report.start for report in found(raisin, "rows")] == every(
        SECOND, 22, since=NOON + 3 * SECOND
    )
    assert len(found(raisin, "rows", number=2)) == len(found(raisin, "hour")) == 1
    assert not FeatureDrift.objects.exclude(report__in=DriftReport.objects.all()).exists()
