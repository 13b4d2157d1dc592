from __future__ import annotations

import math

import numpy as np
import pytest

from mlcore import TrainingResult, coefficients, contributions, synthetic_raisin, table_rows
from tests.mlcore.conftest import mixed_table


def test_it_works() -> None:
    Z = np.array([[1.0, 2.0, -1.0], [0.0, 1.0, 1.0]])
    found = contributions(np.array([0.5, 1.0, 2.0]), Z, (0, 1, 1), 2)
    assert found.tolist() == [[0.5, 0.0], [0.0, 3.0]]


def test_contributions_and_intercept_add_up_to_the_logit(trained_mixed: TrainingResult) -> None:
    classifier = trained_mixed.classifier
    report = classifier.score(table_rows(classifier, mixed_table()))
    assert report.contributions.shape == (900, 3)
    total = classifier.intercept + report.contributions.sum(axis=1)
    assert total == pytest.approx(report.logits, abs=1e-9)


def test_the_average_training_row_is_the_baseline(trained: TrainingResult) -> None:
    classifier = trained.classifier
    means = classifier.encoder.means.tolist()
    assert classifier.score([means]).contributions == pytest.approx(np.zeros((1, 7)), abs=1e-12)


def test_coefficients_are_told_in_both_units(trained: TrainingResult) -> None:
    classifier = trained.classifier
    rows = coefficients(classifier.encoder, classifier.weights)
    assert [row.slot for row in rows] == list(classifier.schema.names)
    assert rows[0].odds_ratio == pytest.approx(math.exp(rows[0].weight))
    (base,) = table_rows(classifier, synthetic_raisin())[:1]
    moved = {**base, "Area": float(base["Area"] or 0) + 1000}
    logits = classifier.score([base, moved]).logits
    assert logits[1] - logits[0] == pytest.approx(1000 * rows[0].per_unit, abs=1e-12)


def test_every_level_of_a_category_has_a_coefficient(trained_mixed: TrainingResult) -> None:
    classifier = trained_mixed.classifier
    rows = coefficients(classifier.encoder, classifier.weights)
    slots = ["Area", "Extent", "Colour=dark", "Colour=gold", "Colour=red"]
    assert [row.slot for row in rows] == slots
    assert [row.column for row in rows][2:] == ["Colour"] * 3
