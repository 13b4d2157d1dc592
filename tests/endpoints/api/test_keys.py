"""API keys: shown once, limited by scope, endpoint and time, and gone when revoked."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from endpoints.errors import InvalidRequest
from endpoints.models import ApiKey, Endpoint, Event
from endpoints.services import keys
from endpoints.services.access import Caller
from tests.cast import ROW, THEN, Status, an_endpoint, new_key, registered_version
from tests.endpoints.api.client import PREDICT, post, problem_in, with_key

pytestmark = pytest.mark.django_db

PRIVATE = "/api/v1/private/predict"


@pytest.fixture
def private(db: None) -> Endpoint:
    endpoint = an_endpoint("private", public=False)
    registered_version(endpoint, status=Status.PRODUCTION)
    return endpoint


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "Api-Key"])
def test_it_works(api: APIClient, private: Endpoint, dev_key: str, scheme: str) -> None:
    assert post(api, PRIVATE, ROW, Authorization=f"{scheme} {dev_key}").status_code == 200


def test_only_its_checksum_is_kept(dev: User) -> None:
    key, text = new_key(dev)
    assert re.fullmatch(r"rsn_\w{8}_\w{32,}", text)
    assert text.startswith(f"{key.prefix}_")
    stored = ApiKey.objects.values().get(pk=key.pk)
    assert not any(text[13:] in str(value) for value in stored.values())


def test_it_records_making_and_revoking(dev: User, alex: User) -> None:
    key, _ = new_key(dev)
    keys.revoke(key, actor=Caller(user=alex), now=THEN)
    keys.revoke(key, actor=Caller(user=alex), now=THEN)
    events = Event.objects.order_by("pk").values_list("verb", "actor_name")
    assert list(events) == [("create_key", "dev"), ("revoke_key", "alex")]


def test_it_notes_its_use_once_a_minute(
    dev: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    key, text = new_key(dev)
    with django_assert_num_queries(2):
        keys.authenticate(text, THEN)
    with django_assert_num_queries(1):
        keys.authenticate(text, THEN + timedelta(seconds=59))
    keys.authenticate(text, THEN + timedelta(seconds=60))
    key.refresh_from_db()
    assert key.last_used_at == THEN + timedelta(seconds=60)


def test_it_refuses_a_key_that_expired(api: APIClient, raisin: Endpoint, dev: User) -> None:
    _, text = new_key(dev, expires_at=THEN + timedelta(days=1))
    assert keys.authenticate(text, THEN + timedelta(hours=23)) is not None
    assert keys.authenticate(text, THEN + timedelta(days=1)) is None
    problem_in(post(with_key(api, text), PREDICT, ROW), 401, "invalid_key")


def test_it_refuses_a_key_that_was_revoked(api: APIClient, raisin: Endpoint, dev: User) -> None:
    key, text = new_key(dev)
    assert post(with_key(api, text), PREDICT, ROW).status_code == 200
    keys.revoke(key, actor=Caller(user=dev), now=timezone.now())
    problem_in(post(api, PREDICT, ROW), 401, "invalid_key")


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer rsn_",
        "Bearer rsn_aaaaaaaa_" + "a" * 32,
        "Bearer é",
        "Bearer \x00",
        "Basic ZGV2OmRldg==",
        "rsn_aaaaaaaa_" + "a" * 32,
    ],
)
def test_it_refuses_a_wrong_header_even_where_none_is_needed(
    api: APIClient, raisin: Endpoint, header: str
) -> None:
    response = post(api, PREDICT, ROW, Authorization=header)
    problem_in(response, 401, "invalid_key")
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_it_refuses_the_prefix_with_another_secret(
    api: APIClient, raisin: Endpoint, dev_key: str
) -> None:
    forged = dev_key[:-1] + ("b" if dev_key.endswith("a") else "a")
    problem_in(post(with_key(api, forged), PREDICT, ROW), 401, "invalid_key")


def test_it_refuses_without_the_scope(api: APIClient, private: Endpoint, dev: User) -> None:
    with_key(api, new_key(dev, scopes=["read"])[1])
    problem = problem_in(post(api, PRIVATE, ROW), 403, "not_allowed")
    assert "predict" in problem["error"]
    assert api.get("/api/v1/endpoints").status_code == 200


def test_it_refuses_reading_with_a_key_to_predict(
    api: APIClient, private: Endpoint, dev: User
) -> None:
    with_key(api, new_key(dev, scopes=["predict"])[1])
    assert post(api, PRIVATE, ROW).status_code == 200
    for path in ("endpoints", "endpoints/private", "endpoints/private/versions", "runs", "runs/1"):
        problem_in(api.get(f"/api/v1/{path}"), 403, "not_allowed")


def test_a_key_of_one_endpoint_knows_no_other(
    api: APIClient, raisin: Endpoint, private: Endpoint, dev: User
) -> None:
    with_key(api, new_key(dev, endpoint=private)[1])
    assert post(api, PRIVATE, ROW).status_code == 200
    problem_in(post(api, PREDICT, ROW), 404, "not_found")
    problem_in(api.get("/api/v1/endpoints/raisin"), 404, "not_found")
    problem_in(api.get("/api/v1/endpoints/raisin/versions/1"), 404, "not_found")
    assert [e["slug"] for e in api.get("/api/v1/endpoints").json()["results"]] == ["private"]


def test_a_key_of_one_endpoint_sees_the_runs_behind_it(
    api: APIClient, raisin: Endpoint, private: Endpoint, dev: User
) -> None:
    with_key(api, new_key(dev, endpoint=private)[1])
    [run] = api.get("/api/v1/runs").json()["results"]
    assert run["id"] == private.versions.get().run_id
    assert api.get(f"/api/v1/runs/{run['id']}").status_code == 200
    foreign = raisin.versions.get(number=1).run_id
    problem_in(api.get(f"/api/v1/runs/{foreign}"), 404, "not_found")


@pytest.mark.parametrize("scheme", ["Bearer", "Api-Key"])
def test_a_key_to_manage_acts_for_its_maker_as_long_as_they_may(
    api: APIClient, private: Endpoint, alex: User, scheme: str
) -> None:
    api.credentials(HTTP_AUTHORIZATION=f"{scheme} {new_key(alex, scopes=['manage'])[1]}")
    pause = "/api/v1/endpoints/private/pause"
    assert api.get("/api/v1/endpoints/private").status_code == 200
    assert post(api, pause, {"reason": "for maintenance"}).status_code == 200
    assert Event.objects.get(verb="pause").actor_name == "key tests of alex"
    User.objects.filter(pk=alex.pk).update(is_active=False)
    problem_in(api.get("/api/v1/endpoints/private"), 403, "not_allowed")
    problem_in(post(api, pause, {"reason": "for maintenance"}), 403, "not_allowed")


def test_an_application_goes_on_without_its_maker(
    api: APIClient, private: Endpoint, dev: User
) -> None:
    with_key(api, new_key(dev, scopes=["predict"])[1])
    User.objects.filter(pk=dev.pk).update(is_active=False)
    assert post(api, PRIVATE, ROW).status_code == 200


@pytest.mark.parametrize(
    "facts",
    [
        {"name": " "},
        {"name": "x" * 81},
        {"scopes": []},
        {"scopes": ["promote"]},
        {"expires_at": THEN},
    ],
)
def test_it_refuses_to_make(dev: User, facts: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        new_key(dev, **facts)
    assert not ApiKey.objects.exists()
