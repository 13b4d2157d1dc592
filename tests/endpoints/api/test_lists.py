"""Reading: endpoints, versions and runs, one by one and in pages."""

from __future__ import annotations

from base64 import b64encode
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from endpoints.models import AlgorithmVersion, Endpoint, Run
from tests.cast import THEN, an_endpoint, registered_version, trained_run
from tests.endpoints.api.client import problem_in, with_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(api: APIClient, dev_key: str) -> APIClient:
    return with_key(api, dev_key)


def started(name: str, *, hour: int) -> None:
    run = trained_run(name=name)
    Run.objects.filter(pk=run.pk).update(started_at=THEN + timedelta(hours=hour))


def test_an_endpoint(reader: APIClient, raisin: Endpoint) -> None:
    assert reader.get("/api/v1/endpoints/raisin").json() == {
        "id": raisin.pk,
        "slug": "raisin",
        "name": "Raisin",
        "description": "",
        "public_predictions": True,
        "primary_metric": "log_loss",
        "metric_direction": "",
        "metric_tolerance": 0.01,
        "minimum_improvement": 0.0,
        "latency_budget_ms": 50.0,
        "gate_policy": "block",
        "card_required": False,
        "second_person_required": False,
        "auto_promote": False,
        "members_only": False,
        "missing_values": "impute",
        "error_detail": "full",
        "production": 1,
        "paused_at": None,
        "owner": "",
        "created_at": "2026-11-02T09:00:00Z",
        "url": "http://testserver/api/v1/endpoints/raisin",
    }


def test_an_endpoint_without_production(reader: APIClient, db: None) -> None:
    an_endpoint("empty")
    assert reader.get("/api/v1/endpoints/empty").json()["production"] is None


def test_the_list_shows_the_same_as_the_single_view(reader: APIClient, raisin: Endpoint) -> None:
    page = reader.get("/api/v1/endpoints").json()
    assert page["results"] == [reader.get("/api/v1/endpoints/raisin").json()]
    assert (page["next"], page["previous"]) == (None, None)


def test_a_version(reader: APIClient, raisin: Endpoint) -> None:
    version = reader.get("/api/v1/endpoints/raisin/versions/1").json()
    assert (version["endpoint"], version["version"]) == ("raisin", 1)
    assert (version["status"], version["threshold"], version["converged"]) == (
        "production",
        0.5,
        True,
    )
    assert len(version["artifact"]["sha256"]) == 64
    assert not version["artifact"]["path"].startswith("/")
    assert 0.5 < version["metrics"]["validation"]["accuracy"] <= 1
    assert version["metrics"]["train"]["n"] == 720
    assert version["features"][0] == {"name": "Area", "kind": "number", "levels": []}
    assert version["url"].endswith("/endpoints/raisin/versions/1")
    run = reader.get(f"/api/v1/runs/{version['run_id']}").json()
    assert run["versions"] == [{"endpoint": "raisin", "version": 1, "status": "production"}]


def test_a_version_tells_its_history(reader: APIClient, raisin: Endpoint) -> None:
    history = reader.get("/api/v1/endpoints/raisin/versions/1").json()["history"]
    steps = [(step["verb"], step["from"], step["to"]) for step in history]
    assert steps == [
        ("promote", "staging", "production"),
        ("stage", "testing", "staging"),
        ("register", None, "testing"),
    ]
    assert history[0]["by"] == "dana"
    assert history[0]["at"] == "2026-11-02T10:00:00Z"
    assert history[0]["reason"] == "the best of the candidates"


def test_a_version_stays_readable_without_its_artefact(reader: APIClient, raisin: Endpoint) -> None:
    AlgorithmVersion.objects.filter(number=1).update(artifact_sha256="0" * 64)
    version = reader.get("/api/v1/endpoints/raisin/versions/1").json()
    assert version["features"] is None
    assert len(version["history"]) == 3


def test_versions_come_newest_first(reader: APIClient, raisin: Endpoint) -> None:
    page = reader.get("/api/v1/endpoints/raisin/versions").json()
    assert [version["version"] for version in page["results"]] == [2, 1]
    assert "history" not in page["results"][0]


def test_a_run(reader: APIClient, raisin: Endpoint) -> None:
    run_id = trained_run(name="first", solver="gd", epochs=5).pk
    run = reader.get(f"/api/v1/runs/{run_id}").json()
    assert (run["id"], run["name"], run["state"]) == (run_id, "first", "finished")
    assert (run["solver"], run["converged"], run["iterations"]) == ("gd", False, 5)
    assert run["params"]["epochs"] == "5"
    assert run["tags"] == {"dataset": "raisin-synthetic"}
    assert run["dataset"]["rows"] == 900
    assert run["dataset"]["synthetic"] is True
    assert 0 < run["metrics"]["validation_log_loss"] < 1
    assert run["artifact"]["path"] == f"runs/{run_id}/model"
    assert "series" not in run


def test_a_run_with_its_series(reader: APIClient, db: None) -> None:
    run_id = trained_run(solver="gd", epochs=5).pk
    series = reader.get(f"/api/v1/runs/{run_id}?series=1").json()["series"]
    assert {"train_loss", "validation_loss"} <= set(series)
    steps = [step for step, _ in series["train_loss"]]
    assert steps == sorted(steps)
    assert len(steps) >= 5


def test_a_run_that_failed_has_no_artefact(reader: APIClient, db: None) -> None:
    run = trained_run()
    Run.objects.filter(pk=run.pk).update(state="failed", artifact_path="", artifact_sha256="")
    assert reader.get(f"/api/v1/runs/{run.pk}").json()["artifact"] is None


@pytest.mark.parametrize("at_once", [1, 2, 5])
def test_pages_follow_each_other(reader: APIClient, db: None, at_once: int) -> None:
    """Also where runs started at the same moment."""
    for number in range(5):
        started(str(number), hour=number // at_once)
    names, url = [], "/api/v1/runs?limit=2"
    while url:
        page = reader.get(url).json()
        names += [run["name"] for run in page["results"]]
        url = page["next"]
    assert sorted(names) == ["0", "1", "2", "3", "4"]


def test_pages_lead_back(reader: APIClient, db: None) -> None:
    for number in range(5):
        started(str(number), hour=number)
    first = reader.get("/api/v1/runs?limit=2").json()
    second = reader.get(first["next"]).json()
    assert [run["name"] for run in second["results"]] == ["2", "1"]
    assert reader.get(second["previous"]).json()["results"] == first["results"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("q=second", ["second"]),
        ("q=synthetic", ["second", "first"]),
        ("solver=gd", ["second"]),
        ("solver=random_forest", []),
        ("state=finished", ["second", "first"]),
        ("state=failed", []),
        ("experiment=trees", ["second"]),
    ],
)
def test_runs_can_be_narrowed_down(
    reader: APIClient, db: None, query: str, names: list[str]
) -> None:
    trained_run(name="first")
    second = trained_run(name="second", experiment="trees", solver="gd", epochs=5)
    Run.objects.filter(pk=second.pk).update(started_at=THEN + timedelta(hours=1))
    results = reader.get(f"/api/v1/runs?{query}").json()["results"]
    assert [run["name"] for run in results] == names


def test_archived_runs_are_left_out_but_stay_readable(reader: APIClient, db: None) -> None:
    run = trained_run()
    Run.objects.filter(pk=run.pk).update(archived_at=THEN)
    assert reader.get("/api/v1/runs").json()["results"] == []
    assert reader.get(f"/api/v1/runs/{run.pk}").status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=ten",
        "limit=",
        "limit=0000000005",
        "cursor=x",
        "cursor=" + b64encode(b"p=yesterday").decode(),
        "cursor=" + b64encode(b"p=2026-11-02\x00").decode(),
        "cursor=" + b64encode(b"p=0001-01-01 00:00:00%2B23:59").decode(),
        "state=lost",
        "solver=%00",
        "q=%00",
        "experiment=%00",
        "experiment=unknown",
        "search=x",
    ],
)
def test_it_refuses_an_unreadable_query(reader: APIClient, db: None, query: str) -> None:
    problem_in(reader.get(f"/api/v1/runs?{query}"), 400, "invalid_request")


@pytest.mark.parametrize(
    "path",
    [
        "endpoints/sultana",
        "endpoints/sultana/versions",
        "endpoints/sultana/versions/1",
        "endpoints/raisin/versions/9",
        f"endpoints/raisin/versions/{10**30}",
        f"endpoints/raisin/versions/{'9' * 5000}",
        "endpoints/raisin/versions/latest",
        f"endpoints/{'x' * 500}",
        "endpoints/%00",
        "runs/unknown",
        "runs/%00",
        f"runs/{'0' * 500}",
    ],
)
def test_it_refuses_what_is_not_there(reader: APIClient, raisin: Endpoint, path: str) -> None:
    problem_in(reader.get(f"/api/v1/{path}"), 404, "not_found")


def test_the_number_of_queries_does_not_grow(
    reader: APIClient,
    dev: User,
    raisin: Endpoint,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(5):
        registered_version(an_endpoint(f"e{number}"))
        registered_version(raisin)
    reader.get("/api/v1/endpoints")
    for path, queries in (("endpoints", 3), ("endpoints/raisin/versions", 4), ("runs", 3)):
        with django_assert_num_queries(queries):
            assert len(reader.get(f"/api/v1/{path}").json()["results"]) >= 6
