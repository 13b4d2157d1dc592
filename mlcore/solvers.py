"""Two ways to the coefficients: gradient descent to learn from, Newton to rely on.

Both minimise the objective of ``loss`` (two classes) or ``softmax`` (more). Both take arrays,
memory-mapped arrays, any float or integer type, or blocks that are read anew in every pass; they
leave their input untouched and need a few blocks of memory beside it. They know no names, files
or encodings. Both say honestly how far from the optimum they stopped: ``decrement`` =
sqrt(S g' H^-1 g) bounds the distance of every coefficient from its optimum in units of its
standard error (to second order). A tolerance on the gradient was rejected: on ill-conditioned
columns a tiny gradient still leaves the coefficients, and with them every explanation, far away
while the accuracy already looks right.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlcore.arrays import FloatArray
from mlcore.curvature import FAR, unit_diagonal
from mlcore.descent import begun, check_descent, descend
from mlcore.errors import DataError, NotConvergedWarning
from mlcore.history import Descent, Iteration, OnIteration, Recorder, Watch
from mlcore.moments import Moments, moments_of, standardised
from mlcore.objective import LARGEST_HESSIAN, Evaluation, Objective
from mlcore.quasi_newton import End, Limits, minimise
from mlcore.rows import as_rows
from mlcore.separation import Separation
from mlcore.settings import GradientDescentSettings, NewtonSettings

__all__ = [
    "GradientDescentSettings",
    "Iteration",
    "NewtonSettings",
    "OnIteration",
    "Separation",
    "SolverReport",
    "Watch",
    "gradient_descent",
    "newton",
]

CLOSE_ENOUGH = 1e-3
"""Gradient descent counts as converged within this many standard errors of the optimum."""


@dataclass(frozen=True, eq=False)
class SolverReport:
    """Where a solver stopped, how it got there and how far the optimum still is.

    ``weights`` is (d,) with a number as ``intercept`` for two classes, (K, d) with (K,) for
    more. ``center`` and ``scale`` are those of the columns the weights belong to: 0 and 1 unless
    the solver standardised. ``constant`` lists the columns that say nothing beside the
    intercept, ``rank_deficient`` tells that others repeat each other; gradient descent does
    not look for either.
    """

    solver: str
    weights: FloatArray
    intercept: float | FloatArray
    converged: bool
    iterations: int
    history: tuple[Iteration, ...]
    decrement: float
    message: str
    objective: float
    center: FloatArray
    scale: FloatArray
    constant: tuple[int, ...] = ()
    rank_deficient: bool = False
    separation: Separation | None = None

    @property
    def theta(self) -> FloatArray:
        """[w, b], or for more than two classes [w_0, b_0, w_1, b_1, ..], as ``start`` takes it."""
        return np.column_stack((np.atleast_2d(self.weights), np.atleast_1d(self.intercept))).ravel()


def newton(
    X: Any,
    y: Any = None,
    weights: Any = None,
    *,
    settings: NewtonSettings | None = None,
    start: FloatArray | None = None,
    watch: Watch | None = None,
) -> SolverReport:
    """Newton's method; on large data the Hessian of a sample is kept up to date by BFGS instead.

    Start at ``start``, else at the optimum of a sample, else at the linear discriminant; but at
    w = 0, b = logit(mean y) where that is better, or where the start is so sure of its rows that
    columns look constant which are not. Then

    1. step s = -H^-1 g; stop when sqrt(-S g.s), the distance in standard errors, is small enough
    2. without a penalty, stop when the classes turn out to be separated: there is no optimum;
       an end with margins above 15 is reached once more from w = 0, where separation shows
    3. theta <- theta + t s, with t = 1, 1/2, 1/4 .. the first that lowers the objective enough
    4. a fresh H where it costs little or the gradient hardly fell, else a BFGS update

    X is (n, d), y holds 0 and 1 or class numbers 0 .. K - 1, ``weights`` are sample weights; or X
    is a source of blocks (``rows.as_rows``). Columns without variance get coefficient 0; columns
    that repeat each other share the coefficient of least norm. Raises DataError for data it
    cannot use, naming row and column; warns NotConvergedWarning.

    >>> X, y = np.array([[-1.0], [-0.5], [0.5], [1.0]]), np.array([0.0, 1.0, 0.0, 1.0])
    >>> newton(X, y).message
    'converged in 3 iterations'
    """
    settings = settings or NewtonSettings()
    rows = as_rows(X, y, weights)
    moments = Moments.none(rows.n_columns)
    if settings.standardise:
        moments = moments_of(rows)
        rows = standardised(rows, moments)
    objective = Objective(rows, settings.lambda_)
    _check_start(start, objective)
    recorder = Recorder(rows, watch)
    limits = Limits(settings.tolerance, settings.max_iterations)
    # A line search may try a point that overflows: its F is then infinite or NaN.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        end = minimise(objective, limits, start=start, recorder=recorder)
    return _warned(_newton_report(end, recorder, moments))


def gradient_descent(
    X: Any,
    y: Any = None,
    weights: Any = None,
    *,
    settings: GradientDescentSettings | None = None,
    start: FloatArray | Descent | None = None,
    watch: Watch | None = None,
) -> SolverReport:
    """Full-batch gradient descent: theta <- theta - lr * gradient, ``epochs`` times.

    F is smooth with constant L = lmax([X 1]' diag(s) [X 1]) / (4 S) + lambda (2 S for softmax):
    with lr <= 1/L no step increases it, above 2/L it may diverge. Nesterov's momentum evaluates
    at v = theta + (t - 1)/t' (theta - theta_before), t' = (1 + sqrt(1 + 4 t^2)) / 2, and starts
    anew with t = 1 when the step points uphill; the points recorded are those evaluated.
    Begin at ``start``, else at 0. A ``Descent`` goes on after its last epoch, and ends with the
    bits of a descent over the same rows and settings that nobody interrupted.
    Raises DataError for data or settings it cannot use and for coefficients that leave the range
    of float64; warns NotConvergedWarning.

    >>> X, y = np.array([[-1.0], [-0.5], [0.5], [1.0]]), np.array([0.0, 1.0, 0.0, 1.0])
    >>> gradient_descent(X, y, settings=GradientDescentSettings(lr=1.0, epochs=200)).message
    'converged in 200 epochs'
    """
    settings = settings or GradientDescentSettings()
    rows = as_rows(X, y, weights)
    objective = Objective(rows, settings.lambda_)
    if isinstance(start, Descent):
        check_descent(start, objective, settings)
    else:
        _check_start(start, objective)
        start = begun(objective, start)
    recorder = Recorder(rows, watch, start.history)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        at = descend(objective, start, settings, recorder)
        decrement = _distance_of(objective, at)
    return _warned(_gd_report(at, decrement, recorder, objective))


def _distance_of(objective: Objective, at: Evaluation) -> float:
    """sqrt(S g' H^-1 g) at the last point, for which one Hessian is made."""
    if objective.size > LARGEST_HESSIAN:
        return FAR
    curved = objective.curved(at.theta)
    # Far out, where no curvature is left, every column looks constant: ask the model without any.
    frame = objective.frame(objective.curved(objective.null()))
    inverse = objective.invert(curved, frame._replace(scale=unit_diagonal(curved.hessian)))
    return inverse.step(curved.gradient, objective.labels.weight).decrement


def _newton_report(end: End, recorder: Recorder, moments: Moments) -> SolverReport:
    weights, intercept = _split(end.at.theta, len(moments.mean))
    return SolverReport(
        solver="newton",
        weights=weights,
        intercept=intercept,
        converged=end.reason == "converged",
        iterations=len(recorder.history),
        history=tuple(recorder.history),
        decrement=end.decrement,
        message=_newton_message(end, len(recorder.history)),
        objective=end.at.F,
        center=moments.mean,
        scale=moments.scale,
        constant=end.frame.constant,
        rank_deficient=_repeats(end.inverse.flat, end.inverse.free),
        separation=end.separation,
    )


def _gd_report(
    at: Evaluation, decrement: float, recorder: Recorder, objective: Objective
) -> SolverReport:
    d = objective.rows.n_columns
    weights, intercept = _split(at.theta, d)
    converged = decrement <= CLOSE_ENOUGH
    epochs = len(recorder.history)
    return SolverReport(
        solver="gd",
        weights=weights,
        intercept=intercept,
        converged=converged,
        iterations=epochs,
        history=tuple(recorder.history),
        decrement=decrement,
        message=_gd_message(epochs, converged, decrement),
        objective=at.F,
        center=np.zeros(d),
        scale=np.ones(d),
    )


def _repeats(flat: FloatArray, free: FloatArray) -> bool:
    """Are there flat directions beside the coefficients that are held?"""
    return bool(flat.shape[1] > (free == 0).sum())


def _split(theta: FloatArray, d: int) -> tuple[FloatArray, float | FloatArray]:
    per_class = theta.reshape(-1, d + 1)
    if len(per_class) == 1:
        return per_class[0, :-1].copy(), float(per_class[0, -1])
    return per_class[:, :-1].copy(), per_class[:, -1].copy()


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


def _newton_message(end: End, iterations: int) -> str:
    if end.reason == "converged":
        return f"converged in {iterations} iterations"
    if end.separation:
        kind = "separated" if end.separation.kind == "complete" else "quasi-separated"
        return (
            f"not converged: the classes are {kind} by these columns, so without a penalty "
            "the coefficients grow without bound; use lambda_ > 0"
        )
    return (
        f"not converged after {iterations} iterations: {_distance(end.decrement)}; "
        "use a larger lambda_ or more iterations"
    )


def _distance(decrement: float) -> str:
    return f"the coefficients are still up to {decrement:.3g} standard errors from the optimum"


def _check_start(start: FloatArray | None, objective: Objective) -> None:
    if start is not None and (np.shape(start) != (objective.size,) or not np.isfinite(start).all()):
        raise DataError(f"start must hold {objective.size} finite numbers, intercepts last")
