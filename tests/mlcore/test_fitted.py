"""Rows and coefficients: what is taken, what is refused, and that blocks are the rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mlcore import fitted as module
from mlcore.arrays import FloatArray
from mlcore.errors import DataError
from mlcore.fitted import constant_columns, fitted, orthonormal_contrasts
from mlcore.loss import logits, pointwise
from tests.mlcore.problems import random_problem


def problem(n_classes: int) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """X, y, weights and coefficients that are no optimum."""
    X, _ = random_problem(0, n=70, d=3)
    rng = np.random.default_rng(n_classes)
    y = rng.integers(0, n_classes, size=70).astype(np.float64)
    shape = (4,) if n_classes == 2 else (n_classes, 4)
    return X, y, rng.uniform(0.1, 3, size=70), rng.normal(size=shape)


def test_it_works() -> None:
    X, y, s, theta = problem(2)
    fit = fitted(X, y, theta, 0.1, s)
    (block,) = fit.blocks()
    at = pointwise(logits(X, theta), y)
    assert_allclose(block.loss, at.loss, rtol=1e-12)
    assert_allclose(block.residual[:, 0], at.residual, rtol=1e-12)
    assert_allclose(block.curvature[:, 0, 0], at.curvature, rtol=1e-12)
    assert fit.penalty.tolist() == [0.1, 0.1, 0.1, 0.0]
    assert_allclose(fit.class_weights, [s[y == 0].sum(), s[y == 1].sum()], rtol=1e-13)
    assert (fit.n_rows, fit.part(np.array([3, 5])).n_rows) == (70, 2)


def test_softmax_derivatives_are_those_of_the_contrasts() -> None:
    X, y, _, theta = problem(4)
    fit = fitted(X, y, theta)
    (block,) = fit.blocks()
    C = orthonormal_contrasts(4)
    eta = block.X1 @ theta.T
    p = np.exp(eta) / np.exp(eta).sum(axis=1, keepdims=True)
    for i in (0, 31, 69):
        assert block.loss[i] == pytest.approx(-np.log(p[i, int(y[i])]), rel=1e-10)
        assert_allclose(block.residual[i], C.T @ (p[i] - np.eye(4)[int(y[i])]), atol=1e-13)
        full = np.diag(p[i]) - np.outer(p[i], p[i])
        assert_allclose(block.curvature[i], C.T @ full @ C, atol=1e-13)


def test_contrasts_are_orthonormal_and_sum_to_zero() -> None:
    for K in (2, 3, 7):
        C = orthonormal_contrasts(K)
        assert_allclose(C.T @ C, np.eye(K - 1), atol=1e-15)
        assert_allclose(C.sum(axis=0), 0, atol=1e-15)


def test_a_common_vector_is_taken_out() -> None:
    X, y, _, theta = problem(3)
    fit = fitted(X, y, theta + [1.0, 2.0, 3.0, 4.0])
    assert_allclose(fit.theta, theta - theta.mean(axis=0), atol=1e-14)
    assert (fit.n_classes, fit.is_softmax) == (3, True)
    (block,) = fit.blocks()
    assert_allclose(fit.scores(block.v), block.X1 @ fit.theta.T, atol=1e-13)
    assert fitted(X, y == 1, theta[0]).n_classes == 2


def test_constant_columns_are_found() -> None:
    X = np.column_stack(
        (
            np.full(50, 0.1),
            np.arange(50.0),
            np.zeros(50),
            1e9 + np.arange(50.0),
            np.full(50, 1e-200),
        )
    )
    X[3, 4] = 3e-200
    assert constant_columns(X).tolist() == [True, False, True, False, True]


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_other_dtypes_and_files_give_the_same_rows(dtype: type, tmp_path: Path) -> None:
    X, y, _, theta = problem(2)
    X = np.round(8 * X).astype(dtype)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    (expected,) = fitted(X.astype(np.float64), y, theta).blocks()
    for given in (X, mapped, np.asfortranarray(X)):
        (found,) = fitted(given, y.astype(int), theta).blocks()
        assert_allclose(found.v, expected.v, rtol=1e-12)
        assert_allclose(found.loss, expected.loss, rtol=1e-12)


X4 = np.zeros((4, 2))
Y4 = np.array([0.0, 1.0, 0.0, 1.0])


@pytest.mark.parametrize(
    ("X", "y", "theta", "weights", "message"),
    [
        (X4, Y4[:3], np.zeros(3), None, "X must be"),
        (X4[:0], Y4[:0], np.zeros(3), None, "n > 0"),
        (X4[0], Y4, np.zeros(3), None, "X must be"),
        (X4, Y4, np.zeros(3), np.ones(3), "weights must be"),
        (X4, Y4, np.zeros(2), None, "theta must be"),
        (X4, Y4, np.zeros((1, 3)), None, "theta must be"),
        (X4, Y4, np.zeros((2, 2, 3)), None, "theta must be"),
        (X4, Y4, np.array([np.nan, 0, 0]), None, "must be finite"),
        (X4, np.array([0, 1, 2, 0.0]), np.zeros(3), None, "y must hold 0 .. 1; got 2.0 in row 2"),
        (X4, np.array([0, 0.5, 1, 0]), np.zeros(3), None, "got 0.5 in row 1"),
        (X4, Y4, np.zeros(3), np.array([1, 1, -1, 1.0]), "got -1.0 in row 2"),
        (X4, Y4, np.zeros(3), np.array([1, np.nan, 1, 1.0]), "got nan in row 1"),
        (X4, Y4, np.zeros(3), np.zeros(4), "sum to zero"),
    ],
)
def test_it_refuses_what_does_not_fit(
    X: FloatArray, y: FloatArray, theta: FloatArray, weights: FloatArray | None, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        fitted(X, y, theta, 0.1, weights)


@pytest.mark.parametrize(
    ("X", "theta", "message"),
    [
        (np.array([["a", "b"]] * 4), np.zeros(3), "the rows must be numbers, got <U1"),
        (X4, "abc", "the coefficients must be numbers: "),
    ],
)
def test_it_refuses_text(X: Any, theta: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        fitted(X, Y4, theta, 0.1)


@pytest.mark.parametrize("lambda_", [-0.1, np.inf, np.nan, None, "1"])
def test_it_refuses_penalties_that_are_none(lambda_: Any) -> None:
    with pytest.raises(DataError, match="lambda_ must be"):
        fitted(X4, Y4, np.zeros(3), lambda_)


def test_labels_are_checked_beyond_the_first_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK_CELLS", 8)
    X, y, s, theta = problem(2)
    assert_allclose(fitted(X, y, theta, 0.1, s).class_weights.sum(), s.sum())
    y[33] = 7.0
    with pytest.raises(DataError, match="got 7.0 in row 33"):
        fitted(X, y, theta)
