"""The objective of some rows: its value, slope and curvature, and what it asks of the cells."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore import DataError, GradientDescentSettings, NotConvergedWarning, gradient_descent, newton
from mlcore.loss import gradient, hessian, logits, objective, pointwise
from mlcore.objective import Objective
from mlcore.rows import as_rows
from tests.mlcore.problems import class_problem, random_problem

X, Y = random_problem(0)


def objective_of(lambda_: float = 0.0, weights: np.ndarray | None = None) -> Objective:
    return Objective(as_rows(X, Y, weights, block_rows=13), lambda_)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.01, 3.0]), st.booleans())
def test_a_pass_is_the_plain_formula(seed: int, lambda_: float, is_weighted: bool) -> None:
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=5)
    s = rng.uniform(0.0, 3.0, size=60) if is_weighted else None
    at = objective_of(lambda_, s).curved(theta)
    point = pointwise(logits(X, theta), Y)
    assert pytest.approx(objective(point, theta, lambda_, s), rel=1e-13) == at.F
    assert at.loss == pytest.approx(objective(point, theta, 0.0, s), rel=1e-13)
    assert at.gradient == pytest.approx(gradient(point, X, theta, lambda_, s), abs=1e-14)
    assert at.gradient_norm == pytest.approx(np.linalg.norm(at.gradient), rel=1e-14)
    assert at.hessian == pytest.approx(hessian(point, X, lambda_, s), abs=1e-14)
    assert at.information == pytest.approx(hessian(point, X, 0.0, s), abs=1e-14)
    cheap = objective_of(lambda_, s).slope(theta)
    assert (cheap.F, cheap.gradient.tolist()) == (at.F, at.gradient.tolist())


@pytest.mark.parametrize("problem", [random_problem(0), class_problem(0)], ids=["two", "three"])
def test_null_is_the_best_without_columns(problem: tuple[np.ndarray, np.ndarray]) -> None:
    objective = Objective(as_rows(*problem), 0.1)
    null = objective.null()
    at = objective.slope(null)
    d = problem[0].shape[1]
    assert at.gradient[d :: d + 1] == pytest.approx(np.zeros(len(null) // (d + 1)), abs=1e-15)
    assert pytest.approx(objective.null_loss(), rel=1e-14) == at.F
    assert not (null * objective.is_penalised).any()


@settings(deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 1))
def test_it_is_convex_and_its_slope_monotone(seed: int, t: float) -> None:
    rng = np.random.default_rng(seed)
    for rows, size in ((as_rows(X, Y), 5), (as_rows(*class_problem(0)), 12)):
        objective = Objective(rows, 0.01)
        a, b = 3 * rng.normal(size=size), 3 * rng.normal(size=size)
        at_a, at_b = objective.slope(a), objective.slope(b)
        between = objective.slope(t * a + (1 - t) * b)
        assert t * at_a.F + (1 - t) * at_b.F + 1e-12 >= between.F
        assert (at_a.gradient - at_b.gradient) @ (a - b) >= 0


def test_constant_columns_are_held() -> None:
    rows = as_rows(np.column_stack((X, np.full(60, 3.0))), Y)
    objective = Objective(rows, 0.0)
    frame = objective.frame(objective.curved(objective.null()))
    assert frame.constant == (4,)
    assert frame.free.tolist() == [1, 1, 1, 1, 0, 1]


def test_too_many_coefficients_for_a_hessian_are_refused() -> None:
    A = np.zeros((4, 4096))
    y = np.array([0.0, 1.0, 0.0, 1.0])
    with pytest.raises(DataError, match="4097 coefficients are too many for a Hessian"):
        newton(A, y, start=np.zeros(4097))
    with pytest.warns(NotConvergedWarning):
        report = gradient_descent(A, y, settings=GradientDescentSettings(epochs=1))
    assert report.decrement == 1e9


def test_labels_may_be_counted_before() -> None:
    labels = objective_of().labels
    assert Objective(as_rows(X, Y), 0.0, labels).labels is labels


@pytest.mark.parametrize("value", [1e151, -1e160, 1e300])
def test_a_cell_that_is_too_large_is_named_even_where_it_does_not_overflow(value: float) -> None:
    A = X.copy()
    A[59, 1] = value
    with pytest.raises(DataError, match="row 59, column 1; at most 1e150"):
        newton(A, Y)


def test_the_largest_number_allowed_is_solved() -> None:
    A = X.copy()
    A[:, 1] *= 1e150 / np.abs(A[:, 1]).max()
    assert newton(A, Y).converged


def test_logits_beyond_all_numbers_are_no_fault_of_the_cells() -> None:
    with np.errstate(all="ignore"):
        at = objective_of().slope(np.full(5, 1e308))
    assert not math.isfinite(at.F + at.gradient_norm)
