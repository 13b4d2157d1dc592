"""What a model reads, how it follows one feature, and predictions with their reasons."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest
from rest_framework.test import APIClient

from endpoints.drawing.svg import CONTENT_SECURITY_POLICY
from endpoints.models import Endpoint, PredictionRequest
from tests.cast import ROW
from tests.endpoints import grains
from tests.endpoints.api.client import PREDICT, post, problem_in, with_key

pytestmark = pytest.mark.django_db

FEATURES, PLOT, EXPLAIN = (f"/api/v1/raisin/{name}" for name in ("features", "plot", "explain"))
SVG = "{http://www.w3.org/2000/svg}"


def described(api: APIClient, path: str = FEATURES) -> dict[str, Any]:
    answer = api.get(path)
    assert answer.status_code == 200
    return dict(answer.json())


def title(answer: Any) -> str:
    root = ElementTree.fromstring(answer.content)
    return str(root.findtext(f"{SVG}title"))


def test_it_works(api: APIClient, raisin: Endpoint) -> None:
    found = described(api)
    assert (found["endpoint"], found["version"], found["target"]) == ("raisin", 1, "Class")
    assert (found["classes"], found["positive"]) == (["Kecimen", "Besni"], "Besni")
    assert [feature["name"] for feature in found["features"]] == list(ROW)


def test_a_feature_says_what_it_was_in_training(api: APIClient, raisin: Endpoint) -> None:
    area = described(api)["features"][0]
    assert (area["kind"], area["levels"], area["fill"], area["missing"]) == ("number", [], None, 0)
    assert area["minimum"] < area["median"] < area["maximum"]
    assert area["minimum"] < area["mean"] < area["maximum"]


def test_the_example_can_be_sent_as_it_is(api: APIClient, raisin: Endpoint) -> None:
    assert post(api, PREDICT, described(api)["example"]).status_code == 200


def test_another_version_can_be_asked_for(api: APIClient, raisin: Endpoint) -> None:
    assert described(api, f"{FEATURES}?version=v2")["version"] == 2
    assert b"raisin v2" in api.get(f"{PLOT}?version=2").content


def test_three_classes_have_no_positive_one(api: APIClient, db: None) -> None:
    grains.endpoint()
    found = described(api, "/api/v1/grains/features")
    assert (found["positive"], found["threshold"]) == (None, None)
    assert title(api.get("/api/v1/grains/plot?feature=Area")) == "Probability of each class by Area"


def test_it_draws_the_feature_that_was_asked_for(api: APIClient, raisin: Endpoint) -> None:
    answer = api.get(f"{PLOT}?feature=Extent")
    assert answer["Content-Type"] == "image/svg+xml; charset=utf-8"
    assert title(answer) == "Probability of Besni by Extent"


def test_without_a_feature_it_draws_the_strongest(api: APIClient, raisin: Endpoint) -> None:
    found = title(api.get(PLOT)).removeprefix("Probability of Besni by ")
    assert found in ROW


def test_the_drawing_brings_its_own_policy(api: APIClient, raisin: Endpoint) -> None:
    """That of the site would take its style away."""
    assert api.get(PLOT)["Content-Security-Policy"] == CONTENT_SECURITY_POLICY


def test_the_curve_goes_through_the_native_answers(api: APIClient, raisin: Endpoint) -> None:
    example = described(api)["example"]
    root = ElementTree.fromstring(api.get(f"{PLOT}?feature=Area").content)
    line = root.find(f".//{SVG}polyline")
    assert line is not None
    heights = [1 - float(point.split(",")[1]) / 216 for point in line.get("points", "").split()]
    probability = post(api, PREDICT, example).json()["probability"]
    assert min(heights) - 1e-3 <= probability <= max(heights) + 1e-3


def test_reading_is_no_prediction(api: APIClient, raisin: Endpoint) -> None:
    api.get(FEATURES)
    api.get(PLOT)
    assert not PredictionRequest.objects.exists()


def test_an_explanation_is_a_prediction(api: APIClient, raisin: Endpoint) -> None:
    answer = post(api, EXPLAIN, ROW).json()
    expected = post(api, f"{PREDICT}?explain=1", ROW).json()
    assert answer | {"request_id": ""} == expected | {"request_id": ""}
    assert PredictionRequest.objects.filter(pk=answer["request_id"]).exists()


def test_it_refuses_a_feature_that_the_model_does_not_have(
    api: APIClient, raisin: Endpoint
) -> None:
    problem = problem_in(api.get(f"{PLOT}?feature=Aera"), 400, "invalid_request")
    assert 'did you mean "Area"' in problem["error"]
    assert problem["errors"][0]["field"] == "feature"


@pytest.mark.parametrize("path", [f"{FEATURES}?feature=Area", f"{PLOT}?features=Area"])
def test_it_refuses_an_unknown_parameter(api: APIClient, raisin: Endpoint, path: str) -> None:
    problem_in(api.get(path), 400, "invalid_request")


@pytest.mark.parametrize("path", [FEATURES, PLOT])
def test_it_refuses_a_version_that_is_not_there(
    api: APIClient, raisin: Endpoint, path: str
) -> None:
    problem_in(api.get(f"{path}?version=9"), 404, "not_found")


@pytest.mark.parametrize("path", [FEATURES, PLOT])
def test_whoever_may_predict_may_look(
    api: APIClient, raisin: Endpoint, dev_key: str, path: str
) -> None:
    Endpoint.objects.update(public_predictions=False)
    problem_in(api.get(path), 401, "not_authenticated")
    assert with_key(api, dev_key).get(path).status_code == 200


def test_it_refuses_to_explain_to_strangers(api: APIClient, raisin: Endpoint) -> None:
    Endpoint.objects.update(public_predictions=False)
    problem_in(post(api, EXPLAIN, ROW), 401, "not_authenticated")
