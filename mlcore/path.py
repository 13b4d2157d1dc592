"""The same model at every strength of the penalty, each judged on unseen rows; knows no names.

From the strongest penalty to the weakest, every fit starts where the last ones point to, so that
one or two Newton steps do; approximate leave-one-out judges it from the Hessian at the optimum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mlcore.alive import Alive, nothing
from mlcore.arrays import FloatArray
from mlcore.errors import DataError
from mlcore.fitted import Fitted, fitted
from mlcore.information import covariance, effective_df, information
from mlcore.labels import count_labels
from mlcore.moments import moments_of
from mlcore.rows import as_rows
from mlcore.solvers import NewtonSettings, SolverReport, newton
from mlcore.validation import left_out, mean_and_error

STRONGEST = 10.0
DECADES = 6

_TOLERANCE = 1e-4
_Solved = tuple[float, FloatArray]


@dataclass(frozen=True, eq=False)
class PathRow:
    """One lambda: its optimum, and how that does on unseen rows.

    ``objective`` is F at the optimum, ``log_loss`` the approximate leave-one-out log loss in nats
    a row with its standard error over the rows. ``effective_df`` = trace((H + S Lambda)^-1 H)
    counts the coefficients that the penalty leaves free, intercepts included. ``weights`` is
    (d,) or (K, d), ``intercept`` a number or (K,).
    """

    lambda_: float
    objective: float
    iterations: int
    converged: bool
    log_loss: float
    log_loss_error: float
    effective_df: float
    weights: FloatArray
    intercept: float | FloatArray

    def to_dict(self) -> dict[str, Any]:
        plain = dict(vars(self))
        plain["weights"] = self.weights.tolist()
        plain["intercept"] = np.asarray(self.intercept).tolist()
        return plain


@dataclass(frozen=True, eq=False)
class PathReport:
    """``rows`` from the largest lambda to the smallest; ``best`` and ``one_se`` are places in it.

    ``best`` has the least log loss. ``one_se`` is the largest lambda whose log loss is within one
    standard error of that: the simplest model that the data cannot tell from the best (Breiman
    et al. 1984). ``edge`` tells that the best lies at an end of the grid, where a wider grid
    might find a better one.
    """

    rows: tuple[PathRow, ...]
    best: int
    one_se: int
    edge: Literal["largest", "smallest"] | None

    def to_dict(self) -> dict[str, Any]:
        """Lists and numbers only, ready for JSON."""
        plain = dict(vars(self))
        plain["rows"] = [row.to_dict() for row in self.rows]
        return plain


def regularisation_path(
    X: FloatArray,
    y: FloatArray,
    weights: FloatArray | None = None,
    *,
    grid: Sequence[float] | FloatArray | None = None,
    n_lambdas: int = 50,
    alive: Alive = nothing,
) -> PathReport:
    """The optimum and its approximate leave-one-out log loss at every lambda of the grid.

    X (n, d) is standardised; y holds 0 and 1, or class numbers 0 .. K - 1 for softmax. ``grid``
    holds penalties above 0, in any order; without one it is ``lambda_grid``. ``alive`` is called
    before each fit and may raise. Raises DataError for a grid and for data that it cannot use.

    >>> X, y = np.array([[-1.0], [-0.5], [0.5], [1.0]]), np.array([0.0, 1.0, 0.0, 1.0])
    >>> report = regularisation_path(X, y, grid=[0.01, 1.0, 0.1])
    >>> [row.lambda_ for row in report.rows], report.best, report.edge
    ([1.0, 0.1, 0.01], 0, 'largest')
    """
    X, y = np.asarray(X), np.asarray(y)
    lambdas = lambda_grid(X, y, weights, n_lambdas) if grid is None else _checked_grid(grid)
    rows: list[PathRow] = []
    fit: Fitted | None = None
    solved: list[_Solved] = []
    for lambda_ in lambdas.tolist():
        alive()
        settings = NewtonSettings(lambda_=lambda_, tolerance=_TOLERANCE)
        start = _predicted(solved[-3:], math.log(lambda_))
        report = newton(X, y, weights, settings=settings, start=start)
        solved.append((math.log(lambda_), report.theta))
        theta = _by_class(report)
        fit = fit.at(theta, lambda_) if fit else fitted(X, y, theta, lambda_, weights)
        rows.append(_row(fit, report))
    return _chosen(tuple(rows))


def lambda_grid(
    X: FloatArray, y: FloatArray, weights: FloatArray | None = None, n_lambdas: int = 50
) -> FloatArray:
    """n_lambdas penalties, evenly spaced on the log scale, from lambda_max down to 1e-6 of it.

    lambda_max = 10 lmax(diag(p) - p p') lmax(Cov(X)) with p the class rates: ten times the
    largest curvature of the loss at w = 0 (p (1 - p) lmax(Cov(X)) for two classes). There every
    weight is at most about a tenth of what it would be without a penalty. Columns without any
    variance give a grid that ends at 10. Raises DataError for fewer than 2 lambdas.

    >>> lambda_grid(np.array([[-1.0], [1.0]]), np.array([0.0, 1.0]), n_lambdas=3).round(8).tolist()
    [2.5, 0.0025, 2.5e-06]
    """
    if n_lambdas < 2:
        raise DataError(f"a path needs at least 2 lambdas, got {n_lambdas}")
    rows = as_rows(X, y, weights)
    rates = count_labels(rows).rates
    spread = float(np.linalg.eigvalsh(moments_of(rows).covariance)[-1]) if rows.n_columns else 0.0
    if len(rates) == 2:
        curvature = float(rates[0] * rates[1])
    else:
        curvature = float(np.linalg.eigvalsh(np.diag(rates) - np.outer(rates, rates))[-1])
    largest = STRONGEST * (curvature * spread or 1.0)
    return largest * np.logspace(0.0, -DECADES, n_lambdas)


def _checked_grid(grid: Sequence[float] | FloatArray) -> FloatArray:
    lambdas = np.unique(np.asarray(grid, dtype=np.float64))[::-1]
    if not (len(lambdas) and np.isfinite(lambdas).all() and (lambdas > 0).all()):
        raise DataError("the grid must hold finite penalties above 0; separable classes need one")
    return lambdas


def _predicted(solved: list[_Solved], x: float) -> FloatArray | None:
    """Where the optimum at x = log lambda should be, by the parabola through the last three.

    On a fine grid one Newton step from there is enough. Over a wider gap than a factor e the
    last optimum itself is the safer start.
    """
    if not solved:
        return None
    if abs(x - solved[-1][0]) > 1.0:
        return solved[-1][1]
    theta = np.zeros_like(solved[-1][1])
    for here, optimum in solved:
        others = [there for there, _ in solved if there != here]
        theta += math.prod((x - there) / (here - there) for there in others) * optimum
    return theta


def _by_class(report: SolverReport) -> FloatArray:
    """(d + 1,) for two classes, (K, d + 1) for more."""
    if report.weights.ndim == 1:
        return report.theta
    return np.column_stack((report.weights, report.intercept))


def _row(fit: Fitted, report: SolverReport) -> PathRow:
    sums = information(fit)
    spread = covariance(fit, sums)
    v = left_out(fit, spread)
    losses, _, _ = fit.derivatives(v, np.asarray(fit.y, dtype=np.float64))
    log_loss, error = mean_and_error(losses, fit.weights)
    return PathRow(
        lambda_=fit.lambda_,
        objective=report.objective,
        iterations=report.iterations,
        converged=report.converged,
        log_loss=log_loss,
        log_loss_error=error,
        effective_df=effective_df(sums, spread),
        weights=report.weights,
        intercept=report.intercept,
    )


def _chosen(rows: tuple[PathRow, ...]) -> PathReport:
    losses = np.array([row.log_loss for row in rows])
    best = int(losses.argmin())
    bound = losses[best] + rows[best].log_loss_error
    edge: Literal["largest", "smallest"] | None = None
    if best in (0, len(rows) - 1):
        edge = "smallest" if best else "largest"
    return PathReport(rows, best, one_se=int(np.argmax(losses <= bound)), edge=edge)
