"""Two ways to the coefficients: gradient descent to learn from, Newton to rely on.

Both take a standardised X (n, d) and y (n,) of 0.0 and 1.0, leave them untouched, and minimise
the objective of ``loss``. They know no names, files or encodings. Both say honestly how far from
the optimum they stopped: ``decrement`` = sqrt(n g' H^-1 g) bounds the distance of every
coefficient from its optimum in units of its standard error (to second order). A tolerance on the
gradient was rejected: on ill-conditioned columns a tiny gradient still leaves the coefficients,
and with them every explanation, far away while the accuracy already looks right.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np

from mlcore.arrays import FloatArray
from mlcore.descent import Problem
from mlcore.errors import DataError, NotConvergedWarning
from mlcore.history import Iteration, OnIteration, Pair, Recorder, checked
from mlcore.model import LogisticModel

__all__ = [
    "GradientDescentSettings",
    "Iteration",
    "NewtonSettings",
    "OnIteration",
    "SolverReport",
    "gradient_descent",
    "newton",
]

CLOSE_ENOUGH = 1e-3
"""Gradient descent counts as converged within this many standard errors of the optimum."""


@dataclass(frozen=True, eq=False)
class SolverReport:
    """Where a solver stopped, how it got there and how far the optimum still is."""

    solver: str
    weights: FloatArray
    intercept: float
    converged: bool
    iterations: int
    history: tuple[Iteration, ...]
    decrement: float
    message: str


@dataclass(frozen=True)
class GradientDescentSettings:
    """Step, number of passes over the rows, and penalty (lambda/2) |w|^2."""

    lr: float = 0.01
    epochs: int = 100
    lambda_: float = 0.01

    def __post_init__(self) -> None:
        _check_positive("lr", self.lr)
        _check_count("epochs", self.epochs)
        _check_penalty(self.lambda_)


@dataclass(frozen=True)
class NewtonSettings:
    """Penalty, and the distance from the optimum, in standard errors, at which to stop."""

    lambda_: float = 0.01
    tolerance: float = 1e-6
    max_iterations: int = 50

    def __post_init__(self) -> None:
        _check_penalty(self.lambda_)
        _check_positive("tolerance", self.tolerance)
        _check_count("max_iterations", self.max_iterations)


def gradient_descent(
    X: FloatArray,
    y: FloatArray,
    *,
    settings: GradientDescentSettings | None = None,
    validation: Pair | None = None,
    on_iteration: OnIteration | None = None,
) -> SolverReport:
    """Full-batch gradient descent: theta <- theta - lr * gradient, ``epochs`` times.

    F is smooth with constant L = lmax([X 1]'[X 1]) / (4n) + lambda: with lr <= 1/L no step
    increases it, above 2/L it may diverge. Raises DataError for data or settings it cannot use
    and for coefficients that leave the range of float64; warns NotConvergedWarning.

    >>> X, y = np.array([[-1.0], [-0.5], [0.5], [1.0]]), np.array([0.0, 1.0, 0.0, 1.0])
    >>> gradient_descent(X, y, settings=GradientDescentSettings(lr=1.0, epochs=200)).message
    'converged in 200 epochs'
    """
    settings = settings or GradientDescentSettings()
    X, y = _checked_training(X, y)
    recorder = Recorder(X, y, validation, on_iteration)
    model = LogisticModel(X.shape[1], lr=settings.lr, lambda_=settings.lambda_)
    z, p = model.forward(X)
    with np.errstate(over="ignore", invalid="ignore"):
        for number in range(1, settings.epochs + 1):
            dW, db = model.backward(X, y, p)
            model.update(dW, db)
            if not (np.isfinite(model.W).all() and math.isfinite(model.b)):
                raise _diverged(X, settings, number)
            z, p = model.forward(X)
            recorder.record(number, _theta(model), z, math.hypot(*dW.tolist(), db), settings.lr)
    problem = Problem(X, y, settings.lambda_)
    decrement = problem.newton_step(problem.at(_theta(model))).decrement
    converged = decrement <= CLOSE_ENOUGH
    return _warned(
        SolverReport(
            solver="gd",
            weights=model.W,
            intercept=model.b,
            converged=converged,
            iterations=settings.epochs,
            history=tuple(recorder.history),
            decrement=decrement,
            message=_gd_message(settings.epochs, converged, decrement),
        )
    )


def newton(
    X: FloatArray,
    y: FloatArray,
    *,
    settings: NewtonSettings | None = None,
    validation: Pair | None = None,
    on_iteration: OnIteration | None = None,
) -> SolverReport:
    """Newton's method, for this loss the same as iteratively reweighted least squares.

    Start at w = 0, b = logit(mean y), the optimum of the intercept alone. Then

    1. gradient g and Hessian H at theta; step s = -H^-1 g by Cholesky
    2. stop when sqrt(-n g.s), the distance in standard errors, is within the tolerance
    3. without a penalty, stop when the classes turn out to be separated: there is no optimum
    4. theta <- theta + t s, with t = 1, 1/2, 1/4 .. the first that lowers the objective enough

    Columns without variance get coefficient 0. Raises DataError for data it cannot use; warns
    NotConvergedWarning.

    >>> X, y = np.array([[-1.0], [-0.5], [0.5], [1.0]]), np.array([0.0, 1.0, 0.0, 1.0])
    >>> newton(X, y).message
    'converged in 3 iterations'
    """
    settings = settings or NewtonSettings()
    X, y = _checked_training(X, y)
    recorder = Recorder(X, y, validation, on_iteration)
    end = _iterate(Problem(X, y, settings.lambda_), settings, recorder)
    return _warned(
        SolverReport(
            solver="newton",
            weights=end.theta[:-1],
            intercept=float(end.theta[-1]),
            converged=end.reason == "converged",
            iterations=len(recorder.history),
            history=tuple(recorder.history),
            decrement=end.decrement,
            message=_newton_message(end, len(recorder.history)),
        )
    )


@dataclass(frozen=True, eq=False)
class _End:
    theta: FloatArray
    decrement: float
    reason: str


def _iterate(problem: Problem, settings: NewtonSettings, recorder: Recorder) -> _End:
    rate = float(problem.y.mean())
    start = np.zeros(problem.X.shape[1] + 1)
    start[-1] = math.log(rate / (1.0 - rate))
    point = problem.at(start)
    for number in range(1, settings.max_iterations + 1):
        step = problem.newton_step(point)
        if step.decrement <= settings.tolerance:
            return _End(point.theta, step.decrement, "converged")
        separation = problem.separation(point, step, number)
        if separation:
            return _End(point.theta, step.decrement, separation)
        found = problem.line_search(point, step)
        if found is None:
            return _End(point.theta, step.decrement, "stalled")
        point, t = found
        recorder.record(number, point.theta, point.z, float(np.linalg.norm(step.gradient)), t)
    decrement = problem.newton_step(point).decrement
    reason = "converged" if decrement <= settings.tolerance else "exhausted"
    return _End(point.theta, decrement, reason)


def _theta(model: LogisticModel) -> FloatArray:
    return np.append(model.W, model.b)


def _warned(report: SolverReport) -> SolverReport:
    if not report.converged:
        warnings.warn(report.message, NotConvergedWarning, stacklevel=3)
    return report


def _gd_message(epochs: int, converged: bool, decrement: float) -> str:
    if converged:
        return f"converged in {epochs} epochs"
    return (
        f"not converged after {epochs} epochs: {_distance(decrement)}; "
        "use the newton solver or more epochs"
    )


def _newton_message(end: _End, iterations: int) -> str:
    if end.reason == "converged":
        return f"converged in {iterations} iterations"
    if end.reason in ("separated", "quasi-separated"):
        return (
            f"not converged: the classes are {end.reason} by these columns, so without a penalty "
            "the coefficients grow without bound; use lambda_ > 0"
        )
    return (
        f"not converged after {iterations} iterations: {_distance(end.decrement)}; "
        "use a larger lambda_ or more iterations"
    )


def _distance(decrement: float) -> str:
    return f"the coefficients are still up to {decrement:.3g} standard errors from the optimum"


def _diverged(X: FloatArray, settings: GradientDescentSettings, epoch: int) -> DataError:
    with_intercept = np.column_stack((X, np.ones(len(X))))
    largest = float(np.linalg.norm(with_intercept, 2) ** 2 / len(X))
    safe = 1.0 / (largest / 4 + settings.lambda_)
    return DataError(
        f"gradient descent diverged in epoch {epoch} with lr={settings.lr:g}; "
        f"for these columns a step of at most {safe:.2g} cannot diverge"
    )


def _checked_training(X: FloatArray, y: FloatArray) -> Pair:
    X, y = checked(X, y)
    if not 0 < y.sum() < len(y):
        raise DataError("training needs rows of both classes")
    return X, y


def _check_positive(name: str, value: float) -> None:
    if not (value > 0 and math.isfinite(value)):
        raise DataError(f"{name} must be a finite number above 0, got {value}")


def _check_count(name: str, value: int) -> None:
    if value < 1:
        raise DataError(f"{name} must be at least 1, got {value}")


def _check_penalty(value: float) -> None:
    if not (value >= 0 and math.isfinite(value)):
        raise DataError(f"lambda_ must be a finite number of at least 0, got {value}")
