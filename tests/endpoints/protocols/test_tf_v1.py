"""The protocol of TensorFlow Serving and KServe's version 1, answered as the native route answers."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from endpoints.models import Endpoint, PredictionRequest
from tests import cast
from tests.cast import ROW
from tests.endpoints import grains
from tests.endpoints.protocols.asking import LISTS, ROWS, native, problem, send

pytestmark = pytest.mark.django_db

MODEL = "/v1/models/raisin"
BY_COLUMN = {name: [row[name] for row in ROWS] for name in ROW}


@pytest.mark.parametrize("rows", [ROWS, LISTS], ids=["objects", "lists"])
def test_it_works(client: Client, raisin: Endpoint, rows: Any) -> None:
    answer = send(client, f"{MODEL}:predict", {"instances": rows}).json()
    expected = native(client)
    assert answer["predictions"] == expected["labels"]
    assert answer["probabilities"] == expected["probabilities"]
    assert answer["model_version"] == "1"


def test_columns_are_answered_as_outputs(client: Client, raisin: Endpoint) -> None:
    answer = send(client, f"{MODEL}:predict", {"inputs": BY_COLUMN}).json()
    assert answer["outputs"] == native(client)["labels"]
    assert "predictions" not in answer


@pytest.mark.parametrize("version", ["2", "v2"])
def test_a_version_may_be_named(client: Client, raisin: Endpoint, version: str) -> None:
    path = f"{MODEL}/versions/{version}"
    answer = send(client, f"{path}:predict", {"instances": ROWS}).json()
    assert answer["model_version"] == "2"
    assert answer["probabilities"] == native(client, query="?version=2")["probabilities"]
    assert client.get(path).json()["model_version_status"][0]["version"] == "2"


def test_the_signature_that_clients_send_is_known(client: Client, raisin: Endpoint) -> None:
    body = {"signature_name": "serving_default", "instances": ROWS}
    assert send(client, f"{MODEL}:predict", body).status_code == 200
    body["signature_name"] = "classify"
    problem(send(client, f"{MODEL}:predict", body), 400, "invalid_request")


def test_a_nan_token_is_a_missing_value(client: Client, raisin: Endpoint) -> None:
    """Which this model cannot fill, so that the error speaks of it."""
    body = b'{"instances": [[NaN, 1, 1, 1, 1, 1, 1]]}'
    found = problem(send(client, f"{MODEL}:predict", body), 400, "invalid_rows")
    assert found["errors"][0]["code"] == "missing_value"


def test_it_says_that_a_model_is_ready(client: Client, raisin: Endpoint) -> None:
    state = {
        "version": "1",
        "state": "AVAILABLE",
        "status": {"error_code": "OK", "error_message": ""},
    }
    assert client.get(MODEL).json() == {
        "name": "raisin",
        "ready": True,
        "model_version_status": [state],
    }


def test_a_model_that_would_not_answer_is_not_ready(client: Client, raisin: Endpoint) -> None:
    Endpoint.objects.update(paused_at=cast.THEN)
    problem(client.get(MODEL), 503, "no_model")


def test_it_explains(client: Client, raisin: Endpoint) -> None:
    answer = send(client, f"{MODEL}:explain", {"instances": ROWS}).json()
    expected = native(client, query="?explain=1")
    assert answer["predictions"] == expected["labels"]
    assert [found["contributions"] for found in answer["explanations"]] == expected["contributions"]
    for found, logit in zip(answer["explanations"], expected["logits"], strict=True):
        total = found["base"] + sum(found["contributions"].values())
        assert (found["unit"], total) == ("log_odds", pytest.approx(logit, abs=1e-9))


def test_one_row_is_explained_in_a_list_too(client: Client, raisin: Endpoint) -> None:
    [found] = send(client, f"{MODEL}:explain", {"instances": [ROW]}).json()["explanations"]
    assert list(found["contributions"]) == list(ROW)


def test_every_class_is_explained(client: Client, db: None) -> None:
    grains.endpoint()
    answer = send(client, "/v1/models/grains:explain", {"instances": ROWS}).json()
    assert answer["probabilities"] == native(client, "grains")["probabilities"]
    [first, _] = answer["explanations"]
    assert set(first["base"]) == set(first["contributions"]) == set(grains.CLASSES)


def test_it_records_the_protocol(client: Client, raisin: Endpoint) -> None:
    answer = send(client, f"{MODEL}:explain", {"instances": ROWS}).json()
    assert PredictionRequest.objects.get(pk=answer["request_id"]).protocol == "tf_v1"


@pytest.mark.parametrize(
    "body", [b"", b"[1]", {"instances": {}}, {"rows": ROWS}, {"dataframe_records": ROWS}]
)
def test_it_refuses_other_bodies(client: Client, raisin: Endpoint, body: Any) -> None:
    assert send(client, f"{MODEL}:predict", body).status_code == 400


@pytest.mark.parametrize("path", ["/v1/models/sultana", f"{MODEL}/versions/9"])
def test_it_refuses_what_is_not_there(client: Client, raisin: Endpoint, path: str) -> None:
    problem(client.get(path), 404, "not_found")
    problem(send(client, f"{path}:predict", {"instances": ROWS}), 404, "not_found")


def test_it_refuses_strangers(client: Client, raisin: Endpoint) -> None:
    Endpoint.objects.update(public_predictions=False)
    problem(client.get(MODEL), 401, "not_authenticated")
    problem(send(client, f"{MODEL}:predict", b"{"), 401, "not_authenticated")


def test_it_refuses_another_method(client: Client, raisin: Endpoint) -> None:
    problem(client.get(f"{MODEL}:predict"), 405, "method_not_allowed")
    problem(send(client, MODEL, {}), 405, "method_not_allowed")
