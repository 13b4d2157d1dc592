"""What turns an estimator into a classifier: calibration first, then the threshold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mlcore import (
    DataError,
    TrainingResult,
    best_threshold,
    fit_isotonic,
    fit_platt,
    synthetic_raisin,
)
from mlcore.assembly import Decision, assemble, learn_decision
from mlcore.preparation import Question, prepare
from mlcore.thresholds import ThresholdSpec

RNG = np.random.default_rng(3)
Y = (RNG.uniform(size=400) < 0.3).astype(np.float64)
P = np.clip(0.25 * Y + RNG.uniform(0.0, 0.7, size=400), 0.0, 1.0)
F1 = ThresholdSpec("f1")


def test_it_works() -> None:
    found = learn_decision(Y, P, calibration="none", threshold=F1)
    assert found == Decision(None, best_threshold(Y, P, objective=F1))


@pytest.mark.parametrize(("method", "fit"), [("platt", fit_platt), ("isotonic", fit_isotonic)])
def test_the_threshold_is_tuned_on_corrected_probabilities(method: Any, fit: Any) -> None:
    found = learn_decision(Y, P, calibration=method, threshold=F1)
    expected = fit(Y, P)
    assert found.calibration == expected
    assert found.threshold == best_threshold(Y, expected.apply(P), objective=F1)
    assert found.threshold != best_threshold(Y, P, objective=F1)


def test_a_classifier_is_put_together_again(trained: TrainingResult) -> None:
    question = Question(target="Class", columns=trained.spec.columns)
    data = prepare(question, synthetic_raisin(), test_size=0.2, seed=7)
    model = trained.classifier
    again = assemble(
        data, model.encoder, model.estimator, Decision(None, 0.5), converged=model.converged
    )
    assert again.profile == model.profile
    assert (again.target, again.classes, again.schema) == ("Class", model.classes, model.schema)


def test_the_profile_is_that_of_corrected_probabilities(trained: TrainingResult) -> None:
    data = prepare(Question(target="Class"), synthetic_raisin(), test_size=0.2, seed=7)
    model = trained.classifier
    shy = replace(fit_platt([0, 1, 0, 1], [0.1, 0.2, 0.8, 0.9]), slope=0.0, intercept=0.0)
    again = assemble(data, model.encoder, model.estimator, Decision(shy, 0.5), converged=False)
    assert set(again.profile.scores.quantiles) == {0.5}
    assert again.profile.scores.positive_rate == 1.0
    assert not again.converged


def test_a_calibration_that_turns_the_ranking_over_is_refused() -> None:
    y, p = np.array([1.0, 0.0, 1.0, 0.0, 0.0]), np.array([0.1, 0.6, 0.2, 0.8, 0.7])
    with pytest.raises(DataError, match="would turn the ranking over"):
        learn_decision(y, p, calibration="platt", threshold=ThresholdSpec("f1"))
