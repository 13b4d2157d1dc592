"""What a solver leaves behind: one row per step, and passed on as it happens; knows no solver."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore.arrays import FloatArray
from mlcore.errors import DataError
from mlcore.loss import logits, losses, margins
from mlcore.objective import Evaluation
from mlcore.rows import Block, Kernel, Rows, as_rows
from mlcore.softmax import scores, softmax_losses


@dataclass(frozen=True)
class Iteration:
    """The model after one step.

    ``objective`` is F with its penalty; losses are mean log losses without it. ``decrement`` is
    the estimated distance from the optimum in standard errors (None for gradient descent, which
    does not know). ``step`` is the learning rate, or the fraction of the Newton step taken.
    ``seconds`` count from the start. Accuracies and validation losses are there where a
    validation set is watched.
    """

    number: int
    objective: float
    train_loss: float
    train_accuracy: float | None
    validation_loss: float | None
    validation_accuracy: float | None
    gradient_norm: float
    decrement: float | None
    step: float
    seconds: float


@dataclass(frozen=True, eq=False)
class Descent:
    """Where a gradient descent stands between two epochs: all that the rest of it depends on.

    ``point`` (c,) is where the objective was evaluated last, ``theta`` (c,) where the last step
    led before momentum carried it on, ``t`` is Nesterov's t. ``history`` has one row an epoch;
    a solver that hands it out goes on writing it, so copy what shall stay as it is.
    """

    point: FloatArray
    theta: FloatArray
    t: float
    history: Sequence[Iteration]

    @property
    def epoch(self) -> int:
        return len(self.history)


OnIteration = Callable[[Iteration], None]
OnEpoch = Callable[[Descent], None]


@dataclass(frozen=True, eq=False)
class Watch:
    """What to observe while a solver runs: a validation set (X, y), listeners, a clock.

    ``on_epoch`` belongs to gradient descent: it hears after ``on_iteration`` where the descent
    stands, so that another can go on from there.
    """

    validation: tuple[NDArray[Any], NDArray[Any]] | None = None
    on_iteration: OnIteration | None = None
    on_epoch: OnEpoch | None = None
    clock: Callable[[], float] = time.perf_counter


class Recorder:
    """Keeps one Iteration per step and passes each on as it happens; ``history`` has those before."""

    def __init__(self, rows: Rows, watch: Watch | None, history: Sequence[Iteration] = ()) -> None:
        watch = watch or Watch()
        self.rows = rows
        self.validation = rows.alike(as_rows(*watch.validation)) if watch.validation else None
        self.on_iteration = watch.on_iteration
        self.on_epoch = watch.on_epoch
        self.clock = watch.clock
        self.started = watch.clock() - (history[-1].seconds if history else 0.0)
        self.history = list(history)
        if self.validation is not None and self.validation.n_columns != rows.n_columns:
            raise DataError("training and validation rows have different numbers of columns")
        if self.validation is not None and next(self.validation.blocks(), None) is None:
            raise DataError("there are no validation rows")

    def record(self, at: Evaluation, *, step: float, decrement: float | None = None) -> None:
        accuracy = validation_loss = validation_accuracy = None
        if self.validation is not None:
            _, accuracy = loss_and_accuracy(self.rows, at.theta)
            validation_loss, validation_accuracy = loss_and_accuracy(self.validation, at.theta)
        iteration = Iteration(
            number=len(self.history) + 1,
            objective=at.F,
            train_loss=at.loss,
            train_accuracy=accuracy,
            validation_loss=validation_loss,
            validation_accuracy=validation_accuracy,
            gradient_norm=at.gradient_norm,
            decrement=decrement,
            step=step,
            seconds=self.clock() - self.started,
        )
        self.history.append(iteration)
        if self.on_iteration:
            self.on_iteration(iteration)

    def tell_where(self, point: FloatArray, theta: FloatArray, t: float) -> None:
        """Pass on where a descent stands after the epoch recorded last."""
        if self.on_epoch:
            self.on_epoch(Descent(point, theta, t, self.history))


def loss_and_accuracy(rows: Rows, theta: FloatArray) -> tuple[float, float]:
    """Weighted mean loss, and the weighted share of rows whose most probable class is theirs."""
    weight, loss, right = rows.total(_Judgement(theta)).tolist()
    return loss / weight, right / weight


@dataclass(frozen=True, eq=False)
class _Judgement:
    """[sum s, sum s loss, sum s right] of a block."""

    theta: FloatArray

    def __call__(self) -> Kernel:
        return self._of_block

    def _of_block(self, block: Block) -> FloatArray:
        s = np.ones(len(block.y)) if block.weights is None else block.weights
        of_rows, hits = _judge(block.X, block.y, self.theta)
        return np.array([s.sum(), s @ of_rows, s @ hits])


def _judge(X: FloatArray, y: FloatArray, theta: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    if len(theta) == X.shape[1] + 1:
        z = logits(X, theta)
        return losses(margins(z, y)), (z >= 0) == (y == 1)
    eta = scores(X, theta)
    return softmax_losses(eta, y), eta.argmax(axis=1) == y
