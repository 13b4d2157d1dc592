"""`manage.py tick`: one look at all endpoints or at one, and the worker that does it each minute."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.utils import timezone

from endpoints.management.commands import work
from endpoints.models import DriftReport, Endpoint, Run
from endpoints.services import housekeeping, installation, logged_rows
from endpoints.services.monitoring import tick
from tests import cast
from tests.endpoints.services.clock import Clock
from tests.endpoints.services.monitoring.traffic import SECOND, log, training_rows

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def logged(raisin: Endpoint) -> Endpoint:
    log(raisin, [training_rows(60)], [timezone.now() - 10 * SECOND])
    return raisin


def ticked(*options: str) -> str:
    out = StringIO()
    call_command("tick", *options, stdout=out)
    return out.getvalue()


def test_it_works(logged: Endpoint) -> None:
    facts = {"endpoint": "raisin", "requests": 1, "rows": 60, "skipped": 0, "complete": True}
    assert json.loads(ticked("--json")) == {"endpoints": [facts | {"windows": 4}]}
    nothing = {"requests": 0, "rows": 0, "windows": 0}
    assert json.loads(ticked("--json")) == {"endpoints": [facts | nothing]}
    assert DriftReport.objects.count() == 4


def test_it_says_what_it_did(logged: Endpoint) -> None:
    cast.an_endpoint("grape")
    assert ticked() == (
        "grape: 0 new requests, 0 rows, 0 windows\nraisin: 1 new requests, 60 rows, 4 windows\n"
    )


def test_it_looks_at_one_endpoint(logged: Endpoint) -> None:
    cast.an_endpoint("grape")
    [found] = json.loads(ticked("--json", "--endpoint", "grape"))["endpoints"]
    assert found["endpoint"] == "grape"
    assert not DriftReport.objects.exists()


def test_it_tidies_what_processes_left(raisin: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    swept: list[datetime] = []
    monkeypatch.setattr(housekeeping, "sweep", swept.append)
    Run.objects.update(state="running", worker="host:1:x", heartbeat_at=timezone.now() - HOUR)
    ticked()
    assert {run.state for run in Run.objects.all()} == {"failed"}
    assert len(swept) == 1


def test_it_refuses_an_endpoint_that_is_not_there(db: None) -> None:
    with pytest.raises(CommandError, match="no endpoint “grape”"):
        ticked("--endpoint", "grape")


def test_it_refuses_a_database_that_is_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "pending_migrations", lambda: True)
    with pytest.raises(CommandError, match="prepare"):
        ticked()


def test_one_endpoint_that_fails_stops_no_other(
    logged: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    cast.an_endpoint("grape")
    look = tick.tick

    def odd(endpoint: Endpoint, clock: Any, **options: Any) -> tick.Ticked:
        if endpoint.slug == "grape":
            raise ValueError("a grape is no raisin")
        return look(endpoint, clock, **options)

    monkeypatch.setattr(tick, "tick", odd)
    with pytest.raises(CommandError, match="grape: a grape is no raisin"):
        ticked()
    assert DriftReport.objects.count() == 4


def test_a_database_that_is_away_is_no_fault_of_an_endpoint(
    logged: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> Any:
        raise OperationalError("the server closed the connection")

    def failing(*given: Any, **__: Any) -> Any:
        monkeypatch.setattr(connection, "cursor", away)
        away(*given)

    monkeypatch.setattr(tick, "tick", failing)
    job = tick.MinuteJob()
    with pytest.raises(OperationalError):
        job(timezone.now)


def test_one_endpoint_that_the_database_refuses_stops_no_other(
    logged: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    cast.an_endpoint("grape")
    look = tick.tick

    def slow(endpoint: Endpoint, clock: Any, **options: Any) -> tick.Ticked:
        if endpoint.slug == "grape":
            raise OperationalError("canceling statement due to statement timeout")
        return look(endpoint, clock, **options)

    monkeypatch.setattr(tick, "tick", slow)
    job = tick.MinuteJob(Clock())
    assert [job(timezone.now) for _ in range(3)] == ["unfinished", "looked", None]
    assert DriftReport.objects.count() == 4


def test_the_worker_looks_at_the_endpoints_in_turn(
    logged: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    cast.an_endpoint("zante")
    monkeypatch.setattr(logged_rows, "ROWS", 60)
    log(logged, [training_rows(60)] * 2, [timezone.now() - 5 * SECOND] * 2)
    looked_at = []
    look = tick.tick

    def noted(endpoint: Endpoint, clock: Any, **options: Any) -> tick.Ticked:
        looked_at.append(endpoint.slug)
        return look(endpoint, clock, **options)

    monkeypatch.setattr(tick, "tick", noted)
    job = tick.MinuteJob(Clock())
    while job(timezone.now):
        pass
    assert looked_at == ["raisin", "zante", "raisin", "raisin", "raisin"]


def test_the_worker_looks_once_a_minute(logged: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    job = tick.MinuteJob(clock)
    assert (job(timezone.now), job(timezone.now)) == ("looked", None)
    log(logged, [training_rows(60)], [timezone.now() - 5 * SECOND])
    clock.now += 59
    assert job(timezone.now) is None
    clock.now += 1
    assert (job(timezone.now), job(timezone.now)) == ("looked", None)
    clock.now += 60
    assert job(timezone.now) is None
    assert isinstance(work.CHORES["monitoring"], tick.MinuteJob)


def test_the_worker_takes_a_block_at_a_time(
    logged: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logged_rows, "ROWS", 100)
    log(logged, [training_rows(60)] * 4, [timezone.now() - 5 * SECOND] * 4)
    job = tick.MinuteJob(Clock())
    outcomes = [job(timezone.now) for _ in range(5)]
    assert outcomes == ["looked", "looked", "looked", None, None]
    assert {report.n_rows for report in DriftReport.objects.filter(window="day")} == {300}


def test_the_worker_leaves_an_endpoint_that_fails_for_the_next_minute(
    logged: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def odd(*_: Any, **__: Any) -> tick.Ticked:
        raise ValueError("a grape is no raisin")

    clock = Clock()
    job = tick.MinuteJob(clock)
    with monkeypatch.context() as patched:
        patched.setattr(tick, "tick", odd)
        assert (job(timezone.now), job(timezone.now)) == ("unfinished", None)
    clock.now += 60
    assert job(timezone.now) == "looked"
