"""Data that break solvers: the answer is right, or the report says plainly that it is not."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from mlcore import (
    DataError,
    GradientDescentSettings,
    NewtonSettings,
    NotConvergedWarning,
    Watch,
    gradient_descent,
    newton,
)
from tests.mlcore.problems import random_problem, solution, solved, standardised

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


def test_constant_columns_are_reported() -> None:
    X, y = random_problem(0)
    A = np.column_stack((np.full(60, 5.0), X, np.zeros(60)))
    for options in ({"lambda_": 0.0}, {"lambda_": 0.01}, {"lambda_": 0.0, "standardise": True}):
        report = solved(A, y, **options)
        assert report.constant == (0, 5)
        assert not report.rank_deficient
        assert report.weights[[0, 5]].tolist() == [0.0, 0.0]


def test_a_start_may_not_give_weight_to_a_constant_column() -> None:
    X, y = random_problem(0)
    A = np.column_stack((X, np.full(60, 3.0)))
    report = newton(A, y, start=np.array([0, 0, 0, 0, 5.0, -15.0]))
    assert report.converged
    assert report.weights[-1] == 0.0
    assert report.theta[[0, 1, 2, 3, 5]] == pytest.approx(newton(X, y).theta, abs=1e-6)


@pytest.mark.parametrize("copies", [2, 3, 5])
@pytest.mark.parametrize("lambda_", [0.0, 0.01])
def test_duplicate_columns_share_their_weight(copies: int, lambda_: float) -> None:
    X, y = random_problem(0)
    A = np.column_stack((X, *[X[:, 0]] * (copies - 1)))
    report = solved(A, y, lambda_=lambda_)
    assert report.rank_deficient == (lambda_ == 0)
    shares = report.weights[[0, *range(4, 3 + copies)]]
    assert shares == pytest.approx(np.full(copies, shares.mean()), abs=1e-12)
    if lambda_ == 0:
        alone = solution(X, y, lambda_=0.0)
        assert shares.sum() == pytest.approx(alone[0], abs=1e-9)
        assert report.weights[1:4] == pytest.approx(alone[1:4], abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_collinear_columns_take_the_limit_of_a_vanishing_penalty(seed: int) -> None:
    X, y = random_problem(seed, d=3)
    A = standardised(np.column_stack((X, X @ np.random.default_rng(seed).normal(size=(3, 2)))))
    report = solved(A, y, lambda_=0.0)
    limit = solution(A, y, lambda_=1e-9)[:5]
    assert report.rank_deficient
    assert A @ report.weights == pytest.approx(A @ limit, abs=1e-6)
    # The norm is least in units that make the curvatures equal: nearly those of the columns.
    least = float(np.linalg.norm(limit))
    assert least * (1 - 1e-7) <= np.linalg.norm(report.weights) <= least * 1.01


def test_equal_columns_take_the_pseudoinverse_exactly() -> None:
    X, y = random_problem(1, d=3)
    groups = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1], [0, 0, 1]]).T
    report = solved(X @ groups, y, lambda_=0.0)
    alone = solution(X, y, lambda_=0.0)
    assert report.weights == pytest.approx(np.linalg.pinv(groups) @ alone[:3], abs=1e-9)
    limit = solution(X @ groups, y, lambda_=1e-9)
    assert report.weights == pytest.approx(limit[:6], abs=1e-6)


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


@pytest.mark.parametrize("offset", [1e6, -1e9, 1e12])
def test_an_offset_is_solved_by_standardising_block_by_block(offset: float) -> None:
    X, y = random_problem(0)
    steps = np.round(X * 1024)
    found = solved(steps + offset, y, standardise=True)
    assert found.weights == pytest.approx(solved(steps, y, standardise=True).weights, abs=1e-9)


@pytest.mark.parametrize("scale", [1e150, 1e149, 1e6, 1e-6, 1e-150, 1e-300])
def test_any_scale_is_solved_by_standardising_block_by_block(scale: float) -> None:
    X, y = random_problem(0)
    X = X / np.abs(X).max()
    found = solution(X * scale, y, standardise=True)
    assert found == pytest.approx(solution(X, y, standardise=True), abs=1e-9)


def test_subnormal_numbers_are_fine() -> None:
    X, y = random_problem(0)
    found = solution(np.ldexp(np.round(X * 2**20), -1060), y, standardise=True)
    assert found == pytest.approx(solution(X, y, standardise=True), abs=1e-4)


def test_no_column_leaves_the_intercept() -> None:
    y = np.array([1.0, 1.0, 1.0, 0.0])
    for options in ({"lambda_": 0.0}, {"lambda_": 0.1}, {"standardise": True}):
        report = solved(np.empty((4, 0)), y, **options)
        assert report.weights.shape == (0,)
        assert report.intercept == pytest.approx(np.log(3), abs=1e-15)
    assert solved(np.empty((3, 0)), np.array([0, 1, 2])).weights.shape == (3, 0)


@pytest.mark.parametrize("positives", [7, 13, 30, 37])
def test_a_column_that_is_the_label_separates(positives: int) -> None:
    y = (np.arange(60) < positives).astype(np.float64)
    with pytest.warns(NotConvergedWarning, match="are separated"):
        report = newton(0.1 * y[:, None] + 0.3, y, settings=NO_PENALTY)
    assert report.constant == ()


@pytest.mark.parametrize("lambda_", [0.0, 1e-12])
def test_a_start_that_is_sure_of_every_row_proves_nothing(lambda_: float) -> None:
    X, y = separable()
    settings = NewtonSettings(lambda_=lambda_)
    start = np.array([1e6, 0, 0, 0, 0])
    if lambda_ == 0:
        with pytest.warns(NotConvergedWarning, match="are separated"):
            report = newton(X, y, settings=settings, start=start)
        assert report.separation is not None
    else:
        report = newton(X, y, settings=settings, start=start)
        best = newton(X, y, settings=settings)
        assert report.objective == pytest.approx(best.objective, rel=1e-9)
    assert report.constant == ()


def test_gradient_descent_far_out_does_not_claim_to_have_arrived() -> None:
    X, y = random_problem(0)
    with pytest.warns(NotConvergedWarning):
        report = gradient_descent(X, y, settings=GradientDescentSettings(lr=1e5, epochs=3))
    assert report.decrement == 1e9


def test_gradient_descent_copes_with_a_constant_column() -> None:
    X, y = random_problem(0)
    A = np.column_stack((X, np.full(60, 2.0)))
    report = gradient_descent(
        A, y, settings=GradientDescentSettings(lr="auto", epochs=3000, momentum="nesterov")
    )
    assert report.decrement < 1e-3


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
        (np.ones((1, 1)), np.ones(1), "both classes"),
        (np.ones((3, 1)), np.ones(3), "both classes"),
        (np.ones((3, 1)), np.zeros(3), "both classes"),
        (np.ones((0, 1)), np.zeros(0), "both classes"),
        (np.ones((2, 1)), np.array([0.0, 2.0]), "class 1 has none"),
        (np.ones((2, 1)), np.array([0.0, np.nan]), "got nan in row 1"),
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
        newton(X, y, watch=Watch((X[:, :2], y)))


@pytest.mark.parametrize("wrong", [{"lambda_": -1}, {"tolerance": 0}, {"max_iterations": 0}])
def test_it_refuses_impossible_settings(wrong: dict[str, float]) -> None:
    with pytest.raises(DataError, match=next(iter(wrong))):
        NewtonSettings(**wrong)  # type: ignore[arg-type]


def test_it_refuses_an_empty_validation_set() -> None:
    X, y = random_problem(0)
    with pytest.raises(DataError, match="no validation rows"):
        newton(X, y, watch=Watch((X[:0], y[:0])))


@pytest.mark.parametrize("start", [np.zeros(4), np.zeros((5, 1)), np.full(5, np.nan), [0] * 6])
def test_it_refuses_a_start_of_another_shape(start: np.ndarray) -> None:
    X, y = random_problem(0)
    for solve in (newton, gradient_descent):
        with pytest.raises(DataError, match="start must hold 5 finite numbers, intercepts last"):
            solve(X, y, start=start)


def test_too_few_iterations_are_told() -> None:
    X, y = random_problem(0)
    with pytest.warns(NotConvergedWarning, match="not converged after 1 iterations"):
        report = newton(X, y, settings=NewtonSettings(max_iterations=1))
    assert report.iterations == 1
    assert report.decrement > 1e-6
