"""Liveness needs nothing; readiness says what is missing."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from endpoints.models import Endpoint
from endpoints.services import installation, serving
from mlcore.errors import ArtifactError
from raisin_site import health


def test_liveness_touches_no_database(client: Client) -> None:
    """Without the database fixture a query would raise."""
    response = client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "OK"})


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
@pytest.mark.django_db
def test_probes_may_call_by_address(client: Client, path: str) -> None:
    assert client.get(path, headers={"host": "10.1.2.3:8000"}).status_code == 200


@pytest.mark.django_db
def test_an_empty_installation_is_ready(client: Client) -> None:
    body = client.get("/readyz").json()
    assert body["status"] == "OK"
    assert body["checks"]["models"] == "No version is in production yet."


def test_a_loadable_production_model_is_ready(client: Client, raisin: Endpoint) -> None:
    assert client.get("/readyz").json()["checks"]["models"] == "OK"


def test_readiness_asks_little(
    client: Client, raisin: Endpoint, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client.get("/readyz")
    with django_assert_max_num_queries(4):
        client.get("/readyz")


def test_an_unloadable_production_model_is_not_ready(
    client: Client, raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(version: object) -> None:
        raise ArtifactError("the checksum differs")

    monkeypatch.setattr(serving.models, "get", refuse)
    response = client.get("/readyz")
    assert response.status_code == 503
    assert raisin.slug in response.json()["checks"]["models"]


@pytest.mark.django_db
def test_a_database_behind_the_code_is_not_ready(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_all_migrated", False)
    monkeypatch.setattr(installation, "pending_migrations", lambda: True)
    response = client.get("/readyz")
    assert response.status_code == 503
    assert "manage.py prepare" in response.json()["checks"]["migrations"]


def test_a_silent_database_is_not_ready(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise DatabaseError("no route")

    monkeypatch.setattr(connection, "cursor", refuse)
    response = client.get("/readyz")
    assert response.status_code == 503
    assert "does not answer" in response.json()["checks"]["database"]
