"""/endpoints/<slug>/drift and /monitor: reports of live rows, how they are watched, and looking now."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from endpoints.filters import PredictionFilter
from endpoints.models import DriftReport, Endpoint, Event, Monitor, PredictionRequest
from endpoints.services import logged_rows
from endpoints.services.monitoring import tick
from tests import cast
from tests.endpoints.api.client import post, problem_in, send, with_key
from tests.endpoints.services.monitoring.traffic import (
    DAY,
    HOUR,
    NOON,
    SECOND,
    at,
    every,
    log,
    one_by_one,
    shifted,
    training_rows,
)

pytestmark = pytest.mark.django_db
HERE = "/api/v1/endpoints/raisin"


@pytest.fixture
def reader(api: APIClient, dev: User) -> APIClient:
    _, text = cast.new_key(dev, scopes=["read"])
    return with_key(api, text)


@pytest.fixture
def watched(raisin: Endpoint) -> Endpoint:
    """Two days of v1, of which the second has drifted, and an hour of v2."""
    log(raisin, one_by_one(training_rows(60)), every(SECOND, 60))
    log(raisin, one_by_one(shifted(training_rows(60))), every(SECOND, 60, since=NOON + DAY))
    log(raisin, one_by_one(training_rows(5)), every(SECOND, 5, since=NOON + 2 * HOUR), number=2)
    tick.tick(raisin, at(NOON + DAY + HOUR))
    return raisin


def listed(api: APIClient, query: str = "") -> list[dict[str, Any]]:
    response = api.get(f"{HERE}/drift{query}")
    assert response.status_code == 200, response.content
    found: list[dict[str, Any]] = response.json()["results"]
    return found


def test_it_works(reader: APIClient, watched: Endpoint) -> None:
    days = [(found["version"], found["since"][:10], found["rows"]) for found in listed(reader)]
    assert sorted(days) == [(1, "2026-11-04", 60), (1, "2026-11-05", 60), (2, "2026-11-04", 5)]


def test_the_newest_comes_first(reader: APIClient, watched: Endpoint) -> None:
    second, first = listed(reader, "?version=1")
    assert (second["verdict"], second["drifted"], second["open"]) == ("drift", ["Area"], True)
    assert (first["drifted"], first["open"]) == ([], False)
    assert second["share_drifted"] == pytest.approx(1 / 7)
    assert second["estimates"]["accuracy"]["value"] > 0.5
    names = [feature["name"] for feature in second["features"]]
    assert names == [*cast.ROW, "score", "prediction"]
    area = second["features"][0]
    assert (area["kind"], area["verdict"]) == ("number", "drift")
    assert "results" not in area


@pytest.mark.parametrize(("window", "count"), [("hour", 3), ("day", 3), ("week", 2), ("rows", 2)])
def test_every_window_has_its_series(
    reader: APIClient, watched: Endpoint, window: str, count: int
) -> None:
    found = listed(reader, f"?window={window}")
    assert [report["window"] for report in found] == [window] * count


def test_pages_follow_one_another(reader: APIClient, watched: Endpoint) -> None:
    page = reader.get(f"{HERE}/drift?limit=2").json()
    rest = reader.get(page["next"]).json()
    assert len(page["results"]) == 2
    assert len(rest["results"]) == 1
    assert rest["next"] is None


def test_a_list_costs_the_same_at_any_length(
    reader: APIClient, watched: Endpoint, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(5):
        assert len(listed(reader)) == 3


def test_a_report_tells_every_check(reader: APIClient, watched: Endpoint) -> None:
    [found] = [report for report in listed(reader, "?version=1") if report["drifted"]]
    report = reader.get(f"{HERE}/drift/{found['id']}").json()
    area = report["features"][0]
    assert {check["name"] for check in area["results"]} >= {"psi", "ks", "wasserstein", "z_shift"}
    assert [check["name"] for check in area["quality"]] == ["missing", "out_of_range", "constant"]
    assert len(area["bins"]["live"]) == len(area["bins"]["reference"]) == 10
    [impact] = report["impact"]
    total = sum(feature["impact"] for feature in impact["features"])
    assert impact["total"] == pytest.approx(total)


@pytest.mark.parametrize("window", ["hour", "day", "week", "rows"])
def test_a_report_leads_to_its_rows(reader: APIClient, watched: Endpoint, window: str) -> None:
    for report in listed(reader, f"?window={window}&version=1"):
        query = {key: report[key] for key in ("version", "since", "until")}
        found = PredictionFilter(query, endpoint=watched).qs
        assert sum(found.values_list("row_count", flat=True)) == report["rows"]


def test_a_report_of_another_endpoint_is_not_there(reader: APIClient, watched: Endpoint) -> None:
    cast.an_endpoint("elsewhere")
    key = DriftReport.objects.values_list("pk", flat=True)[0]
    problem_in(reader.get(f"/api/v1/endpoints/elsewhere/drift/{key}"), 404, "not_found")
    problem_in(reader.get(f"{HERE}/drift/{10**9}"), 404, "not_found")


def test_nothing_logged_is_an_empty_list(reader: APIClient, raisin: Endpoint) -> None:
    assert listed(reader) == []


def test_it_refuses_another_window(reader: APIClient, raisin: Endpoint) -> None:
    problem_in(reader.get(f"{HERE}/drift?window=month"), 400, "invalid_request")
    problem_in(reader.get(f"{HERE}/drift?version=first"), 400, "invalid_request")
    problem_in(reader.get(f"{HERE}/drift?since=1"), 400, "invalid_request")


def test_settings_have_defaults(reader: APIClient, raisin: Endpoint) -> None:
    assert reader.get(f"{HERE}/monitor").json() == {
        "endpoint": "raisin",
        "window_rows": 1_000,
        "min_rows": 50,
        "alpha": 0.01,
        "effect": 0.1,
        "looked_at": None,
    }
    assert not Monitor.objects.exists()


def test_settings_can_be_changed(api: APIClient, raisin: Endpoint, alex: User) -> None:
    api.force_authenticate(alex)
    response = send(api, "PATCH", f"{HERE}/monitor", {"alpha": 0.001, "window_rows": 500})
    assert response.status_code == 200
    assert response.json() == api.get(f"{HERE}/monitor").json()
    monitor = Monitor.objects.get(endpoint=raisin)
    assert (monitor.alpha, monitor.window_rows, monitor.min_rows) == (0.001, 500, 50)
    event = Event.objects.filter(endpoint=raisin, verb="change").latest("pk")
    assert (event.actor_name, event.before) == ("alex", {"window_rows": 1_000, "alpha": 0.01})


def test_the_same_settings_again_are_no_change(
    api: APIClient, raisin: Endpoint, alex: User
) -> None:
    api.force_authenticate(alex)
    before = Event.objects.count()
    assert send(api, "PATCH", f"{HERE}/monitor", {"alpha": 0.01}).status_code == 200
    assert Event.objects.count() == before


@pytest.mark.parametrize(
    "settings", [{"window_rows": 49}, {"min_rows": 9}, {"alpha": 0}, {"effect": -1}, {"beta": 1}]
)
def test_it_refuses_settings_out_of_bounds(
    api: APIClient, raisin: Endpoint, alex: User, settings: dict[str, float]
) -> None:
    api.force_authenticate(alex)
    problem_in(send(api, "PATCH", f"{HERE}/monitor", settings), 400, "invalid_request")
    assert not Monitor.objects.exists()


def test_settings_count_for_open_windows_at_once(
    api: APIClient, watched: Endpoint, alex: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.force_authenticate(alex)
    monkeypatch.setattr(timezone, "now", at(NOON + DAY + HOUR))
    before = {found["id"]: found for found in listed(api, "?version=1")}
    send(api, "PATCH", f"{HERE}/monitor", {"effect": 1_000, "alpha": 0.5})
    second, first = listed(api, "?version=1")
    assert (second["rows"], second["verdict"], second["drifted"]) == (60, "possible", [])
    assert first == before[first["id"]]
    log(watched, one_by_one(shifted(training_rows(60))), every(SECOND, 60, since=NOON + DAY + HOUR))
    tick.tick(watched, at(NOON + DAY + 2 * HOUR))
    second, _ = listed(api, "?version=1")
    assert (second["rows"], second["verdict"], second["drifted"]) == (120, "possible", [])
    assert DriftReport.objects.filter(window="day").count() == 3


def test_looking_now_finds_what_is_new(api: APIClient, raisin: Endpoint, dana: User) -> None:
    api.force_authenticate(dana)
    now = timezone.now()
    log(raisin, [training_rows(60)], [now - 10 * SECOND])
    response = post(api, f"{HERE}/drift/recompute", {})
    assert response.json() == {
        "endpoint": "raisin",
        "requests": 1,
        "rows": 60,
        "skipped": 0,
        "windows": 4,
        "complete": True,
    }
    assert post(api, f"{HERE}/drift/recompute", b"").json()["requests"] == 0
    assert PredictionRequest.objects.count() == 1
    assert api.get(f"{HERE}/monitor").json()["looked_at"] >= now.isoformat()[:19]


def test_looking_now_says_when_there_is_more(
    api: APIClient, raisin: Endpoint, dana: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.force_authenticate(dana)
    monkeypatch.setattr(logged_rows, "ROWS", 1)
    log(raisin, one_by_one(training_rows(21)), [timezone.now() - 10 * SECOND] * 21)
    found = [post(api, f"{HERE}/drift/recompute", {}).json() for _ in range(2)]
    assert [(one["rows"], one["complete"]) for one in found] == [(20, False), (1, True)]


def test_looking_now_is_not_for_everybody(api: APIClient, raisin: Endpoint, eve: User) -> None:
    api.force_authenticate(eve)
    problem_in(post(api, f"{HERE}/drift/recompute", {}), 403, "not_allowed")
    problem_in(send(api, "PATCH", f"{HERE}/monitor", {"alpha": 0.1}), 403, "not_allowed")
