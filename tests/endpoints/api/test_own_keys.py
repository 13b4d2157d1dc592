"""A person's own keys over REST: shown once, and never handed on with more than the maker has."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from endpoints.models import ApiKey, Endpoint
from tests.cast import new_key
from tests.endpoints.api.client import post, problem_in, with_key

pytestmark = pytest.mark.django_db

KEYS = "/api/v1/keys"
NEW = {"name": "press", "scopes": ["read"]}


@pytest.fixture
def manager(dana: User) -> APIClient:
    return with_key(APIClient(), new_key(dana, scopes=["manage", "read"])[1])


def test_it_works(manager: APIClient, raisin: Endpoint) -> None:
    response = post(manager, KEYS, NEW | {"endpoint": "raisin"})
    made = response.json()
    assert response.status_code == 201, made
    assert (made["name"], made["scopes"], made["endpoint"]) == ("press", ["read"], "raisin")
    other = with_key(APIClient(), made["key"])
    assert other.get("/api/v1/endpoints/raisin").status_code == 200


def test_the_text_is_shown_once(manager: APIClient, raisin: Endpoint) -> None:
    text = post(manager, KEYS, NEW).json()["key"]
    listed = manager.get(KEYS)
    assert [key["name"] for key in listed.json()["results"]] == ["press", "tests"]
    assert text[13:] not in listed.content.decode()


def test_others_keys_are_nobodys_business(manager: APIClient, dev: User) -> None:
    key, text = new_key(dev)
    assert key.prefix not in manager.get(KEYS).content.decode()
    problem_in(manager.delete(f"{KEYS}/{key.prefix}"), 404, "not_found")
    assert with_key(APIClient(), text).get("/api/v1/endpoints").status_code == 200


def test_it_revokes(manager: APIClient, dana: User) -> None:
    key, text = new_key(dana)
    for _ in range(2):
        assert manager.delete(f"{KEYS}/{key.prefix}").status_code == 204
    problem_in(with_key(APIClient(), text).get("/api/v1/endpoints"), 401, "invalid_key")
    listed = {found["prefix"]: found for found in manager.get(KEYS).json()["results"]}
    assert listed[key.prefix]["revoked_at"] is not None


def test_a_key_cannot_hand_on_a_scope_that_it_lacks(manager: APIClient) -> None:
    problem = problem_in(post(manager, KEYS, NEW | {"scopes": ["predict"]}), 403, "not_allowed")
    assert "“predict”" in problem["error"]


def test_a_key_cannot_hand_on_more_endpoints(api: APIClient, dana: User, raisin: Endpoint) -> None:
    with_key(api, new_key(dana, endpoint=raisin)[1])
    problem_in(post(api, KEYS, NEW), 403, "not_allowed")
    assert post(api, KEYS, NEW | {"endpoint": "raisin"}).status_code == 201


def test_a_key_cannot_hand_on_more_time(api: APIClient, dana: User) -> None:
    end = timezone.now() + timedelta(days=1)
    with_key(api, new_key(dana, expires_at=end)[1])
    problem_in(post(api, KEYS, NEW), 403, "not_allowed")
    later = (end + timedelta(seconds=1)).isoformat()
    problem_in(post(api, KEYS, NEW | {"expires_at": later}), 403, "not_allowed")
    assert post(api, KEYS, NEW | {"expires_at": end.isoformat()}).status_code == 201


def test_a_key_of_one_endpoint_sees_the_keys_of_it_alone(
    api: APIClient, dana: User, raisin: Endpoint
) -> None:
    everywhere, _ = new_key(dana)
    bound, text = new_key(dana, endpoint=raisin)
    with_key(api, text)
    assert [key["prefix"] for key in api.get(KEYS).json()["results"]] == [bound.prefix]
    problem_in(api.delete(f"{KEYS}/{everywhere.prefix}"), 404, "not_found")


def test_a_key_needs_the_scope_to_manage(api: APIClient, dana: User) -> None:
    with_key(api, new_key(dana, scopes=["read"])[1])
    assert "“manage”" in problem_in(api.get(KEYS), 403, "not_allowed")["error"]
    problem_in(post(api, KEYS, NEW), 403, "not_allowed")


def test_a_person_may_too(api: APIClient, dana: User, eve: User) -> None:
    api.force_login(dana)
    assert post(api, KEYS, NEW).status_code == 201
    api.force_login(eve)
    problem = problem_in(post(api, KEYS, NEW), 403, "not_allowed")
    assert "endpoints.manage_own_keys" in problem["error"]


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "x" * 81},
        {"name": " "},
        {"scopes": []},
        {"scopes": ["read", "read"]},
        {"scopes": ["promote"]},
        {"scopes": "read"},
        {"scopes": [1]},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"expires_at": "2040-01-01"},
        {"expires_at": 5},
        {"key": "rsn_"},
    ],
)
def test_it_refuses_to_make(manager: APIClient, change: dict[str, Any]) -> None:
    problem_in(post(manager, KEYS, NEW | change), 400, "invalid_request")
    assert ApiKey.objects.count() == 1


def test_it_refuses_an_endpoint_that_there_is_not(manager: APIClient, raisin: Endpoint) -> None:
    problem_in(post(manager, KEYS, NEW | {"endpoint": "grape"}), 404, "not_found")


def test_it_refuses_strangers(api: APIClient, db: None) -> None:
    problem_in(api.get(KEYS), 401, "not_authenticated")
    problem_in(post(api, KEYS, NEW), 401, "not_authenticated")
