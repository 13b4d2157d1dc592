"""The path against separate fits, and its choices against their definitions."""

from __future__ import annotations

import json
import math
import time
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mlcore import Table
from mlcore.arrays import FloatArray
from mlcore.errors import DataError
from mlcore.inference import infer
from mlcore.path import PathReport, lambda_grid, regularisation_path
from mlcore.validation import leave_one_out
from tests import pace
from tests.mlcore.problems import raisin_problem, random_problem, standardised
from tests.mlcore.reference import optimum, softmax_optimum


def iris() -> tuple[FloatArray, FloatArray]:
    from sklearn.datasets import load_iris

    data: Any = load_iris()
    return standardised(data.data), data.target.astype(np.float64)


def log_losses(report: PathReport) -> FloatArray:
    return np.array([row.log_loss for row in report.rows])


def test_it_works_on_raisins(raisin_table: Table) -> None:
    X, y = raisin_problem(raisin_table)
    started = time.process_time()
    report = regularisation_path(X, y)
    seconds = time.process_time() - started
    lambdas = [row.lambda_ for row in report.rows]
    assert len(lambdas) == 50
    assert lambdas == sorted(lambdas, reverse=True)
    # The whole path costs about as many Newton steps as a few cold starts.
    assert sum(row.iterations for row in report.rows) < 80
    assert seconds < pace.seconds(1.0)
    assert all(row.converged for row in report.rows)
    best = report.rows[report.best]
    assert 3e-4 < best.lambda_ < 3e-3
    assert best.log_loss == pytest.approx(0.35823, abs=5e-5)
    assert report.edge is None
    assert report.rows[report.one_se].lambda_ > 0.01


@pytest.mark.parametrize("weighted", [False, True])
def test_each_row_is_the_separate_fit(weighted: bool) -> None:
    X, y = random_problem(0)
    s = np.random.default_rng(0).uniform(0.5, 2, size=60) if weighted else None
    report = regularisation_path(X, y, s, n_lambdas=12)
    total = 60.0 if s is None else float(s.sum())
    for row in report.rows:
        theta = optimum(X, y, row.lambda_, s)
        found = np.append(row.weights, row.intercept)
        reference = infer(X, y, theta, row.lambda_, s)
        error = np.sqrt(np.diag(reference.covariance))
        assert (np.abs(found - theta) <= 2e-4 * error).all()
        F = -reference.log_likelihood / total + row.lambda_ / 2 * float(theta[:-1] @ theta[:-1])
        assert row.objective == pytest.approx(F, rel=1e-8)
        unseen = leave_one_out(X, y, theta, row.lambda_, s)
        assert row.log_loss == pytest.approx(unseen.log_loss, rel=1e-4)
        assert row.log_loss_error == pytest.approx(unseen.log_loss_error, rel=1e-3)
        assert row.effective_df == pytest.approx(reference.effective_df, rel=1e-4)


def test_softmax_rows_are_the_separate_fits() -> None:
    X, y = iris()
    report = regularisation_path(X, y, grid=np.logspace(0, -3, 7))
    for row in report.rows:
        theta = softmax_optimum(X, y, row.lambda_)
        assert_allclose(row.weights, theta[:, :-1], atol=2e-3)
        assert_allclose(row.intercept, theta[:, -1], atol=2e-3)
        assert row.log_loss == pytest.approx(
            leave_one_out(X, y, theta, row.lambda_).log_loss, rel=1e-3
        )
    free = [row.effective_df for row in report.rows]
    assert free == sorted(free)
    assert 2 < free[0] < free[-1] < 10


def test_best_and_one_se_are_what_they_say() -> None:
    X, y = random_problem(1)
    report = regularisation_path(X, y, n_lambdas=30)
    losses = log_losses(report)
    best = report.rows[report.best]
    assert best.log_loss == losses.min()
    bound = best.log_loss + best.log_loss_error
    assert report.rows[report.one_se].log_loss <= bound
    assert report.one_se <= report.best
    assert (losses[: report.one_se] > bound).all()


def test_more_freedom_and_larger_weights_as_the_penalty_falls() -> None:
    X, y = random_problem(2)
    rows = regularisation_path(X, y).rows
    free = [row.effective_df for row in rows]
    norms = [float(np.linalg.norm(row.weights)) for row in rows]
    assert (free, norms) == (sorted(free), sorted(norms))
    assert 1 < free[0] < 1.5
    assert 4.9 < free[-1] < 5


@pytest.mark.parametrize(
    ("seed", "grid", "edge"),
    [(0, [1e-6, 1e-5], "largest"), (0, [50.0, 10.0], "smallest"), (0, [7.0], "largest")],
)
def test_a_best_at_the_end_of_the_grid_is_told(seed: int, grid: list[float], edge: str) -> None:
    X, y = random_problem(seed)
    assert regularisation_path(X, y, grid=grid).edge == edge


def test_a_grid_may_be_coarse_unordered_and_repeat_itself() -> None:
    X, y = random_problem(0)
    report = regularisation_path(X, y, grid=[1e-4, 10.0, 0.1, 0.1])
    assert [row.lambda_ for row in report.rows] == [10.0, 0.1, 1e-4]
    assert_allclose(
        np.append(report.rows[-1].weights, report.rows[-1].intercept),
        optimum(X, y, 1e-4),
        rtol=1e-3,
    )


def test_separable_classes_have_a_path() -> None:
    X = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    y = np.array([0.0, 0.0, 1.0, 1.0])
    report = regularisation_path(X, y)
    assert all(row.converged and math.isfinite(row.log_loss) for row in report.rows)


def test_constant_columns_change_nothing() -> None:
    X, y = random_problem(0)
    wide = np.column_stack((X, np.zeros(60)))
    plain, padded = regularisation_path(X, y), regularisation_path(wide, y)
    assert_allclose(log_losses(padded), log_losses(plain), rtol=1e-6)
    assert all(row.weights[-1] == 0 for row in padded.rows)
    assert plain.best == padded.best
    nothing = regularisation_path(np.zeros((60, 1)), y, n_lambdas=3)
    assert nothing.rows[0].lambda_ == 10.0


def test_the_grid_follows_the_curvature_of_the_null_model() -> None:
    X, y = random_problem(0)
    p = y.mean()
    curvature = np.linalg.eigvalsh(p * (1 - p) * np.cov(X.T, bias=True))[-1]
    grid = lambda_grid(X, y, n_lambdas=7)
    assert grid[0] == pytest.approx(10 * curvature, rel=1e-10)
    assert_allclose(grid[1:] / grid[:-1], 0.1)
    strongest = regularisation_path(X, y).rows[0]
    assert np.linalg.norm(strongest.weights) < 0.15 * np.linalg.norm(optimum(X, y)[:-1])
    X, y = iris()
    A = np.eye(3) / 3 - 1 / 9
    full = np.linalg.eigvalsh(np.kron(A, np.cov(X.T, bias=True)))[-1]
    assert lambda_grid(X, y)[0] == pytest.approx(10 * full, rel=1e-10)
    assert lambda_grid(np.zeros((2, 0)), np.array([0, 1.0]))[0] == 10.0


def test_it_becomes_json() -> None:
    for X, y in (random_problem(0), iris()):
        report = regularisation_path(X, y, n_lambdas=3)
        again = json.loads(json.dumps(report.to_dict(), allow_nan=False))
        assert again["rows"][1]["weights"] == report.rows[1].weights.tolist()
        assert again["rows"][1]["intercept"] == np.asarray(report.rows[1].intercept).tolist()
        assert again["best"] == report.best


@pytest.mark.parametrize("grid", [[], [0.0, 1.0], [-1.0], [math.nan], [math.inf]])
def test_it_refuses_a_grid_it_cannot_use(grid: list[float]) -> None:
    X, y = random_problem(0)
    with pytest.raises(DataError, match="penalties above 0"):
        regularisation_path(X, y, grid=grid)


def test_it_refuses_a_path_of_one() -> None:
    X, y = random_problem(0)
    with pytest.raises(DataError, match="at least 2"):
        regularisation_path(X, y, n_lambdas=1)
