"""What drift does to the mean score of a linear model: exact, against the rows themselves."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from mlcore import TrainingResult, Window, impact_of_drift
from mlcore.classifier import Classifier
from mlcore.encoding import Encoder
from mlcore.profile import build_profile
from tests.mlcore.classifiers import MIXED, Squared, classifier, logistic, softmax, some_rows, stump

HOLES = [[area, None if k % 5 == 0 else extent, None if k % 7 == 0 else colour]
         for k, (area, extent, colour) in enumerate(some_rows(MIXED, 80, seed=1))]  # fmt: skip


def with_holes(model: Classifier) -> Classifier:
    """The same estimator over a training that had missing values."""
    rows = model.schema.read(HOLES)
    encoder = Encoder.fit(model.schema, rows)
    probabilities = model.estimator.probabilities(model.estimator.scores(encoder.transform(rows)))
    profile = build_profile(
        model.schema, rows, probabilities=probabilities, threshold=model.threshold
    )
    return Classifier(
        target="Class",
        classes=model.classes,
        schema=model.schema,
        encoder=encoder,
        estimator=model.estimator,
        threshold=model.threshold,
        profile=profile,
        converged=True,
    )


def moved(n: int = 90) -> list[list[Any]]:
    rows = some_rows(MIXED, n, seed=2)
    return [[area * 1.2, None if k % 3 == 0 else extent, "red" if k % 2 else colour]
            for k, (area, extent, colour) in enumerate(rows)]  # fmt: skip


def mean_scores(model: Classifier, rows: list[list[Any]]) -> np.ndarray:
    found: np.ndarray = model.score(rows).scores.mean(axis=0)
    return found


@pytest.mark.parametrize("made", [logistic(5), softmax(5)], ids=["two", "three"])
def test_it_works(made: Any) -> None:
    model = with_holes(classifier(made, columns=MIXED))
    window = Window.empty(model.profile)
    window.add(model.schema.read(moved()))
    reports = impact_of_drift(model, window)
    assert reports is not None
    difference = mean_scores(model, moved()) - mean_scores(model, HOLES)
    assert [report.total for report in reports] == pytest.approx(difference.tolist(), abs=1e-10)
    assert [report.label for report in reports] == list(model.classes[-len(reports) :])
    for report in reports:
        sizes = [abs(found.impact) for found in report.features]
        assert sizes == sorted(sizes, reverse=True)
        assert sum(found.impact for found in report.features) == pytest.approx(report.total)


def test_a_feature_moves_the_mean_by_weight_times_shift(trained: TrainingResult) -> None:
    model = trained.classifier
    rows = np.array([[column.mean for column in model.profile.columns]] * 60, np.float64)
    rows[:, 0] *= 1.1
    window = Window.empty(model.profile)
    window.add(rows)
    [report] = impact_of_drift(model, window) or ()
    area = report.features[0]
    assert area.name == model.schema.names[0]
    assert area.mean_ref is not None
    assert area.mean_cur == pytest.approx(area.mean_ref * 1.1)
    weight = model.estimator.weights[0] / model.encoder.scales[0]
    assert area.impact == pytest.approx(weight * 0.1 * area.mean_ref)
    assert report.total == pytest.approx(area.impact, abs=1e-9)
    json.dumps(report.to_dict(), allow_nan=False)


def test_a_calibration_changes_nothing_of_it() -> None:
    plain = classifier(logistic(5), columns=MIXED)
    squared = classifier(logistic(5), columns=MIXED, calibration=Squared())
    window = Window.empty(plain.profile)
    window.add(plain.schema.read(moved()))
    assert impact_of_drift(plain, window) == impact_of_drift(squared, window)


def test_trees_and_empty_windows_have_none() -> None:
    tree, model = classifier(stump()), classifier(logistic(3))
    window = Window.empty(tree.profile)
    window.add(np.zeros((60, 3)))
    assert impact_of_drift(tree, window) is None
    assert impact_of_drift(model, Window.empty(model.profile)) is None


def test_a_column_without_values_has_not_moved() -> None:
    model = classifier(logistic(3))
    window = Window.empty(model.profile)
    window.add(np.full((60, 3), np.nan))
    [report] = impact_of_drift(model, window) or ()
    assert report.total == pytest.approx(0.0, abs=1e-9)
