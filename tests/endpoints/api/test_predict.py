"""Prediction: every shape of body gives the same answer, to the last bit."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpResponse
from rest_framework.test import APIClient

from endpoints.models import Endpoint
from tests.cast import ROW
from tests.endpoints.api.client import PREDICT, post, problem_in

pytestmark = pytest.mark.django_db

VALUES = list(ROW.values())
SHAPES: dict[str, Any] = {
    "an object": ROW,
    "features as an object": {"features": ROW},
    "features as lists": {"features": [VALUES]},
    "features as one list": {"features": VALUES},
    "rows of objects": {"rows": [ROW]},
    "rows of lists": {"rows": [VALUES]},
}


def probability_text(response: HttpResponse) -> bytes:
    """Return the probability as its digits stand in the answer."""
    assert response.status_code == 200
    return response.content.partition(b'"probability":')[2].partition(b",")[0]


def test_it_works(api: APIClient, raisin: Endpoint) -> None:
    answer = post(api, PREDICT, ROW).json()
    assert answer["status"] == "OK"
    assert (answer["endpoint"], answer["version"]) == ("raisin", 1)
    assert answer["threshold"] == 0.5
    assert answer["converged"] is True
    assert answer["prediction"] == int(answer["probability"] >= 0.5)
    assert answer["label"] == ("Kecimen", "Besni")[answer["prediction"]]
    assert "contributions" not in answer
    assert "imputed" not in answer


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_gives_the_same_digits(api: APIClient, raisin: Endpoint, shape: str) -> None:
    expected = probability_text(post(api, PREDICT, ROW))
    found = probability_text(post(api, PREDICT, SHAPES[shape]))
    assert found == expected
    assert len(found) > 10


def test_the_order_of_keys_does_not_matter(api: APIClient, raisin: Endpoint) -> None:
    backwards = dict(reversed(ROW.items()))
    expected = probability_text(post(api, PREDICT, ROW))
    assert probability_text(post(api, PREDICT, backwards)) == expected


@pytest.mark.parametrize("headers", [{}, {"Accept": "text/html"}, {"Accept": "x"}])
@pytest.mark.parametrize("sent_as", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_any_accept_and_content_type_is_json(
    api: APIClient, raisin: Endpoint, sent_as: str, headers: dict[str, str]
) -> None:
    body = b'{"features": [%s]}' % ",".join(map(str, VALUES)).encode()
    response = api.generic("POST", PREDICT, body, content_type=sent_as, headers=headers)
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"


def test_it_refuses_an_unknown_endpoint(api: APIClient, raisin: Endpoint) -> None:
    problem_in(post(api, "/api/v1/sultana/predict", ROW), 404, "not_found")
