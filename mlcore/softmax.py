"""The softmax loss of three or more classes and its derivatives; knows no names or solvers.

Conventions, beside those of ``loss``:

* y holds class numbers 0 .. K - 1; W has shape (K, d), b has shape (K,).
* theta has shape (K (d + 1),): [w_0, b_0, w_1, b_1, ..], one class after the other.
* score eta_ik = x_i . w_k + b_k; probability p_ik = exp(eta_ik) / sum_l exp(eta_il).
* loss_i = log sum_l exp(eta_il) - eta_i,y_i, residual r_ik = p_ik - [k = y_i], and the curvature
  between classes k and l is p_ik ([k = l] - p_il).

Adding one vector to the weights of every class changes no probability: of all such solutions the
one whose weights sum to zero over the classes is meant (see ``gauge``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlcore.arrays import FloatArray
from mlcore.rows import Block, Kernel


def scores(X: FloatArray, theta: FloatArray) -> FloatArray:
    """eta = X W' + b, shape (n, K)."""
    per_class = theta.reshape(-1, X.shape[1] + 1)
    eta: FloatArray = X @ per_class[:, :-1].T + per_class[:, -1]
    return eta


def softmax(eta: FloatArray) -> FloatArray:
    """p_ik = exp(eta_ik - m_i) / sum_l exp(eta_il - m_i) with m_i = max_l eta_il, shape (n, K).

    >>> softmax(np.array([[1000.0, 1000.0, -1000.0]]))
    array([[0.5, 0.5, 0. ]])
    """
    e = np.exp(eta - eta.max(axis=1, keepdims=True))
    p: FloatArray = e / e.sum(axis=1, keepdims=True)
    return p


def softmax_losses(eta: FloatArray, y: FloatArray) -> FloatArray:
    """-log p_i,y_i of each row in nats, shape (n,).

    >>> softmax_losses(np.array([[0.0, 0.0], [-1000.0, 0.0]]), np.array([1, 0])).round(6).tolist()
    [0.693147, 1000.0]
    """
    shifted = eta - eta.max(axis=1, keepdims=True)
    own = shifted[np.arange(len(y)), np.asarray(y, dtype=np.int64)]
    loss: FloatArray = np.log(np.exp(shifted).sum(axis=1)) - own
    return loss


def gauge(n_classes: int, n_columns: int, *, penalised: bool) -> FloatArray:
    """The directions of theta that change no probability, as a projector on them.

    With a penalty only the intercepts have one: the penalty decides about the weights.
    """
    free = np.eye(n_columns + 1)
    if penalised:
        free[:-1] = 0.0
    return np.kron(np.full((n_classes, n_classes), 1.0 / n_classes), free)


@dataclass(frozen=True, eq=False)
class SoftmaxPass:
    """One pass over the rows at theta: loss, gradient and, where ``curved``, Hessian sums."""

    theta: FloatArray
    curved: bool

    def __call__(self) -> Kernel:
        return self._of_block

    def _of_block(self, block: Block) -> FloatArray:
        eta = scores(block.X, self.theta)
        labels = block.y.astype(np.int64)
        loss = softmax_losses(eta, block.y)
        p = softmax(eta)
        s = np.ones(len(labels)) if block.weights is None else block.weights
        residual = p.copy()
        residual[np.arange(len(labels)), labels] -= 1.0
        X1 = np.column_stack((block.X, np.ones(len(labels))))
        parts = [np.array([s @ loss]), ((residual * s[:, np.newaxis]).T @ X1).ravel()]
        if self.curved:
            parts.append(_curvature(X1, p, s).ravel())
        return np.concatenate(parts)


def _curvature(X1: FloatArray, p: FloatArray, s: FloatArray) -> FloatArray:
    """Block (k, l) is [x 1]' diag(s p_k ([k = l] - p_l)) [x 1]; the upper ones are mirrored."""
    K, size = p.shape[1], X1.shape[1]
    H = np.empty((K, size, K, size))
    for k in range(K):
        for other in range(k, K):
            h = s * p[:, k] * (float(k == other) - p[:, other])
            H[k, :, other] = (X1 * h[:, np.newaxis]).T @ X1
            H[other, :, k] = H[k, :, other].T
    return H.reshape(K * size, K * size)
