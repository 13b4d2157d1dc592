"""One objective on one data set: its Newton step, line search and separation; knows no settings.

A solver asks ``at`` for a point, ``newton_step`` for the way down from it, and ``line_search``
for how far to go.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mlcore.arrays import LIMIT, FloatArray, column_moments
from mlcore.loss import Pointwise, gradient, hessian, logits, objective, pointwise

FAR = 1e9
"""The largest distance that is reported: beyond it the quadratic model says nothing."""

_ARMIJO = 1e-4
_HALVINGS = 30
_ROUNDING = 1e-14
_RIDGES = (0.0, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2)
_SMALLEST_PIVOT = 1e-11


@dataclass(frozen=True, eq=False)
class Point:
    """The objective F at theta, with the logits and the pointwise derivatives it came from."""

    theta: FloatArray
    z: FloatArray
    pointwise: Pointwise
    F: float


@dataclass(frozen=True, eq=False)
class Step:
    """Where Newton would go, and how far the optimum is in standard errors."""

    direction: FloatArray
    gradient: FloatArray
    decrement: float


class Problem:
    """The objective of one data set, and what Newton needs of it."""

    def __init__(self, X: FloatArray, y: FloatArray, lambda_: float) -> None:
        self.X, self.y, self.lambda_ = X, y, lambda_
        # A column without variance repeats the intercept, and one whose squares underflow has
        # no curvature: their coefficients stay where they are.
        moments = column_moments(X)
        self.fixed = np.flatnonzero(moments.constant | (moments.sd < 1 / LIMIT))

    @np.errstate(over="ignore", invalid="ignore")
    def at(self, theta: FloatArray) -> Point:
        z = logits(self.X, theta)
        point = pointwise(z, self.y)
        return Point(theta, z, point, objective(point, theta, self.lambda_))

    def gradient(self, point: Point) -> FloatArray:
        g = gradient(point.pointwise, self.X, point.theta, self.lambda_)
        g[self.fixed] = 0.0
        return g

    def hessian(self, point: Point) -> FloatArray:
        H = hessian(point.pointwise, self.X, self.lambda_)
        H[self.fixed, :] = H[:, self.fixed] = 0.0
        H[self.fixed, self.fixed] = 1.0
        return H

    @np.errstate(over="ignore", invalid="ignore")
    def newton_step(self, point: Point) -> Step:
        g = self.gradient(point)
        direction = solve(self.hessian(point), -g)
        squared = -len(self.X) * float(g @ direction)
        # A NaN fails both comparisons and counts as far away.
        return Step(direction, g, math.sqrt(max(squared, 0.0)) if squared < FAR**2 else FAR)

    def separation(self, point: Point, step: Step, number: int) -> str | None:
        """A certificate that no finite optimum exists (only without a penalty).

        A direction that puts every row on its right side proves complete separation. In
        quasi-separation the step keeps raising the separated rows' logits by about 1 and lowers
        none (Albert and Anderson 1984 for the cases; the two bounds are empirical).
        """
        if self.lambda_ > 0:
            return None
        side = 2.0 * self.y - 1.0
        change = side * logits(self.X, step.direction)
        if (side * point.z > 0).all() or (change > 0).all():
            return "separated"
        quasi = number > 5 and change.max() > 0.5 and change.min() > -1e-3
        return "quasi-separated" if quasi else None

    def line_search(self, point: Point, step: Step) -> tuple[Point, float] | None:
        """The first of t = 1, 1/2, 1/4 .. with F(theta + t s) <= F + 1e-4 t g.s (Armijo).

        Near the optimum the decrease drowns in rounding: there a step that leaves F unchanged
        is accepted when it shrinks the gradient.
        """
        slope = float(step.gradient @ step.direction)
        for halvings in range(_HALVINGS):
            t = 0.5**halvings
            new = self.at(point.theta + t * step.direction)
            change = new.F - point.F
            drowned = abs(change) <= _ROUNDING * abs(point.F)
            if change <= _ARMIJO * t * slope or (drowned and self._flatter(new, step)):
                return new, t
        return None

    def _flatter(self, point: Point, step: Step) -> bool:
        return bool(np.abs(self.gradient(point)).sum() < np.abs(step.gradient).sum())


def solve(H: FloatArray, rhs: FloatArray) -> FloatArray:
    """H^-1 rhs for a symmetric H that should be positive definite.

    H is first scaled to a unit diagonal (Jacobi), which makes pivots comparable to 1. Collinear
    columns leave a pivot near 0; then the least ridge that gives safe pivots is added, and the
    step stays within what the data can tell (duplicate columns share their coefficient). NaN
    where no ridge helps: H itself is not finite.
    """
    scale = 1.0 / np.sqrt(np.maximum(np.diag(H), np.finfo(np.float64).tiny))
    A = H * scale * scale[:, np.newaxis]
    for ridge in _RIDGES:
        try:
            L = np.linalg.cholesky(A + ridge * np.eye(len(A)))
        except np.linalg.LinAlgError:
            continue
        if np.square(np.diag(L)).min() > _SMALLEST_PIVOT:
            return scale * np.linalg.solve(L.T, np.linalg.solve(L, scale * rhs))
    return np.full_like(rhs, np.nan)
