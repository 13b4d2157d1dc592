"""Settings of monitoring: which windows they count for, and at which evidence."""

from __future__ import annotations

from typing import Any

import pytest

from endpoints.errors import InvalidRequest
from endpoints.models import DriftReport, Endpoint, Monitor
from endpoints.services.monitoring import configuring, tick
from tests import cast
from tests.endpoints.services.monitoring.traffic import (
    DAY,
    HOUR,
    NOON,
    at,
    found,
    log,
    training_rows,
)

pytestmark = pytest.mark.django_db


def configure(endpoint: Endpoint, moment: Any, **settings: Any) -> None:
    configuring.configure(endpoint=endpoint, settings=settings, actor=cast.SYSTEM, now=moment)


def test_windows_of_a_quiet_version_are_left_as_they_are(raisin: Endpoint) -> None:
    log(raisin, [training_rows(60)], [NOON])
    log(raisin, [training_rows(60)], [NOON + 6 * DAY], number=2)
    tick.tick(raisin, at(NOON + HOUR))
    tick.tick(raisin, at(NOON + 6 * DAY + HOUR))
    configure(raisin, NOON + 12 * DAY, min_rows=100)
    [quiet], [live] = (found(raisin, "rows", number=number) for number in (1, 2))
    assert (quiet.is_open, live.is_open) == (True, True)
    assert quiet.verdict != live.verdict == "insufficient_data"


def test_an_open_window_is_judged_as_open(raisin: Endpoint) -> None:
    log(raisin, [training_rows(60)], [NOON])
    tick.tick(raisin, at(NOON + HOUR))
    [hour] = found(raisin, "hour")
    shifts = hour.columns.filter(kind="number", effect__gte=0.01)
    smallest = min(shift.p_adjusted or 1.0 for shift in shifts)
    configure(raisin, NOON + HOUR, alpha=min(0.5, 2 * smallest), effect=0.0)
    assert "drift" not in {report.verdict for report in DriftReport.objects.all()}


@pytest.mark.parametrize("name", configuring.SETTINGS)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_setting_that_is_not_finite_is_refused_by_name(
    raisin: Endpoint, name: str, value: float
) -> None:
    with pytest.raises(InvalidRequest, match=f"^{name}: Give a finite number.$") as refused:
        configure(raisin, NOON, **{name: value})
    assert [cell.column for cell in refused.value.cells] == [name]
    assert not Monitor.objects.exists()


def test_what_is_out_of_bounds_is_named(raisin: Endpoint) -> None:
    with pytest.raises(InvalidRequest, match=r"min_rows: .*10.* alpha: .*0\.5"):
        configure(raisin, NOON, min_rows=9, alpha=0.6)
