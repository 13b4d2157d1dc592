"""The OpenAPI document of one model: valid, true of its answers, and with examples that work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from django.contrib.auth.models import User
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from rest_framework.test import APIClient

from endpoints.models import Endpoint
from tests import cast
from tests.endpoints import grains
from tests.endpoints.api.client import post, problem_in
from tests.endpoints.protocols import berries

pytestmark = pytest.mark.django_db

Make = Callable[[], Endpoint]
MODELS: dict[str, Make] = {
    "raisin": cast.raisin_endpoint,
    "grains": grains.endpoint,  # three classes
    "berries": berries.endpoint,  # a category, and a number that may be missing
}


@pytest.fixture(params=sorted(MODELS))
def slug(request: pytest.FixtureRequest) -> str:
    return MODELS[request.param]().slug


def document_of(api: APIClient, slug: str) -> dict[str, Any]:
    response = api.get(f"/api/v1/{slug}/openapi.json")
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    return response.json()


def validator(document: dict[str, Any], name: str) -> Draft202012Validator:
    return Draft202012Validator(document | {"$ref": f"#/components/schemas/{name}"})


def operation(document: dict[str, Any], name: str) -> tuple[str, dict[str, Any]]:
    [found] = [
        (path, method)
        for path, item in document["paths"].items()
        for method in item.values()
        if isinstance(method, dict) and method["operationId"] == name
    ]
    return found


def examples(described: dict[str, Any]) -> list[Any]:
    content = described["requestBody"]["content"]["application/json"]
    return [example["value"] for example in content["examples"].values()]


def test_it_works(api: APIClient, raisin: Endpoint) -> None:
    document = document_of(api, "raisin")
    assert document["info"]["title"] == "Raisin"
    assert document["info"]["version"] == "1"
    assert set(document["paths"]) == {
        "/api/v1/raisin/predict",
        "/api/v1/raisin/explain",
        "/api/v1/raisin/features",
        "/api/v1/raisin/plot",
        "/v2/models/raisin/infer",
        "/api/v1/requests/{request_id}/feedback",
    }
    row = document["components"]["schemas"]["Row"]
    assert list(row["properties"]) == row["required"] == list(cast.ROW)
    assert "In training from" in row["properties"]["Area"]["description"]
    assert document["components"]["schemas"]["Label"]["properties"]["label"]["enum"] == [
        "Kecimen",
        "Besni",
    ]


def test_it_is_a_valid_document(api: APIClient, slug: str) -> None:
    schemathesis.openapi.from_dict(document_of(api, slug)).validate()


@pytest.mark.parametrize(
    ("name", "schema"), [("predict", "Prediction"), ("explain", "Explanation")]
)
def test_its_examples_work_and_are_answered_as_it_says(
    api: APIClient, slug: str, name: str, schema: str
) -> None:
    document = document_of(api, slug)
    path, described = operation(document, name)
    one, several = examples(described)
    for body, shape in ((one, 0), (several, 1)):
        validator(document, "Rows").validate(body)
        answer = post(api, path, body)
        assert answer.status_code == 200, answer.content
        validator(document, schema).validate(answer.json())
        variant = document["components"]["schemas"][schema]["anyOf"][shape]
        Draft202012Validator(document | variant).validate(answer.json())


def test_its_tensors_work(api: APIClient, slug: str) -> None:
    path, described = operation(document_of(api, slug), "infer")
    [body] = examples(described)
    answer = post(api, path, body)
    assert answer.status_code == 200, answer.content
    schema = described["responses"]["200"]["content"]["application/json"]["schema"]
    Draft202012Validator(schema).validate(answer.json())


def test_its_label_works(api: APIClient, slug: str) -> None:
    document = document_of(api, slug)
    path, described = operation(document, "predict")
    request_id = post(api, path, examples(described)[0]).json()["request_id"]
    path, described = operation(document, "feedback")
    [label] = examples(described)
    assert post(api, path.format(request_id=request_id), label).status_code == 201


def test_its_other_routes_work(api: APIClient, slug: str) -> None:
    document = document_of(api, slug)
    path, _ = operation(document, "features")
    assert api.get(path).status_code == 200
    path, described = operation(document, "plot")
    [parameter] = described["parameters"]
    for feature in parameter["schema"]["enum"]:
        response = api.get(path, {"feature": feature})
        assert list(described["responses"]["200"]["content"]) == ["image/svg+xml"]
        assert response["Content-Type"].startswith("image/svg+xml")


CELLS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False)
) | st.sampled_from(["red", "dark", "blue", "", "3"])


def test_a_row_fits_the_document_if_the_model_takes_it(api: APIClient) -> None:
    """Whatever is missing, null, of another type, too large or unknown."""
    berries.endpoint()
    rows = validator(document_of(api, "berries"), "Rows")

    @hypothesis_settings(
        max_examples=60,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(row=st.fixed_dictionaries({}, optional=dict.fromkeys((*berries.ROW, "taste"), CELLS)))
    def holds(row: dict[str, Any]) -> None:
        body = {"rows": [berries.ROW | row]}
        status = post(api, "/api/v1/berries/predict", body).status_code
        assert (status == 200) == rows.is_valid(body), (status, body)

    holds()


@pytest.mark.parametrize("column", list(berries.ROW))
def test_what_may_be_missing_is_what_it_says(api: APIClient, column: str) -> None:
    berries.endpoint()
    rows = validator(document_of(api, "berries"), "Rows")
    without = {"rows": [{name: cell for name, cell in berries.ROW.items() if name != column}]}
    null = {"rows": [berries.ROW | {column: None}]}
    for body in (without, null):
        status = post(api, "/api/v1/berries/predict", body).status_code
        assert (status == 200) == rows.is_valid(body), body


def test_it_knows_the_policy_of_missing_values(api: APIClient) -> None:
    berries.endpoint()
    null = {"rows": [berries.ROW | {"Area": None}]}
    assert validator(document_of(api, "berries"), "Rows").is_valid(null)
    Endpoint.objects.update(missing_values="refuse")
    assert not validator(document_of(api, "berries"), "Rows").is_valid(null)


def test_it_is_as_open_as_the_predictions(api: APIClient, raisin: Endpoint) -> None:
    assert {} in document_of(api, "raisin")["security"]
    Endpoint.objects.update(public_predictions=False)
    problem_in(api.get("/api/v1/raisin/openapi.json"), 401, "not_authenticated")


def test_a_key_is_asked_for_where_it_is_needed(
    api: APIClient, raisin: Endpoint, dev_key: str
) -> None:
    Endpoint.objects.update(public_predictions=False)
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {dev_key}")
    assert document_of(api, "raisin")["security"] == [{"key": []}]


def test_without_a_model_there_is_nothing_to_tell(api: APIClient, dana: User) -> None:
    cast.an_endpoint("empty")
    problem_in(api.get("/api/v1/empty/openapi.json"), 503, "no_model")
    problem_in(api.get("/api/v1/nothing/openapi.json"), 404, "not_found")
