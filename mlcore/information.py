"""What the rows tell about fitted coefficients: gradient, information, leverage; knows no solver.

Sums run over blocks of rows: beside X only a few MiB are held at any number of rows. Vectors and
matrices over the coefficients run through V, row by row; see ``fitted``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mlcore.arrays import FloatArray
from mlcore.errors import DataError
from mlcore.fitted import Fitted, Slice
from mlcore.labels import refuse_cells
from mlcore.objective import LARGEST_HESSIAN
from mlcore.pseudoinverse import Inverse, inverse
from mlcore.rows import as_rows


@dataclass(frozen=True, eq=False)
class Information:
    """Sums over rows, without the penalty: weight, loss, gradient (P,) and Hessian (P, P)."""

    weight: float
    loss: float
    gradient: FloatArray
    hessian: FloatArray

    def plus(self, other: Information, sign: float = 1.0) -> Information:
        """These rows and the others; with sign -1 these rows without the others."""
        return Information(
            self.weight + sign * other.weight,
            self.loss + sign * other.loss,
            self.gradient + sign * other.gradient,
            self.hessian + sign * other.hessian,
        )


@np.errstate(over="ignore", invalid="ignore")
def information(fit: Fitted) -> Information:
    """S = sum s, sum s loss, its gradient and Hessian in V: the observed information.

    Raises DataError where a row holds numbers that are not finite or too large to square, and
    for more coefficients than a dense matrix can hold.

    >>> from mlcore.fitted import fitted
    >>> fit = fitted(np.array([[-1.0], [1.0]]), np.array([0.0, 1.0]), np.array([1.0, 0.0]))
    >>> round(information(fit).loss, 6)
    0.626523
    """
    m, p = fit.V.shape
    if m * p > LARGEST_HESSIAN:
        raise DataError(f"{m * p} coefficients are too many for a Hessian ({LARGEST_HESSIAN})")
    weight = loss = 0.0
    gradient, hessian = np.zeros((m, p)), np.zeros((m, p, m, p))
    for block in fit.blocks():
        weight += float(block.weights.sum())
        loss += float(block.weights @ block.loss)
        gradient += (block.residual * block.weights[:, np.newaxis]).T @ block.X1
        for a in range(m):
            for b in range(a, m):
                h = block.weights * block.curvature[:, a, b]
                hessian[a, :, b] += (block.X1 * h[:, np.newaxis]).T @ block.X1
    for a in range(m):
        for b in range(a):
            hessian[a, :, b] = hessian[b, :, a].T
    if not (np.isfinite(hessian).all() and np.isfinite(loss)):
        refuse_cells(as_rows(fit.X, fit.y))
        raise DataError(
            "the scores of some rows are too large for float64; standardise the columns"
        )
    return Information(weight, loss, gradient.ravel(), hessian.reshape(m * p, m * p))


class Dispersion(NamedTuple):
    """Sums that tell how the rows scatter about the fit.

    ``meat`` = sum s g g' with g the gradient of a row's loss, shape (P, P), the middle of HC0;
    ``pearson`` = sum s (1/p_y - 1), which is sum s r^2 / (p (1 - p)) for two classes;
    ``largest_loss`` is that of the rows that count.
    """

    meat: FloatArray
    pearson: float
    largest_loss: float


def dispersion(fit: Fitted) -> Dispersion:
    meat = np.zeros((fit.V.size, fit.V.size))
    pearson = largest = 0.0
    for block in fit.blocks():
        g = block.residual[:, :, np.newaxis] * block.X1[:, np.newaxis, :]
        g = g.reshape(len(g), -1)
        meat += (g * block.weights[:, np.newaxis]).T @ g
        counted = block.weights > 0
        with np.errstate(over="ignore"):
            pearson += float(block.weights[counted] @ np.expm1(block.loss[counted]))
        largest = max(largest, float(block.loss[counted].max(initial=0.0)))
    return Dispersion(meat, pearson, largest)


def covariance(fit: Fitted, sums: Information) -> Inverse:
    """(H + S Lambda)^-1 with the penalty Lambda, without the fixed columns."""
    H = sums.hessian + np.diag(sums.weight * fit.penalty)
    fixed = np.tile(fit.fixed, len(fit.V))
    H[fixed] = H[:, fixed] = 0.0
    return inverse(H)


def effective_df(sums: Information, spread: Inverse) -> float:
    """trace((H + S Lambda)^-1 H): the coefficients that the penalty leaves free, intercepts too."""
    return float(np.sum((spread.factor @ sums.hessian) * spread.factor))


def penalised_gradient(fit: Fitted, sums: Information) -> FloatArray:
    """g + S Lambda V, zero at the optimum."""
    return sums.gradient + sums.weight * fit.penalty * fit.V.ravel()


def leverages(block: Slice, spread: Inverse) -> FloatArray:
    """M_i = (I kron x_i)' Cov (I kron x_i), the variance of row i's contrasts; (b, m, m)."""
    m, p = block.v.shape[1], block.X1.shape[1]
    factor = spread.factor.reshape(-1, m, p)
    if m == 1:
        squares: FloatArray = np.square(block.X1 @ factor[:, 0].T).sum(axis=1)
        return squares[:, np.newaxis, np.newaxis]
    Y = np.stack([block.X1 @ factor[:, a].T for a in range(m)], axis=1)
    return np.asarray(Y @ Y.transpose(0, 2, 1))
