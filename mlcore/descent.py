"""Gradient descent from epoch to epoch, begun or gone on with; knows no reports and no names."""

from __future__ import annotations

import math

import numpy as np

from mlcore.arrays import FloatArray
from mlcore.errors import DataError, DescentError
from mlcore.history import Descent, Recorder
from mlcore.moments import moments_of, smoothness
from mlcore.objective import Evaluation, Objective
from mlcore.settings import GradientDescentSettings


def begun(objective: Objective, theta: FloatArray | None) -> Descent:
    """A descent before its first epoch, at theta or at 0."""
    point = np.zeros(objective.size) if theta is None else np.array(theta, dtype=np.float64)
    return Descent(point, point, 1.0, ())


def descend(
    objective: Objective, start: Descent, settings: GradientDescentSettings, recorder: Recorder
) -> Evaluation:
    """The epochs that ``start`` has not seen; the evaluation at the last point."""
    lr = 1 / _smoothness(objective) if settings.lr == "auto" else float(settings.lr)
    at, theta, t = objective.slope(start.point), start.theta, start.t
    for epoch in range(start.epoch + 1, settings.epochs + 1):
        new = at.theta - lr * at.gradient
        if not np.isfinite(new).all():
            raise _diverged(objective, lr, epoch)
        point = new
        if settings.momentum == "nesterov":
            uphill = float(at.gradient @ (new - theta)) > 0
            t_next = (1.0 + math.sqrt(1.0 + 4.0 * t * t)) / 2.0
            point = new if uphill else new + (t - 1.0) / t_next * (new - theta)
            t = 1.0 if uphill else t_next
        theta = new
        at = objective.slope(point)
        recorder.record(at, step=lr)
        recorder.tell_where(point, theta, t)
    return at


def check_descent(
    descent: Descent, objective: Objective, settings: GradientDescentSettings
) -> None:
    """DescentError for a descent over other rows or with more epochs than are asked for."""
    for place in (descent.point, descent.theta):
        if np.shape(place) != (objective.size,) or not np.isfinite(place).all():
            raise DescentError(f"a descent over these rows is at {objective.size} finite numbers")
    if descent.epoch > settings.epochs:
        raise DescentError(
            f"the descent has gone {descent.epoch} epochs; {settings.epochs} are asked for"
        )


def _smoothness(objective: Objective) -> float:
    bound = 2.0 if objective.is_softmax else 4.0
    return smoothness(moments_of(objective.rows)) / bound + objective.lambda_


def _diverged(objective: Objective, lr: float, epoch: int) -> DataError:
    return DataError(
        f"gradient descent diverged in epoch {epoch} with lr={lr:g}; "
        f"for these columns a step of at most {1 / _smoothness(objective):.2g} cannot diverge"
    )
