"""Data that break solvers: the answer is right, or the report says plainly that it is not."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from mlcore import DataError, NewtonSettings, NotConvergedWarning, descent, newton
from tests.mlcore.problems import breast_cancer_problem, random_problem, standardised

NO_PENALTY = NewtonSettings(lambda_=0.0)


@pytest.mark.parametrize("lambda_", [0.0, 0.01])
@pytest.mark.parametrize("value", [0.0, 1.0, 1e12])
def test_a_constant_column_gets_no_weight(lambda_: float, value: float) -> None:
    X, y = random_problem(0)
    settings = NewtonSettings(lambda_=lambda_)
    report = newton(np.column_stack((X, np.full(len(X), value))), y, settings=settings)
    assert report.converged
    assert report.weights[-1] == 0.0
    assert report.weights[:-1] == pytest.approx(newton(X, y, settings=settings).weights, abs=1e-9)


def test_duplicate_columns_share_their_weight() -> None:
    X, y = random_problem(0)
    report = newton(np.column_stack((X, X[:, 0])), y, settings=NO_PENALTY)
    alone = newton(X, y, settings=NO_PENALTY)
    assert report.converged
    assert report.weights[[0, 4]] == pytest.approx([alone.weights[0] / 2] * 2, abs=1e-4)
    assert report.weights[1:4] == pytest.approx(alone.weights[1:], abs=1e-6)


def separable() -> tuple[np.ndarray, np.ndarray]:
    X, _ = random_problem(0)
    return X, (X[:, 0] > 0).astype(np.float64)


def quasi_separable() -> tuple[np.ndarray, np.ndarray]:
    x = np.array([-2.0, -1.0, 0.0, 0.0, 1.0, 2.0])
    return x[:, None], np.array([0.0, 0.0, 0.0, 1.0, 1.0, 1.0])


@pytest.mark.parametrize(
    ("problem", "word"),
    [(separable(), "are separated"), (quasi_separable(), "quasi-separated")],
    ids=["complete", "quasi"],
)
def test_separation_without_a_penalty_is_told(
    problem: tuple[np.ndarray, np.ndarray], word: str
) -> None:
    with pytest.warns(NotConvergedWarning, match="use lambda_ > 0"):
        report = newton(*problem, settings=NO_PENALTY)
    assert not report.converged
    assert word in report.message
    assert np.isfinite([*report.weights, report.intercept, report.decrement]).all()


def test_30_columns_separate_the_breast_cancer_data() -> None:
    X, y = breast_cancer_problem()
    with pytest.warns(NotConvergedWarning, match="are separated"):
        newton(X, y, settings=NO_PENALTY)


@pytest.mark.parametrize("seed", range(30))
def test_noisy_classes_are_not_called_separated(seed: int) -> None:
    X, y = random_problem(seed, n=60, d=6)
    y[:6] = 0, 1, 0, 1, 0, 1
    X[:6] = X[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert newton(X, y, settings=NO_PENALTY).converged


@pytest.mark.parametrize("problem", [separable(), quasi_separable()], ids=["complete", "quasi"])
def test_a_penalty_makes_separable_classes_solvable(
    problem: tuple[np.ndarray, np.ndarray],
) -> None:
    assert newton(*problem, settings=NewtonSettings(lambda_=1e-6)).converged


def test_fewer_rows_than_columns() -> None:
    X, y = random_problem(0, n=8, d=30)
    assert newton(X, y).converged
    with pytest.warns(NotConvergedWarning, match="separated"):
        newton(X, y, settings=NO_PENALTY)


def test_an_offset_of_1e12_changes_nothing() -> None:
    X, y = random_problem(0)
    steps = np.round(X * 1024)
    shifted = newton(standardised(steps + 1e12), y)
    assert shifted.weights == pytest.approx(newton(standardised(steps), y).weights, abs=1e-9)


@pytest.mark.parametrize("scale", [1e-300, 1e-150, 1e-6, 1e6, 1e149])
def test_any_scale_is_solved_after_standardising(scale: float) -> None:
    X, y = random_problem(0)
    found = newton(standardised(X * scale), y).weights
    assert found == pytest.approx(newton(X, y).weights, abs=1e-9)


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_newton_itself_does_not_mind_the_scale_without_a_penalty(scale: float) -> None:
    X, y = random_problem(0)
    found = newton(X * scale, y, settings=NO_PENALTY).weights * scale
    assert found == pytest.approx(newton(X, y, settings=NO_PENALTY).weights, rel=1e-6)


def test_a_column_whose_squares_underflow_gets_no_weight() -> None:
    X, y = random_problem(0)
    report = newton(np.column_stack((X, X[:, 0] * 1e-200)), y, settings=NO_PENALTY)
    assert report.weights[-1] == 0.0
    assert report.weights[:-1] == pytest.approx(newton(X, y, settings=NO_PENALTY).weights)


def test_a_step_that_cannot_be_computed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descent, "hessian", lambda point, X, lambda_: np.full((5, 5), np.nan))
    X, y = random_problem(0)
    with pytest.warns(NotConvergedWarning, match="not converged after 0 iterations"):
        report = newton(X, y)
    assert np.isfinite([*report.weights, report.intercept, report.decrement]).all()


def test_one_positive_among_thousands() -> None:
    X, _ = random_problem(0, n=5000)
    y = np.zeros(5000)
    y[17] = 1.0
    report = newton(X, y)
    assert report.converged
    assert report.intercept < -5


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1e151])
def test_it_refuses_and_names_a_cell_that_is_out_of_range(bad: float) -> None:
    X, y = random_problem(0)
    X[3, 2] = bad
    with pytest.raises(DataError, match="row 3, column 2"):
        newton(X, y)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.ones((3, 1)), np.ones(3), "both classes"),
        (np.ones((3, 1)), np.zeros(3), "both classes"),
        (np.ones((0, 1)), np.zeros(0), "both classes"),
        (np.ones((2, 1)), np.array([0.0, 2.0]), "0 and 1 only"),
        (np.ones((2, 1)), np.array([0.0, np.nan]), "0 and 1 only"),
        (np.ones((2, 1)), np.zeros(3), "X must be"),
        (np.ones(2), np.zeros(2), "X must be"),
    ],
)
def test_it_refuses_what_is_no_problem(X: np.ndarray, y: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        newton(X, y)


def test_it_refuses_validation_rows_of_another_width() -> None:
    X, y = random_problem(0)
    with pytest.raises(DataError, match="different numbers of columns"):
        newton(X, y, validation=(X[:, :2], y))


@pytest.mark.parametrize("wrong", [{"lambda_": -1}, {"tolerance": 0}, {"max_iterations": 0}])
def test_it_refuses_impossible_settings(wrong: dict[str, float]) -> None:
    with pytest.raises(DataError, match=next(iter(wrong))):
        NewtonSettings(**wrong)  # type: ignore[arg-type]


def test_too_few_iterations_are_told() -> None:
    X, y = random_problem(0)
    with pytest.warns(NotConvergedWarning, match="not converged after 1 iterations"):
        report = newton(X, y, settings=NewtonSettings(max_iterations=1))
    assert report.iterations == 1
    assert report.decrement > 1e-6
