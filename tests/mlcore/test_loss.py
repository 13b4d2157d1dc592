from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.loss import (
    LogisticPass,
    gradient,
    hessian,
    logits,
    losses,
    margins,
    mean_log_loss,
    objective,
    pointwise,
    sigmoid,
    total_loss,
)
from mlcore.rows import as_rows
from tests.mlcore.problems import complex_step, five_point, random_problem

LAMBDAS = [0.0, 0.01, 3.0]
FINITE = st.floats(allow_nan=False, allow_infinity=False)


def objective_at(theta: np.ndarray, X: np.ndarray, y: np.ndarray, lambda_: float) -> float:
    return objective(pointwise(logits(X, theta), y), theta, lambda_)


def gradient_at(theta: np.ndarray, X: np.ndarray, y: np.ndarray, lambda_: float) -> np.ndarray:
    return gradient(pointwise(logits(X, theta), y), X, theta, lambda_)


def test_it_works() -> None:
    point = pointwise(np.array([0.0, math.log(3)]), np.array([1.0, 0.0]))
    assert point.loss == pytest.approx([math.log(2), math.log(4)], rel=1e-15)
    assert point.residual == pytest.approx([-0.5, 0.75], rel=1e-15)
    assert point.curvature == pytest.approx([0.25, 0.1875], rel=1e-15)


@pytest.mark.parametrize("lambda_", LAMBDAS)
@pytest.mark.parametrize("seed", range(5))
def test_the_gradient_is_the_slope_of_the_objective(seed: int, lambda_: float) -> None:
    X, y = random_problem(seed)
    theta = np.random.default_rng(seed).normal(size=5)
    found = gradient_at(theta, X, y, lambda_)
    for j, axis in enumerate(np.eye(5)):
        slope = five_point(lambda t, a=axis: objective_at(theta + t * a, X, y, lambda_), 0.0)
        assert found[j] == pytest.approx(slope, abs=1e-11)


@pytest.mark.parametrize("lambda_", LAMBDAS)
@pytest.mark.parametrize("seed", range(5))
def test_the_hessian_is_the_slope_of_the_gradient(seed: int, lambda_: float) -> None:
    X, y = random_problem(seed)
    theta = np.random.default_rng(seed).normal(size=5)
    H = hessian(pointwise(logits(X, theta), y), X, lambda_)
    for j, axis in enumerate(np.eye(5)):
        for k in range(5):
            slope = five_point(
                lambda t, a=axis, k=k: gradient_at(theta + t * a, X, y, lambda_)[k], 0.0
            )
            assert H[j, k] == pytest.approx(slope, abs=1e-11)
    assert np.abs(H - H.T).max() <= 1e-16
    assert np.linalg.eigvalsh(H).min() > 0


def test_the_gradient_agrees_with_the_complex_step() -> None:
    X, y = random_problem(3)
    theta = np.random.default_rng(3).normal(size=5)
    for j, axis in enumerate(np.eye(5)):
        z = X @ (theta + 1e-200j * axis)[:-1] + (theta + 1e-200j * axis)[-1]
        slope = np.mean(np.log(1 + np.exp(-z)) + (1 - y) * z).imag / 1e-200
        assert gradient_at(theta, X, y, 0.0)[j] == pytest.approx(slope, abs=1e-15)


@given(FINITE)
def test_nothing_overflows(z: float) -> None:
    with np.errstate(all="raise", under="ignore"):
        point = pointwise(np.array([z, z]), np.array([0.0, 1.0]))
        p = sigmoid(np.array([z, -z]))
    assert np.isfinite(point.residual).all()
    assert (point.loss >= 0).all()
    assert ((p >= 0) & (p <= 1)).all()
    assert p.sum() == pytest.approx(1, abs=2.3e-16)


@given(st.floats(-700, 700))
def test_the_loss_is_symmetric(z: float) -> None:
    point = pointwise(np.array([z, -z]), np.array([1.0, 0.0]))
    assert point.loss[0] == point.loss[1]
    assert point.residual[0] == -point.residual[1]
    assert point.curvature[0] == point.curvature[1] > 0


def test_an_infinite_logit_on_the_right_side_costs_nothing() -> None:
    assert mean_log_loss(np.array([np.inf, -np.inf]), np.array([1.0, 0.0])) == 0.0


def test_small_residuals_keep_their_digits() -> None:
    point = pointwise(np.array([40.0]), np.array([1.0]))
    assert point.residual[0] == pytest.approx(-math.exp(-40), rel=1e-15)


def test_the_objective_is_convex() -> None:
    X, y = random_problem(1)
    rng = np.random.default_rng(1)
    for _ in range(100):
        a, b, t = rng.normal(size=5) * 3, rng.normal(size=5) * 3, rng.random()
        at_a, at_b = objective_at(a, X, y, 0.01), objective_at(b, X, y, 0.01)
        between = objective_at(t * a + (1 - t) * b, X, y, 0.01)
        assert between <= t * at_a + (1 - t) * at_b + 1e-12


def test_the_hessian_agrees_with_the_complex_step() -> None:
    X, y = random_problem(3)
    theta = np.random.default_rng(3).normal(size=5)
    weights = np.random.default_rng(4).uniform(0, 2, size=60)

    def slope(t: np.ndarray) -> np.ndarray:
        r = weights * (1 / (1 + np.exp(-(X @ t[:-1] + t[-1]))) - y) / weights.sum()
        return np.append(X.T @ r + 0.3 * t[:-1], r.sum())

    point = pointwise(logits(X, theta), y)
    H = hessian(point, X, 0.3, weights)
    assert pytest.approx(complex_step(slope, theta), abs=1e-15) == H
    assert gradient(point, X, theta, 0.3, weights) == pytest.approx(slope(theta), abs=1e-15)


@pytest.mark.parametrize("z", [0.0, 1e-300, 36.0, 37.5, 709.0, 745.0, 1e5, 1e308])
def test_the_tails_are_exact(z: float) -> None:
    with np.errstate(all="raise", under="ignore"):
        point = pointwise(np.array([z, -z]), np.array([1.0, 0.0]))
        wrong = pointwise(np.array([z, -z]), np.array([0.0, 1.0]))
    expected = math.exp(-z) if z < 740 else 0.0
    assert point.loss == pytest.approx([math.log1p(expected)] * 2, rel=1e-15)
    assert -point.residual[0] == pytest.approx(expected / (1 + expected), rel=1e-15)
    assert wrong.loss == pytest.approx([z + math.log1p(expected)] * 2, rel=1e-15)
    assert point.curvature[0] == pytest.approx(expected / (1 + expected) ** 2, rel=1e-14)


@given(st.lists(st.floats(-800, 800), min_size=1, max_size=300), st.integers(0, 1))
def test_the_sum_of_losses_takes_one_logarithm_for_many_rows(z: list[float], label: int) -> None:
    at = margins(np.array(z), np.full(len(z), float(label)))
    with np.errstate(all="raise", under="ignore"):
        found = total_loss(at)
    assert found == pytest.approx(math.fsum(losses(at)), rel=1e-13, abs=1e-13)


@pytest.mark.parametrize("curved", [False, True])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_a_pass_holds_sums_of_loss_gradient_and_hessian(curved: bool, is_weighted: bool) -> None:
    X, y = random_problem(1)
    theta = np.random.default_rng(1).normal(size=5)
    weights = np.random.default_rng(2).uniform(0, 2, size=60) if is_weighted else None
    S = 60.0 if weights is None else weights.sum()
    point = pointwise(logits(X, theta), y)
    # A buffer that fits the largest block so far serves the uneven last one too.
    for size in (7, 60):
        sums = as_rows(X, y, weights, block_rows=size).total(LogisticPass(theta, curved))
        assert sums[0] / S == pytest.approx(objective(point, theta, 0.0, weights), rel=1e-13)
        assert sums[1:6] / S == pytest.approx(gradient(point, X, theta, 0.0, weights), abs=1e-14)
        if curved:
            H = sums[6:].reshape(5, 5) / S
            assert pytest.approx(hessian(point, X, 0.0, weights), abs=1e-14) == H
            assert np.array_equal(H, H.T)
        else:
            assert len(sums) == 6


@given(st.floats(-40, 40), st.floats(0, 5))
def test_probability_rises_with_the_logit(z: float, step: float) -> None:
    low, high = sigmoid(np.array([z, z + step]))
    assert 0 < low <= high <= 1
    assert low + sigmoid(np.array([-z]))[0] == pytest.approx(1.0, abs=2.3e-16)
