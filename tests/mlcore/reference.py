"""An independent optimum for tests: plain Newton on whole arrays, with no code of the package."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def optimum(X: Array, y: Array, lambda_: float = 0.0, weights: Array | None = None) -> Array:
    """theta = [w, b] of the logistic objective (1/S) sum s loss + (lambda/2) |w|^2."""
    s = np.ones(len(y)) if weights is None else weights
    X1 = np.column_stack((X, np.ones(len(X))))
    penalty = s.sum() * lambda_ * np.append(np.ones(X.shape[1]), 0.0)
    theta = np.zeros(X1.shape[1])
    for _ in range(60):
        p = 1 / (1 + np.exp(-X1 @ theta))
        g = X1.T @ (s * (p - y)) + penalty * theta
        H = X1.T @ (X1 * (s * p * (1 - p))[:, None]) + np.diag(penalty)
        step = np.linalg.solve(H, g)
        theta = theta - step
        if np.abs(step).max() < 1e-13:
            break
    return theta


def softmax_optimum(
    X: Array, y: Array, lambda_: float, weights: Array | None = None, n_classes: int | None = None
) -> Array:
    """theta (K, d + 1) of the softmax objective; lambda > 0 or classes that overlap."""
    s = np.ones(len(y)) if weights is None else weights
    K = n_classes or int(y.max()) + 1
    X1 = np.column_stack((X, np.ones(len(X))))
    size = X1.shape[1]
    Y = np.eye(K)[y.astype(int)]
    penalty = s.sum() * lambda_ * np.tile(np.append(np.ones(size - 1), 0.0), K)
    free = np.kron(np.full((K, K), 1.0), np.eye(size))
    theta = np.zeros((K, size))
    for _ in range(60):
        eta = X1 @ theta.T
        p = np.exp(eta - eta.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        g = ((p - Y) * s[:, None]).T @ X1
        g = g.ravel() + penalty * theta.ravel()
        L = -p[:, :, None] * p[:, None, :] + np.eye(K) * p[:, :, None]
        H = np.einsum("i,iab,ic,id->acbd", s, L, X1, X1, optimize=True)
        H = H.reshape(K * size, K * size) + np.diag(penalty) + free
        step = np.linalg.solve(H, g).reshape(K, size)
        theta = theta - step
        if np.abs(step).max() < 1e-13:
            break
    return theta - theta.mean(axis=0)
