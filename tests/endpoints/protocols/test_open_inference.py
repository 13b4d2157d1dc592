"""V2 inference answers as the native route does, in whichever form rows come and answers go."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import orjson
import pytest
from django.http import HttpResponse
from django.test import Client
from rest_framework.test import APIClient

from endpoints.models import Endpoint, PredictionRequest
from tests.cast import ROW
from tests.endpoints import grains
from tests.endpoints.api.client import PREDICT, post
from tests.endpoints.protocols import berries
from tests.endpoints.protocols.inference_client import (
    CELLS,
    INFER,
    NAMES,
    ONE_ROW,
    answered,
    ask,
    ask_in_bytes,
    outputs,
)
from tests.endpoints.protocols.tensor_requests import raw, tensor

pytestmark = pytest.mark.django_db
WIDTH = len(CELLS)
ROWS = [CELLS, [cell * 1.5 for cell in CELLS], [cell * 0.7 for cell in CELLS]]
FLAT = [cell for row in ROWS for cell in row]


def native(api: APIClient, rows: Any, path: str = PREDICT) -> dict[str, Any]:
    """Return the native route's answer, in the plural for one row too."""
    found = post(api, path, {"rows": rows}).json()
    if "probability" not in found:
        return dict(found)
    return {"probabilities": [found["probability"]], "predictions": [found["prediction"]]}


def agrees(response: HttpResponse, with_: dict[str, Any]) -> None:
    found = outputs(response)
    positive = [row[1] for row in found["predict_proba"]]
    assert positive == pytest.approx(with_["probabilities"], rel=0, abs=1e-12)
    assert found["predict"] == with_["predictions"]


def test_it_works(api: APIClient, client: Client, raisin: Endpoint) -> None:
    response = ask(client, ONE_ROW)
    assert response["Content-Type"] == "application/json"
    answer, wanted = answered(response), post(api, PREDICT, ROW).json()
    assert (answer["model_name"], answer["model_version"]) == ("raisin", "1")
    numbers, probabilities = answer["outputs"]
    assert numbers == {
        "name": "predict",
        "datatype": "INT64",
        "shape": [1],
        "data": [wanted["prediction"]],
    }
    assert (probabilities["datatype"], probabilities["shape"]) == ("FP64", [1, 2])
    assert probabilities["data"][1] == pytest.approx(wanted["probability"], rel=0, abs=1e-12)
    assert sum(probabilities["data"]) == pytest.approx(1.0, abs=1e-12)


def test_it_records_the_request(client: Client, raisin: Endpoint) -> None:
    answer = answered(ask(client, ONE_ROW))
    logged = PredictionRequest.objects.get(pk=answer["parameters"]["request_id"])
    assert (logged.protocol, logged.row_count) == ("open_inference", 1)


@pytest.mark.parametrize("data", [FLAT, ROWS])
def test_a_tensor_in_json_is_answered_as_rows_are(
    api: APIClient, client: Client, raisin: Endpoint, data: Any
) -> None:
    agrees(ask(client, {"inputs": [tensor(data, [3, WIDTH])]}), native(api, ROWS))


@pytest.mark.parametrize("rows", [ROWS, ROWS[:1]])
def test_a_tensor_in_bytes_is_answered_as_rows_are(
    api: APIClient, client: Client, raisin: Endpoint, rows: Any
) -> None:
    cells = FLAT[: len(rows) * WIDTH]
    agrees(ask_in_bytes(client, raw(cells, [len(rows), WIDTH])), native(api, rows))


def test_a_tensor_a_column_is_answered_as_rows_are(
    api: APIClient, client: Client, raisin: Endpoint
) -> None:
    columns = list(zip(NAMES, zip(*ROWS, strict=True), strict=True))
    in_json = [tensor(list(cells), [3, 1], name=name) for name, cells in reversed(columns)]
    agrees(ask(client, {"inputs": in_json}), native(api, ROWS))
    in_bytes = [raw(cells, [3], name=name) for name, cells in columns]
    agrees(ask_in_bytes(client, *in_bytes), native(api, ROWS))


def test_integers_are_numbers(api: APIClient, client: Client, raisin: Endpoint) -> None:
    row = [round(cell) for cell in CELLS]
    for datatype in ("INT64", "UINT32"):
        data = [*row, *row]
        found = ask(client, {"inputs": [tensor(data, [2, WIDTH], datatype=datatype)]})
        agrees(found, native(api, [row, row]))


def test_all_outputs_come_in_bytes_where_asked(client: Client, raisin: Endpoint) -> None:
    names = ["label", "predict_proba", "predict"]
    wanted = {"outputs": [{"name": name} for name in names]}
    document = {"inputs": [tensor(ROWS, [3, WIDTH])]} | wanted
    in_json = ask(client, document)
    in_bytes = ask(client, document | {"parameters": {"binary_data_output": True}})
    assert in_bytes["Content-Type"] == "application/octet-stream"
    assert list(outputs(in_json)) == names
    assert outputs(in_bytes) == outputs(in_json)


def test_bytes_and_json_may_stand_in_one_answer(client: Client, raisin: Endpoint) -> None:
    asked = [
        {"name": "label", "parameters": {"binary_data": True}},
        {"name": "predict"},
        {"name": "predict_proba", "parameters": {"binary_data": True}},
    ]
    found = outputs(ask(client, ONE_ROW | {"outputs": asked}))
    assert found["predict"] == [1 if found["label"] == ["Besni"] else 0]


@pytest.mark.parametrize("version", ["2", "v2"])
def test_the_address_may_name_a_version(
    api: APIClient, client: Client, raisin: Endpoint, version: str
) -> None:
    response = ask(client, ONE_ROW, f"/v2/models/raisin/versions/{version}/infer")
    assert answered(response)["model_version"] == "2"
    wanted = post(api, f"{PREDICT}?version=2", ROW).json()["probability"]
    assert outputs(response)["predict_proba"][0][1] == pytest.approx(wanted, rel=0, abs=1e-12)


def test_the_id_of_the_request_comes_back(client: Client, raisin: Endpoint) -> None:
    assert answered(ask(client, ONE_ROW | {"id": "abc"}))["id"] == "abc"
    answer = answered(ask(client, ONE_ROW))
    assert answer["id"] == answer["parameters"]["request_id"]


def test_a_true_label_can_be_sent_under_the_request_id(
    api: APIClient, client: Client, raisin: Endpoint
) -> None:
    request_id = answered(ask(client, ONE_ROW | {"id": "abc"}))["parameters"]["request_id"]
    assert (
        post(api, f"/api/v1/requests/{request_id}/feedback", {"label": "Besni"}).status_code < 300
    )


def test_the_answer_names_the_threshold(client: Client, raisin: Endpoint) -> None:
    threshold = raisin.versions.get(number=1).threshold
    assert answered(ask(client, ONE_ROW))["parameters"]["threshold"] == threshold


def test_three_classes_have_a_column_each_and_no_threshold(
    api: APIClient, client: Client, db: None
) -> None:
    grains.endpoint()
    answer = ask(client, ONE_ROW, "/v2/models/grains/infer")
    wanted = post(api, "/api/v1/grains/predict", ROW).json()["probabilities"]
    assert outputs(answer)["predict_proba"] == [
        pytest.approx(list(wanted.values()), rel=0, abs=1e-12)
    ]
    assert "threshold" not in answered(answer)["parameters"]


def test_categories_are_texts(api: APIClient, client: Client, db: None) -> None:
    berries.endpoint()
    path, cells = "/v2/models/berries/infer", berries.ROW
    rows = [cells, cells | {"colour": "dark"}]
    wanted = native(api, rows, "/api/v1/berries/predict")
    tensors = [
        tensor([87_524.0] * 2, [2], name="Area"),
        tensor(["red", "dark"], [2], name="colour", datatype="BYTES"),
        tensor([1_184.04] * 2, [2], name="Perimeter"),
    ]
    agrees(ask(client, {"inputs": tensors}, path), wanted)
    in_bytes = [
        (tensors[0], b""),
        raw(["red", "dark"], [2, 1], name="colour", datatype="BYTES"),
        (tensors[2], b""),
    ]
    agrees(ask_in_bytes(client, *in_bytes, path=path), wanted)


@pytest.mark.parametrize("n_rows", [1, 2])
def test_a_missing_value_is_the_same_in_every_form(
    api: APIClient, client: Client, db: None, n_rows: int
) -> None:
    berries.endpoint()
    path = "/v2/models/berries/infer"
    gap, full = berries.ROW | {"Area": None}, berries.ROW
    rows = [full, gap][-n_rows:]
    areas = [87_524.0, None][-n_rows:]
    others = [
        tensor(["red"] * n_rows, [n_rows], name="colour", datatype="BYTES"),
        tensor([1_184.04] * n_rows, [n_rows], name="Perimeter"),
    ]
    in_json = ask(client, {"inputs": [tensor(areas, [n_rows], name="Area"), *others]}, path)
    as_nan = [float("nan") if area is None else area for area in areas]
    rest = [(other, b"") for other in others]
    in_bytes = ask_in_bytes(client, raw(as_nan, [n_rows], name="Area"), *rest, path=path)
    for response in (in_json, in_bytes):
        filled = orjson.loads(answered(response)["parameters"]["imputed"])
        assert filled == {str(n_rows - 1): ["Area"]}
        assert outputs(response)["predict_proba"] == outputs(in_json)["predict_proba"]
    agrees(in_json, native(api, rows, "/api/v1/berries/predict"))


def test_the_bare_token_nan_is_a_missing_value(client: Client, db: None) -> None:
    berries.endpoint()
    inputs = [
        tensor([None], [1], name="Area"),
        tensor(["red"], [1], name="colour", datatype="BYTES"),
        tensor([1_184.04], [1], name="Perimeter"),
    ]
    body = orjson.dumps({"inputs": inputs}).replace(b"[null]", b"[NaN]")
    assert b"NaN" in body
    answer = answered(ask(client, body, "/v2/models/berries/infer"))
    assert "Area" in answer["parameters"]["imputed"]


@pytest.mark.parametrize("content_type", ["", "application/x-www-form-urlencoded", "text/plain"])
def test_the_type_of_the_body_does_not_matter(
    client: Client, raisin: Endpoint, content_type: str
) -> None:
    body = orjson.dumps(ONE_ROW)
    assert client.generic("POST", INFER, body, content_type=content_type).status_code == 200


@pytest.mark.parametrize(("name", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_body_may_be_compressed(client: Client, raisin: Endpoint, name: str, pack: Any) -> None:
    head = orjson.dumps({"inputs": [raw(CELLS, [1, WIDTH])[0]]})
    body = pack(head + raw(CELLS, [1, WIDTH])[1])
    headers = {"Content-Encoding": name, "Inference-Header-Content-Length": str(len(head))}
    assert outputs(ask(client, body, **headers)) == outputs(ask(client, ONE_ROW))


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("br, gzip;q=0, deflate;q=0.5", "deflate"),
        ("GZIP , deflate", "gzip"),
    ],
)
def test_a_long_answer_is_compressed_where_asked(
    client: Client, raisin: Endpoint, accepted: str, coding: str
) -> None:
    many = {"inputs": [tensor(CELLS * 100, [100, WIDTH])]}
    response = ask(client, many, **{"Accept-Encoding": accepted})
    assert response["Content-Encoding"] == coding
    unpack = gzip.decompress if coding == "gzip" else zlib.decompress
    found = orjson.loads(unpack(response.content))
    assert found["outputs"] == answered(ask(client, many))["outputs"]


@pytest.mark.parametrize("accepted", ["", "identity", "br", "gzip;q=0", "*"])
def test_an_answer_stays_as_it_is_where_nothing_else_was_asked(
    client: Client, raisin: Endpoint, accepted: str
) -> None:
    many = {"inputs": [tensor(CELLS * 100, [100, WIDTH])]}
    assert "Content-Encoding" not in ask(client, many, **{"Accept-Encoding": accepted})


def test_a_short_answer_is_not_worth_compressing(client: Client, raisin: Endpoint) -> None:
    assert "Content-Encoding" not in ask(client, ONE_ROW, **{"Accept-Encoding": "gzip"})
