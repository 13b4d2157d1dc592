"""Settings of monitoring: which windows they count for, and at which evidence."""

from __future__ import annotations

from typing import Any

import pytest

from endpoints.models import DriftReport, Endpoint
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
    log(raisin, [training_rows(60)], [NOON + 20 * DAY], number=2)
    tick.tick(raisin, at(NOON + HOUR))
    tick.tick(raisin, at(NOON + 20 * DAY + HOUR))
    configure(raisin, NOON + 20 * DAY + HOUR, min_rows=100)
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
