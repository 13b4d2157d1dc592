"""Newton: what it reports, where it starts and when it stops."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mlcore import Iteration, NewtonSettings, NotConvergedWarning, SolverReport, Watch, newton
from mlcore.arrays import FloatArray
from mlcore.loss import logits, objective, pointwise
from mlcore.objective import Objective
from mlcore.rows import as_rows
from tests.mlcore.problems import class_problem, random_problem, solved


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
    report = newton(X, y, watch=Watch(random_problem(1)))
    assert report.converged
    assert report.solver == "newton"
    assert report.message == f"converged in {report.iterations} iterations"
    assert report.decrement <= 1e-6
    assert [row.number for row in report.history] == list(range(1, report.iterations + 1))
    assert all(row.validation_loss is not None for row in report.history)


def test_without_columns_it_finds_the_log_odds() -> None:
    y = np.array([1.0, 1.0, 1.0, 0.0])
    assert solve(np.zeros((4, 1)), y).tolist() == pytest.approx([0.0, math.log(3)], abs=1e-15)


def test_a_huge_penalty_leaves_the_intercept_alone() -> None:
    X, y = random_problem(0)
    theta = solve(X, y, 1e9)
    assert theta[:-1] == pytest.approx(np.zeros(4), abs=1e-8)
    assert theta[-1] == pytest.approx(math.log(y.mean() / (1 - y.mean())), abs=1e-8)


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
    report = newton(X, y, settings=NewtonSettings(lambda_=1.0), watch=Watch((X, y)))
    last = report.history[-1]
    assert last.train_loss == pytest.approx(objective_of(theta_of(report), X, y, 0.0), abs=1e-9)
    assert last.train_accuracy == np.mean((logits(X, theta_of(report)) >= 0) == (y == 1))
    assert last.validation_loss == pytest.approx(last.train_loss, abs=1e-15)
    assert last.objective > last.train_loss


def test_it_reports_every_iteration_as_it_happens() -> None:
    seen: list[Iteration] = []
    report = newton(*random_problem(0), watch=Watch(on_iteration=seen.append))
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
    newton(X, y, watch=Watch((X, y)))
    assert (X.tobytes(), y.tobytes()) == before


class Clock:
    """A clock that moves on by a second whenever it is read."""

    now = 100.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def test_seconds_count_from_the_start() -> None:
    report = newton(*random_problem(0), watch=Watch(clock=Clock()))
    assert [row.seconds for row in report.history] == [*range(1, report.iterations + 1)]


@pytest.mark.parametrize("problem", [random_problem(0), class_problem(0)], ids=["two", "three"])
@pytest.mark.parametrize("lambda_", [0.0, 0.01])
def test_a_report_starts_where_it_ended(
    problem: tuple[FloatArray, FloatArray], lambda_: float
) -> None:
    found = solved(*problem, lambda_=lambda_, tolerance=1e-6)
    again = newton(*problem, settings=NewtonSettings(lambda_=lambda_), start=found.theta)
    assert again.iterations == 0
    assert again.history == ()
    assert again.message == "converged in 0 iterations"
    assert np.array_equal(again.theta, found.theta)


def test_theta_holds_weights_and_intercepts_class_by_class() -> None:
    two, three = solved(*random_problem(0)), solved(*class_problem(0))
    assert two.theta.tolist() == [*two.weights, two.intercept]
    assert three.theta.reshape(3, 4)[:, :3].tolist() == three.weights.tolist()
    assert three.theta.reshape(3, 4)[:, 3].tolist() == np.asarray(three.intercept).tolist()
    assert three.weights.shape == (3, 3)


def test_the_decrement_is_the_norm_of_the_gradient_under_the_hessian() -> None:
    X, y = random_problem(0)
    with pytest.warns(NotConvergedWarning):
        report = newton(X, y, settings=NewtonSettings(max_iterations=1, tolerance=1e-12))
    at = Objective(as_rows(X, y), 0.01).curved(report.theta)
    expected = np.sqrt(60 * at.gradient @ np.linalg.solve(at.hessian, at.gradient))
    assert report.decrement == pytest.approx(expected, rel=1e-9)
    assert report.history[-1].decrement == report.decrement
    assert report.objective == report.history[-1].objective == pytest.approx(at.F, rel=1e-15)
    assert report.history[-1].gradient_norm == pytest.approx(at.gradient_norm, rel=1e-9)


def test_every_step_goes_down() -> None:
    X, y = random_problem(0)
    report = newton(X, y, start=np.array([5.0, -5.0, 5.0, -5.0, 1.0]))
    values = [row.objective for row in report.history]
    assert values == sorted(values, reverse=True)
    assert all(0 < row.step <= 1 for row in report.history)


def test_a_start_far_away_changes_nothing_but_the_way() -> None:
    X, y = random_problem(3)
    settings = NewtonSettings(tolerance=1e-10)
    for scale in (1e-3, 1.0, 30.0, 1e9):
        start = scale * np.random.default_rng(0).normal(size=5)
        found = newton(X, y, settings=settings, start=start)
        assert found.theta == pytest.approx(solved(X, y).theta, abs=1e-10)


def test_the_default_lambda_is_a_hundredth() -> None:
    X, y = random_problem(0)
    assert newton(X, y).theta == pytest.approx(solved(X, y, lambda_=0.01).theta, abs=1e-7)
    assert newton(X, y).center.tolist() == [0.0] * 4
    assert newton(X, y).scale.tolist() == [1.0] * 4
