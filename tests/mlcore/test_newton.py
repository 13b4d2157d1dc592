"""Newton against reference numbers, closed forms and the invariances of the objective.

The reference coefficients come from statsmodels (Logit, tolerance 1e-14) and scikit-learn
(newton-cholesky, tolerance 1e-14).
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore import Iteration, NewtonSettings, SolverReport, Table, newton
from mlcore.arrays import FloatArray
from mlcore.loss import logits, objective, pointwise, sigmoid
from tests.mlcore.problems import (
    BREAST_CANCER_COLUMNS,
    RAISIN_MLE,
    breast_cancer_problem,
    raisin_problem,
    random_problem,
    standardised,
)

RAISIN_C1 = [
    0.482061812043,
    0.57183141015,
    -0.733470355536,
    0.171287576371,
    0.381498003358,
    -0.129983867031,
    2.333534100172,
    0.477924718139,
]
RAISIN_C01 = [
    0.46615028594,
    0.695255863918,
    0.136205161049,
    0.553738856312,
    0.482784737944,
    -0.197555453744,
    0.889008671455,
    0.361027583531,
]
CANCER_MLE = [
    -3.98370876804,
    -1.636337692931,
    -1.691308259643,
    -2.05157782968,
    -0.445816111401,
    0.778439905011,
    0.828288565002,
]
CANCER_C1 = [
    -3.078262376969,
    -1.330415951923,
    -1.330263842325,
    -1.76588673767,
    -0.414434997779,
    0.696598473893,
    0.773886195689,
]


def theta_of(report: SolverReport) -> FloatArray:
    return np.append(report.weights, report.intercept)


def solve(
    X: FloatArray, y: FloatArray, lambda_: float = 0.01, tolerance: float = 1e-11
) -> FloatArray:
    report = newton(X, y, settings=NewtonSettings(lambda_=lambda_, tolerance=tolerance))
    assert report.converged, report.message
    return theta_of(report)


def objective_of(theta: FloatArray, X: FloatArray, y: FloatArray, lambda_: float) -> float:
    return objective(pointwise(logits(X, theta), y), theta, lambda_)


def test_it_works() -> None:
    X, y = random_problem(0)
    report = newton(X, y, validation=random_problem(1))
    assert report.converged
    assert report.solver == "newton"
    assert report.message == f"converged in {report.iterations} iterations"
    assert report.decrement <= 1e-6
    assert [row.number for row in report.history] == list(range(1, report.iterations + 1))
    assert all(row.validation_loss is not None for row in report.history)


@pytest.mark.parametrize(
    ("lambda_", "expected"), [(0.0, RAISIN_MLE), (1 / 900, RAISIN_C1), (10 / 900, RAISIN_C01)]
)
def test_it_finds_the_raisin_optimum(
    raisin_table: Table, lambda_: float, expected: list[float]
) -> None:
    X, y = raisin_problem(raisin_table)
    report = newton(X, y, settings=NewtonSettings(lambda_=lambda_))
    assert theta_of(report) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("lambda_", "expected"), [(1 / 900, 0.3528316570219), (0.01, 0.3660643102617)]
)
def test_it_reaches_the_raisin_objective(
    raisin_table: Table, lambda_: float, expected: float
) -> None:
    X, y = raisin_problem(raisin_table)
    assert objective_of(solve(X, y, lambda_), X, y, lambda_) == pytest.approx(expected, abs=1e-12)


def test_it_reaches_the_raisin_likelihood(raisin_table: Table) -> None:
    X, y = raisin_problem(raisin_table)
    assert objective_of(solve(X, y, 0.0), X, y, 0.0) == pytest.approx(0.3383230000237, abs=1e-12)


@pytest.mark.parametrize(("lambda_", "expected"), [(0.0, CANCER_MLE), (1 / 569, CANCER_C1)])
def test_it_finds_the_breast_cancer_optimum(lambda_: float, expected: list[float]) -> None:
    X, y = breast_cancer_problem(BREAST_CANCER_COLUMNS)
    assert solve(X, y, lambda_) == pytest.approx(expected, abs=1e-10)


def test_it_solves_30_correlated_columns() -> None:
    X, y = breast_cancer_problem()
    theta = solve(X, y, 1 / 569)
    assert theta[[0, 1, 29, 30]] == pytest.approx(
        [-0.363092531918, -0.387675442419, -0.479818908043, 0.214502717402], abs=1e-9
    )
    assert objective_of(theta, X, y, 1 / 569) == pytest.approx(0.06636018622473839, abs=1e-13)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("lambda_", [1e-4, 0.01, 1.0])
def test_it_agrees_with_scikit_learn(seed: int, lambda_: float) -> None:
    from sklearn.linear_model import LogisticRegression

    X, y = random_problem(seed, n=80, d=5)
    peer = LogisticRegression(C=1 / (len(y) * lambda_), solver="newton-cholesky", tol=1e-12)
    peer.fit(X, y)
    assert solve(X, y, lambda_) == pytest.approx(
        np.append(peer.coef_[0], peer.intercept_), abs=1e-7
    )


def test_without_columns_it_finds_the_log_odds() -> None:
    y = np.array([1.0, 1.0, 1.0, 0.0])
    assert solve(np.zeros((4, 1)), y).tolist() == pytest.approx([0.0, math.log(3)], abs=1e-15)


def test_a_huge_penalty_leaves_the_intercept_alone() -> None:
    X, y = random_problem(0)
    theta = solve(X, y, 1e9)
    assert theta[:-1] == pytest.approx(np.zeros(4), abs=1e-8)
    assert theta[-1] == pytest.approx(math.log(y.mean() / (1 - y.mean())), abs=1e-8)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.001, 0.1]))
def test_the_objective_has_its_invariances(seed: int, lambda_: float) -> None:
    X, y = random_problem(seed)
    theta = solve(X, y, lambda_)
    flip = np.array([1, -1, 1, 1, 1])
    order = np.random.default_rng(seed).permutation(len(y))
    assert solve(X * flip[:4], y, lambda_) == pytest.approx(theta * flip, abs=1e-12)
    assert solve(X, 1 - y, lambda_) == pytest.approx(-theta, abs=1e-10)
    assert solve(X[order], y[order], lambda_) == pytest.approx(theta, abs=1e-10)
    assert solve(np.tile(X, (2, 1)), np.tile(y, 2), lambda_) == pytest.approx(theta, abs=1e-10)
    assert solve(X[:, ::-1], y, lambda_)[:4][::-1] == pytest.approx(theta[:4], abs=1e-10)
    assert solve(standardised(X * 1e6 + 100), y, lambda_) == pytest.approx(theta, abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.001, 0.1]))
def test_the_optimum_balances(seed: int, lambda_: float) -> None:
    X, y = random_problem(seed)
    theta = solve(X, y, lambda_)
    p = sigmoid(logits(X, theta))
    assert p.mean() == pytest.approx(y.mean(), abs=1e-11)
    assert lambda_ * theta[:-1] == pytest.approx(X.T @ (y - p) / len(y), abs=1e-11)


def test_more_penalty_means_smaller_weights() -> None:
    X, y = random_problem(4)
    norms = [np.linalg.norm(solve(X, y, lambda_)[:-1]) for lambda_ in (0.001, 0.01, 0.1, 1.0)]
    assert norms == sorted(norms, reverse=True)


def test_the_decrement_is_a_distance_in_standard_errors() -> None:
    X, y = random_problem(2, n=400)
    early = newton(X, y, settings=NewtonSettings(lambda_=0.0, tolerance=0.05))
    best = solve(X, y, 0.0)
    z = logits(X, best)
    Xb = np.column_stack((X, np.ones(len(X))))
    covariance = np.linalg.inv(Xb.T @ (Xb * pointwise(z, y).curvature[:, None]))
    distance = np.abs(theta_of(early) - best) / np.sqrt(np.diag(covariance))
    assert 0 < distance.max() <= 1.05 * early.decrement


def test_it_records_the_loss_without_the_penalty() -> None:
    X, y = random_problem(0)
    report = newton(X, y, settings=NewtonSettings(lambda_=1.0))
    last = report.history[-1]
    assert last.train_loss == pytest.approx(objective_of(theta_of(report), X, y, 0.0), abs=1e-9)
    assert last.train_accuracy == np.mean((logits(X, theta_of(report)) >= 0) == (y == 1))
    assert last.validation_loss is None


def test_it_reports_every_iteration_as_it_happens() -> None:
    seen: list[Iteration] = []
    report = newton(*random_problem(0), on_iteration=seen.append)
    assert tuple(seen) == report.history


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.float64])
def test_other_dtypes_and_layouts_give_the_same_answer(dtype: type) -> None:
    X, y = random_problem(0)
    X = np.round(X * 8).astype(dtype)
    expected = solve(np.ascontiguousarray(X, dtype=np.float64), y)
    assert solve(np.asfortranarray(X), y.astype(bool)).tolist() == pytest.approx(
        expected, abs=1e-12
    )
    assert solve(np.repeat(X, 2, axis=0)[::2], y) == pytest.approx(expected, abs=1e-12)


def test_it_leaves_its_input_alone() -> None:
    X, y = random_problem(0)
    X.setflags(write=False)
    y.setflags(write=False)
    before = X.tobytes(), y.tobytes()
    newton(X, y, validation=(X, y))
    assert (X.tobytes(), y.tobytes()) == before
