from __future__ import annotations

import json
import math
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore import DataError, Table
from mlcore.metrics import (
    METRIC_DIRECTION,
    Confusion,
    MetricsReport,
    evaluate_predictions,
    log_loss,
    log_loss_of_logits,
)
from mlcore.ranking import roc_auc
from tests.mlcore.held_out import raisins, tumours


def tied_case(seed: int) -> tuple[np.ndarray, np.ndarray, float]:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(4, 60))
    y = (rng.random(n) < rng.uniform(0.1, 0.9)).astype(np.float64)
    y[:2] = 0.0, 1.0
    p = np.round(rng.random(n), int(rng.integers(1, 4)))
    return y, p, float(np.round(rng.random(), 1))


def weights_for(y: np.ndarray, seed: int) -> np.ndarray:
    """Some zero, some equal; both classes keep a weight."""
    rng = np.random.default_rng(seed + 1000)
    weights = np.round(rng.exponential(size=len(y)), int(rng.integers(0, 3)))
    weights[:2] = 0.5, 1.5
    return weights


def test_it_works() -> None:
    y = np.array([0.0, 0.0, 1.0, 1.0, 1.0])
    report = evaluate_predictions(y, np.array([0.1, 0.6, 0.4, 0.6, 0.9]), 0.6)
    assert report.confusion == Confusion(tn=1, fp=1, fn=1, tp=2)
    assert (report.n, report.threshold) == (5, 0.6)
    assert report.accuracy == 0.6
    assert report.precision == report.recall == report.f1 == 2 / 3
    assert report.roc_auc == 4.5 / 6
    assert report.brier == pytest.approx((0.01 + 0.36 + 0.36 + 0.16 + 0.01) / 5, abs=1e-16)
    expected = -math.log(0.9 * 0.4 * 0.4 * 0.6 * 0.9) / 5
    assert report.log_loss == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("seed", range(50))
@pytest.mark.parametrize("weighted", [False, True])
def test_it_agrees_with_scikit_learn_on_ties(seed: int, *, weighted: bool) -> None:
    from sklearn import metrics as peer

    y, p, threshold = tied_case(seed)
    weights = weights_for(y, seed) if weighted else None
    report = evaluate_predictions(y, p, threshold, weights)
    decision = p >= threshold
    more = {"sample_weight": weights}
    zero = {"zero_division": 0, **more}
    expected = {
        "accuracy": peer.accuracy_score(y, decision, **more),
        "balanced_accuracy": peer.balanced_accuracy_score(y, decision, **more),
        "precision": peer.precision_score(y, decision, **zero),
        "recall": peer.recall_score(y, decision, **zero),
        "specificity": peer.recall_score(y, decision, pos_label=0, **zero),
        "f1": peer.f1_score(y, decision, **zero),
        "mcc": peer.matthews_corrcoef(y, decision, **more),
        "roc_auc": peer.roc_auc_score(y, p, **more),
        "average_precision": peer.average_precision_score(y, p, **more),
        "log_loss": peer.log_loss(y, p, **more),
        "brier": peer.brier_score_loss(y, p, **more),
        "prevalence": np.average(y, weights=weights),
    }
    for name, value in expected.items():
        assert getattr(report, name) == pytest.approx(value, abs=1e-12), name
    counts = report.confusion
    table = peer.confusion_matrix(y, decision, **more)
    found = [counts.tn, counts.fp, counts.fn, counts.tp]
    assert found == pytest.approx(table.ravel().tolist(), abs=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_a_weight_is_a_number_of_copies(seed: int) -> None:
    y, p, threshold = tied_case(seed)
    copies = np.random.default_rng(seed).integers(0, 4, len(y))
    copies[:2] = 1
    weighted = evaluate_predictions(y, p, threshold, copies)
    copied = evaluate_predictions(np.repeat(y, copies), np.repeat(p, copies), threshold)
    for name in (*METRIC_DIRECTION, "calibration_slope", "calibration_intercept", "prevalence"):
        expected = getattr(copied, name)
        found = getattr(weighted, name)
        assert found == (None if expected is None else pytest.approx(expected, abs=1e-9)), name


def test_the_area_is_undefined_for_one_class() -> None:
    assert roc_auc(np.ones(3), np.array([0.1, 0.2, 0.3])) is None
    assert evaluate_predictions(np.zeros(3), np.array([0.1, 0.2, 0.3])).roc_auc is None


@pytest.mark.parametrize("seed", range(20))
def test_the_area_has_its_symmetries(seed: int) -> None:
    y, p, _ = tied_case(seed)
    area = roc_auc(y, p)
    assert area is not None
    assert roc_auc(y, np.exp(3 * p)) == area
    assert roc_auc(y, -p) == pytest.approx(1 - area, abs=1e-15)
    assert roc_auc(1 - y, p) == pytest.approx(1 - area, abs=1e-15)


def test_constant_scores_are_worth_half() -> None:
    assert roc_auc(np.array([0.0, 1.0, 1.0]), np.full(3, 0.3)) == 0.5


def test_ratios_without_a_denominator_are_zero() -> None:
    report = evaluate_predictions(np.array([0.0, 1.0]), np.array([0.1, 0.2]))
    assert (report.precision, report.recall, report.f1) == (0.0, 0.0, 0.0)
    assert {"precision", "mcc"} < set(report.undefined)


def test_it_names_what_one_class_leaves_undefined() -> None:
    negatives = evaluate_predictions(np.zeros(2), np.array([0.1, 0.2]))
    assert set(negatives.undefined) == {
        *("precision", "recall", "f1", "mcc", "balanced_accuracy", "roc_auc"),
        *("average_precision", "calibration_slope", "calibration_intercept"),
    }
    assert (negatives.balanced_accuracy, negatives.average_precision) == (1.0, None)
    positives = evaluate_predictions(np.ones(2), np.array([0.6, 0.7]))
    assert "specificity" in positives.undefined
    assert (positives.average_precision, positives.balanced_accuracy) == (1.0, 1.0)


def test_everything_is_defined_where_both_classes_overlap() -> None:
    y, p = np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.2, 0.4, 0.6, 0.8])
    assert evaluate_predictions(y, p).undefined == ()


def test_counts_of_a_million_rows_do_not_overflow_the_correlation() -> None:
    y = np.tile([0.0, 1.0], 500_000)
    p = np.tile([0.1, 0.9, 0.9, 0.1, 0.1, 0.9, 0.1, 0.9], 125_000)
    assert evaluate_predictions(y, p).mcc == pytest.approx(0.5, abs=1e-12)


@pytest.mark.parametrize(
    ("y", "p", "weights", "message"),
    [
        ([0, 1], [0.1], None, "one score for every label"),
        ([], [], None, "at least one"),
        ([0, 2], [0.1, 0.2], None, "row 1 has the label 2; use 0 and 1"),
        ([0, 1], [0.1, float("nan")], None, "row 1 has the score nan"),
        ([0, 1], [1.5, 0.2], None, "row 0 has the probability 1.5"),
        ([0, 1], [0.1, -0.2], None, "row 1 has the probability -0.2"),
        ([0, 1], [0.1, 0.2], [1.0], "weights of shape"),
        ([0, 1], [0.1, 0.2], [1, -1], "row 1 has the weight -1"),
        ([0, 1], [0.1, 0.2], [float("inf"), 1], "row 0 has the weight inf"),
        ([0, 1], [0.1, 0.2], [0, 0], "every row has the weight 0"),
    ],
)
def test_it_refuses(y: Any, p: Any, weights: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        evaluate_predictions(y, p, 0.5, weights)


@given(rows=st.lists(st.tuples(st.booleans(), st.floats(-30, 30), st.floats(0.1, 9)), min_size=1))
def test_the_log_loss_of_logits_is_that_of_their_probabilities(rows: list[Any]) -> None:
    y, z, weights = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    expected = log_loss(y, 1 / (1 + np.exp(-z)), weights)
    # 1 - p has lost digits where p is near 1: at z = 30 about three are left.
    assert log_loss_of_logits(y, z, weights) == pytest.approx(expected, rel=1e-2, abs=1e-12)


def test_the_log_loss_of_logits_is_exact_far_out() -> None:
    y, z = np.array([1.0, 0.0, 1.0]), np.array([-1000.0, -1000.0, 60.0])
    found = log_loss_of_logits(y, z, [1.0, 1.0, 0.0])
    assert found == 500.0
    assert log_loss_of_logits(y[2:], z[2:]) == pytest.approx(math.exp(-60), rel=1e-12)


def test_it_gives_the_published_numbers_of_held_out_tumours() -> None:
    """Breast cancer, every fifth row held out, scikit-learn's logistic regression at C = 1."""
    y, p = tumours()
    report = evaluate_predictions(y, p)
    expected = {
        "accuracy": 0.9649122807,
        "precision": 0.9487179487,
        "recall": 1.0,
        "f1": 0.9736842105,
        "mcc": 0.9240379613,
        "roc_auc": 0.9962837838,
        "average_precision": 0.9980142768,
        "log_loss": 0.0941682632215,
        "brier": 0.0294980095195,
        "ece": 0.0227844747,
        "calibration_slope": 1.442203906,
        "calibration_intercept": -1.435702331,
    }
    for name, value in expected.items():
        assert getattr(report, name) == pytest.approx(value, abs=1e-8), name
    assert report.confusion == Confusion(tn=36, fp=4, fn=0, tp=74)


def test_it_gives_the_published_numbers_of_held_out_raisins(raisin_table: Table) -> None:
    report = evaluate_predictions(*raisins(raisin_table))
    expected = {
        "accuracy": 0.8555555556,
        "roc_auc": 0.9181481481,
        "log_loss": 0.490986990376,
        "brier": 0.10819002179,
        "mcc": 0.7139371972,
        "f1": 0.8488372093,
    }
    for name, value in expected.items():
        assert getattr(report, name) == pytest.approx(value, abs=1e-8), name
    assert report.confusion == Confusion(tn=81, fp=9, fn=17, tp=73)


def test_a_certain_mistake_stays_finite() -> None:
    report = evaluate_predictions(np.array([1.0]), np.array([0.0]))
    assert report.log_loss == pytest.approx(36.04, abs=0.01)


def test_the_report_is_ready_for_json() -> None:
    report = evaluate_predictions(np.array([0.0, 1.0]), np.array([0.1, 0.7]))
    data = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert data["confusion"] == {"tn": 1, "fp": 0, "fn": 0, "tp": 1}
    parts = {"confusion": Confusion(**data["confusion"]), "undefined": tuple(data["undefined"])}
    assert MetricsReport(**{**data, **parts}) == report


def test_every_metric_has_a_direction() -> None:
    facts = {"n", "confusion", "threshold", "undefined", "prevalence"}
    facts |= {"calibration_slope", "calibration_intercept"}  # best at 1 and at 0
    assert set(METRIC_DIRECTION) == {field.name for field in fields(MetricsReport)} - facts
    losses = {"log_loss", "brier", "ece"}
    assert {name for name, sign in METRIC_DIRECTION.items() if sign < 0} == losses


@pytest.mark.parametrize("labels", [["no", "yes"], [[0], [1, 1]], {}])
def test_labels_that_are_no_numbers_are_refused(labels: Any) -> None:
    with pytest.raises(DataError, match="the labels must be numbers"):
        roc_auc(labels, [0.2, 0.9])
