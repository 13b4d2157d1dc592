"""The way down: Newton's method, kept up to date by gradients where Hessians are dear; no settings.

A Hessian pass costs as much as several gradient passes. On large data the optimum and the Hessian
of a sample open the search: both are off by a few per cent, which BFGS updates on gradient passes
make good superlinearly. The sample finds its own way by a smaller sample. Small data take a fresh
Hessian in every pass, which is Newton's method as the books have it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from mlcore.arrays import FloatArray
from mlcore.curvature import InverseHessian
from mlcore.discriminant import discriminant
from mlcore.history import Recorder
from mlcore.labels import tally_labels
from mlcore.objective import CurvedEvaluation, Evaluation, Frame, Objective
from mlcore.separation import Separation, find_separation, largest_margin

Reason = Literal["converged", "stalled", "exhausted", "separated"]

ROUNDED = 1e-3
"""A search that finds nothing lower within this many standard errors has met the rounding."""

NEAR = 0.5
"""Within this many standard errors Newton's next step gains digits enough without a new Hessian."""

SURE = 15.0
"""A row with a larger margin has a slope and a curvature below 1e-6."""

SHARE = 8
"""A sample has one row in eight."""

_ARMIJO = 1e-4
_HALVINGS = 30
_ROUNDING = 1e-14
_PATIENCE = 4
_SAMPLE_ITERATIONS = 6
_SAMPLE_TOLERANCE = 0.3


@dataclass(frozen=True)
class Limits:
    """When to stop: distance in standard errors, and number of steps."""

    tolerance: float
    max_iterations: int


@dataclass(frozen=True, eq=False)
class End:
    """Where the search stopped and why."""

    at: Evaluation
    decrement: float
    reason: Reason
    inverse: InverseHessian
    frame: Frame
    separation: Separation | None = None


@dataclass(frozen=True, eq=False)
class _Opening:
    """A first point with a first inverse Hessian: the sample's, or that of all rows."""

    at: Evaluation
    inverse: InverseHessian
    frame: Frame


def minimise(
    objective: Objective,
    limits: Limits,
    *,
    start: FloatArray | None = None,
    recorder: Recorder | None = None,
) -> End:
    """Descend from ``start``, else from the optimum of a sample, else from the discriminant."""
    opening = _opening(objective) if start is None else _curved_opening(objective, start)
    end = _Descent(objective, opening, recorder).run(limits)
    if end.reason != "converged" or objective.lambda_ > 0:
        return end
    # Separated rows that the start was sure of have no slope left to betray that they are.
    if largest_margin(objective.rows, end.at.theta) <= SURE:
        return end
    return _Descent(objective, _null_opening(objective, None), recorder).run(limits)


def _opening(objective: Objective) -> _Opening:
    sampled = _sampled(objective)
    if sampled is None:
        rows, labels = objective.rows, objective.labels
        return _curved_opening(objective, discriminant(rows, labels, objective.lambda_))
    if (
        sampled.reason == "converged"
        and not sampled.frame.constant
        and not sampled.inverse.flat.size
    ):
        at = objective.slope(sampled.at.theta)
        if _is_worth_it(objective, at):
            return _Opening(at, sampled.inverse, sampled.frame)
    return _curved_opening(objective, sampled.at.theta)


def _curved_opening(objective: Objective, theta: FloatArray) -> _Opening:
    at = objective.curved(theta) if np.isfinite(theta).all() else None
    if at and _is_worth_it(objective, at):
        frame = objective.frame(at)
        if not frame.constant:
            return _Opening(at, objective.invert(at, frame), frame)
    return _null_opening(objective, at)


def _null_opening(objective: Objective, at: CurvedEvaluation | None) -> _Opening:
    """The model without columns, or ``at`` where it holds the constant columns at 0 as well.

    Where a model is sure of every row no curvature is left, and columns look constant that are
    not: only here can they be told apart.
    """
    null = objective.curved(objective.null())
    frame = objective.frame(null)
    if at and _is_worth_it(objective, at):
        seen = objective.frame(at)
        if seen.constant == frame.constant and not at.theta[seen.free == 0].any():
            return _Opening(at, objective.invert(at, seen), seen)
    return _Opening(null, objective.invert(null, frame), frame)


def _is_worth_it(objective: Objective, at: Evaluation) -> bool:
    """A start that is worse than no model at all would only cost steps."""
    return objective.null_loss() > at.F


def _sampled(objective: Objective) -> End | None:
    """The optimum of one row in eight, with the Hessian there, where that is rows enough.

    Optimum and Hessian are off by about sqrt(size / rows) in units that make H the identity. Ten
    rows of the rarest class per coefficient are asked for, and few steps allowed: a sample may be
    separable where the data are not.
    """
    fewest = max(4096, 100 * objective.size)
    if objective.labels.n_rows < SHARE * fewest:
        return None
    rows = objective.rows.sample(SHARE)
    if rows is None:
        return None
    labels = tally_labels(rows)
    if labels.n_rows < fewest or labels.rarest < 10 * objective.size:
        return None
    sample = Objective(rows, objective.lambda_, labels)
    end = minimise(sample, Limits(_SAMPLE_TOLERANCE, _SAMPLE_ITERATIONS))
    if isinstance(end.at, CurvedEvaluation):
        return end
    return replace(end, inverse=sample.invert(sample.curved(end.at.theta), end.frame))


class _Descent:
    def __init__(self, objective: Objective, opening: _Opening, recorder: Recorder | None) -> None:
        self.objective, self.recorder = objective, recorder
        self.frame = opening.frame
        self.at = opening.at
        self._take(opening.inverse)
        self.is_slow = False

    def run(self, limits: Limits) -> End:
        for number in range(1, limits.max_iterations + 1):
            if self.step.decrement <= limits.tolerance:
                return self._end("converged")
            separation = self._separation(number)
            if separation:
                return self._end("separated", separation)
            found = self._line_search()
            if found:
                self._move(*found)
            elif isinstance(self.at, CurvedEvaluation):
                return self._end("converged" if self.step.decrement <= ROUNDED else "stalled")
            else:
                self._refresh()
        return self._end("converged" if self.step.decrement <= limits.tolerance else "exhausted")

    def _end(self, reason: Reason, separation: Separation | None = None) -> End:
        decrement = self.step.decrement
        return End(self.at, decrement, reason, self.inverse, self.frame, separation)

    def _take(self, inverse: InverseHessian) -> None:
        self.inverse = inverse
        self.step = inverse.step(self.at.gradient, self.objective.labels.weight)

    def _refresh(self) -> None:
        self.at = at = self.objective.curved(self.at.theta)
        self._take(self.objective.invert(at, self.frame))

    def _move(self, there: Evaluation, t: float) -> None:
        here, self.at = self.at, there
        if isinstance(there, CurvedEvaluation):
            self._take(self.objective.invert(there, self.frame))
        else:
            change = there.gradient - here.gradient
            self._take(self.inverse.updated(there.theta - here.theta, change))
        # Where the gradient hardly falls, the curvature has changed more than BFGS can follow.
        self.is_slow = there.gradient_norm > 0.5 * here.gradient_norm
        if self.recorder:
            self.recorder.record(there, step=t, decrement=self.step.decrement)

    def _look(self) -> Callable[[FloatArray], Evaluation]:
        """A fresh Hessian where it is cheap and the optimum not yet near, or where BFGS is lost."""
        far = self.step.decrement > NEAR and self.objective.curvature_is_cheap
        return self.objective.curved if far or self.is_slow else self.objective.slope

    def _line_search(self) -> tuple[Evaluation, float] | None:
        """The first of t = 1, 1/2, 1/4 .. with F(theta + t s) <= F + 1e-4 t g.s (Armijo).

        Near the optimum the decrease drowns in rounding: there a step that leaves F unchanged
        is accepted when it shrinks the gradient.
        """
        look, direction = self._look(), self.step.direction
        slope = float(self.at.gradient @ direction)
        for halvings in range(_HALVINGS):
            t = 0.5**halvings
            there = look(self.at.theta + t * direction)
            change = there.F - self.at.F
            drowned = abs(change) <= _ROUNDING * abs(self.at.F)
            if change <= _ARMIJO * t * slope or (drowned and self._is_flatter(there)):
                return there, t
        return None

    def _is_flatter(self, there: Evaluation) -> bool:
        here = np.abs(self.at.gradient * self.frame.free).sum()
        return bool(np.abs(there.gradient * self.frame.free).sum() < here)

    def _separation(self, number: int) -> Separation | None:
        """Only without a penalty, and only where a solvable problem would have been solved."""
        if self.objective.lambda_ > 0 or number <= _PATIENCE:
            return None
        rows, direction = self.objective.rows, self.step.direction
        return find_separation(rows, self.at.theta, direction, self.frame.scale)
