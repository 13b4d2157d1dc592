"""Random and reference problems for the solvers, standardised as training standardises them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from mlcore import NewtonSettings, SolverReport, Table, newton
from mlcore.arrays import FloatArray, column_moments

BREAST_CANCER_COLUMNS = [0, 1, 4, 6, 8, 9]
"""mean radius, texture, smoothness, concavity, symmetry, fractal dimension"""

RAISIN_MLE = [
    19.531093429568,
    -5.170794102869,
    -4.550828872596,
    -0.351221087298,
    -16.660538598195,
    -0.036488483651,
    9.885781171582,
    0.689716631419,
]
"""statsmodels, Logit on the standardised columns of all 900 rows, tolerance 1e-14; the intercept last."""


def standardised(X: FloatArray) -> FloatArray:
    moments = column_moments(X)
    return (X - moments.mean) / np.where(moments.constant, 1.0, moments.sd)


def random_problem(seed: int = 0, *, n: int = 60, d: int = 4) -> tuple[FloatArray, FloatArray]:
    """Correlated columns and labels that a logistic model produced: never separable at n >> d."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) @ (np.eye(d) + 0.3 * rng.normal(size=(d, d)))
    p = 1 / (1 + np.exp(-X @ rng.normal(size=d)))
    y = (rng.random(n) < 0.1 + 0.8 * p).astype(np.float64)
    y[:2] = 0.0, 1.0
    return standardised(X), y


def raisin_problem(table: Table) -> tuple[FloatArray, FloatArray]:
    X = np.array([[float(cell) for cell in row[:-1]] for row in table.rows])
    y = np.array([float(row[-1] == "Besni") for row in table.rows])
    return standardised(X), y


def breast_cancer_problem(columns: list[int] | None = None) -> tuple[FloatArray, FloatArray]:
    from sklearn.datasets import load_breast_cancer

    data: Any = load_breast_cancer()
    X = data.data if columns is None else data.data[:, columns]
    return standardised(X), data.target.astype(np.float64)


def five_point(f: Any, x: float, h: float = 1e-3) -> float:
    """The derivative of f at x by the five-point rule; its error is of order h^4."""
    return float((8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * h))


def solved(X: Any, y: Any = None, weights: Any = None, **options: Any) -> SolverReport:
    """Newton to a tolerance far below that of any comparison; it must converge."""
    report = newton(X, y, weights, settings=NewtonSettings(**{"tolerance": 1e-12, **options}))
    assert report.converged, report.message
    return report


def solution(X: Any, y: Any = None, weights: Any = None, **options: Any) -> FloatArray:
    return solved(X, y, weights, **options).theta


def labelled(X: FloatArray, theta: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Labels that a logistic model with these coefficients draws."""
    return (rng.random(len(X)) < 1 / (1 + np.exp(-(X @ theta[:-1] + theta[-1])))).astype(np.float64)


def class_problem(
    seed: int = 0, *, n: int = 90, d: int = 3, classes: int = 3
) -> tuple[FloatArray, FloatArray]:
    """Three or more overlapping classes."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % classes
    X = rng.normal(size=(classes, d))[y] + 1.5 * rng.normal(size=(n, d))
    return standardised(X), y.astype(np.float64)


def flower_problem(*classes: int) -> tuple[FloatArray, FloatArray]:
    """Iris with some of its classes, numbered anew."""
    from sklearn.datasets import load_iris

    data: Any = load_iris()
    rows = np.isin(data.target, classes)
    y = np.searchsorted(np.array(classes), data.target[rows])
    return standardised(data.data[rows]), y.astype(np.float64)


class Counted:
    """Blocks that count how often they are read from the start."""

    def __init__(self, X: FloatArray, y: FloatArray, rows: int) -> None:
        self.X, self.y, self.rows, self.passes = X, y, rows, 0

    def __call__(self) -> Iterator[tuple[FloatArray, FloatArray]]:
        self.passes += 1
        for start in range(0, len(self.y), self.rows):
            yield self.X[start : start + self.rows], self.y[start : start + self.rows]


def complex_step(f: Callable[[Any], Any], theta: FloatArray) -> FloatArray:
    """The derivative of f at theta along every axis, from Im f(theta + ih e_j) / h; last axis j."""
    h = 1e-200
    return np.stack([np.imag(f(theta + 1j * h * e)) / h for e in np.eye(len(theta))], axis=-1)
