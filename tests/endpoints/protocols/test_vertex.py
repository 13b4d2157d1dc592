"""Vertex AI's contract for custom containers, at the routes that its environment names."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import reload
from typing import Any

import pytest
from django.test import Client
from django.urls import clear_url_caches

from endpoints import serving_urls
from endpoints.models import Endpoint, PredictionRequest
from endpoints.protocols import urls as protocol_urls
from raisin_site import urls as site_urls
from tests.cast import ROW
from tests.endpoints.protocols.asking import ROWS, native, problem, send

pytestmark = pytest.mark.django_db

HEALTH = "/v1/endpoints/12/deployedModels/34"
PREDICT = f"{HEALTH}:predict"


def mount() -> None:
    """Routes are made when their modules load, as in a new process."""
    for module in (protocol_urls, serving_urls, site_urls):
        reload(module)
    clear_url_caches()


@pytest.fixture
def vertex(raisin: Endpoint, settings: Any) -> Iterator[Endpoint]:
    settings.RAISIN_ROOT_ENDPOINT = "raisin"
    settings.AIP_HEALTH_ROUTE, settings.AIP_PREDICT_ROUTE = HEALTH, PREDICT
    mount()
    yield raisin
    settings.AIP_HEALTH_ROUTE = settings.AIP_PREDICT_ROUTE = ""
    mount()


def test_it_works(client: Client, vertex: Endpoint) -> None:
    answer = send(client, PREDICT, {"instances": ROWS, "parameters": {}}).json()
    expected = native(client)
    assert set(answer) == {"predictions"}
    found = answer["predictions"]
    assert [row["label"] for row in found] == expected["labels"]
    assert [row["probabilities"]["Besni"] for row in found] == expected["probabilities"]


def test_each_prediction_says_which_version_answered_and_where_it_is_logged(
    client: Client, vertex: Endpoint
) -> None:
    [found] = send(client, PREDICT, {"instances": [ROW]}).json()["predictions"]
    assert found["model_version"] == "1"
    assert PredictionRequest.objects.get(pk=found["request_id"]).protocol == "vertex"


def test_it_is_healthy_while_a_model_answers(client: Client, vertex: Endpoint) -> None:
    assert client.get(HEALTH).status_code == 200


def test_other_routes_are_where_they_were(client: Client, vertex: Endpoint) -> None:
    assert send(client, "/predict", ROW).status_code == 200
    assert client.get("/v1/models/raisin").status_code == 200


def test_a_route_of_ours_may_be_chosen(client: Client, vertex: Endpoint, settings: Any) -> None:
    settings.AIP_PREDICT_ROUTE = "/predict"
    mount()
    assert "predictions" in send(client, "/predict", {"instances": [ROW]}).json()


def test_it_refuses_parameters(client: Client, vertex: Endpoint) -> None:
    body = {"instances": ROWS, "parameters": {"temperature": 1}}
    problem(send(client, PREDICT, body), 400, "invalid_request")


def test_it_refuses_rows_that_do_not_fit(client: Client, vertex: Endpoint) -> None:
    body = {"instances": [ROW | {"Area": "x"}]}
    problem(send(client, PREDICT, body), 400, "invalid_rows")


def test_without_an_endpoint_at_the_root_nothing_is_there(
    client: Client, vertex: Endpoint, settings: Any
) -> None:
    settings.RAISIN_ROOT_ENDPOINT = ""
    problem(send(client, PREDICT, {"instances": ROWS}), 404, "not_found")
