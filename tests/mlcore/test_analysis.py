"""The analysis of a training: every part is the number of its own module, on the right rows."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from mlcore import NotConvergedWarning, TrainingResult, TrainingSpec, synthetic_raisin, train
from mlcore.analysis import AnalysisReport, analyse
from mlcore.collinearity import collinearity
from mlcore.evaluation import table_rows
from mlcore.inference import InferenceReport, SoftmaxInferenceReport, infer
from mlcore.intervals import delong, wilson
from mlcore.preparation import Prepared, Question, prepare
from mlcore.trees import TreeEnsemble
from mlcore.validation import leave_one_out
from tests.mlcore.test_training import SPEC, three_classes

PARTS = {
    "slots",
    "lambda_",
    "inference",
    "collinearity",
    "free_validation",
    "path",
    "importance",
    "intervals",
    "worst_rows",
    "reliability",
    "calibration",
    "calibration_intervals",
    "brier",
    "thresholds",
}


def prepared() -> Prepared:
    question = Question(target="Class")
    return prepare(question, synthetic_raisin(), test_size=0.2, seed=7)


def test_it_works(trained: TrainingResult) -> None:
    document = trained.analysis.to_dict()
    assert set(document) == PARTS
    plain = json.loads(json.dumps(document, allow_nan=False))
    assert plain["intervals"][0]["method"] == "Wilson"
    assert len(document["inference"]["coefficients"]) == len(document["slots"]) + 1


def test_the_fit_is_judged_on_the_training_rows(trained: TrainingResult) -> None:
    part = prepared().train
    Z, theta = trained.classifier.encoder.transform(part.columns), trained.report.theta
    analysis = trained.analysis
    assert analysis.inference == infer(Z, part.y, theta, 0.01)
    assert analysis.collinearity == collinearity(Z, trained.classifier.encoder.slots)
    assert analysis.free_validation == leave_one_out(Z, part.y, theta, 0.01)
    assert isinstance(analysis.inference, InferenceReport)
    assert analysis.inference.n == 720


def test_the_metrics_have_intervals_of_the_validation_rows(trained: TrainingResult) -> None:
    part = prepared().validation
    p = trained.classifier.score(table_rows(trained.classifier, trained.holdout)).positive
    found = {interval.name: interval for interval in trained.analysis.intervals}
    assert list(found) == ["accuracy", "roc_auc", "log_loss", "brier", "f1"]
    right = round(trained.validation.accuracy * 180)
    assert (found["accuracy"].low, found["accuracy"].high) == wilson(right, 180)
    assert found["roc_auc"].low == delong(part.y, p).low
    assert all(i.low <= i.value <= i.high for i in found.values())


def test_the_interval_of_f1_is_at_the_threshold() -> None:
    result = train(replace(SPEC, threshold=0.2), synthetic_raisin())
    found = {interval.name: interval for interval in result.analysis.intervals}
    assert found["f1"].value == pytest.approx(result.validation.f1, abs=1e-12)
    assert found["f1"].low < result.validation.f1 < found["f1"].high


def test_a_single_positive_row_has_an_area_without_an_interval() -> None:
    table = synthetic_raisin()
    besni = [n for n, row in enumerate(table.rows) if row[-1] == "Besni"][:5]
    few = [n for n, row in enumerate(table.rows) if row[-1] == "Kecimen"][:95]
    result = train(SPEC, table.select(sorted(besni + few), name="few"))
    area = result.analysis.intervals[1]
    assert (area.name, area.value) == ("roc_auc", result.validation.roc_auc)
    assert (area.low, area.high) == (None, None)


def test_the_calibration_line_has_intervals(trained: TrainingResult) -> None:
    line, found = trained.analysis.calibration, trained.analysis.calibration_intervals
    assert line is not None
    assert found is not None
    assert (found.slope, found.in_the_large) == (line.slope, line.in_the_large)
    assert found.slope_low < found.slope < found.slope_high


def test_the_worst_rows_are_named_by_their_line(trained: TrainingResult) -> None:
    worst = trained.analysis.worst_rows
    losses = [row.loss for row in worst]
    assert len(worst) == 10
    assert losses == sorted(losses, reverse=True)
    assert {row.line for row in worst} <= set(trained.holdout.lines)
    rows = dict(zip(trained.holdout.lines, trained.holdout.rows, strict=True))
    assert all(rows[row.line][-1] == row.label for row in worst)
    assert losses[0] == pytest.approx(-np.log(worst[0].probability))


def test_collinear_columns_are_shuffled_together_too(trained: TrainingResult) -> None:
    importance = trained.analysis.importance
    assert importance is not None
    names = [row.name for row in importance.rows]
    assert names[:7] == list(trained.classifier.schema.names)
    assert any(" + " in name for name in names[7:])


def test_three_classes_have_what_makes_sense_for_them() -> None:
    analysis = train(SPEC, three_classes()).analysis
    assert isinstance(analysis.inference, SoftmaxInferenceReport)
    assert analysis.path is not None
    assert [interval.name for interval in analysis.intervals] == ["accuracy"]
    assert (analysis.reliability, analysis.calibration, analysis.brier) == (None, None, None)
    assert analysis.thresholds == ()
    json.dumps(analysis.to_dict(), allow_nan=False)


def test_provisional_coefficients_have_no_leave_one_out() -> None:
    with pytest.warns(NotConvergedWarning):
        analysis = train(replace(SPEC, solver="gd"), synthetic_raisin()).analysis
    assert analysis.free_validation is None
    assert analysis.inference is not None
    assert analysis.inference.distance > 1


def test_trees_are_judged_without_coefficients(trained: TrainingResult) -> None:
    data = prepared()
    stump = TreeEnsemble(
        family="decision_tree",
        n_slots=7,
        feature=np.array([-1], dtype=np.int32),
        threshold=np.zeros(1),
        left=np.array([-1], dtype=np.int32),
        right=np.array([-1], dtype=np.int32),
        values=np.array([[0.4, 0.6]]),
        roots=np.array([0], dtype=np.int32),
    )
    analysis = analyse(replace(trained.classifier, estimator=stump), data)
    assert isinstance(analysis, AnalysisReport)
    assert (analysis.inference, analysis.importance, analysis.path) == (None, None, None)
    assert analysis.reliability is not None


def test_a_wide_table_keeps_no_matrices() -> None:
    table = synthetic_raisin()
    levels = [str(number % 64) for number in range(len(table.rows))]
    rows = tuple((level + "x", *row) for level, row in zip(levels, table.rows, strict=True))
    wide = replace(table, header=("Lot", *table.header), rows=rows)
    document = train(TrainingSpec(target="Class"), wide).analysis.to_dict()
    assert len(document["slots"]) == 71
    assert "covariance" not in document["inference"]
    assert document["path"] is not None
