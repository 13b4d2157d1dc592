"""The penalised objective of some rows, with its derivatives; knows no solver and no names."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from mlcore.arrays import LIMIT, FloatArray
from mlcore.curvature import InverseHessian, constant_columns, unit_diagonal
from mlcore.errors import DataError
from mlcore.labels import Labels, count_labels, refuse_cells
from mlcore.loss import LogisticPass
from mlcore.rows import Rows
from mlcore.softmax import SoftmaxPass, gauge

LARGEST_HESSIAN = 4096
"""Coefficients; beyond, a dense Hessian takes more than 128 MiB."""

_CHEAP = 5e6


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The objective F at theta and its gradient; ``loss`` is F without the penalty."""

    theta: FloatArray
    F: float
    loss: float
    gradient: FloatArray
    gradient_norm: float


@dataclass(frozen=True, eq=False)
class CurvedEvaluation(Evaluation):
    """An evaluation with the Hessian, made in the same pass.

    ``information`` is the Hessian of the loss alone; ``hessian`` has the penalty, and for softmax
    the gauge, on top.
    """

    information: FloatArray
    hessian: FloatArray


class Frame(NamedTuple):
    """1 for a coefficient that is free and 0 for one that stays, the units, the columns that stay."""

    free: FloatArray
    scale: FloatArray
    constant: tuple[int, ...]


class Objective:
    """F(theta) = (1/S) sum_i s_i loss_i + (lambda/2) |w|^2, logistic or softmax by the labels.

    ``size`` counts the coefficients with intercepts; ``is_penalised`` is 1 for a weight and 0 for
    an intercept. Where ``curvature_is_cheap`` the interpreter costs more than the Hessian.

    >>> X, y = np.array([[-1.0], [1.0]]), np.array([0.0, 1.0])
    >>> from mlcore.rows import as_rows
    >>> Objective(as_rows(X, y), lambda_=0.0).slope(np.zeros(2)).gradient
    array([-0.5,  0. ])
    """

    def __init__(self, rows: Rows, lambda_: float, labels: Labels | None = None) -> None:
        self.rows, self.lambda_ = rows, lambda_
        self.labels = labels or count_labels(rows)
        self.n_columns = rows.n_columns
        self.n_classes = len(self.labels.of_class)
        self.is_softmax = self.n_classes > 2
        self.size = (self.n_columns + 1) * (self.n_classes if self.is_softmax else 1)
        self.is_penalised = np.ones(self.size)
        self.is_penalised[self.n_columns :: self.n_columns + 1] = 0.0
        self.curvature_is_cheap = self.labels.n_rows * self.size**2 <= _CHEAP

    @cached_property
    def _added(self) -> FloatArray:
        """What the Hessian has beside that of the loss: the penalty, and for softmax the gauge."""
        penalty = np.diag(self.lambda_ * self.is_penalised)
        if not self.is_softmax:
            return penalty
        return penalty + gauge(self.n_classes, self.n_columns, penalised=self.lambda_ > 0)

    def null(self) -> FloatArray:
        """The optimum of the intercepts alone: b = logit of the rate, or centred log rates."""
        theta = np.zeros(self.size)
        log_rates = np.log(self.labels.rates)
        if self.is_softmax:
            theta[self.n_columns :: self.n_columns + 1] = log_rates - log_rates.mean()
        else:
            theta[-1] = log_rates[1] - log_rates[0]
        return theta

    def null_loss(self) -> float:
        """The mean loss at ``null``: the entropy of the class rates."""
        rates = self.labels.rates
        return float(-(rates * np.log(rates)).sum())

    def slope(self, theta: FloatArray) -> Evaluation:
        """F and its gradient: the cheap pass."""
        return Evaluation(theta, *self._values(theta, self._sums(theta, curved=False)))

    def curved(self, theta: FloatArray) -> CurvedEvaluation:
        """F, its gradient and its Hessian: the dear pass."""
        if self.size > LARGEST_HESSIAN:
            raise DataError(
                f"{self.size} coefficients are too many for a Hessian (at most {LARGEST_HESSIAN}); "
                "use gradient descent or fewer columns"
            )
        sums = self._sums(theta, curved=True)
        information = sums[1 + self.size :].reshape(self.size, self.size)
        hessian = information + self._added
        return CurvedEvaluation(theta, *self._values(theta, sums), information, hessian)

    def invert(self, at: CurvedEvaluation, frame: Frame) -> InverseHessian:
        return InverseHessian.of(at.hessian, free=frame.free, scale=frame.scale)

    def frame(self, at: CurvedEvaluation) -> Frame:
        """Which coefficients are free, and in what units they are comparable, judged at a point.

        A cell beyond 1e150 shows in the diagonal, so that good rows need not be searched for it.
        """
        d = self.n_columns
        rarest = self.labels.of_class.min() / self.labels.weight**2
        if not at.information.diagonal().max() <= rarest * LIMIT**2:
            refuse_cells(self.rows)
        constant = constant_columns(at.information[: d + 1, : d + 1])
        free = np.ones((self.size // (d + 1), d + 1))
        free[:, constant] = 0.0
        return Frame(free.ravel(), unit_diagonal(at.hessian), tuple(constant.tolist()))

    def _sums(self, theta: FloatArray, *, curved: bool) -> FloatArray:
        """The means over the rows: loss, its gradient and, where ``curved``, its Hessian."""
        sums = self.rows.total((SoftmaxPass if self.is_softmax else LogisticPass)(theta, curved))
        sums /= self.labels.weight
        return sums

    def _values(
        self, theta: FloatArray, sums: FloatArray
    ) -> tuple[float, float, FloatArray, float]:
        """F, F without its penalty, the gradient of F and its norm."""
        loss, gradient = float(sums[0]), sums[1 : 1 + self.size]
        w = self.is_penalised * theta
        gradient = gradient + self.lambda_ * w
        F = loss + 0.5 * self.lambda_ * float(w @ w)
        norm = math.sqrt(gradient @ gradient)
        if not math.isfinite(F + norm) and np.isfinite(theta).all():
            refuse_cells(self.rows)
        return F, loss, gradient, norm
