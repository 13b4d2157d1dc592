"""What V2 clients learn before they ask: which models there are, whether they answer, what they take."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from endpoints.models import Endpoint
from endpoints.services import pausing
from mlcore.version import __version__
from tests import cast
from tests.endpoints import grains
from tests.endpoints.api.client import problem_in
from tests.endpoints.protocols import berries
from tests.endpoints.protocols.inference_client import NAMES, ONE_ROW, answered, ask

pytestmark = pytest.mark.django_db
INDEX = "/v2/repository/index"


def metadata(client: Client, path: str) -> dict[str, Any]:
    response = client.get(path)
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    return dict(response.json())


def index(client: Client, body: bytes = b"", **headers: str) -> list[dict[str, str]]:
    response = client.generic("POST", INDEX, body, content_type="", headers=headers)
    assert response.status_code == 200, response.content
    return list(response.json())


def test_it_works(client: Client, raisin: Endpoint) -> None:
    model = metadata(client, "/v2/models/raisin")
    assert (model["name"], model["versions"]) == ("raisin", ["1", "2"])
    assert model["platform"] == "raisin_logistic"
    assert [column["name"] for column in model["inputs"]] == list(NAMES)
    assert model["inputs"][0] == {"name": "Area", "datatype": "FP64", "shape": [-1]}
    assert {output["name"]: output["shape"] for output in model["outputs"]} == {
        "predict": [-1],
        "predict_proba": [-1, 2],
        "label": [-1],
    }


def test_the_outputs_are_those_that_are_answered(client: Client, raisin: Endpoint) -> None:
    promised = metadata(client, "/v2/models/raisin")["outputs"]
    wanted = [{"name": output["name"]} for output in promised]
    given = answered(ask(client, ONE_ROW | {"outputs": wanted}))["outputs"]
    for promise, output in zip(promised, given, strict=True):
        assert promise == {
            "name": output["name"],
            "datatype": output["datatype"],
            "shape": [-1, *output["shape"][1:]],
        }


def test_the_properties_are_texts(client: Client, raisin: Endpoint) -> None:
    version = raisin.versions.get(number=2)
    properties = metadata(client, "/v2/models/raisin/versions/v2")["properties"]
    assert all(isinstance(value, str) for value in properties.values())
    assert properties["model_version"] == "2"
    assert properties["status"] == "staging"
    assert properties["sha256"] == version.artifact_sha256
    assert float(properties["threshold"]) == version.threshold
    assert orjson.loads(properties["classes"]) == ["Kecimen", "Besni"]
    assert properties["positive_class"] == "Besni"
    assert "[-1, 7]" in properties["inputs_as_one_tensor"]


def test_categories_tell_their_levels(client: Client, db: None) -> None:
    berries.endpoint()
    model = metadata(client, "/v2/models/berries")
    assert model["inputs"][1] == {"name": "colour", "datatype": "BYTES", "shape": [-1]}
    properties = model["properties"]
    assert orjson.loads(properties["levels"]) == {"colour": ["dark", "red"]}
    assert orjson.loads(properties["inputs_that_may_be_missing"]) == ["Area"]
    assert "one tensor for each" in properties["inputs_as_one_tensor"]


def test_three_classes_have_no_threshold(client: Client, db: None) -> None:
    grains.endpoint()
    model = metadata(client, "/v2/models/grains")
    assert model["platform"] == "raisin_softmax"
    assert {"name": "predict_proba", "datatype": "FP64", "shape": [-1, 3]} in model["outputs"]
    assert not {"threshold", "positive_class"} & set(model["properties"])


@pytest.mark.parametrize("path", ["/v2", "/v2/"])
def test_the_server_says_what_it_can_do(client: Client, db: None, path: str) -> None:
    assert metadata(client, path) == {
        "name": "raisin",
        "version": __version__,
        "extensions": ["binary_tensor_data", "model_repository"],
    }


@pytest.mark.parametrize("path", ["raisin", "raisin/versions/2", "raisin/versions/v1"])
def test_a_model_that_answers_is_ready(client: Client, raisin: Endpoint, path: str) -> None:
    assert metadata(client, f"/v2/models/{path}/ready") == {"name": "raisin", "ready": True}
    assert client.head(f"/v2/models/{path}/ready").status_code == 200


def test_a_model_that_does_not_answer_is_not_ready(client: Client, raisin: Endpoint) -> None:
    problem_in(client.get("/v2/models/other/ready"), 404, "not_found")
    cast.an_endpoint("empty")
    problem_in(client.get("/v2/models/empty/ready"), 503, "no_model")
    pausing.pause(endpoint=raisin, actor=cast.SYSTEM, now=timezone.now())
    problem_in(client.get("/v2/models/raisin/ready"), 503, "no_model")


def test_the_index_lists_what_is_in_production(client: Client, raisin: Endpoint) -> None:
    cast.an_endpoint("empty")
    ready = {"name": "raisin", "version": "1", "state": "READY", "reason": ""}
    assert index(client) == index(client, b"{}") == [ready]
    pausing.pause(endpoint=raisin, actor=cast.SYSTEM, now=timezone.now())
    assert index(client) == [ready | {"state": "UNAVAILABLE", "reason": "paused"}]
    assert index(client, b'{"ready": true}') == []


def test_the_index_hides_what_the_caller_may_not_ask(
    client: Client, raisin: Endpoint, dev: User, dev_key: str
) -> None:
    private = cast.an_endpoint("private", public=False)
    cast.registered_version(private, status="production")
    assert [model["name"] for model in index(client)] == ["raisin"]
    found = index(client, Authorization=f"Bearer {dev_key}")
    assert [model["name"] for model in found] == ["private", "raisin"]
    _, elsewhere = cast.new_key(dev, endpoint=private)
    found = index(client, Authorization=f"Bearer {elsewhere}")
    assert [model["name"] for model in found] == ["private"]


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"ready": 1}'])
def test_the_index_refuses_another_body(client: Client, raisin: Endpoint, body: bytes) -> None:
    response = client.generic("POST", INDEX, body)
    problem_in(response, 400, response.json()["code"])


@pytest.mark.parametrize("verb", ["load", "unload"])
def test_loading_points_to_promotion(client: Client, raisin: Endpoint, verb: str) -> None:
    response = client.post(f"/v2/repository/models/raisin/{verb}")
    assert "/promote" in problem_in(response, 403, "not_allowed")["error"]


@pytest.mark.parametrize("path", ["", "/versions/1", "/ready", "/versions/1/ready"])
def test_strangers_learn_nothing_of_a_private_model(
    client: Client, db: None, dev_key: str, path: str
) -> None:
    private = cast.an_endpoint("private", public=False)
    cast.registered_version(private, status="production")
    problem_in(client.get(f"/v2/models/private{path}"), 401, "not_authenticated")
    headers = {"Authorization": f"Bearer {dev_key}"}
    assert client.get(f"/v2/models/private{path}", headers=headers).status_code == 200
