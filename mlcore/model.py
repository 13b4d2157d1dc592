"""Logistic regression as a learner meets it: forward, loss, backward, update; knows no solver.

Each operation states its forward line and its derivative side by side. The solvers use the same
model through the exact kernels of ``loss`` and ``softmax``; here nothing is folded away.
"""

from __future__ import annotations

import numpy as np

from mlcore.arrays import FloatArray, IntArray
from mlcore.errors import DataError
from mlcore.loss import sigmoid
from mlcore.softmax import softmax

LOGIT_CLIP = 500.0
PROBABILITY_CLIP = 1e-15


class LogisticModel:
    """P(y = 1 | x) = sigmoid(x . W + b), or P(y = k | x) = softmax(x W + b)_k for K > 2 classes.

    X is (n, d) and standardised, y is (n,) of class numbers 0 .. K - 1. W is (d,) and b a number
    for two classes, W is (d, K) and b (K,) for more. ``lr`` is the step of plain full-batch
    gradient descent, ``lambda_`` the penalty in (lambda/2) |W|^2; b is not penalised.

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

    def __init__(
        self, n_features: int, n_classes: int = 2, *, lr: float = 0.01, lambda_: float = 0.01
    ) -> None:
        if n_classes < 2:
            raise DataError(f"n_classes must be at least 2, got {n_classes}")
        self.n_classes = n_classes
        self.W: FloatArray = np.zeros(n_features if n_classes == 2 else (n_features, n_classes))
        self.b: float | FloatArray = 0.0 if n_classes == 2 else np.zeros(n_classes)
        self.lr = lr
        self.lambda_ = lambda_

    def forward(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Logits and probabilities: (n,) each for two classes, (n, K) for more.

        forward     z = X W + b                 p = sigmoid(z), or softmax(z) row by row
        derivative  dz/dW = X,  dz/db = 1       dp/dz = p (1 - p), or dp_k/dz_l = p_k ([k=l] - p_l)

        z is clipped to +-500, beyond which p is 0 or 1 to any reader.
        """
        z = np.clip(X @ self.W + self.b, -LOGIT_CLIP, LOGIT_CLIP)
        return z, sigmoid(z) if self.n_classes == 2 else softmax(z)

    def loss(self, y: FloatArray, p: FloatArray) -> float:
        """The penalised mean log loss, with p_y the probability given to a row's own class.

        forward     L = -mean(log p_y) + (lambda/2) |W|^2;  p_y = p where y = 1, else 1 - p
        derivative  dL/dp_y = -1 / (n p_y),  d penalty/dW = lambda W

        p is clipped to [1e-15, 1 - 1e-15], so one wrong and certain row costs 34.5 nats at most.
        """
        p = np.clip(p, PROBABILITY_CLIP, 1.0 - PROBABILITY_CLIP)
        if self.n_classes == 2:
            log_loss = -np.mean(y * np.log(p) + (1.0 - y) * np.log1p(-p))
        else:
            log_loss = -np.mean(np.log(p[np.arange(len(y)), np.asarray(y, dtype=np.int64)]))
        return float(log_loss + 0.5 * self.lambda_ * np.sum(self.W**2))

    def backward(
        self, X: FloatArray, y: FloatArray, p: FloatArray
    ) -> tuple[FloatArray, float | FloatArray]:
        """The gradient, by the chain rule through loss and forward.

        chain   dL/dz_i = dL/dp_i dp_i/dz_i = (p_i - y_i) / n     (the p (1 - p) cancels)
        result  dL/dW = X' (p - y) / n + lambda W,  dL/db = mean(p - y)

        For more than two classes y stands for its row of the identity: 1 in the column of its
        class and 0 elsewhere.
        """
        residual = p - (y if self.n_classes == 2 else self._one_hot(y))
        dW = X.T @ residual / len(y) + self.lambda_ * self.W
        db = residual.mean(axis=0)
        return dW, float(db) if self.n_classes == 2 else db

    def update(self, dW: FloatArray, db: float | FloatArray) -> None:
        """One gradient step: W <- W - lr dL/dW, b <- b - lr dL/db."""
        self.W = self.W - self.lr * dW
        self.b = self.b - self.lr * db

    def fit(self, X: FloatArray, y: FloatArray, *, epochs: int = 100) -> list[float]:
        """``epochs`` steps over all rows, on from where the model is; the loss before each."""
        losses = []
        for _ in range(epochs):
            _, p = self.forward(X)
            losses.append(self.loss(y, p))
            self.update(*self.backward(X, y, p))
        return losses

    def predict_proba(self, X: FloatArray) -> FloatArray:
        """The probability of every class, (n, K), two classes included; rows sum to 1."""
        _, p = self.forward(X)
        return np.column_stack((1.0 - p, p)) if self.n_classes == 2 else p

    def predict(self, X: FloatArray) -> IntArray:
        """The number of the most probable class, (n,); at p = 1/2 class 1."""
        _, p = self.forward(X)
        if self.n_classes == 2:
            return np.asarray(p >= 0.5, dtype=np.int64)
        return np.asarray(np.argmax(p, axis=1), dtype=np.int64)

    def _one_hot(self, y: FloatArray) -> FloatArray:
        return np.eye(self.n_classes)[np.asarray(y, dtype=np.int64)]
