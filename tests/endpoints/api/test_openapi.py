"""The OpenAPI document: committed, current, complete, and readable without a key."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import call_command
from rest_framework.test import APIClient

from endpoints.api import openapi
from endpoints.api.urls import urlpatterns
from tests.endpoints.api.client import problem_in

COMMITTED = settings.BASE_DIR / "docs" / "openapi.yaml"
METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi.document()


def test_the_committed_document_is_current(tmp_path: Path) -> None:
    """If it is not: `manage.py openapi`, and look at the difference."""
    file = tmp_path / "openapi.yaml"
    call_command("openapi", str(file), stdout=io.StringIO())
    assert file.read_text() == COMMITTED.read_text()


def test_it_is_served_to_everyone(api: APIClient, db: None) -> None:
    response = api.get("/api/v1/openapi.yaml")
    assert (response.status_code, response["Content-Type"]) == (200, "application/yaml")
    assert response.content == COMMITTED.read_bytes()


def test_it_refuses_a_parameter(api: APIClient, db: None) -> None:
    problem_in(api.get("/api/v1/openapi.yaml?format=json"), 400, "invalid_request")


def test_what_is_written_is_what_was_meant(document: dict[str, Any]) -> None:
    assert yaml.safe_load(COMMITTED.read_text()) == document


def test_every_method_of_every_route_is_described(document: dict[str, Any]) -> None:
    assert len(document["paths"]) == len(urlpatterns)
    for pattern, item in zip(urlpatterns, document["paths"].values(), strict=True):
        view = pattern.callback.view_class  # type: ignore[attr-defined]
        assert {m for m in METHODS if hasattr(view, m)} == METHODS & item.keys(), pattern


def test_operations_have_names_of_their_own(document: dict[str, Any]) -> None:
    names = [
        operation["operationId"]
        for item in document["paths"].values()
        for method, operation in item.items()
        if method in METHODS
    ]
    assert len(names) == len(set(names)) > 40


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def references(value: Any) -> set[str]:
        if isinstance(value, dict):
            own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
            return own.union(*map(references, value.values()))
        return set().union(*map(references, value)) if isinstance(value, list) else set()

    known = {
        f"#/components/{kind}/{name}"
        for kind, entries in document["components"].items()
        for name in entries
    }
    used = references(document)
    assert used <= known
    assert {name for name in known - used if "securitySchemes" not in name} == set()
