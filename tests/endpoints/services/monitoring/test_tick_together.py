"""Several processes look through one log at once, or are killed midway: every row is counted once."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable

import pytest
from django.db import connection, connections

from endpoints.models import DriftReport, Endpoint, Monitor
from endpoints.services import logged_rows
from endpoints.services.monitoring import tick
from tests.endpoints.services.killed import killed_at
from tests.endpoints.services.monitoring.traffic import (
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

pytestmark = pytest.mark.django_db(transaction=True)
PROCESSES, ROUNDS, ROWS = 4, 3, 90


def together(count: int, act: Callable[[], object]) -> None:
    """Do it in so many processes at once; all must end well."""
    connections.close_all()
    if connection.vendor == "postgresql":
        connection.close_pool()  # type: ignore[attr-defined]
    children = [child for _ in range(count) if (child := _begin(act))]
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert codes == [0] * count, "a process failed; its traceback is above"


def _begin(act: Callable[[], object]) -> int:
    """Return the child's id; the child itself never returns into the test."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        act()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def counted(endpoint: Endpoint) -> dict[str, int]:
    """Return the rows in all windows, by their kind."""
    kinds = ("hour", "day", "week", "rows")
    return {kind: sum(report.n_rows for report in found(endpoint, kind)) for kind in kinds}


def test_each_row_is_counted_once(raisin: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logged_rows, "ROWS", 10)
    Monitor.objects.create(endpoint=raisin, window_rows=50)
    requests = one_by_one(training_rows(ROUNDS * ROWS))
    for number in range(ROUNDS):
        begin = NOON + number * HOUR
        log(raisin, requests[number * ROWS :][:ROWS], every(SECOND, ROWS, since=begin))
        moment = at(begin + HOUR)
        together(PROCESSES, lambda moment=moment: tick.tick(raisin, moment))  # type: ignore[misc]
        tick.tick(raisin, moment)
    total = ROUNDS * ROWS
    assert counted(raisin) == {"hour": total, "day": total, "week": total, "rows": total}
    assert [report.n_rows for report in found(raisin, "hour")] == [ROWS] * ROUNDS
    assert all(report.columns.count() == 9 for report in DriftReport.objects.all())


def test_a_killed_look_is_taken_up_by_the_next(raisin: Endpoint) -> None:
    requests = one_by_one(training_rows(30))
    point, logged = 0, 0
    ended = False
    while not ended:
        point += 1
        log(raisin, requests[:3], every(SECOND, 3, since=NOON + point * 10 * SECOND))
        logged += 3
        ended = killed_at(point, lambda: tick.tick(raisin, at(NOON + HOUR)))
    tick.tick(raisin, at(NOON + HOUR))
    assert point > 10
    assert counted(raisin) == {"hour": logged, "day": logged, "week": logged, "rows": logged}
