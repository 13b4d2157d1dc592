"""Every error under /api/ has the one JSON shape, whoever raised it."""

from __future__ import annotations

import logging

import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import DataError, OperationalError
from rest_framework.test import APIClient

from endpoints.models import Endpoint
from endpoints.services import serving
from raisin_site.logging import JsonFormatter
from tests.cast import ROW
from tests.endpoints.api.client import PREDICT, post, problem_in, with_key

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "path",
    [
        "/api/",
        "/api",
        "/api/v1/",
        "/api/v2/endpoints",
        "/api/v1/endpoints/",
        "/api/v1/raisin/predict/",
        "/api/v1/rai sin/predict",
        "/api/v1/%00/predict",
        "/api/v1/%ff/predict",
        "/v1/models/raisin:score",
        "/v2/models/raisin/score",
        "/invocations",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_address(api: APIClient, db: None, method: str, path: str) -> None:
    problem = problem_in(api.generic(method, path), 404, "not_found")
    assert problem["type"] == "about:blank"


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "BREW"])
def test_a_method_that_the_route_does_not_know(
    api: APIClient, raisin: Endpoint, method: str
) -> None:
    response = api.generic(method, PREDICT)
    problem_in(response, 405, "method_not_allowed")
    assert "POST" in response["Allow"]


def test_a_host_that_is_not_ours(api: APIClient, db: None) -> None:
    problem_in(
        api.get("/api/v1/endpoints", headers={"host": "evil.example"}), 400, "invalid_request"
    )


def test_a_query_of_too_many_parameters(api: APIClient, raisin: Endpoint) -> None:
    query = "&".join(f"p{number}=1" for number in range(1_100))
    problem_in(post(api, f"{PREDICT}?{query}", ROW), 400, "invalid_request")


@pytest.mark.parametrize("charset", ["utf-16", "utf-7", "cp500", "unknown"])
def test_an_exotic_charset_changes_nothing(api: APIClient, raisin: Endpoint, charset: str) -> None:
    kind = f"application/json; charset={charset}"
    response = api.generic("POST", f"{PREDICT}?explain=1", b"[]", content_type=kind)
    problem_in(response, 400, "invalid_request")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (DataError("integer out of range"), 400, "invalid_request"),
        (RequestDataTooBig("too big"), 413, "too_large"),
        (SuspiciousOperation("odd"), 400, "invalid_request"),
        (PermissionDenied("no"), 403, "not_allowed"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), 400, "invalid_request"),
    ],
)
def test_a_known_exception(
    api: APIClient,
    raisin: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    status: int,
    code: str,
) -> None:
    break_serving(monkeypatch, error)
    problem_in(post(api, PREDICT, ROW), status, code)


def test_a_database_that_does_not_answer_is_told_and_may_be_asked_again(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_serving(monkeypatch, OperationalError("secret"))
    response = post(APIClient(raise_request_exception=False), PREDICT, ROW)
    problem_in(response, 503, "database_unavailable")
    assert response["Retry-After"] == "1"
    assert b"secret" not in response.content


@pytest.mark.parametrize("error", [ValueError("secret"), KeyError(1)])
def test_an_unexpected_exception_is_logged_and_not_shown(
    raisin: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    break_serving(monkeypatch, error)
    api = APIClient(raise_request_exception=False)
    caplog.handler.setFormatter(JsonFormatter())
    with caplog.at_level(logging.ERROR):
        response = post(api, PREDICT, ROW, X_Request_ID="mine-1")
    problem = problem_in(response, 500, "internal_error")
    assert problem["request_id"] == "mine-1"
    assert b"secret" not in response.content
    assert '"request_id": "mine-1"' in caplog.text
    assert "Traceback" in caplog.text


def test_a_broken_artefact(api: APIClient, raisin: Endpoint) -> None:
    raisin.versions.filter(number=1).update(artifact_sha256="0" * 64)
    problem_in(post(api, PREDICT, ROW), 503, "no_model")


def test_head_and_options_are_answered_in_json(
    api: APIClient, raisin: Endpoint, dev_key: str
) -> None:
    with_key(api, dev_key)
    for response in (api.head("/api/v1/endpoints"), api.options("/api/v1/endpoints")):
        assert (response.status_code, response["Content-Type"]) == (200, "application/json")


def test_people_get_a_page(api: APIClient, db: None) -> None:
    response = api.get("/nowhere")
    assert response.status_code == 404
    assert response["Content-Type"].startswith("text/html")


def break_serving(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*arguments: object, **facts: object) -> None:
        raise error

    monkeypatch.setattr(serving, "predict", fail)
