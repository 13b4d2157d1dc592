"""The logistic loss and its derivatives, from logits; knows no names, files or solvers.

Conventions, used everywhere in this package:

* X has shape (n, d), y holds 0.0 or 1.0 with shape (n,), w has shape (d,), b is a number.
* theta = [w, b] has shape (d + 1,): the intercept comes last, in gradients and Hessians too.
* logit z_i = x_i . w + b; probability p_i = 1 / (1 + exp(-z_i)).
* Objective F(w, b) = (1/S) sum_i s_i loss_i + (lambda/2) |w|^2 with sample weights s_i, all 1
  where none are given, and S = sum_i s_i. It is a mean: repeating every row, or multiplying all
  weights, changes nothing. The intercept is never penalised.
* scikit-learn's C is 1 / (S lambda). Where a text writes the penalty as (mu / 2n) |w|^2, its mu
  is n lambda here, and C = 1 / mu.

The kernel is written in the margin m = (1 - 2y) z, which is negative where the model is right.
It takes one exp, of a number that is never positive: nothing overflows and both tails are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mlcore.arrays import FloatArray
from mlcore.rows import Block, Kernel


class Pointwise(NamedTuple):
    """The loss of each row and its first two derivatives in the logit, all of shape (n,)."""

    loss: FloatArray
    residual: FloatArray
    curvature: FloatArray


def logits(X: FloatArray, theta: FloatArray) -> FloatArray:
    """z = X w + b, shape (n,)."""
    z: FloatArray = X @ theta[:-1] + theta[-1]
    return z


def sigmoid(z: FloatArray) -> FloatArray:
    """p = 1 / (1 + exp(-z)); with e = exp(-|z|): 1/(1+e) above zero, e/(1+e) below.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    e = np.exp(-np.abs(z))
    q = 1.0 / (1.0 + e)
    return np.where(z >= 0, q, e * q)


class Margins(NamedTuple):
    """What everything else is made of: sign = 1 - 2y, m = sign z, e = exp(-|m|), q = 1 / (1 + e)."""

    sign: FloatArray
    m: FloatArray
    e: FloatArray
    q: FloatArray


def margins(z: FloatArray, y: FloatArray) -> Margins:
    sign = 1.0 - 2.0 * y
    m = sign * z
    e = np.exp(-np.abs(m))
    return Margins(sign, m, e, 1.0 / (1.0 + e))


def losses(at: Margins) -> FloatArray:
    """log(1 + exp(m)) = max(m, 0) + log(1 + e)."""
    return np.maximum(at.m, 0.0) + np.log1p(at.e)


def residuals(at: Margins) -> FloatArray:
    """p - y = sign sigmoid(m), exact where p is close to y."""
    return at.sign * np.where(at.m >= 0, at.q, at.e * at.q)


def curvatures(at: Margins) -> FloatArray:
    """p (1 - p) = e q^2, positive until |z| = 745."""
    return at.e * at.q * at.q


def pointwise(z: FloatArray, y: FloatArray) -> Pointwise:
    """Loss, residual and curvature of each row.

    loss      = log(1 + exp(m))            with m = (1 - 2y) z
    residual  = d loss / dz   = p - y
    curvature = d2 loss / dz2 = p (1 - p)

    >>> pointwise(np.array([0.0, 800.0]), np.array([1.0, 0.0]))  # doctest: +NORMALIZE_WHITESPACE
    Pointwise(loss=array([6.93147181e-01, 8.00000000e+02]),
              residual=array([-0.5, 1. ]),
              curvature=array([0.25, 0. ]))
    """
    at = margins(z, y)
    return Pointwise(losses(at), residuals(at), curvatures(at))


def total_loss(at: Margins) -> float:
    """sum_i log(1 + exp(m_i)) with one logarithm for 64 rows.

    A product of 64 factors q = 1 / (1 + e), each in [1/2, 1), stays above 2^-64, and minus its
    logarithm is the sum of their log(1 + e). Where log1p is not vectorised this saves a third of
    a pass.
    """
    products = np.multiply.reduceat(at.q, np.arange(0, len(at.q), 64))
    return float(np.add.reduce(np.maximum(at.m, 0.0)) - np.add.reduce(np.log(products)))


def mean_log_loss(z: FloatArray, y: FloatArray) -> float:
    """(1/n) sum_i log(1 + exp((1 - 2 y_i) z_i)), in nats per row.

    >>> round(mean_log_loss(np.array([2.0, -1.0]), np.array([1.0, 1.0])), 6)
    0.720095
    """
    return float(losses(margins(z, y)).mean())


def objective(
    point: Pointwise, theta: FloatArray, lambda_: float, weights: FloatArray | None = None
) -> float:
    """F = (1/S) sum_i s_i loss_i + (lambda/2) |w|^2."""
    w = theta[:-1]
    return float(np.average(point.loss, weights=weights) + 0.5 * lambda_ * (w @ w))


def gradient(
    point: Pointwise,
    X: FloatArray,
    theta: FloatArray,
    lambda_: float,
    weights: FloatArray | None = None,
) -> FloatArray:
    """dF/dw = X' (s r) / S + lambda w and dF/db = s . r / S, as one vector of shape (d + 1,)."""
    r, S = _weighted(point.residual, weights)
    g = np.empty(len(theta))
    g[:-1] = X.T @ r / S + lambda_ * theta[:-1]
    g[-1] = r.sum() / S
    return g


def hessian(
    point: Pointwise, X: FloatArray, lambda_: float, weights: FloatArray | None = None
) -> FloatArray:
    """d2F = [X 1]' diag(s h) [X 1] / S + lambda on the diagonal of w; shape (d + 1, d + 1)."""
    h, S = _weighted(point.curvature, weights)
    d = X.shape[1]
    weighted = X.T * h
    H = np.empty((d + 1, d + 1))
    H[:d, :d] = weighted @ X / S
    H[:d, d] = H[d, :d] = weighted.sum(axis=1) / S
    H[d, d] = h.sum() / S
    H[np.arange(d), np.arange(d)] += lambda_
    return H


def _weighted(values: FloatArray, weights: FloatArray | None) -> tuple[FloatArray, float]:
    return (values, len(values)) if weights is None else (values * weights, float(weights.sum()))


@dataclass(frozen=True, eq=False)
class LogisticPass:
    """One pass over the rows at theta: [sum s loss, sum s r [x 1], sum s h [x 1][x 1]'].

    The last part is left out where ``curved`` is False: it costs as much as three passes.
    """

    theta: FloatArray
    curved: bool

    def __call__(self) -> Kernel:
        return _LogisticKernel(self.theta, self.curved)


class _LogisticKernel:
    def __init__(self, theta: FloatArray, curved: bool) -> None:
        self.theta = theta
        self.p = len(theta)
        self.size = 1 + self.p + (self.p**2 if curved else 0)
        self.scaled: FloatArray | None = None

    def __call__(self, block: Block) -> FloatArray:
        X, s = block.X, block.weights
        at = margins(logits(X, self.theta), block.y)
        r = residuals(at)
        sums = np.empty(self.size)
        if s is None:
            sums[0] = total_loss(at)
        else:
            sums[0] = s @ losses(at)
            r *= s
        np.matmul(r, X, out=sums[1 : self.p])
        sums[self.p] = np.add.reduce(r)
        if self.size > self.p + 1:
            h = curvatures(at) if s is None else curvatures(at) * s
            self._add_curvature(X, h, sums[self.p + 1 :].reshape(self.p, self.p))
        return sums

    def _add_curvature(self, X: FloatArray, h: FloatArray, H: FloatArray) -> None:
        # A' A of one matrix with itself takes half the work of A' B, and is exactly symmetric.
        if self.scaled is None or len(self.scaled) < len(X):
            self.scaled = np.empty(X.shape)
        root = np.sqrt(h)
        scaled = np.multiply(X, root[:, np.newaxis], out=self.scaled[: len(X)])
        np.matmul(scaled.T, scaled, out=H[:-1, :-1])
        np.matmul(root, scaled, out=H[-1, :-1])
        H[:-1, -1] = H[-1, :-1]
        H[-1, -1] = np.add.reduce(h)
