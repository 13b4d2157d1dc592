"""Which version answers: the one in production, or the one that the query names."""

from __future__ import annotations

import pytest
from django.http import HttpResponse
from rest_framework.test import APIClient

from endpoints.models import Endpoint, Status
from tests.cast import ROW, an_endpoint, registered_version
from tests.endpoints.api.client import PREDICT, post, problem_in

pytestmark = pytest.mark.django_db


def ask(api: APIClient, query: str) -> HttpResponse:
    return post(api, f"{PREDICT}?{query}", ROW)


@pytest.mark.parametrize(
    ("query", "version"),
    [
        ("", 1),
        ("status=production", 1),
        ("status=staging", 2),
        ("version=1", 1),
        ("version=2", 2),
        ("version=v2", 2),
        ("version=2&status=staging", 2),
    ],
)
def test_it_works(api: APIClient, raisin: Endpoint, query: str, version: int) -> None:
    assert ask(api, query).json()["version"] == version


def test_the_versions_differ(api: APIClient, raisin: Endpoint) -> None:
    first, second = (ask(api, f"version={n}").json()["probability"] for n in (1, 2))
    assert first != second


def test_of_two_in_one_status_the_newest_answers(api: APIClient, raisin: Endpoint) -> None:
    registered_version(raisin, status=Status.STAGING)
    assert ask(api, "status=staging").json()["version"] == 3


@pytest.mark.parametrize(
    "query", ["status=testing", "version=9", "version=999999999", "version=2&status=production"]
)
def test_it_refuses_what_is_not_there(api: APIClient, raisin: Endpoint, query: str) -> None:
    problem_in(ask(api, query), 404, "not_found")


def test_it_refuses_while_nothing_is_in_production(api: APIClient, db: None) -> None:
    registered_version(an_endpoint())
    problem_in(ask(api, ""), 503, "no_model")
    assert ask(api, "status=testing").status_code == 200


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=archived", "status"),
        ("status=Production", "status"),
        ("status=", "status"),
        ("status=%00", "status"),
        ("version=", "version"),
        ("version=first", "version"),
        ("version=-1", "version"),
        ("version=1.0", "version"),
        ("version=%00", "version"),
        ("version=²", "version"),
        (f"version={10**30}", "version"),
        (f"version={'9' * 5000}", "version"),
        ("explain=yes", "explain"),
        ("explain=", "explain"),
    ],
)
def test_it_refuses_an_unreadable_value(
    api: APIClient, raisin: Endpoint, query: str, field: str
) -> None:
    problem = problem_in(ask(api, query), 400, "invalid_request")
    assert problem["errors"][0]["field"] == field
    assert problem["errors"][0]["code"] == "invalid_parameter"


def test_it_refuses_an_unknown_parameter_and_names_the_nearest(
    api: APIClient, raisin: Endpoint
) -> None:
    problem = problem_in(ask(api, "vershun=2"), 400, "invalid_request")
    assert problem["errors"][0]["code"] == "unknown_parameter"
    assert 'did you mean "version"?' in problem["error"]
    assert "explain, status, unit_id, version" in problem["error"]
