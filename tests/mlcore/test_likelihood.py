"""Fit statistics by hand and by closed form; the reference numbers stand in test_inference."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mlcore.arrays import FloatArray
from mlcore.inference import infer, infer_softmax
from mlcore.loss import logits, sigmoid
from tests.mlcore.problems import random_problem
from tests.mlcore.reference import optimum, softmax_optimum


def test_it_works_by_hand() -> None:
    X, y = random_problem(0)
    theta = optimum(X, y)
    p = sigmoid(logits(X, theta))
    report = infer(X, y, theta, 0.0)
    likelihood = np.sum(y * np.log(p) + (1 - y) * np.log(1 - p))
    assert report.log_likelihood == pytest.approx(likelihood, rel=1e-12)
    assert report.pearson_chi2 == pytest.approx(np.sum((y - p) ** 2 / (p * (1 - p))), rel=1e-10)
    rate = y.mean()
    null = 60 * (rate * math.log(rate) + (1 - rate) * math.log(1 - rate))
    assert report.null_log_likelihood == pytest.approx(null, rel=1e-13)
    assert report.deviance == -2 * report.log_likelihood


def test_nested_models_fit_no_better() -> None:
    X, y = random_problem(3)
    ratios = [infer(X[:, :d], y, optimum(X[:, :d], y), 0.0).likelihood_ratio for d in range(5)]
    assert ratios[0] == pytest.approx(0.0, abs=1e-10)
    assert ratios == sorted(ratios)


def test_without_columns_there_is_nothing_to_test() -> None:
    _, y = random_problem(0)
    report = infer(np.zeros((60, 1)), y, np.array([0.0, math.log(y.sum() / (1 - y).sum())]), 0.0)
    assert report.likelihood_ratio_df == 0
    assert report.effective_df == pytest.approx(1.0)
    assert report.mcfadden == pytest.approx(0.0, abs=1e-12)


def test_the_penalty_takes_degrees_of_freedom() -> None:
    X, y = random_problem(1)
    found = [infer(X, y, optimum(X, y, c), c).effective_df for c in (0.0, 0.01, 0.1, 1.0, 1e6)]
    assert found == sorted(found, reverse=True)
    assert found[0] == pytest.approx(5.0)
    assert found[-1] == pytest.approx(1.0, abs=1e-4)


def test_softmax_statistics_by_hand() -> None:
    X, _ = random_problem(0, n=90)
    y = np.random.default_rng(0).integers(0, 3, size=90).astype(np.float64)
    theta = softmax_optimum(X, y, 0.0)
    eta = X @ theta[:, :-1].T + theta[:, -1]
    P = np.exp(eta) / np.exp(eta).sum(axis=1, keepdims=True)
    report = infer_softmax(X, y, theta[:, :-1], theta[:, -1], 0.0)
    Y: FloatArray = np.eye(3)[y.astype(int)]
    assert report.log_likelihood == pytest.approx(np.sum(Y * np.log(P)), rel=1e-12)
    assert report.pearson_chi2 == pytest.approx(np.sum((Y - P) ** 2 / P), rel=1e-10)
    assert report.likelihood_ratio_df == 8
    assert report.effective_df == pytest.approx(10.0)
    assert not report.separated


def test_every_doubt_becomes_a_warning() -> None:
    X = np.array([[-2.0, -2.0], [-1.0, -1.0], [1.0, 1.0], [2.0, 2.0]])
    y = np.array([0.0, 0.0, 1.0, 1.0])
    free = infer(X, y, np.array([1.0, 1.0, 0.0]), 0.0)
    assert [word in " ".join(free.warnings) for word in ("told apart", "no finite", "optimum")] == [
        True
    ] * 3
    assert (free.collinear, free.separated) == (True, True)
    shrunk = infer(X, y, np.array([1.0, 1.0, 0.0]), 0.5)
    assert "penalised" in shrunk.warnings[0]
    assert not shrunk.collinear


def test_one_class_leaves_mcfadden_undefined_and_certain_mistakes_pearson() -> None:
    X, y = random_problem(0)
    assert infer(X, np.ones(60), np.zeros(5), 0.1).mcfadden is None
    assert infer(X, y, np.array([0, 0, 0, 0, 900.0]), 0.1).pearson_chi2 is None
