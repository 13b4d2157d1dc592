"""Looking back over REST: the gates, the timeline, what was in production when, and lineage."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from endpoints.models import Endpoint
from endpoints.services import artifacts, lifecycle
from endpoints.services.transitions import Decision
from tests.cast import REASON, SYSTEM, THEN, Status, new_key, prediction, registered_version
from tests.endpoints.api.client import problem_in, with_key

pytestmark = pytest.mark.django_db

RAISIN = "/api/v1/endpoints/raisin"
LATER = THEN + timedelta(days=7)


@pytest.fixture
def reader(dev: User) -> APIClient:
    return with_key(APIClient(), new_key(dev)[1])


def promote(endpoint: Endpoint, number: int) -> None:
    decision = Decision(actor=SYSTEM, now=LATER, reason=REASON)
    lifecycle.promote(version=endpoint.versions.get(number=number), decision=decision)


def test_the_timeline(reader: APIClient, raisin: Endpoint) -> None:
    promote(raisin, 2)
    changes = reader.get(f"{RAISIN}/changes").json()["results"]
    steps = [(change["version"], change["verb"]) for change in changes]
    assert steps[:3] == [(2, "promote"), (1, "replace"), (2, "stage")]
    assert changes[0]["gates"][0].keys() == {"code", "name", "verdict", "message", "value", "limit"}
    page = reader.get(f"{RAISIN}/changes?limit=2").json()
    assert page["results"] == changes[:2]
    assert reader.get(page["next"]).json()["results"] == changes[2:4]


@pytest.mark.parametrize(
    ("at", "version"),
    [
        ("2026-11-02T09:59:59Z", None),
        ("2026-11-02T10:00:00Z", 1),
        ("2026-11-02T11:00:00%2B01:00", 1),
        ("2026-11-09T08:59:59.999Z", 1),
        ("2026-11-09T09:00:00Z", 2),
        ("2899-01-01T00:00:00Z", 2),
    ],
)
def test_what_was_in_production(
    reader: APIClient, raisin: Endpoint, at: str, version: int | None
) -> None:
    promote(raisin, 2)
    answer = reader.get(f"{RAISIN}/production?at={at}").json()
    assert answer["version"] == version
    assert (answer["change"] or {}).get("version") == version


def test_what_is_in_production_now(reader: APIClient, raisin: Endpoint) -> None:
    answer = reader.get(f"{RAISIN}/production").json()
    assert (answer["version"], answer["change"]["verb"]) == (1, "promote")


@pytest.mark.parametrize(
    "at",
    [
        "2026-11-02T09:00:00",
        "2026-11-02",
        "yesterday",
        "",
        "2026-13-40T00:00:00Z",
        "0001-01-01T00:00:00Z",
    ],
)
def test_it_refuses_a_moment(reader: APIClient, raisin: Endpoint, at: str) -> None:
    problem = problem_in(reader.get(f"{RAISIN}/production?at={at}"), 400, "invalid_request")
    assert problem["errors"][0]["code"] == "invalid_parameter"


def test_the_gates_of_now(reader: APIClient, raisin: Endpoint) -> None:
    answer = reader.get(f"{RAISIN}/versions/2/gates").json()
    assert (answer["policy"], answer["blocked"]) == ("block", False)
    verdicts = {gate["code"]: gate["verdict"] for gate in answer["gates"]}
    assert (verdicts["smoke"], verdicts["metric"]) == ("pass", "pass")


def test_the_gates_say_what_would_block(reader: APIClient, raisin: Endpoint) -> None:
    registered_version(raisin, status=Status.STAGING, lambda_=10.0)
    assert reader.get(f"{RAISIN}/versions/3/gates").json()["blocked"] is True


def test_a_broken_artefact_blocks_under_any_policy(reader: APIClient, raisin: Endpoint) -> None:
    Endpoint.objects.update(gate_policy="warn")
    (artifacts.folder(raisin.versions.get(number=2)) / "weights.npz").write_bytes(b"broken")
    answer = reader.get(f"{RAISIN}/versions/2/gates").json()
    assert (answer["policy"], answer["blocked"]) == ("warn", True)


def test_the_lineage(reader: APIClient, raisin: Endpoint) -> None:
    prediction(raisin)
    promote(raisin, 2)
    lineage = reader.get(f"{RAISIN}/versions/1/lineage").json()
    version = raisin.versions.get(number=1)
    assert lineage["dataset"]["sha256"] == version.run.dataset_sha256
    assert lineage["run"]["id"] == version.run_id
    assert lineage["production"] == [
        {"since": "2026-11-02T10:00:00Z", "until": "2026-11-09T09:00:00Z"}
    ]
    assert lineage["predictions"] == 1


@pytest.mark.parametrize(
    "path",
    ["changes", "production", "versions/1/gates", "versions/1/lineage", "versions/1/card"],
)
def test_it_refuses_strangers(api: APIClient, raisin: Endpoint, path: str) -> None:
    problem_in(api.get(f"{RAISIN}/{path}"), 401, "not_authenticated")


def test_the_number_of_queries_does_not_grow(
    reader: APIClient, raisin: Endpoint, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(5):
        registered_version(raisin)
    with django_assert_max_num_queries(4):
        assert len(reader.get(f"{RAISIN}/changes").json()["results"]) == 10
