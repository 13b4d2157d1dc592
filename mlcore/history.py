"""What a solver is given and what it leaves behind: checked rows, one Iteration per step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mlcore.arrays import LIMIT, FloatArray
from mlcore.errors import DataError
from mlcore.loss import logits, mean_log_loss

Pair = tuple[FloatArray, FloatArray]
"""X of shape (n, d) and y of shape (n,)."""


@dataclass(frozen=True)
class Iteration:
    """The model after one step: losses are mean log losses without the penalty.

    ``gradient_norm`` is that of the gradient the step was computed from; ``step`` is the
    learning rate, or the fraction of the Newton step that the line search accepted.
    """

    number: int
    train_loss: float
    train_accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None
    gradient_norm: float
    step: float


OnIteration = Callable[[Iteration], None]


class Recorder:
    """Keeps one Iteration per step and passes each on as it happens."""

    def __init__(
        self,
        X: FloatArray,
        y: FloatArray,
        validation: Pair | None,
        on_iteration: OnIteration | None,
    ) -> None:
        self.y = y
        self.validation = checked(*validation) if validation else None
        self.on_iteration = on_iteration
        self.history: list[Iteration] = []
        if self.validation and self.validation[0].shape[1] != X.shape[1]:
            raise DataError("training and validation rows have different numbers of columns")

    def record(
        self, number: int, theta: FloatArray, z: FloatArray, gradient_norm: float, step: float
    ) -> None:
        validation_loss = validation_accuracy = None
        if self.validation:
            X, y = self.validation
            validation_loss, validation_accuracy = _loss_and_accuracy(logits(X, theta), y)
        iteration = Iteration(
            number,
            *_loss_and_accuracy(z, self.y),
            validation_loss,
            validation_accuracy,
            gradient_norm,
            step,
        )
        self.history.append(iteration)
        if self.on_iteration:
            self.on_iteration(iteration)


def _loss_and_accuracy(z: FloatArray, y: FloatArray) -> tuple[float, float]:
    return mean_log_loss(z, y), float(np.mean((z >= 0) == (y == 1)))


def checked(X: FloatArray, y: FloatArray) -> Pair:
    """X and y as float64 without copying what is float64 already; DataError for the rest."""
    X, y = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if X.ndim != 2 or y.shape != (len(X),):
        raise DataError(f"X must be (n, d) and y (n,), got {X.shape} and {y.shape}")
    if not ((y == 0) | (y == 1)).all():
        raise DataError("y must hold 0 and 1 only")
    usable = np.abs(X) <= LIMIT
    if not usable.all():
        row, column = np.argwhere(~usable)[0].tolist()
        raise DataError(f"X holds {X[row, column]} in row {row}, column {column}; at most 1e150")
    return X, y
