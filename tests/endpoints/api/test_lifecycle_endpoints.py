"""Endpoints over REST: made, given settings, paused and resumed."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from rest_framework.test import APIClient

from endpoints.models import Endpoint, Event
from tests.cast import ROW, new_key
from tests.endpoints.api.client import PREDICT, post, problem_in, send, with_key

pytestmark = pytest.mark.django_db

ENDPOINTS = "/api/v1/endpoints"
RAISIN = f"{ENDPOINTS}/raisin"
NEW = {"slug": "grape", "name": "Grape", "description": "Which grape?"}


@pytest.fixture
def scientist(dana: User) -> APIClient:
    return with_key(APIClient(), new_key(dana)[1])


@pytest.fixture
def approver(alex: User) -> APIClient:
    return with_key(APIClient(), new_key(alex)[1])


def test_it_makes_an_endpoint(scientist: APIClient, dana: User) -> None:
    response = post(scientist, ENDPOINTS, NEW)
    assert response.status_code == 201
    made = response.json()
    assert made.items() >= NEW.items()
    assert (made["production"], made["owner"], made["public_predictions"]) == (None, "dana", False)
    assert scientist.get(f"{ENDPOINTS}/grape").json() == made
    event = Event.objects.get(verb="create")
    assert (event.subject, event.actor_name) == ("endpoint grape", "key tests of dana")


def test_it_refuses_who_may_not_make_one(approver: APIClient, db: None) -> None:
    problem = problem_in(post(approver, ENDPOINTS, NEW), 403, "not_allowed")
    assert "endpoints.add_endpoint" in problem["error"]


def test_it_refuses_a_key_of_one_endpoint(api: APIClient, dana: User, raisin: Endpoint) -> None:
    with_key(api, new_key(dana, endpoint=raisin)[1])
    problem_in(post(api, ENDPOINTS, NEW), 403, "not_allowed")


@pytest.mark.parametrize(
    "change",
    [
        {"slug": "mlrequests"},
        {"slug": "keys"},
        {"slug": "openapi.yaml"},
        {"slug": "a b"},
        {"slug": ""},
        {"slug": None},
        {"slug": "x" * 65},
        {"name": ""},
        {"gate_policy": "warn"},
    ],
)
def test_it_refuses_to_make(scientist: APIClient, raisin: Endpoint, change: dict[str, Any]) -> None:
    problem_in(post(scientist, ENDPOINTS, NEW | change), 400, "invalid_request")
    assert Endpoint.objects.count() == 1


def test_it_refuses_a_slug_that_is_taken(scientist: APIClient, raisin: Endpoint) -> None:
    problem_in(post(scientist, ENDPOINTS, NEW | {"slug": "raisin"}), 409, "conflict")


def test_it_changes_settings(approver: APIClient, raisin: Endpoint) -> None:
    wanted = {"description": "Which grain?", "metric_tolerance": 0.02, "card_required": True}
    changed = send(approver, "PATCH", RAISIN, wanted).json()
    assert changed.items() >= wanted.items()
    event = Event.objects.get(verb="change")
    assert event.before == {"description": "", "metric_tolerance": 0.01, "card_required": False}
    assert (event.after, event.endpoint) == (wanted, raisin)


def test_what_is_as_wanted_leaves_no_trace(approver: APIClient, raisin: Endpoint) -> None:
    assert send(approver, "PATCH", RAISIN, {"name": "Raisin"}).status_code == 200
    assert send(approver, "PATCH", RAISIN, {}).status_code == 200
    assert not Event.objects.filter(verb="change").exists()


def test_an_event_keeps_only_what_changed(approver: APIClient, raisin: Endpoint) -> None:
    send(approver, "PATCH", RAISIN, {"name": "Raisin", "card_required": True})
    assert Event.objects.get(verb="change").after == {"card_required": True}


@pytest.mark.parametrize(
    "body",
    [
        {"slug": "grape"},
        {"status": "production"},
        {"name": ""},
        {"name": "x" * 121},
        {"metric_tolerance": -0.1},
        {"metric_tolerance": "0.1"},
        {"latency_budget_ms": 0},
        {"latency_budget_ms": 1e300},
        {"gate_policy": "off"},
        {"primary_metric": "luck"},
        {"metric_direction": None},
        {"members_only": 1},
        {"created_by": 1},
        ["name"],
    ],
)
def test_it_refuses_settings(approver: APIClient, raisin: Endpoint, body: object) -> None:
    problem_in(send(approver, "PATCH", RAISIN, body), 400, "invalid_request")
    assert not Event.objects.filter(verb="change").exists()


LOOSER = [{"gate_policy": "warn"}, {"card_required": False}, {"second_person_required": False}]


@pytest.mark.parametrize("looser", LOOSER)
def test_who_may_not_overrule_a_gate_may_not_switch_it_off(
    approver: APIClient, alex: User, raisin: Endpoint, looser: dict[str, Any]
) -> None:
    Endpoint.objects.update(card_required=True, second_person_required=True)
    problem = problem_in(send(approver, "PATCH", RAISIN, looser), 403, "not_allowed")
    assert "endpoints.override_gates" in problem["error"]
    assert not Event.objects.filter(verb="change").exists()
    alex.user_permissions.add(Permission.objects.get(codename="override_gates"))
    assert send(approver, "PATCH", RAISIN, looser).json().items() >= looser.items()


def test_it_refuses_who_may_not_configure(scientist: APIClient, raisin: Endpoint) -> None:
    problem = problem_in(send(scientist, "PATCH", RAISIN, {"name": "x"}), 403, "not_allowed")
    assert "endpoints.change_endpoint" in problem["error"]


def test_it_pauses_and_resumes(api: APIClient, approver: APIClient, raisin: Endpoint) -> None:
    body = {"reason": "the scales are broken"}
    assert post(approver, f"{RAISIN}/pause", body).json()["paused_at"] is not None
    problem_in(post(api, PREDICT, ROW), 503, "no_model")
    assert post(approver, f"{RAISIN}/resume", b"").json()["paused_at"] is None
    assert post(api, PREDICT, ROW).status_code == 200
    assert Event.objects.get(verb="pause").reason == "the scales are broken"


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_switching_twice_changes_nothing(approver: APIClient, raisin: Endpoint, verb: str) -> None:
    answers = [post(approver, f"{RAISIN}/{verb}", {}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert Event.objects.filter(verb="pause").count() == (verb == "pause")


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_it_refuses_who_may_not_switch(scientist: APIClient, raisin: Endpoint, verb: str) -> None:
    problem_in(post(scientist, f"{RAISIN}/{verb}", {}), 403, "not_allowed")


def test_members_only_hides_it_from_others(
    approver: APIClient, scientist: APIClient, raisin: Endpoint, alex: User
) -> None:
    send(approver, "PATCH", RAISIN, {"members_only": True, "public_predictions": False})
    problem_in(scientist.get(RAISIN), 404, "not_found")
    problem_in(send(approver, "PATCH", RAISIN, {"members_only": False}), 404, "not_found")
