"""Validation without refits against exact refits, and the numbers of the Raisin table.

Exact leave-one-out keeps the penalty S lambda of all rows: refit with lambda S / (S - s_i).
"""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from mlcore import Table
from mlcore.arrays import FloatArray
from mlcore.errors import DataError
from mlcore.loss import mean_log_loss, sigmoid
from mlcore.softmax import softmax_losses
from mlcore.split import stratified_folds
from mlcore.validation import (
    Predict,
    cross_validate,
    leave_one_out,
    leave_one_out_scores,
    one_step_fold_scores,
    one_step_folds,
    report_of,
    standardising,
)
from tests.mlcore.problems import raisin_problem, random_problem, standardised
from tests.mlcore.reference import optimum, softmax_optimum


def exact_leave_one_out(
    X: FloatArray, y: FloatArray, lambda_: float, weights: FloatArray | None = None
) -> FloatArray:
    s = np.ones(len(y)) if weights is None else weights
    z = np.empty(len(y))
    for i in range(len(y)):
        rest = np.arange(len(y)) != i
        theta = optimum(X[rest], y[rest], lambda_ * s.sum() / s[rest].sum(), s[rest])
        z[i] = X[i] @ theta[:-1] + theta[-1]
    return z


def iris() -> tuple[FloatArray, FloatArray]:
    from sklearn.datasets import load_iris

    data: Any = load_iris()
    return standardised(data.data), data.target.astype(np.float64)


@pytest.mark.parametrize(
    ("lambda_", "approximate"),
    [(0.0, 0.365282), (1 / 900, 0.358300), (0.01, 0.360592), (0.1, 0.382166)],
)
def test_it_works_on_raisins(lambda_: float, approximate: float, raisin_table: Table) -> None:
    X, y = raisin_problem(raisin_table)
    report = leave_one_out(X, y, optimum(X, y, lambda_), lambda_)
    assert report.log_loss == pytest.approx(approximate, abs=5e-7)
    assert report.method == "approximate leave-one-out"
    assert report.roc_auc is not None
    assert report.roc_auc > 0.92


def test_raisin_refits_agree(raisin_table: Table) -> None:
    X, y = raisin_problem(raisin_table)
    report = leave_one_out(X, y, optimum(X, y, 0.01), 0.01)
    exact = exact_leave_one_out(X, y, 0.01)
    assert mean_log_loss(exact, y) == pytest.approx(0.360670, abs=5e-7)
    assert report.log_loss == pytest.approx(mean_log_loss(exact, y), abs=1e-4)
    assert report.accuracy == np.mean((exact >= 0) == (y == 1))


def test_raisin_folds_agree(raisin_table: Table) -> None:
    X, y = raisin_problem(raisin_table)
    fold = np.arange(900) % 5
    report = one_step_folds(X, y, optimum(X, y, 1 / 900), 1 / 900, fold)
    exact = np.empty(900)
    for k in range(5):
        theta = optimum(X[fold != k], y[fold != k], 1 / 720)
        exact[fold == k] = X[fold == k] @ theta[:-1] + theta[-1]
    assert report.log_loss == pytest.approx(0.366470, abs=5e-7)
    assert mean_log_loss(exact, y) == pytest.approx(0.366867, abs=5e-7)
    assert report.method == "one-step 5-fold"


@pytest.mark.parametrize("lambda_", [0.01, 0.1])
@pytest.mark.parametrize("seed", range(3))
def test_leave_one_out_is_near_the_refits(seed: int, lambda_: float) -> None:
    X, y = random_problem(seed, n=80)
    rng = np.random.default_rng(seed)
    for weights in (None, rng.uniform(0.2, 3.0, size=80)):
        theta = optimum(X, y, lambda_, weights)
        z = leave_one_out_scores(X, y, theta, lambda_, weights)
        exact = exact_leave_one_out(X, y, lambda_, weights)
        plain = X @ theta[:-1] + theta[-1]
        # One Newton step takes all but a few percent of the way to the refit.
        assert np.abs(z - exact).max() < 0.15 * np.abs(plain - exact).max()
        assert mean_log_loss(z, y) == pytest.approx(mean_log_loss(exact, y), abs=6e-3)


def test_a_row_without_weight_is_scored_as_it_is() -> None:
    X, y = random_problem(0)
    weights = np.ones(len(y))
    weights[3] = 0.0
    theta = optimum(X, y, 0.1, weights)
    z = leave_one_out_scores(X, y, theta, 0.1, weights)
    assert z[3] == pytest.approx(X[3] @ theta[:-1] + theta[-1], abs=1e-14)
    rest = np.arange(len(y)) != 3
    assert_allclose(z[rest], leave_one_out_scores(X[rest], y[rest], theta, 0.1), rtol=1e-10)


def test_softmax_leave_one_out_is_near_the_refits() -> None:
    X, y = iris()
    theta = softmax_optimum(X, y, 0.01)
    eta = leave_one_out_scores(X, y, theta, 0.01)
    some = np.arange(0, 150, 3)
    exact = np.empty((len(some), 3))
    for place, i in enumerate(some):
        rest = np.arange(len(y)) != i
        without = softmax_optimum(X[rest], y[rest], 0.01 * 150 / 149)
        exact[place] = without[:, :-1] @ X[i] + without[:, -1]
    plain = X[some] @ theta[:, :-1].T + theta[:, -1]
    eta, y = eta[some], y[some]
    assert np.abs(eta - exact).max() < 0.15 * np.abs(plain - exact).max()
    assert np.median(np.abs(eta - exact)) < 2e-4
    expected = softmax_losses(exact, y).mean()
    assert softmax_losses(eta, y).mean() == pytest.approx(expected, abs=2e-4)


def test_softmax_leave_one_out_reports_its_scores() -> None:
    X, y = iris()
    theta = softmax_optimum(X, y, 0.01)
    eta = leave_one_out_scores(X, y, theta, 0.01)
    report = leave_one_out(X, y, theta, 0.01)
    assert report.log_loss == pytest.approx(softmax_losses(eta, y).mean(), rel=1e-14)
    assert report.accuracy == np.mean(eta.argmax(axis=1) == y)
    assert report.roc_auc is not None
    assert 0.98 < report.roc_auc <= 1


def test_softmax_of_two_classes_is_logistic() -> None:
    X, y = random_problem(1)
    theta = optimum(X, y, 0.02)
    # |w/2|^2 + |w/2|^2 = |w|^2 / 2: softmax penalises half as much.
    both = np.stack((-theta / 2, theta / 2))
    fold = stratified_folds(y, folds=4, seed=3)
    eta = leave_one_out_scores(X, y, both, 0.04)
    assert_allclose(eta[:, 1] - eta[:, 0], leave_one_out_scores(X, y, theta, 0.02), rtol=1e-8)
    eta = one_step_fold_scores(X, y, both, 0.04, fold)
    assert_allclose(eta[:, 1] - eta[:, 0], one_step_fold_scores(X, y, theta, 0.02, fold), rtol=1e-8)
    two, one = leave_one_out(X, y, both, 0.04), leave_one_out(X, y, theta, 0.02)
    assert two.log_loss == pytest.approx(one.log_loss, rel=1e-10)
    assert two.brier == pytest.approx(2 * one.brier, rel=1e-10)
    assert (two.accuracy, two.roc_auc) == (one.accuracy, one.roc_auc)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.01, 0.3]))
def test_leaving_a_row_out_moves_its_logit_away_from_its_label(seed: int, lambda_: float) -> None:
    X, y = random_problem(seed)
    theta = optimum(X, y, lambda_)
    moved = leave_one_out_scores(X, y, theta, lambda_) - (X @ theta[:-1] + theta[-1])
    assert ((1 - 2 * y) * moved >= -1e-12).all()
    assert leave_one_out(X, y, theta, lambda_).log_loss > mean_log_loss(
        X @ theta[:-1] + theta[-1], y
    )


def test_a_row_that_alone_decides_a_coefficient_gives_a_finite_report() -> None:
    X, y = random_problem(0)
    X = np.column_stack((X, np.arange(len(y)) == 0))
    theta = np.append(optimum(X[1:, :4], y[1:]), 0.0)
    theta = np.insert(theta[:-1], 4, -30.0)
    report = leave_one_out(X, y, theta, 0.0)
    json.dumps(dataclasses.asdict(report), allow_nan=False)
    z = leave_one_out_scores(X, y, theta, 0.0)
    assert np.isfinite(z).all()


def test_folds_of_one_row_are_leave_one_out() -> None:
    X, y = random_problem(2, n=40)
    theta = optimum(X, y, 0.05)
    each = one_step_fold_scores(X, y, theta, 0.05, np.arange(40))
    assert_allclose(each, leave_one_out_scores(X, y, theta, 0.05), rtol=1e-6)


def test_weights_count_rows_in_folds_too() -> None:
    X, y = random_problem(0)
    s = np.where(np.arange(len(y)) % 3 == 0, 2.0, 1.0)
    copies = np.repeat(np.arange(len(y)), s.astype(int))
    fold = stratified_folds(y, folds=3, seed=1)
    theta = optimum(X, y, 0.05, s)
    weighted = one_step_folds(X, y, theta, 0.05, fold, s)
    repeated = one_step_folds(X[copies], y[copies], theta, 0.05, fold[copies])
    for name in ("log_loss", "accuracy", "brier", "roc_auc"):
        assert getattr(weighted, name) == pytest.approx(getattr(repeated, name), rel=1e-9)


def test_it_refuses_folds_it_cannot_use() -> None:
    X, y = random_problem(0)
    theta = optimum(X, y, 0.1)
    with pytest.raises(DataError, match="at least 2 folds"):
        one_step_folds(X, y, theta, 0.1, np.zeros(len(y), dtype=int))
    with pytest.raises(DataError, match="fold must be"):
        one_step_folds(X, y, theta, 0.1, np.array([0, 1]))
    fold = np.arange(len(y)) % 2
    with pytest.raises(DataError, match="nothing is left"):
        one_step_folds(X, y, theta, 0.1, fold, 1.0 * (fold == 0))


def logistic_fit(X: FloatArray, y: FloatArray) -> Predict:
    theta = optimum(X, y, 0.01)
    return lambda new: sigmoid(new @ theta[:-1] + theta[-1])


def softmax_fit(X: FloatArray, y: FloatArray) -> Predict:
    from mlcore.softmax import softmax

    theta = softmax_optimum(X, y, 0.01)
    return lambda new: softmax(new @ theta[:, :-1].T + theta[:, -1])


def test_cross_validation_scores_every_row_once() -> None:
    X, y = random_problem(0)
    seen: list[int] = []

    def fit(train: FloatArray, labels: FloatArray) -> Predict:
        seen.append(len(train))
        assert not {tuple(row) for row in train} & held_out(train, X)
        return logistic_fit(train, labels)

    def held_out(train: FloatArray, every: FloatArray) -> set[tuple[float, ...]]:
        return {tuple(row) for row in every} - {tuple(row) for row in train}

    report = cross_validate(fit, X, y, folds=4, seed=3)
    fold = stratified_folds(y, folds=4, seed=3)
    p = np.empty(len(y))
    for k in range(4):
        p[fold == k] = logistic_fit(X[fold != k], y[fold != k])(X[fold == k])
    assert report.pooled == report_of("4-fold cross-validation", p, y)
    assert [each.n for each in report.folds] == [int((fold == k).sum()) for k in range(4)]
    assert seen == [int((fold != k).sum()) for k in range(4)]
    assert report.folds[1] == report_of("fold 1", p[fold == 1], y[fold == 1])


def test_cross_validation_agrees_with_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss, roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X, y = random_problem(5, n=90)
    X = X * [1.0, 10.0, 100.0, 0.1] + 5
    report = cross_validate(standardising(logistic_fit), X, y, folds=3, seed=1)
    fold = stratified_folds(y, folds=3, seed=1)
    p = np.empty(len(y))
    for k in range(3):
        rest = fold != k
        C = 1 / (rest.sum() * 0.01)
        peer = make_pipeline(
            StandardScaler(), LogisticRegression(C=C, solver="newton-cholesky", tol=1e-10)
        )
        p[~rest] = peer.fit(X[rest], y[rest]).predict_proba(X[~rest])[:, 1]
    assert report.pooled.log_loss == pytest.approx(log_loss(y, p), rel=1e-8)
    assert report.pooled.roc_auc == pytest.approx(roc_auc_score(y, p), rel=1e-12)
    assert report.pooled.brier == pytest.approx(np.mean((p - y) ** 2), rel=1e-8)


def test_cross_validation_of_many_classes() -> None:
    from sklearn.metrics import roc_auc_score

    X, y = iris()
    report = cross_validate(softmax_fit, X, y, folds=5, seed=2)
    fold = stratified_folds(y, folds=5, seed=2)
    P = np.empty((150, 3))
    for k in range(5):
        P[fold == k] = softmax_fit(X[fold != k], y[fold != k])(X[fold == k])
    assert report.pooled.accuracy == np.mean(P.argmax(axis=1) == y)
    assert report.pooled.brier == pytest.approx(np.sum((P - np.eye(3)[y.astype(int)]) ** 2) / 150)
    assert report.pooled.roc_auc == pytest.approx(roc_auc_score(y, P, multi_class="ovr"), rel=1e-12)


def test_one_step_folds_come_near_cross_validation() -> None:
    X, y = iris()
    fold = stratified_folds(y, folds=5, seed=2)
    # The refits below shrink 120 rows as the whole fit shrinks 150.
    report = one_step_folds(X, y, softmax_optimum(X, y, 0.01), 0.01, fold)

    def fit(X: FloatArray, y: FloatArray) -> Predict:
        theta = softmax_optimum(X, y, 0.01 * 150 / 120)
        return lambda new: softmax_of(new @ theta[:, :-1].T + theta[:, -1])

    def softmax_of(eta: FloatArray) -> FloatArray:
        e = np.exp(eta - eta.max(axis=1, keepdims=True))
        p: FloatArray = e / e.sum(axis=1, keepdims=True)
        return p

    exact = cross_validate(fit, X, y, folds=5, seed=2).pooled
    assert report.log_loss == pytest.approx(exact.log_loss, abs=3e-3)


def test_the_error_of_the_log_loss_is_that_of_a_mean() -> None:
    p, y = np.array([0.9, 0.2, 0.7, 0.6]), np.array([1.0, 0.0, 0.0, 1.0])
    losses = -np.log([0.9, 0.8, 0.3, 0.6])
    report = report_of("by hand", p, y)
    assert report.log_loss == pytest.approx(losses.mean(), rel=1e-15)
    assert report.log_loss_error == pytest.approx(losses.std() / math.sqrt(4), rel=1e-14)
    assert (report.accuracy, report.roc_auc, report.n) == (0.75, 0.75, 4)


def test_a_certain_mistake_costs_36_nats_and_no_infinity() -> None:
    report = report_of("by hand", np.array([1.0, 0.0]), np.array([0.0, 0.0]))
    assert report.log_loss == pytest.approx(-math.log(np.finfo(float).eps) / 2)
    assert report.roc_auc is None


@pytest.mark.parametrize("bad", [math.nan, -0.1, 1.1])
def test_it_refuses_what_is_no_probability(bad: float) -> None:
    X, y = random_problem(0)
    with pytest.raises(DataError, match="row 0 of fold 0 got"):
        cross_validate(lambda X, y: lambda new: np.full(len(new), bad), X, y)
    P = np.full((2, 3), 1 / 3)
    P[1, 2] = bad
    with pytest.raises(DataError, match="row 1 of by hand got"):
        report_of("by hand", P, np.array([0.0, 1.0]))


def test_a_class_that_is_missing_leaves_the_auc_undefined() -> None:
    P = np.array([[0.5, 0.3, 0.2], [0.2, 0.6, 0.2]])
    assert report_of("by hand", P, np.array([0.0, 1.0])).roc_auc is None


def test_standardising_uses_the_training_rows_alone() -> None:
    given: list[FloatArray] = []

    def fit(X: FloatArray, y: FloatArray) -> Predict:
        given.append(X)
        return lambda new: new[:, 0]

    X = np.array([[1.0, 5.0], [3.0, 5.0]])
    predict = standardising(fit)(X, np.array([0.0, 1.0]))
    assert given[0].tolist() == [[-1.0, 0.0], [1.0, 0.0]]
    assert predict(np.array([[5.0, 9.0]])).tolist() == [3.0]
