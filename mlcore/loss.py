"""The logistic loss and its derivatives, from logits; knows no names, files or solvers.

Conventions, used everywhere in this package:

* X has shape (n, d), y holds 0.0 or 1.0 with shape (n,), w has shape (d,), b is a number.
* theta = [w, b] has shape (d + 1,): the intercept comes last, in gradients and Hessians too.
* logit z_i = x_i . w + b; probability p_i = 1 / (1 + exp(-z_i)).
* Objective F(w, b) = (1/n) sum_i loss_i + (lambda/2) |w|^2. It is a mean, so repeating every
  row changes nothing; the intercept is never penalised.
* scikit-learn's C is 1 / (n lambda). Where a text writes the penalty as (mu / 2n) |w|^2, its mu
  is n lambda here, and C = 1 / mu.

The kernel is written in the margin m = (1 - 2y) z, which is negative where the model is right.
It takes one exp, of a number that is never positive: nothing overflows and both tails are exact.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mlcore.arrays import FloatArray


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


def pointwise(z: FloatArray, y: FloatArray) -> Pointwise:
    """Loss, residual and curvature of each row.

    loss      = log(1 + exp(m))            with m = (1 - 2y) z
    residual  = d loss / dz   = p - y      = (1 - 2y) sigmoid(m), exact where p is close to y
    curvature = d2 loss / dz2 = p (1 - p)  positive until |z| = 745

    >>> pointwise(np.array([0.0, 800.0]), np.array([1.0, 0.0]))  # doctest: +NORMALIZE_WHITESPACE
    Pointwise(loss=array([6.93147181e-01, 8.00000000e+02]),
              residual=array([-0.5, 1. ]),
              curvature=array([0.25, 0. ]))
    """
    sign = 1.0 - 2.0 * y
    m = sign * z
    e = np.exp(-np.abs(m))
    q = 1.0 / (1.0 + e)
    loss = np.maximum(m, 0.0) + np.log1p(e)
    residual = sign * np.where(m >= 0, q, e * q)
    return Pointwise(loss, residual, e * q * q)


def mean_log_loss(z: FloatArray, y: FloatArray) -> float:
    """(1/n) sum_i log(1 + exp((1 - 2 y_i) z_i)), in nats per row.

    >>> round(mean_log_loss(np.array([2.0, -1.0]), np.array([1.0, 1.0])), 6)
    0.720095
    """
    m = (1.0 - 2.0 * y) * z
    return float(np.mean(np.maximum(m, 0.0) + np.log1p(np.exp(-np.abs(m)))))


def objective(point: Pointwise, theta: FloatArray, lambda_: float) -> float:
    """F = mean(loss) + (lambda/2) |w|^2."""
    w = theta[:-1]
    return float(point.loss.mean() + 0.5 * lambda_ * (w @ w))


def gradient(point: Pointwise, X: FloatArray, theta: FloatArray, lambda_: float) -> FloatArray:
    """dF/dw = X' r / n + lambda w and dF/db = mean(r), as one vector of shape (d + 1,)."""
    g = np.empty(len(theta))
    g[:-1] = X.T @ point.residual / len(X) + lambda_ * theta[:-1]
    g[-1] = point.residual.mean()
    return g


def hessian(point: Pointwise, X: FloatArray, lambda_: float) -> FloatArray:
    """d2F = [X 1]' diag(h) [X 1] / n + lambda on the diagonal of w; shape (d + 1, d + 1)."""
    n, d = X.shape
    weighted = X.T * point.curvature
    H = np.empty((d + 1, d + 1))
    H[:d, :d] = weighted @ X / n
    H[:d, d] = H[d, :d] = weighted.sum(axis=1) / n
    H[d, d] = point.curvature.mean()
    H[np.arange(d), np.arange(d)] += lambda_
    return H
