from __future__ import annotations

import json
import math
from dataclasses import fields

import numpy as np
import pytest

from mlcore import METRIC_DIRECTION, Confusion, MetricsReport, evaluate_predictions, roc_auc


def tied_case(seed: int) -> tuple[np.ndarray, np.ndarray, float]:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(4, 60))
    y = (rng.random(n) < rng.uniform(0.1, 0.9)).astype(np.float64)
    y[:2] = 0.0, 1.0
    p = np.round(rng.random(n), int(rng.integers(1, 4)))
    return y, p, float(np.round(rng.random(), 1))


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


@pytest.mark.parametrize("seed", range(200))
def test_it_agrees_with_scikit_learn_on_ties(seed: int) -> None:
    from sklearn import metrics as peer

    y, p, threshold = tied_case(seed)
    report = evaluate_predictions(y, p, threshold)
    decision = p >= threshold
    expected = {
        "accuracy": peer.accuracy_score(y, decision),
        "precision": peer.precision_score(y, decision, zero_division=0),
        "recall": peer.recall_score(y, decision, zero_division=0),
        "f1": peer.f1_score(y, decision, zero_division=0),
        "roc_auc": peer.roc_auc_score(y, p),
        "log_loss": peer.log_loss(y, p),
        "brier": peer.brier_score_loss(y, p),
    }
    for name, value in expected.items():
        assert getattr(report, name) == pytest.approx(value, abs=1e-12), name


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


def test_a_certain_mistake_stays_finite() -> None:
    report = evaluate_predictions(np.array([1.0]), np.array([0.0]))
    assert report.log_loss == pytest.approx(36.04, abs=0.01)


def test_the_report_is_ready_for_json() -> None:
    report = evaluate_predictions(np.array([0.0, 1.0]), np.array([0.1, 0.7]))
    data = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert data["confusion"] == {"tn": 1, "fp": 0, "fn": 0, "tp": 1}
    assert MetricsReport(**{**data, "confusion": Confusion(**data["confusion"])}) == report


def test_every_metric_has_a_direction() -> None:
    facts = {"n", "confusion", "threshold"}
    assert set(METRIC_DIRECTION) == {field.name for field in fields(MetricsReport)} - facts
    assert {name for name, sign in METRIC_DIRECTION.items() if sign < 0} == {"log_loss", "brier"}
