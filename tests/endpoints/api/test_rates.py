"""Who asks too often is told to wait, before anybody reads what was sent."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from endpoints.models import Endpoint, PredictionRequest
from endpoints.services import rates
from endpoints.services.rates import Buckets
from tests import cast

ROUTES = (
    "/api/v1/raisin/predict",
    "/api/v1/raisin/explain",
    "/v2/models/raisin/infer",
    "/e/raisin/invocations",
    "/v1/models/raisin:predict",
)


@pytest.fixture(autouse=True)
def twice(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two requests are allowed at once, and hardly any after them."""
    settings.RAISIN_PUBLIC_RATE = 1.0
    monkeypatch.setattr(rates, "_buckets", Buckets(lambda: 100.0))


def test_it_works(client: Client, raisin: Endpoint) -> None:
    path = "/api/v1/raisin/predict"
    answers = [client.post(path, cast.ROW, content_type="application/json") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].headers["Retry-After"] == "1"
    assert answers[-1].json()["code"] == "too_many_requests"
    assert PredictionRequest.objects.count() == 2


@pytest.mark.parametrize("path", ROUTES)
def test_what_cannot_be_read_counts_too(client: Client, raisin: Endpoint, path: str) -> None:
    answers = [client.post(path, b"{", content_type="application/json") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [400, 400, 429]


def test_the_doors_share_one_rate(client: Client, raisin: Endpoint) -> None:
    statuses = [client.post(path, b"{", content_type="text/x").status_code for path in ROUTES[:3]]
    assert statuses[-1] == 429
