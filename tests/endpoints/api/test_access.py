"""Who may ask: nobody unknown, except where an endpoint is public; browsers need their CSRF token."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from endpoints.models import Endpoint, PredictionRequest
from tests.cast import ROW, Status, an_endpoint, registered_version
from tests.endpoints.api.client import PREDICT, post, problem_in

pytestmark = pytest.mark.django_db

READING = (
    "endpoints",
    "endpoints/raisin",
    "endpoints/raisin/versions",
    "endpoints/raisin/versions/1",
    "runs",
    "batches",
    "datasets",
    "runs/unknown",
)


@pytest.fixture
def private(db: None) -> Endpoint:
    endpoint = an_endpoint("private", public=False)
    registered_version(endpoint, status=Status.PRODUCTION)
    return endpoint


@pytest.fixture
def browser(eve: User) -> APIClient:
    """A logged-in browser, which has a session cookie and is checked for its CSRF token."""
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(eve)
    return client


def test_anyone_may_predict_at_a_public_endpoint(api: APIClient, raisin: Endpoint) -> None:
    assert post(api, PREDICT, ROW).status_code == 200


@pytest.mark.parametrize("path", READING)
def test_it_refuses_strangers_who_want_to_read(api: APIClient, raisin: Endpoint, path: str) -> None:
    response = api.get(f"/api/v1/{path}")
    problem_in(response, 401, "not_authenticated")
    assert response["WWW-Authenticate"] == 'Bearer realm="raisin"'


def test_it_refuses_strangers_at_a_private_endpoint(api: APIClient, private: Endpoint) -> None:
    problem_in(post(api, "/api/v1/private/predict", ROW), 401, "not_authenticated")
    assert not PredictionRequest.objects.exists()


@pytest.mark.parametrize("path", READING[:-1])
def test_a_viewer_may_read(browser: APIClient, raisin: Endpoint, path: str) -> None:
    assert browser.get(f"/api/v1/{path}").status_code == 200


def test_it_refuses_a_browser_without_its_token(browser: APIClient, private: Endpoint) -> None:
    problem = problem_in(post(browser, "/api/v1/private/predict", ROW), 403, "csrf_failed")
    assert "X-CSRFToken" in problem["error"]


def test_a_browser_with_its_token_may_predict(
    browser: APIClient, private: Endpoint, ana: User
) -> None:
    browser.force_login(ana)
    browser.cookies["csrftoken"] = token = "a" * 32
    assert post(browser, "/api/v1/private/predict", ROW, X_CSRFToken=token).status_code == 200


@pytest.mark.parametrize("body", [b"[1]", b'{"csrfmiddlewaretoken": 1}', b"\xff"])
def test_a_form_type_does_not_turn_json_into_a_form(
    browser: APIClient, raisin: Endpoint, body: bytes
) -> None:
    kind = "application/x-www-form-urlencoded"
    response = browser.generic("POST", PREDICT, body, content_type=kind)
    problem_in(response, 403, "csrf_failed")


def test_it_refuses_an_account_that_was_closed(
    browser: APIClient, raisin: Endpoint, eve: User
) -> None:
    User.objects.filter(pk=eve.pk).update(is_active=False)
    problem_in(browser.get("/api/v1/endpoints"), 401, "not_authenticated")
