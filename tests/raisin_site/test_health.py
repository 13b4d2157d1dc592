"""Liveness needs nothing; readiness says what is missing, and is asked of the database once a second."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from endpoints.errors import LogUnavailable
from endpoints.models import Endpoint
from endpoints.services import artifacts, installation, lifecycle, request_log
from endpoints.services.request_log import RequestLog
from endpoints.services.snapshots import ModelCache, Snapshots
from endpoints.services.transitions import Decision
from raisin_site import readiness
from raisin_site.readiness import Check, Remembered
from tests import cast


@pytest.fixture(autouse=True)
def a_log_that_has_seen_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_log, "_log", None)


def lose(endpoint: Endpoint, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Delete the artefact of a version, which no process has loaded yet."""
    monkeypatch.setattr("endpoints.services.snapshots.models", ModelCache(4))
    shutil.rmtree(artifacts.folder(endpoint.versions.get(number=number)))


def test_liveness_touches_no_database(client: Client) -> None:
    """Without the database fixture a query would raise."""
    response = client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "OK"})


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"])
@pytest.mark.django_db
def test_probes_may_call_by_address(client: Client, path: str) -> None:
    assert client.get(path, headers={"host": "10.1.2.3:8000"}).status_code == 200


@pytest.mark.django_db
def test_clients_of_the_open_inference_protocol_are_told_in_its_words(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    monkeypatch.setattr(readiness, "checks", lambda: [Check("database", False)])
    response = client.get("/v2/health/ready", headers={"Authorization": "Bearer wrong"})
    assert (response.status_code, response.json()) == (503, {"ready": False})


@pytest.mark.django_db
def test_an_empty_installation_is_ready(client: Client) -> None:
    body = client.get("/readyz").json()
    assert body["status"] == "OK"
    assert body["checks"]["models"] == "No version is in production yet."


def test_a_loadable_production_model_is_ready(client: Client, raisin: Endpoint) -> None:
    assert client.get("/readyz").json()["checks"] == dict.fromkeys(
        ("database", "migrations", "log", "models"), "OK"
    )


def test_readiness_asks_little(
    client: Client, raisin: Endpoint, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client.get("/readyz")
    with django_assert_max_num_queries(4):
        client.get("/readyz")


@pytest.mark.django_db
def test_what_was_found_holds_for_a_second(
    client: Client,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    settings.RAISIN_REFRESH_SECONDS = 60.0
    monkeypatch.setattr(readiness, "snapshots", Snapshots())
    now = [100.0]
    monkeypatch.setattr(readiness, "checks", Remembered(readiness.examine, lambda: now[0]))
    client.get("/readyz")
    now[0] += 0.9
    with django_assert_num_queries(0):
        assert client.get("/readyz").status_code == 200
    now[0] += 0.2
    monkeypatch.setattr(connection, "cursor", refuse)
    assert client.get("/readyz").status_code == 503


def test_an_unloadable_production_model_is_not_ready(
    client: Client, raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose(raisin, 1, monkeypatch)
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"]["models"] == "The production model does not load at: raisin."


def test_one_broken_endpoint_of_two_is_named_and_no_more(
    client: Client, raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = cast.an_endpoint("grape")
    cast.registered_version(other, status="production")
    lose(raisin, 1, monkeypatch)
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json()["checks"]["models"] == "The production model does not load at: raisin."


def test_an_older_version_that_answers_is_ready(
    client: Client, raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    decision = Decision(actor=cast.SYSTEM, now=cast.THEN, reason=cast.REASON)
    lifecycle.promote(version=raisin.versions.get(number=2), decision=decision)
    lose(raisin, 2, monkeypatch)
    response = client.get("/readyz")
    assert response.status_code == 200
    assert "An older version answers" in response.json()["checks"]["models"]


@pytest.mark.django_db
def test_a_log_that_cannot_be_written_is_not_ready_until_it_can(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RequestLog, "has_just_failed", True)
    response = client.get("/readyz")
    assert response.status_code == 503
    assert "cannot be written" in response.json()["checks"]["log"]


class FullDisk:
    def write(self, *_: object) -> None:
        raise DatabaseError("database or disk is full")


def test_the_log_remembers_a_failure_until_it_is_written_again(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = request_log.log()
    with monkeypatch.context() as broken, pytest.raises(LogUnavailable):
        broken.setattr(log, "_tables", FullDisk())
        cast.prediction(raisin)
    assert log.has_just_failed
    cast.prediction(raisin)
    assert not log.has_just_failed


@pytest.mark.django_db
@pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
def test_a_file_that_may_not_be_written_is_not_ready(
    client: Client, settings: Any, tmp_path: Path
) -> None:
    databases = settings.DATABASES
    log = {"NAME": str(tmp_path / "gone" / "log.sqlite3"), "PRAGMAS": ()}
    settings.DATABASES = {"default": databases["default"] | {"LOG": log}}
    assert client.get("/readyz").status_code == 503


@pytest.mark.django_db
@pytest.mark.parametrize(("waiting", "status"), [(899, 200), (900, 503)])
def test_a_log_that_falls_behind_is_not_ready(
    client: Client, monkeypatch: pytest.MonkeyPatch, waiting: int, status: int
) -> None:
    monkeypatch.setattr(RequestLog, "depth", waiting)
    assert client.get("/readyz").status_code == status


@pytest.mark.django_db
def test_a_database_behind_the_code_is_not_ready(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "_all_migrated", False)
    monkeypatch.setattr(installation, "pending_migrations", lambda: True)
    response = client.get("/readyz")
    assert response.status_code == 503
    assert "manage.py prepare" in response.json()["checks"]["migrations"]


def refuse() -> None:
    raise DatabaseError("no route")


def test_a_silent_database_is_not_ready(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "cursor", refuse)
    response = client.get("/readyz")
    assert response.status_code == 503
    assert "does not answer" in response.json()["checks"]["database"]
