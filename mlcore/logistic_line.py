"""A logistic regression on one number, for calibration; it knows no columns or penalties.

Two parameters need no matrix library: each Newton step solves a 2 x 2 system by hand.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mlcore.arrays import EPS, FloatArray
from mlcore.loss import sigmoid

_MAX_STEPS = 100
_NEAR = 1e-9
_CONVERGED = 1e-26

_Points = tuple[FloatArray, FloatArray, FloatArray]


class Line(NamedTuple):
    """P(y = 1 | x) = sigmoid(slope x + intercept)."""

    slope: float
    intercept: float


def fit_line(x: FloatArray, targets: FloatArray, weights: FloatArray) -> Line | None:
    """The line that minimises sum_i s_i (log(1 + exp(z_i)) - t_i z_i), z_i = slope x_i + intercept.

    x, targets in [0, 1] and weights have shape (n,). Newton's method with halved steps, from the
    best constant. None where no finite minimum exists or it is not unique: all x are equal, the
    targets are all 0 or all 1, or a point on the x axis separates 0 from 1 (Albert and Anderson
    1984).

    >>> line = fit_line(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.0, 1.0, 0.0, 1.0]), np.ones(4))
    >>> line.slope + 0.0, line.intercept + 0.0
    (0.0, 0.0)
    """
    counts = weights > 0
    x, targets, weights = x[counts], targets[counts], weights[counts] / weights.sum()
    if _separated(x, targets):
        return None
    centre = float(weights @ x)
    scale = float(x.max() - x.min())
    slope, intercept = _newton((x - centre) / scale, targets, weights)
    return Line(slope / scale, intercept - slope * centre / scale)


def fit_shift(x: FloatArray, targets: FloatArray, weights: FloatArray) -> float | None:
    """The intercept of the line whose slope is held at 1: how far the average is off, in logits.

    None when the targets are all 0 or all 1. The gradient in the intercept is increasing, so its
    zero is bracketed and halved until no float lies between: some 60 cheap passes, and no case
    that fails.

    >>> round(fit_shift(np.zeros(4), np.array([0.0, 0.0, 0.0, 1.0]), np.ones(4)), 6) == -1.098612
    True
    """
    share = weights / weights.sum()
    if float(share @ targets) <= 0 or float(share @ (1 - targets)) <= 0:
        return None
    constant = _constant(targets, share)
    low, high = constant - float(x.max()), constant - float(x.min())
    middle = low + (high - low) / 2
    while low < middle < high:
        too_low = float(share @ (sigmoid(x + middle) - targets)) < 0
        low, high = (middle, high) if too_low else (low, middle)
        middle = low + (high - low) / 2
    return middle


def _separated(x: FloatArray, targets: FloatArray) -> bool:
    """Whether the negatives (targets below 1) and positives (above 0) do not overlap inside."""
    below, above = x[targets < 1], x[targets > 0]
    if len(below) == 0 or len(above) == 0:
        return True
    return bool(below.max() <= above.min() or above.max() <= below.min())


def _newton(x: FloatArray, targets: FloatArray, share: FloatArray) -> Line:
    at = Line(0.0, _constant(targets, share))
    step, fall = _step(at, x, targets, share)
    steps = 0
    while fall > _CONVERGED and steps < _MAX_STEPS:
        # Near the minimum the sum's rounding hides the decrease, and a full step is safe.
        size = 1.0 if fall <= _NEAR else _size(at, step, fall, (x, targets, share))
        at = _moved(at, step, size)
        step, fall = _step(at, x, targets, share)
        steps += 1
    return at


def _moved(at: Line, step: Line, size: float) -> Line:
    return Line(at.slope - size * step.slope, at.intercept - size * step.intercept)


def _size(at: Line, step: Line, fall: float, points: _Points) -> float:
    """The largest of 1, 1/2, 1/4 ... that lowers the sum by a part of what the slope promises."""
    value, size = _value(at, *points), 1.0
    while size > EPS and _value(_moved(at, step, size), *points) > value - 1e-4 * size * fall:
        size /= 2
    return size


def _constant(targets: FloatArray, share: FloatArray) -> float:
    """The best intercept without a slope: the log-odds of the mean target."""
    return float(np.log(float(share @ targets)) - np.log(float(share @ (1 - targets))))


def _value(at: Line, x: FloatArray, targets: FloatArray, share: FloatArray) -> float:
    z = at.slope * x + at.intercept
    return float(share @ (np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))) - targets * z))


def _step(at: Line, x: FloatArray, targets: FloatArray, share: FloatArray) -> tuple[Line, float]:
    """Newton's step H^-1 g, and the squared Newton decrement g' H^-1 g."""
    z = at.slope * x + at.intercept
    p = sigmoid(z)
    residual, curvature = share * (p - targets), share * p * sigmoid(-z)
    g1, g0 = float(residual @ x), float(residual.sum())
    h0 = float(curvature.sum())
    centre = float(curvature @ x) / h0
    spread = float(curvature @ (x - centre) ** 2)
    slope = (g1 - centre * g0) / spread
    intercept = g0 / h0 - centre * slope
    return Line(slope, intercept), slope * g1 + intercept * g0
