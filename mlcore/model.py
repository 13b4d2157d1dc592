"""Logistic regression as a learner meets it: forward, loss, backward, update; knows no solver.

Each operation states its forward line and its derivative side by side. The solvers use the same
model through the exact kernels of ``loss``; here nothing is folded away.
"""

from __future__ import annotations

import numpy as np

from mlcore.arrays import FloatArray
from mlcore.loss import sigmoid

LOGIT_CLIP = 500.0
PROBABILITY_CLIP = 1e-15


class LogisticModel:
    """P(y = 1 | x) = sigmoid(x . W + b), trained by plain gradient steps.

    X is (n, d) and standardised, y is (n,) of 0.0 and 1.0, W is (d,), b a float.
    ``lr`` is the step, ``lambda_`` the penalty in (lambda/2) |W|^2; b is not penalised.

    >>> model = LogisticModel(1, lr=1.0, lambda_=0.0)
    >>> X, y = np.array([[-1.0], [1.0]]), np.array([0.0, 1.0])
    >>> for _ in range(3):
    ...     z, p = model.forward(X)
    ...     print(round(model.loss(y, p), 4))
    ...     model.update(*model.backward(X, y, p))
    0.6931
    0.4741
    0.3477
    """

    def __init__(self, n_features: int, *, lr: float = 0.01, lambda_: float = 0.01) -> None:
        self.W: FloatArray = np.zeros(n_features)
        self.b = 0.0
        self.lr = lr
        self.lambda_ = lambda_

    def forward(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Logits and probabilities.

        forward     z = X W + b                 p = sigmoid(z)
        derivative  dz/dW = X,  dz/db = 1       dp/dz = p (1 - p)

        z is clipped to +-500, beyond which p is 0 or 1 to any reader.
        """
        z = np.clip(X @ self.W + self.b, -LOGIT_CLIP, LOGIT_CLIP)
        return z, sigmoid(z)

    def loss(self, y: FloatArray, p: FloatArray) -> float:
        """The penalised mean log loss.

        forward     L = -mean(y log p + (1 - y) log(1 - p)) + (lambda/2) |W|^2
        derivative  dL/dp_i = (p_i - y_i) / (n p_i (1 - p_i)),  d penalty/dW = lambda W

        p is clipped to [1e-15, 1 - 1e-15], so one wrong and certain row costs 34.5 nats at most.
        """
        p = np.clip(p, PROBABILITY_CLIP, 1.0 - PROBABILITY_CLIP)
        log_loss = -np.mean(y * np.log(p) + (1.0 - y) * np.log1p(-p))
        return float(log_loss + 0.5 * self.lambda_ * (self.W @ self.W))

    def backward(self, X: FloatArray, y: FloatArray, p: FloatArray) -> tuple[FloatArray, float]:
        """The gradient, by the chain rule through loss and forward.

        chain   dL/dz_i = dL/dp_i dp_i/dz_i = (p_i - y_i) / n     (the p (1 - p) cancels)
        result  dL/dW = X' (p - y) / n + lambda W,  dL/db = mean(p - y)
        """
        residual = p - y
        dW = X.T @ residual / len(y) + self.lambda_ * self.W
        return dW, float(residual.mean())

    def update(self, dW: FloatArray, db: float) -> None:
        """One gradient step: W <- W - lr dL/dW, b <- b - lr dL/db."""
        self.W = self.W - self.lr * dW
        self.b -= self.lr * db
