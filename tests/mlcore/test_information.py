"""Sums over rows against finite differences and whole-array formulas, for 2 and for K classes."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mlcore import fitted as module
from mlcore.arrays import FloatArray
from mlcore.errors import DataError
from mlcore.fitted import Fitted, constant_columns, fitted
from mlcore.information import (
    covariance,
    dispersion,
    information,
    leverages,
    penalised_gradient,
)
from tests.mlcore.problems import random_problem
from tests.mlcore.reference import optimum, softmax_optimum


def problem(n_classes: int) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """X, y, weights and coefficients that are no optimum."""
    X, _ = random_problem(0, n=70, d=3)
    rng = np.random.default_rng(n_classes)
    y = rng.integers(0, n_classes, size=70).astype(np.float64)
    shape = (4,) if n_classes == 2 else (n_classes, 4)
    return X, y, rng.uniform(0.1, 3, size=70), rng.normal(size=shape)


def loss_at(fit: Fitted, V: FloatArray) -> float:
    return information(replace(fit, V=V.reshape(fit.V.shape))).loss


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_derivatives_agree_with_finite_differences(n_classes: int) -> None:
    X, y, s, theta = problem(n_classes)
    fit = fitted(X, y, theta, 0.0, s)
    sums = information(fit)
    V, h = fit.V.ravel(), 1e-4
    E = np.eye(len(V))
    slope = [(loss_at(fit, V + h * e) - loss_at(fit, V - h * e)) / (2 * h) for e in E]
    assert_allclose(sums.gradient, slope, rtol=1e-6, atol=1e-6)
    for j, e in enumerate(E):
        there = information(replace(fit, V=(V + h * e).reshape(fit.V.shape))).gradient
        back = information(replace(fit, V=(V - h * e).reshape(fit.V.shape))).gradient
        assert_allclose(sums.hessian[j], (there - back) / (2 * h), rtol=1e-5, atol=1e-5)
    assert sums.weight == pytest.approx(s.sum())


@pytest.mark.parametrize("n_classes", [2, 4])
def test_blocks_change_nothing(n_classes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y, s, theta = problem(n_classes)
    fit = fitted(X, y, theta, 0.1, s)
    whole, meat = information(fit), dispersion(fit).meat
    monkeypatch.setattr(module, "_FEWEST_ROWS", 1)
    monkeypatch.setattr(module, "_MOST_ROWS", 9)
    assert [len(block.y) for block in fit.blocks()] == [9] * 7 + [7]
    again = information(fit)
    assert again.loss == pytest.approx(whole.loss, rel=1e-13)
    assert_allclose(again.gradient, whole.gradient, atol=1e-11)
    assert_allclose(again.hessian, whole.hessian, atol=1e-11)
    assert_allclose(dispersion(fit).meat, meat, atol=1e-11)
    assert constant_columns(X).tolist() == [False] * 3


@pytest.mark.parametrize("n_classes", [2, 4])
def test_parts_add_up(n_classes: int) -> None:
    X, y, s, theta = problem(n_classes)
    fit = fitted(X, y, theta, 0.1, s)
    odd, even = (information(fit.part(np.arange(start, 70, 2))) for start in (1, 0))
    whole, sum_ = information(fit), odd.plus(even)
    assert sum_.loss == pytest.approx(whole.loss, rel=1e-13)
    assert_allclose(sum_.hessian, whole.hessian, atol=1e-12)
    assert_allclose(whole.plus(odd, -1.0).gradient, even.gradient, atol=1e-12)


def test_the_gradient_vanishes_at_the_optimum() -> None:
    X, y, s, _ = problem(2)
    fit = fitted(X, y, optimum(X, y, 0.02, s), 0.02, s)
    assert_allclose(penalised_gradient(fit, information(fit)), 0, atol=1e-10)
    X, y, s, _ = problem(3)
    fit = fitted(X, y, softmax_optimum(X, y, 0.02, s), 0.02, s)
    assert_allclose(penalised_gradient(fit, information(fit)), 0, atol=1e-10)


def test_leverages_are_variances_of_the_contrasts() -> None:
    for n_classes in (2, 3):
        X, y, s, theta = problem(n_classes)
        fit = fitted(X, y, theta, 0.1, s)
        spread = covariance(fit, information(fit))
        (block,) = fit.blocks()
        M = leverages(block, spread)
        m = len(fit.V)
        for i in (0, 17, 69):
            J = np.kron(np.eye(m), block.X1[i])
            assert_allclose(M[i], J @ spread.matrix @ J.T, rtol=1e-9)


def test_dispersion_is_what_it_says() -> None:
    X, y, s, theta = problem(2)
    s[3] = 0.0
    fit = fitted(X, y, theta, 0.1, s)
    (block,) = fit.blocks()
    p = 1 / (1 + np.exp(-block.v[:, 0]))
    found = dispersion(fit)
    X1 = np.column_stack((X, np.ones(70)))
    assert_allclose(found.meat, X1.T @ (X1 * (s * (p - y) ** 2)[:, None]), rtol=1e-10)
    assert found.pearson == pytest.approx(np.sum(s * (p - y) ** 2 / (p * (1 - p))), rel=1e-10)
    assert found.largest_loss == block.loss[s > 0].max()


def test_any_number_of_rows_needs_little_memory() -> None:
    n = 400_000
    X = np.tile(problem(2)[0][:50], (n // 50, 1))
    y = np.tile([0.0, 1.0], n // 2)
    tracemalloc.start()
    try:
        fit = fitted(X, y, np.array([0.1, 0.2, 0.3, 0.0]), 0.01, np.ones(n))
        covariance(fit, information(fit))
        dispersion(fit)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # The weights take 3.2 MB; X takes 9.6 MB.
    assert peak < 3.2e6 + 4e6


def test_it_names_the_cell_it_cannot_use() -> None:
    X, y, _, _ = problem(2)
    for bad in (np.nan, np.inf, 1e200):
        broken = X.copy()
        broken[5, 1] = bad
        with pytest.raises(DataError, match="row 5, column 1"):
            information(fitted(broken, y, np.zeros(4)))


def test_scores_that_overflow_are_refused() -> None:
    X, y, _, _ = problem(2)
    with pytest.raises(DataError, match="standardise the columns"):
        information(fitted(X * 1e149, y, np.full(4, 1e300)))


def test_more_coefficients_than_a_matrix_can_hold_are_refused() -> None:
    with pytest.raises(DataError, match="5000 coefficients are too many"):
        information(fitted(np.zeros((4, 4999)), np.array([0, 1, 0, 1.0]), np.zeros(5000)))
