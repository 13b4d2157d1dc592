from __future__ import annotations

import json

import numpy as np
import pytest

from mlcore import Column, Profile, Schema, TrainingResult, build_profile
from mlcore.profile import score_profile
from tests.mlcore.classifiers import classifier, logistic, softmax, some_rows

SCHEMA = Schema(
    (Column("a", "number", fill=99.0), Column("c", "category", ("x", "y", "z"), fill="x"))
)


def profile_of(rows: list[list[object]], probabilities: list[float]) -> Profile:
    return build_profile(
        SCHEMA, SCHEMA.read(rows), probabilities=np.array(probabilities), threshold=0.5
    )


def test_it_works() -> None:
    rows: list[list[object]] = [[0.0, "x"], [10.0, "y"], [None, "y"], [20.0, None]]
    profile = profile_of(rows, [0.0, 0.04, 0.5, 1.0])
    number, category = profile.columns
    assert profile.n_rows == 4
    assert (number.missing, number.mean, number.minimum, number.maximum) == (1, 10.0, 0.0, 20.0)
    assert number.sd == pytest.approx(np.sqrt(200 / 3))
    assert len(number.quantiles) == 101
    assert number.quantiles[::25] == (0.0, 5.0, 10.0, 15.0, 20.0)
    assert (category.missing, category.counts) == (1, (("x", 1), ("y", 2), ("z", 0)))
    assert profile.scores.histogram == (2, *[0] * 9, 1, *[0] * 8, 1)
    assert profile.scores.positive_rate == 0.5
    assert profile.scores.quantiles[-1] == 1.0


def test_it_survives_json(trained_mixed: TrainingResult) -> None:
    profile = trained_mixed.classifier.profile
    text = json.dumps(profile.to_dict(), allow_nan=False)
    assert Profile.from_dict(json.loads(text)) == profile


def test_it_counts_every_training_row(trained_mixed: TrainingResult) -> None:
    profile = trained_mixed.classifier.profile
    assert profile.n_rows == trained_mixed.n_train
    assert sum(profile.scores.histogram) == profile.n_rows
    colour = profile.columns[2]
    assert colour.missing + sum(count for _, count in colour.counts) == profile.n_rows
    assert colour.missing > 0


def test_three_classes_are_summarised_by_what_was_predicted() -> None:
    made = classifier(softmax(3))
    scores = made.profile.scores
    report = made.score(some_rows(made.schema.columns))
    assert scores.positive_rate is None
    shares = [report.labels.count(name) / 60 for name in made.classes]
    assert scores.class_rates == pytest.approx(shares)
    assert sum(scores.histogram) == 60
    assert scores.quantiles[100] == report.confidence.max()
    assert Profile.from_dict(made.profile.to_dict()) == made.profile


def test_two_columns_of_probabilities_are_those_of_two_classes() -> None:
    made = classifier(logistic(3))
    report = made.score(some_rows(made.schema.columns))
    assert score_profile(report.probabilities, 0.5) == score_profile(report.positive, 0.5)
    assert "class_rates" not in made.profile.to_dict()["scores"]
