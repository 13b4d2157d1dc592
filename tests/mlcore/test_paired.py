"""The difference of two classifiers on the same rows, and its interval."""

from __future__ import annotations

import json
import time
from dataclasses import asdict

import numpy as np
import pytest

from mlcore import DataError
from mlcore.intervals import BootstrapSettings, delong_comparison, resamples
from mlcore.metrics import METRIC_DIRECTION, evaluate_predictions
from mlcore.multiclass import evaluate_multiclass
from mlcore.paired import Answers, paired_difference
from tests import pace

TWO = sorted({*METRIC_DIRECTION} - {"average_precision", "ece"})
MORE = sorted({*TWO} - {"specificity"})


def case(classes: int, n: int = 60, seed: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, and the probabilities of a good and of a poor classifier."""
    rng = np.random.default_rng(seed)
    y = np.concatenate((np.arange(classes), rng.integers(0, classes, n - classes)))
    scores = rng.normal(size=(n, classes))
    good, poor = scores + 2 * np.eye(classes)[y], scores + rng.normal(size=(n, classes))
    return y, *(np.exp(s) / np.exp(s).sum(axis=1, keepdims=True) for s in (good, poor))


def answers(P: np.ndarray) -> Answers:
    return Answers(P, P.argmax(axis=1))


def measured(metric: str, y: np.ndarray, P: np.ndarray) -> float:
    if P.shape[1] > 2:
        value = getattr(evaluate_multiclass(y, P), metric)
    else:
        value = getattr(evaluate_predictions(y, P[:, 1]), metric)
    return np.nan if value is None else float(value)


def test_it_works() -> None:
    y, good, poor = case(2)
    report = paired_difference(y, answers(good), answers(poor), "roc_auc")
    assert report.difference == pytest.approx(report.first - report.second)
    assert report.low is not None
    assert report.high is not None
    assert 0 < report.low < report.difference < report.high
    assert report.n == 60
    json.dumps(asdict(report), allow_nan=False)


@pytest.mark.parametrize(
    ("metric", "classes"), [*((name, 2) for name in TWO), *((name, 4) for name in MORE)]
)
def test_it_is_the_difference_on_copied_rows(metric: str, classes: int) -> None:
    y, good, poor = case(classes)
    settings = BootstrapSettings(resamples=40, seed=3)
    report = paired_difference(y, answers(good), answers(poor), metric, settings=settings)
    assert report.first == pytest.approx(measured(metric, y, good), abs=1e-12)
    assert report.second == pytest.approx(measured(metric, y, poor), abs=1e-12)
    differences = []
    for counts in np.concatenate(list(resamples(len(y), settings))).astype(int):
        rows = np.repeat(np.arange(len(y)), counts)
        differences.append(
            measured(metric, y[rows], good[rows]) - measured(metric, y[rows], poor[rows])
        )
    expected = np.nanquantile(differences, (0.025, 0.975)).tolist()
    assert [report.low, report.high] == pytest.approx(expected, abs=1e-12)


def test_it_is_as_wide_as_delong_says() -> None:
    y, good, poor = case(2, n=400)
    report = paired_difference(y, answers(good), answers(poor), "roc_auc")
    known = delong_comparison(y, good[:, 1], poor[:, 1])
    assert (report.low, report.high) == pytest.approx((known.low, known.high), abs=0.01)


def test_a_pair_is_closer_than_two_strangers() -> None:
    y, good, _ = case(2, n=200)
    almost = np.clip(good[:, 1] * 0.98 + 0.01, 0, 1)
    close = answers(np.column_stack((1 - almost, almost)))
    report = paired_difference(y, answers(good), close, "log_loss")
    assert report.low is not None
    assert report.high is not None
    assert report.high - report.low < 0.05


def test_the_same_classifier_differs_by_nothing() -> None:
    y, good, _ = case(3)
    report = paired_difference(y, answers(good), answers(good), "mcc")
    assert (report.difference, report.low, report.high) == (0.0, 0.0, 0.0)


def test_the_order_turns_the_sign() -> None:
    y, good, poor = case(2)
    there = paired_difference(y, answers(good), answers(poor), "brier")
    back = paired_difference(y, answers(poor), answers(good), "brier")
    assert there.difference == -back.difference
    assert there.low == pytest.approx(-back.high)  # type: ignore[operator]


def test_too_few_resamples_with_both_classes_give_no_interval() -> None:
    P = np.array([[0.5, 0.5], [0.4, 0.6]])
    settings = BootstrapSettings(resamples=20)
    report = paired_difference([0, 1], answers(P), answers(P), "roc_auc", settings=settings)
    assert (report.difference, report.low, report.high) == (0.0, None, None)


def test_it_refuses_a_metric_that_the_rows_cannot_give() -> None:
    P = np.array([[0.5, 0.5], [0.4, 0.6]])
    with pytest.raises(DataError, match="roc_auc is undefined"):
        paired_difference([1, 1], answers(P), answers(P), "roc_auc")


@pytest.mark.parametrize(("metric", "classes"), [("luck", 2), ("specificity", 3)])
def test_it_refuses_a_metric_that_does_not_exist(metric: str, classes: int) -> None:
    y, good, poor = case(classes)
    with pytest.raises(DataError, match=f"there is no '{metric}' of {classes} classes"):
        paired_difference(y, answers(good), answers(poor), metric)


def test_1000_resamples_of_180_rows_are_cheap() -> None:
    y, good, poor = case(2, n=180)
    settings = BootstrapSettings(resamples=1000)
    start = time.process_time()
    paired_difference(y, answers(good), answers(poor), "roc_auc", settings=settings)
    assert time.process_time() - start < pace.seconds(0.5)
