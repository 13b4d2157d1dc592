"""Fisher's linear discriminant, the first guess of an iterative solver; knows no solver.

Were the classes normal with one covariance, it would be the answer (Efron 1975, "The efficiency
of logistic regression compared to normal discriminant analysis"). It takes one pass without any
exponential and replaces the first two or three Newton steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mlcore.arrays import EPS, FloatArray
from mlcore.curvature import InverseHessian, unit_diagonal
from mlcore.labels import Labels
from mlcore.rows import Block, Kernel, Rows


def discriminant(rows: Rows, labels: Labels, lambda_: float) -> FloatArray:
    """theta from the class means m_k, the covariance S within classes and the rates p_k.

    w_k = (S + lambda / c I)^-1 (m_k - m), b_k = log p_k - w_k . (m_k + m) / 2 with m the mean of
    all rows and c = (1 - sum_k p_k^2) / K, the mean curvature where only the rates count. For two
    classes theta is [w_1 - w_0, b_1 - b_0]; for more, the classes' weights sum to zero.

    >>> from mlcore.labels import count_labels
    >>> from mlcore.rows import as_rows
    >>> X, y = np.array([[-2.0], [0.0], [0.0], [2.0]]), np.array([0.0, 0.0, 1.0, 1.0])
    >>> rows = as_rows(X, y)
    >>> discriminant(rows, count_labels(rows), 0.0)
    array([2., 0.])
    """
    K, d = len(labels.of_class), rows.n_columns
    rates = labels.of_class / labels.weight
    sums = rows.total(_ClassSums(K))
    means = sums[: K * d].reshape(K, d) / labels.of_class[:, np.newaxis]
    mean = rates @ means
    squares = sums[K * d :].reshape(d, d) / labels.weight
    within = squares - (means.T * rates) @ means
    within.ravel()[:: d + 1] += lambda_ * K / (1.0 - float(rates @ rates))
    if not math.isfinite(np.add.reduce(within, axis=None)):
        return np.full((d + 1) * (K if K > 2 else 1), np.nan)
    inverse = InverseHessian.of(within, free=_varies(squares, mean), scale=unit_diagonal(within))
    W = (means - mean) @ inverse.matrix
    b = np.log(rates) - 0.5 * np.einsum("kj,kj->k", W, means + mean)
    if K == 2:
        return np.append(W[1] - W[0], b[1] - b[0])
    theta: FloatArray = np.column_stack((W, b))
    return np.ravel(theta - theta.mean(axis=0))


def _varies(squares: FloatArray, mean: FloatArray) -> FloatArray:
    """1 for a column whose variance can be told from 0, else 0."""
    return (squares.diagonal() * (1 - 64 * EPS) > mean * mean).astype(np.float64)


@dataclass(frozen=True)
class _ClassSums:
    """[sum of s x in each class, sum of s x x'] of a block."""

    n_classes: int

    def __call__(self) -> Kernel:
        return self._of_block

    def _of_block(self, block: Block) -> FloatArray:
        members = (np.arange(self.n_classes)[:, np.newaxis] == block.y).astype(np.float64)
        if block.weights is None:
            gram = block.X.T @ block.X
        else:
            members *= block.weights
            gram = block.X.T @ (block.X * block.weights[:, np.newaxis])
        return np.concatenate(((members @ block.X).ravel(), gram.ravel()))
