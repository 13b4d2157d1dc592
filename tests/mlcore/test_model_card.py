from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from mlcore import TrainingResult
from mlcore.estimators import Estimator
from mlcore.model_card import FAMILIES, model_card, model_card_json
from tests.mlcore.classifiers import (
    MIXED,
    Squared,
    classifier,
    logistic,
    provenance,
    softmax,
    stump,
)


def test_it_works(trained: TrainingResult) -> None:
    card = model_card(trained.classifier, trained.provenance)
    assert card["target"] == "Class"
    assert card["classes"] == ["Kecimen", "Besni"]
    assert card["decision"] == '"Besni" if its probability is at least 0.5, else "Kecimen"'
    assert (card["family"], card["model"]) == ("logistic", "logistic regression")
    assert [column["name"] for column in card["columns"]] == list(trained.classifier.schema.names)
    assert card["rows"] == {"train": 720, "validation": 180}
    assert card["metrics"]["validation"] == trained.validation.as_dict()
    assert card["training"]["solver"]["name"] == "newton"
    assert card["training"]["converged"] is True


@pytest.mark.parametrize("estimator", [logistic(5), softmax(5), stump(2, 5), stump(3, 5)])
def test_every_family_has_a_card_that_json_can_hold(estimator: Estimator) -> None:
    made = classifier(estimator, columns=MIXED)
    text = model_card_json(made, provenance())
    assert json.loads(text) == model_card(made, provenance())
    assert text == model_card_json(made, provenance())
    assert text.endswith("}\n")
    assert FAMILIES[estimator.family] in text


def test_it_says_what_the_columns_held() -> None:
    number, filled, category = model_card(classifier(softmax(5), MIXED), provenance())["columns"]
    assert number["smallest"] < number["mean"] < number["largest"]
    assert (number["fill"], filled["fill"]) == (None, 0.7)
    assert sum(category["levels"].values()) == 60


def test_it_says_how_three_classes_and_trees_are_decided_and_explained() -> None:
    card = model_card(classifier(stump(3)), provenance())
    assert card["decision"] == "the class with the largest probability; of equals the first"
    assert "not Shapley values" in card["explanation"]
    assert "log-odds" in model_card(classifier(softmax(3)), provenance())["explanation"]


def test_the_limits_are_those_of_this_classifier() -> None:
    plain = classifier(logistic(3))
    many = replace(provenance(), synthetic=False, rows={"train": 10**6, "validation": 10**5})
    sound = model_card(replace(plain, calibration=Squared()), many)
    assert len(sound["limits"]) == 2
    assert sound["calibration"] == {"kind": "squared"}
    assert "calibrated probability" in sound["decision"]
    shaky = model_card(replace(plain, converged=False), provenance())["limits"]
    for word in ("synthetic", "not converged", "20 validation rows", "not calibrated"):
        assert any(word in limit for limit in shaky), word


def test_what_json_cannot_hold_is_refused() -> None:
    odd = replace(provenance(), metrics={"train": {"accuracy": np.nan}})
    with pytest.raises(ValueError, match="not JSON compliant"):
        model_card_json(classifier(), odd)
