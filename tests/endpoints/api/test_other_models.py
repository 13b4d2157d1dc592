"""What an answer says where the model is no plain logistic regression of two classes."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from endpoints import request_ids
from endpoints.models import AlgorithmVersion, Endpoint
from endpoints.native import _base, _columns, _contributions
from endpoints.services import scoring
from endpoints.services.serving import Answer
from mlcore.classifier import Classifier
from tests import cast
from tests.cast import ROW
from tests.endpoints.api.client import PREDICT, post
from tests.mlcore.classifiers import NUMBERS, classifier, some_rows, stump


def answer(made: Classifier, n_rows: int) -> Answer:
    scored = scoring.score(made, some_rows(NUMBERS, n_rows))
    version = AlgorithmVersion(number=1)
    return Answer(request_ids.new(cast.THEN), Endpoint(slug="other"), version, scored)


def test_a_tree_of_two_classes_scores_in_shares() -> None:
    found = answer(classifier(stump()), 3)
    columns = _columns(found)
    assert columns["score"] == columns["probability"]
    assert "logit" not in columns
    base, parts = _base(found.classifier), _contributions(found)
    assert base["unit"] == "probability"
    for score, part in zip(columns["score"], parts, strict=True):
        assert base["base"] + sum(part.values()) == pytest.approx(score, abs=1e-12)


def test_trees_of_three_classes_share_one_whole() -> None:
    found = answer(classifier(stump(3)), 1)
    columns = _columns(found)
    assert columns["scores"] == columns["probabilities"]
    assert sum(columns["probabilities"][0].values()) == pytest.approx(1.0)
    assert _base(found.classifier)["base"].keys() == columns["scores"][0].keys()


@pytest.mark.django_db
def test_a_calibrated_model_answers_with_the_corrected_probability(api: APIClient) -> None:
    endpoint: Endpoint = cast.an_endpoint()
    cast.registered_version(endpoint, status="production", calibration="platt")
    found = post(api, f"{PREDICT}?explain=1", ROW).json()
    total = found["intercept"] + sum(found["contributions"].values())
    assert total == pytest.approx(found["logit"], abs=1e-9)
    many = post(api, PREDICT, {"rows": [ROW, ROW]}).json()
    assert many["probabilities"] == [found["probability"]] * 2
    loaded = endpoint.versions.get()
    assert loaded.threshold == 0.5
