"""Short ways to ask the interface in tests, and what every one of its errors must look like."""

from __future__ import annotations

from typing import Any

import orjson
from django.http import HttpResponse
from rest_framework.test import APIClient

PREDICT = "/api/v1/raisin/predict"
ERROR_KEYS = {
    "error",
    "code",
    "type",
    "title",
    "status",
    "detail",
    "errors",
    "request_id",
    "error_code",
    "message",
}


def post(api: APIClient, path: str, body: Any, **headers: str) -> HttpResponse:
    """Send the body as JSON text; bytes are sent as they are."""
    return send(api, "POST", path, body, **headers)


def send(api: APIClient, method: str, path: str, body: Any, **headers: str) -> HttpResponse:
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    return api.generic(method, path, data, content_type="application/json", headers=headers)


def with_key(api: APIClient, text: str) -> APIClient:
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    return api


def problem_in(response: HttpResponse, status: int, code: str) -> dict[str, Any]:
    """Return the error in the answer; it must be in the one shape."""
    assert response["Content-Type"] == "application/json"
    body = response.json()
    assert set(body) == ERROR_KEYS
    assert (response.status_code, body["code"]) == (status, code)
    assert body["status"] == status
    assert body["error"] == body["detail"] == body["message"] != ""
    assert body["error_code"] == code.upper()
    assert body["request_id"] == response["X-Request-ID"]
    for part in body["errors"]:
        assert set(part) == {"row", "field", "code", "message", "value"}
    return dict(body)
