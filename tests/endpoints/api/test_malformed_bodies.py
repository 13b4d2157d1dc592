"""A malformed body is refused with a 4xx in the one shape, and nothing is logged."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from endpoints.models import Endpoint, PredictionRequest
from tests.endpoints.api import malformed
from tests.endpoints.api.client import PREDICT, post, problem_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("remembered")]

CASES = {name: (body, headers) for name, body, headers in malformed.cases()}
CODES = {
    400: {"invalid_json", "invalid_request"},
    413: {"too_large"},
    415: {"unsupported_encoding"},
    422: {"invalid_rows"},
}


def test_there_are_enough() -> None:
    assert len(CASES) >= 200


@pytest.mark.parametrize("name", CASES)
def test_it_refuses(api: APIClient, raisin: Endpoint, name: str) -> None:
    body, headers = CASES[name]
    content_type = headers.get("Content-Type", "application/json")
    others = {key: value for key, value in headers.items() if key != "Content-Type"}
    response = api.generic("POST", PREDICT, body, content_type=content_type, headers=others)
    assert response.status_code in CODES
    code = response.json()["code"]
    assert code in CODES[response.status_code]
    problem = problem_in(response, response.status_code, code)
    assert len(problem["error"]) < 1_000
    assert len(response.content) < 100_000
    assert not PredictionRequest.objects.exists()


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b'{"Area": 1,\n "Extent" 2}', "Line 2, column 11"),
        (b'{"Area": Infinity}', "Line 1, column 10"),
        (b'{"Area": 1e999}', "Line 1, column 10"),
        (b'{"Area": "\\ud800"}', "Line 1, column"),
    ],
)
def test_it_names_the_place(api: APIClient, raisin: Endpoint, body: bytes, place: str) -> None:
    assert place in problem_in(post(api, PREDICT, body), 400, "invalid_json")["error"]


def test_it_refuses_a_long_body_before_reading_it(api: APIClient, raisin: Endpoint) -> None:
    response = api.generic("POST", PREDICT, b"{}", headers={"Content-Length": "99999999999"})
    problem_in(response, 413, "too_large")


def test_a_body_without_a_length_counts_as_empty(api: APIClient, raisin: Endpoint) -> None:
    response = api.generic("POST", PREDICT, malformed.BODY, CONTENT_LENGTH="")
    assert "empty" in problem_in(response, 400, "invalid_json")["error"]
