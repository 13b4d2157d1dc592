"""What every answer carries."""

from __future__ import annotations

import pytest
from django.test import Client

PATHS = ["/", "/login/", "/healthz", "/no-such-page", "/api/v1/endpoints", "/api/v1/nothing/here"]


@pytest.mark.django_db
@pytest.mark.parametrize("path", [p for p in PATHS if p != "/healthz"])
def test_every_answer_has_the_policy_and_an_id(client: Client, path: str) -> None:
    response = client.get(path)
    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert len(response["X-Request-ID"]) == 32


@pytest.mark.django_db
def test_a_harmless_request_id_is_kept(client: Client) -> None:
    response = client.get("/login/", headers={"X-Request-ID": "trace-7.a:b_c"})
    assert response["X-Request-ID"] == "trace-7.a:b_c"


@pytest.mark.django_db
@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "<script>", "é"])
def test_another_request_id_is_replaced(client: Client, given: str) -> None:
    response = client.get("/login/", headers={"X-Request-ID": given})
    assert response["X-Request-ID"] != given
