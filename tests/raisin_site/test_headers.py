"""What every answer carries."""

from __future__ import annotations

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from endpoints.models import Endpoint, PredictionRequest
from raisin_site import urls as site_urls
from tests.cast import ROW

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


TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_trace_is_kept_with_the_prediction_and_sent_back(
    client: Client, raisin: Endpoint
) -> None:
    response = client.post(
        "/api/v1/raisin/predict",
        ROW,
        content_type="application/json",
        headers={"traceparent": TRACE, "X-Request-ID": "trace-7"},
    )
    assert (response["traceparent"], response["X-Request-ID"]) == (TRACE, "trace-7")
    logged = PredictionRequest.objects.get(pk=response.json()["request_id"])
    assert (logged.traceparent, logged.correlation_id) == (TRACE, "trace-7")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "given",
    [
        "x",
        f"{TRACE}-more",
        TRACE.upper(),
        f"ff{TRACE[2:]}",
        TRACE.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32),
        TRACE.replace("b7ad6b7169203331", "0" * 16),
    ],
)
def test_what_is_no_trace_is_ignored(client: Client, given: str) -> None:
    assert "traceparent" not in client.get("/login/", headers={"traceparent": given}).headers


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/no-such-page", "/broken"])
@pytest.mark.urls("tests.raisin_site.test_headers")
def test_an_error_page_names_the_request_id(client: Client, address: str) -> None:
    client.raise_request_exception = False
    response = client.get(address, headers={"X-Request-ID": "trace-7"})
    assert response.status_code == (500 if address == "/broken" else 404)
    assert "Request id <code>trace-7</code>" in response.text


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("a fault of ours")


urlpatterns = [path("broken", broken), *site_urls.urlpatterns]
handler404, handler500 = site_urls.handler404, site_urls.handler500
