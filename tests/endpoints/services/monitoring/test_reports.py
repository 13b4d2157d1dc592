"""Finding reports: the newest days of what is in production, and the requests that each speaks of."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest

from endpoints.errors import NotFound
from endpoints.filters import PredictionFilter
from endpoints.models import Endpoint
from endpoints.services import lifecycle
from endpoints.services.monitoring import reports, tick
from tests.endpoints.services.decisions import decision
from tests.endpoints.services.monitoring.traffic import (
    DAY,
    HOUR,
    NOON,
    SECOND,
    at,
    every,
    log,
    one_by_one,
    training_rows,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def watched(raisin: Endpoint) -> Endpoint:
    """v1 answered on two days and v2 on the second."""
    log(raisin, one_by_one(training_rows(10)), every(SECOND, 10))
    log(raisin, one_by_one(training_rows(10)), every(SECOND, 10, since=NOON + DAY))
    log(raisin, one_by_one(training_rows(3)), every(SECOND, 3, since=NOON + DAY + HOUR), number=2)
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


def test_todays_are_one_a_version_in_production(watched: Endpoint) -> None:
    [today] = reports.todays()
    assert (today.report.version.number, today.report.n_rows, today.accuracy) == (1, 10, None)
    assert (today.report.window, today.report.start) == ("day", NOON + DAY - 12 * HOUR)
    lifecycle.promote(version=watched.versions.get(number=2), decision=decision(seen=1))
    [today] = reports.todays()
    assert (today.report.version.number, today.report.n_rows) == (2, 3)


def test_todays_leave_what_is_large_in_the_database(watched: Endpoint) -> None:
    [today] = reports.todays()
    assert today.report.get_deferred_fields() == {"summary", "impact"}
    assert {
        name for column in today.report.columns.all() for name in column.get_deferred_fields()
    } == {"results", "bins"}
