"""Short ways to ask the row-wise protocols in tests, and the native answer to compare with."""

from __future__ import annotations

from typing import Any

import orjson
from django.http import HttpResponse
from django.test import Client

from tests.cast import ROW
from tests.endpoints.api.client import ERROR_KEYS

OTHER = ROW | {"Area": 150_000, "Perimeter": 1_500.0, "MajorAxisLength": 560.0}
ROWS = [ROW, OTHER]
LISTS = [list(row.values()) for row in ROWS]


def send(
    client: Client, path: str, body: Any, content_type: str = "application/json", **headers: str
) -> HttpResponse:
    """Send the body as JSON text; bytes are sent as they are."""
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    return client.generic("POST", path, data, content_type=content_type, headers=headers)


def native(client: Client, slug: str = "raisin", query: str = "") -> dict[str, Any]:
    """The native answer for both rows."""
    answer = send(client, f"/api/v1/{slug}/predict{query}", {"rows": ROWS})
    assert answer.status_code == 200
    return dict(answer.json())


def problem(response: HttpResponse, status: int, code: str) -> dict[str, Any]:
    """The one error shape; the protocols differ in its `error_code` alone."""
    assert response["Content-Type"] == "application/json"
    body = response.json()
    assert set(body) == ERROR_KEYS
    assert (response.status_code, body["status"], body["code"]) == (status, status, code)
    assert body["error"] == body["message"] == body["detail"] != ""
    return dict(body)
