from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest

from mlcore import (
    Columns,
    DataError,
    TrainingResult,
    coefficients,
    contributions,
    synthetic_raisin,
    table_rows,
)
from mlcore.estimators import Linear
from mlcore.explain import drift_impact, grouped
from tests.mlcore.classifiers import MIXED, classifier, logistic, softmax, some_rows, stump
from tests.mlcore.conftest import mixed_table


def test_it_works() -> None:
    Z = np.array([[1.0, 2.0, -1.0], [0.0, 1.0, 1.0]])
    found = contributions(np.array([0.5, 1.0, 2.0]), Z, (0, 1, 1), 2)
    assert found.tolist() == [[0.5, 0.0], [0.0, 3.0]]


def test_contributions_and_intercept_add_up_to_the_logit(trained_mixed: TrainingResult) -> None:
    classifier = trained_mixed.classifier
    report = classifier.score(table_rows(classifier, mixed_table()))
    assert report.contributions.shape == (900, 1, 3)
    total = classifier.estimator.base + report.contributions.sum(axis=2)
    assert total == pytest.approx(report.scores, abs=1e-9)


def test_the_average_training_row_is_the_baseline(trained: TrainingResult) -> None:
    classifier = trained.classifier
    means = classifier.encoder.means.tolist()
    assert classifier.score([means]).contributions == pytest.approx(np.zeros((1, 1, 7)), abs=1e-12)


def test_coefficients_are_told_in_both_units(trained: TrainingResult) -> None:
    classifier = trained.classifier
    rows = coefficients(classifier.encoder, classifier.estimator.weights)
    assert [row.slot for row in rows] == list(classifier.schema.names)
    assert rows[0].odds_ratio == pytest.approx(math.exp(rows[0].weight))
    (base,) = table_rows(classifier, synthetic_raisin())[:1]
    moved = {**base, "Area": float(base["Area"] or 0) + 1000}
    logits = classifier.score([base, moved]).scores[:, 0]
    assert logits[1] - logits[0] == pytest.approx(1000 * rows[0].per_unit, abs=1e-12)


def test_every_level_of_a_category_has_a_coefficient(trained_mixed: TrainingResult) -> None:
    classifier = trained_mixed.classifier
    rows = coefficients(classifier.encoder, classifier.estimator.weights)
    slots = ["Area", "Extent", "Colour=dark", "Colour=gold", "Colour=red"]
    assert [row.slot for row in rows] == slots
    assert [row.column for row in rows][2:] == ["Colour"] * 3


def test_softmax_has_a_coefficient_for_every_slot_and_class() -> None:
    made = classifier(softmax(5), columns=MIXED)
    weights = made.estimator.weights
    rows = coefficients(made.encoder, weights, classes=made.classes)
    assert [(row.slot, row.label) for row in rows[:4]] == [
        ("Area", "Besni"), ("Area", "Kecimen"), ("Area", "Rumi"), ("Extent", "Besni"),
    ]  # fmt: skip
    assert [row.weight for row in rows] == weights.T.ravel().tolist()
    assert rows[1].per_unit == pytest.approx(weights[1, 0] / made.encoder.scales[0])


def exact_shapley_values(score: Callable[[np.ndarray], float], d: int) -> np.ndarray:
    """The definition: every column's gain, averaged over all coalitions it can join.

    ``score`` takes a mask of the columns that are known.
    """
    values = np.zeros(d)
    for column in range(d):
        others = [other for other in range(d) if other != column]
        for size in range(d):
            share = 1 / (d * math.comb(d - 1, size))
            for coalition in combinations(others, size):
                known = np.zeros(d, dtype=bool)
                known[list(coalition)] = True
                joined = known.copy()
                joined[column] = True
                values[column] += share * (score(joined) - score(known))
    return values


@pytest.mark.parametrize("estimator", [logistic(5), softmax(5)])
def test_contributions_are_interventional_shapley_values(estimator: Linear) -> None:
    """Unknown columns are drawn from the training rows (Lundberg and Lee 2017)."""
    made = classifier(estimator, columns=MIXED)
    training = made.schema.read(some_rows(MIXED))
    row = made.schema.read([[120_000.0, 0.6, "gold"]])
    found = made.score_columns(row).contributions[0]
    for k in range(len(estimator.base)):

        def score(known: np.ndarray, k: int = k) -> float:
            mixed = {
                column.name: np.repeat(row.values[column.name], 60)
                if known[place]
                else training.values[column.name]
                for place, column in enumerate(made.schema.columns)
            }
            scores = made.score_columns(Columns(mixed, 60, ((),) * 60)).scores
            return float(scores[:, k].mean())

        assert found[k] == pytest.approx(exact_shapley_values(score, 3), abs=1e-9)


def test_groups_sum_their_columns(trained: TrainingResult) -> None:
    made = trained.classifier
    report = made.score(table_rows(made, synthetic_raisin())[:5])
    groups = {"size": ("Area", "ConvexArea", "Perimeter"), "none": ()}
    found = grouped(report.contributions, made.schema.names, groups)
    assert found["size"] == pytest.approx(report.contributions[..., [0, 4, 6]].sum(axis=-1))
    assert found["size"].shape == (5, 1)
    assert not found["none"].any()


def test_a_group_of_an_unknown_column_is_refused(trained: TrainingResult) -> None:
    names = trained.classifier.schema.names
    with pytest.raises(DataError, match='"size" names the unknown column "area"; did you mean'):
        grouped(np.zeros((1, 1, 7)), names, {"size": ("area",)})


@pytest.mark.parametrize("estimator", [logistic(5), softmax(5)])
def test_the_impact_of_drift_is_the_change_of_the_average_score(estimator: Linear) -> None:
    made = classifier(estimator, columns=MIXED)
    before, now = some_rows(MIXED), some_rows(MIXED, 40, seed=1)
    impact = drift_impact(made, made.encoder.slot_means(made.schema.read(now)))
    assert impact.shape == (len(estimator.base), 3)
    moved = made.score(now).scores.mean(axis=0) - made.score(before).scores.mean(axis=0)
    assert impact.sum(axis=1) == pytest.approx(moved, abs=1e-9)
    still = drift_impact(made, made.encoder.slot_means(made.schema.read(before)))
    assert still == pytest.approx(np.zeros_like(still), abs=1e-9)


def test_the_impact_of_drift_on_trees_is_not_known() -> None:
    with pytest.raises(DataError, match="not for decision_tree"):
        drift_impact(classifier(stump()), np.zeros(3))
