"""What is wrong with a V2 request is said in JSON that its clients can read, with the status they expect."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from endpoints.models import Endpoint, PredictionRequest
from endpoints.services import pausing
from tests import cast
from tests.cast import ROW
from tests.endpoints.api.client import problem_in
from tests.endpoints.protocols.inference_client import (
    CELLS,
    INFER,
    ONE_ROW,
    ask,
    ask_in_bytes,
)
from tests.endpoints.protocols.tensor_requests import raw, tensor

pytestmark = pytest.mark.django_db
WIDTH = len(CELLS)


def refused(response: HttpResponse, status: int, code: str) -> dict[str, Any]:
    """Return the error; some clients compare its type for equality and read the top-level “error”."""
    assert response["Content-Type"] == "application/json"
    return problem_in(response, status, code)


@pytest.fixture
def private(db: None) -> Endpoint:
    endpoint = cast.an_endpoint("private", public=False)
    cast.registered_version(endpoint, status="production")
    return endpoint


def test_it_refuses_what_is_no_request(client: Client, raisin: Endpoint) -> None:
    for body in (b"", b"{", b"\xff", b"[" * 100_000, b'{"id": "\\ud800"}', b'{"inputs": [1e999]}'):
        refused(ask(client, body), 400, "invalid_json")
    for body in (b"[]", b"{}", b'{"inputs": [{}]}', b'{"inputs": [null]}'):
        refused(ask(client, body), 400, "invalid_request")


MISFITS = (
    tensor([1.0], [1, 1]),
    tensor([1.0] * (WIDTH + 1), [1, WIDTH + 1]),
    tensor(["x"] * WIDTH, [1, WIDTH], datatype="BYTES"),
    tensor([True] * WIDTH, [1, WIDTH], datatype="BOOL"),
    tensor([1.0] * 2 * (WIDTH + 1), [2, WIDTH + 1]),
    tensor(["x"] * 2 * WIDTH, [2, WIDTH], datatype="BYTES"),
    tensor([True] * 2 * WIDTH, [2, WIDTH], datatype="BOOL"),
    tensor([1e200] * 2 * WIDTH, [2, WIDTH]),
    tensor([1.0], [1], name="Area"),
    tensor([1.0, 2.0], [2], name="Area"),
    tensor([1.0, 2.0], [2], name="aera"),
    tensor(["1.0", "2.0"], [2], name="Area", datatype="BYTES"),
    tensor([True, False], [2], name="Area", datatype="BOOL"),
)


def test_it_refuses_rows_that_do_not_fit_with_400(client: Client, raisin: Endpoint) -> None:
    for misfit in MISFITS:
        assert refused(ask(client, {"inputs": [misfit]}), 400, "invalid_rows")["errors"], misfit
    assert not PredictionRequest.objects.exists()


def test_it_refuses_a_missing_value_that_the_model_never_saw(
    client: Client, raisin: Endpoint
) -> None:
    gap = [float("nan"), *CELLS[1:]]
    for n_rows in (1, 2):
        response = ask_in_bytes(client, raw(gap * n_rows, [n_rows, WIDTH]))
        errors = refused(response, 400, "invalid_rows")["errors"]
        found = [(error["row"], error["field"], error["code"]) for error in errors]
        assert found == [(row, "Area", "missing_value") for row in range(n_rows)]


@pytest.mark.parametrize("n_rows", [1, 2])
def test_it_refuses_infinity(client: Client, raisin: Endpoint, n_rows: int) -> None:
    cells = [float("inf"), *CELLS[1:]] * n_rows
    problem = refused(ask_in_bytes(client, raw(cells, [n_rows, WIDTH])), 400, "invalid_rows")
    assert {error["code"] for error in problem["errors"]} == {"not_finite"}


def test_it_names_every_bad_cell_of_its_own_reading(client: Client, raisin: Endpoint) -> None:
    cells = [*CELLS[:-2], "abc", "def"]
    problem = refused(ask(client, {"inputs": [tensor(cells, [1, WIDTH])]}), 400, "invalid_request")
    assert [error["field"] for error in problem["errors"]] == ["input-0[5]", "input-0[6]"]


def test_it_refuses_an_unknown_model(client: Client, raisin: Endpoint) -> None:
    for name in ("other", "my%20model", "ä", "x" * 500):
        refused(ask(client, ONE_ROW, f"/v2/models/{name}/infer"), 404, "not_found")


def test_it_refuses_an_unknown_version(client: Client, raisin: Endpoint) -> None:
    for version in ("9", "v9", "0", "-1", "x", "1.0", "9" * 30, "٣", "vv1", "V1"):
        path = f"/v2/models/raisin/versions/{version}"
        refused(ask(client, ONE_ROW, f"{path}/infer"), 404, "not_found")
        refused(client.get(f"{path}/ready"), 404, "not_found")


def test_it_refuses_strangers_where_predictions_are_not_public(
    client: Client, private: Endpoint, dev_key: str
) -> None:
    path = "/v2/models/private/infer"
    refused(ask(client, ONE_ROW, path), 401, "not_authenticated")
    wrong = ask(client, ONE_ROW, path, Authorization="Bearer rsn_wrong")
    refused(wrong, 401, "invalid_key")
    right = ask(client, ONE_ROW, path, Authorization=f"Bearer {dev_key}")
    assert right.status_code == 200


def test_strangers_learn_nothing_from_a_body_that_nobody_reads(
    client: Client, private: Endpoint
) -> None:
    refused(ask(client, b"{", INFER.replace("raisin", "private")), 401, "not_authenticated")
    refused(ask(client, b"{", INFER.replace("raisin", "nowhere")), 404, "not_found")


def test_it_refuses_a_key_without_the_scope(client: Client, private: Endpoint, dev: User) -> None:
    _, text = cast.new_key(dev, scopes=["read"])
    path = "/v2/models/private/infer"
    refused(ask(client, ONE_ROW, path, Authorization=f"Bearer {text}"), 403, "not_allowed")


def test_it_refuses_too_many_rows_and_too_many_bytes(
    client: Client, raisin: Endpoint, settings: Any
) -> None:
    settings.RAISIN_MAX_ROWS = 3
    many = {"inputs": [tensor(CELLS * 4, [4, WIDTH])]}
    refused(ask(client, many), 413, "too_large")
    settings.RAISIN_MAX_BODY_BYTES = 100
    refused(ask(client, many), 413, "too_large")


def test_it_refuses_while_nothing_answers(client: Client, raisin: Endpoint) -> None:
    pausing.pause(endpoint=raisin, actor=cast.SYSTEM, now=timezone.now())
    refused(ask(client, ONE_ROW), 503, "no_model")
    cast.an_endpoint("empty")
    refused(ask(client, ONE_ROW, "/v2/models/empty/infer"), 503, "no_model")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", INFER),
        ("PUT", INFER),
        ("DELETE", "/v2/models/raisin"),
        ("POST", "/v2/models/raisin"),
        ("POST", "/v2/models/raisin/ready"),
        ("POST", "/v2"),
        ("GET", "/v2/repository/index"),
        ("GET", "/v2/repository/models/raisin/load"),
    ],
)
def test_it_refuses_other_methods(client: Client, method: str, path: str) -> None:
    refused(client.generic(method, path), 405, "method_not_allowed")


def test_an_unknown_address_is_json_and_no_redirect(client: Client, raisin: Endpoint) -> None:
    model = "/v2/models/raisin"
    for path in ("/v2/x", "/v2/models", "/v2/models//", f"{model}/", f"{model}/infer/"):
        refused(client.get(path), 404, "not_found")


def test_an_error_says_nothing_of_the_inside(client: Client, raisin: Endpoint) -> None:
    named = [tensor([cell], [1], name=name) for name, cell in ROW.items()]
    problem = refused(ask(client, {"inputs": named[1:]}), 400, "invalid_rows")
    assert "Traceback" not in str(problem)
    assert "Area" in problem["error"]
