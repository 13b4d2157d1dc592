from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import pytest

from mlcore import DataError, evaluate_predictions
from mlcore.multiclass import evaluate_multiclass


def case(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Tied probabilities of 3 to 5 classes; every other case is weighted."""
    rng = np.random.default_rng(seed)
    K, n = int(rng.integers(3, 6)), int(rng.integers(12, 60))
    P = rng.integers(0, 5, (n, K)) + np.eye(K)[rng.integers(0, K, n)]
    P = P / P.sum(axis=1, keepdims=True)
    y = np.concatenate([np.arange(K), rng.integers(0, K, n - K)])
    weights = np.round(rng.exponential(size=n), 1)
    weights[:K] = 1.0
    return y, P, weights if seed % 2 else None


def test_it_works() -> None:
    P = [[0.8, 0.1, 0.1], [0.2, 0.5, 0.3], [0.3, 0.4, 0.3], [0.1, 0.2, 0.7]]
    report = evaluate_multiclass([0, 1, 2, 2], P)
    assert report.confusion == ((1, 0, 0), (0, 1, 0), (0, 1, 1))
    assert (report.n, report.accuracy) == (4, 0.75)
    assert report.balanced_accuracy == report.recall == pytest.approx(2.5 / 3)
    assert report.per_class[1].precision == 0.5
    assert report.log_loss == pytest.approx(-np.log(0.8 * 0.5 * 0.3 * 0.7) / 4)
    assert report.undefined == ()


@pytest.mark.parametrize("seed", range(50))
def test_it_agrees_with_scikit_learn_on_ties(seed: int) -> None:
    from sklearn import metrics as peer

    y, P, weights = case(seed)
    report = evaluate_multiclass(y, P, weights)
    called, more = np.argmax(P, axis=1), {"sample_weight": weights}
    ratios = {"zero_division": 0, "labels": range(P.shape[1]), **more}
    macro = {"average": "macro", **ratios}
    expected = {
        "accuracy": peer.accuracy_score(y, called, **more),
        "balanced_accuracy": peer.balanced_accuracy_score(y, called, **more),
        "precision": peer.precision_score(y, called, **macro),
        "recall": peer.recall_score(y, called, **macro),
        "f1": peer.f1_score(y, called, **macro),
        "mcc": peer.matthews_corrcoef(y, called, **more),
        "log_loss": peer.log_loss(y, P, **more),
        "brier": np.average(((P - np.eye(P.shape[1])[y]) ** 2).sum(axis=1), weights=weights),
        "roc_auc": peer.roc_auc_score(y, P, multi_class="ovr", **more),
    }
    for name, value in expected.items():
        assert getattr(report, name) == pytest.approx(value, abs=1e-12), name
    table = peer.confusion_matrix(y, called, **more)
    np.testing.assert_allclose(report.confusion, table, atol=1e-12)
    each = peer.precision_recall_fscore_support(y, called, average=None, **ratios)
    found = [(c.precision, c.recall, c.f1, c.support) for c in report.per_class]
    np.testing.assert_allclose(found, np.transpose(each), atol=1e-12)
    for c in report.per_class:
        area = peer.roc_auc_score(y == c.label, P[:, c.label], **more)
        assert c.roc_auc == pytest.approx(area, abs=1e-12)


def test_two_classes_agree_with_the_binary_report() -> None:
    rng = np.random.default_rng(1)
    p, y = rng.random(50), rng.integers(0, 2, 50)
    two = evaluate_multiclass(y, np.column_stack([1 - p, p]))
    one = evaluate_predictions(y, p)
    for name in ("accuracy", "balanced_accuracy", "mcc", "log_loss"):
        assert getattr(two, name) == pytest.approx(getattr(one, name), abs=1e-12), name
    assert two.brier == pytest.approx(2 * one.brier)
    assert two.roc_auc == pytest.approx(one.roc_auc)


def test_an_absent_class_is_named_not_hidden() -> None:
    P = [[0.8, 0.1, 0.1], [0.2, 0.5, 0.3], [0.1, 0.7, 0.2]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = evaluate_multiclass([0, 1, 1], P)
    assert report.roc_auc is None
    assert (report.balanced_accuracy, report.recall) == (1.0, pytest.approx(2 / 3))
    assert set(report.undefined) == {"precision", "recall", "balanced_accuracy", "f1", "roc_auc"}
    assert (report.per_class[2].roc_auc, report.per_class[2].f1) == (None, 0.0)


def test_one_class_alone_has_no_correlation() -> None:
    report = evaluate_multiclass([0, 0], [[0.8, 0.1, 0.1]] * 2)
    assert (report.mcc, report.accuracy) == (0.0, 1.0)
    assert "mcc" in report.undefined


def test_of_equal_probabilities_the_lowest_class_wins() -> None:
    assert evaluate_multiclass([1, 0], [[0.2, 0.4, 0.4], [0.4, 0.4, 0.2]]).accuracy == 1.0


def test_the_report_is_ready_for_json() -> None:
    y, P, weights = case(3)
    data = json.loads(json.dumps(evaluate_multiclass(y, P, weights).as_dict(), allow_nan=False))
    assert len(data["per_class"]) == len(data["confusion"]) == P.shape[1]


def test_counts_are_whole_numbers_without_weights() -> None:
    y, P, _ = case(2)
    report = evaluate_multiclass(y, P)
    assert all(isinstance(cell, int) for row in report.confusion for cell in row)
    assert isinstance(report.per_class[0].support, int)


@pytest.mark.parametrize(
    ("y", "P", "message"),
    [
        ([0, 1], [[1.0, 0.0, 0.0]], "give \\(n,\\) and \\(n, K\\)"),
        ([], np.zeros((0, 3)), "n at least 1"),
        ([0, 3], np.eye(3)[:2], "row 1 has a label that is no class number from 0 to 2"),
        ([0.5, 1], np.eye(3)[:2], "row 0 has a label"),
        ([float("nan"), 1], np.eye(3)[:2], "row 0 has a label"),
        ([0, 1], [[1.0, 0, 0], [float("nan"), 0, 1]], "row 1 has a probability outside"),
        ([0, 1], [[1.5, -0.5, 0], [1, 0, 0]], "row 0 has a probability outside"),
        ([0, 1], [[0.5, 0.4, 0], [1, 0, 0]], "row 0 has probabilities that do not add up"),
    ],
)
def test_it_refuses(y: Any, P: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        evaluate_multiclass(y, P)


def test_labels_and_probabilities_must_be_numbers() -> None:
    with pytest.raises(DataError, match="the labels must be numbers"):
        evaluate_multiclass(["a", "b", "c"], np.eye(3))
