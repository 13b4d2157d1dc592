"""What turns encoded slots into scores that explain themselves; knows no names, rows or files.

An estimator is additive: the score of a row is ``base`` plus one contribution a slot. Two classes
have one score, of the positive class; K >= 3 classes have K. A row's result is the same to the
last bit in any batch: a matrix product or a sum along the row would be faster, but both order
their additions by the shape of the whole batch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np

from mlcore.arrays import FloatArray
from mlcore.loss import sigmoid

Unit = Literal["log_odds", "probability"]


class Explained(NamedTuple):
    """Scores of shape (n, m) and contributions of shape (n, m, s), in the estimator's unit."""

    scores: FloatArray
    contributions: FloatArray


class Estimator(Protocol):
    """m = 1 score for two classes, m = K for more; Z of shape (n, s) holds encoded slots.

    For every row, score and slot: scores = base + contributions.sum(axis=2). ``probabilities``
    turns scores into shape (n, K), where K is ``n_classes``.
    """

    @property
    def family(self) -> str: ...

    @property
    def n_classes(self) -> int: ...

    @property
    def n_slots(self) -> int: ...

    @property
    def unit(self) -> Unit: ...

    @property
    def base(self) -> FloatArray: ...

    def scores(self, Z: FloatArray) -> FloatArray: ...

    def explain(self, Z: FloatArray) -> Explained: ...

    def probabilities(self, scores: FloatArray) -> FloatArray: ...


class Linear(ABC):
    """The algebra that the linear estimators share: score_k = base_k + sum_j w_kj z_j."""

    @property
    @abstractmethod
    def matrix(self) -> FloatArray:
        """The weights in shape (m, s)."""

    @property
    @abstractmethod
    def base(self) -> FloatArray:
        """The intercepts in shape (m,)."""

    @property
    def n_slots(self) -> int:
        return int(self.matrix.shape[1])

    @property
    def unit(self) -> Unit:
        return "log_odds"

    def scores(self, Z: FloatArray) -> FloatArray:
        """Shape (n, m); slots are added one after the other, elementwise over the rows."""
        scores = np.empty((len(self.matrix), len(Z)))
        for score, weights, base in zip(scores, self.matrix, self.base, strict=True):
            score[:] = base
            for column, weight in zip(Z.T, weights, strict=True):
                score += column * weight
        return scores.T

    def explain(self, Z: FloatArray) -> Explained:
        """The scores, and w_kj z_j for every slot: no approximation is needed for a sum.

        exp(contribution) is the factor by which a slot moves the odds of the class.
        """
        slots = self.matrix[:, :, np.newaxis] * Z.T
        scores = np.empty((len(slots), len(Z)))
        for score, contributions, base in zip(scores, slots, self.base, strict=True):
            score[:] = base
            for contribution in contributions:
                score += contribution
        return Explained(scores.T, slots.transpose(2, 0, 1))


@dataclass(frozen=True, eq=False)
class Logistic(Linear):
    """P(positive) = sigmoid(intercept + sum_j w_j z_j); ``weights`` of shape (s,), in log-odds.

    >>> model = Logistic(np.array([0.5, 1.0]), 0.25)
    >>> scores, contributions = model.explain(np.array([[1.0, -2.0]]))
    >>> scores, contributions
    (array([[-1.25]]), array([[[ 0.5, -2. ]]]))
    >>> model.probabilities(scores).round(4)
    array([[0.7773, 0.2227]])
    """

    weights: FloatArray
    intercept: float

    def __post_init__(self) -> None:
        if self.weights.ndim != 1:
            raise ValueError(f"weights must have shape (s,), not {self.weights.shape}")

    @property
    def family(self) -> str:
        return "logistic"

    @property
    def n_classes(self) -> int:
        return 2

    @property
    def matrix(self) -> FloatArray:
        return self.weights[np.newaxis]

    @property
    def base(self) -> FloatArray:
        return np.array([self.intercept])

    def probabilities(self, scores: FloatArray) -> FloatArray:
        """Shape (n, 2), the positive class second; each side keeps its small probabilities."""
        logits = scores[:, 0]
        return np.array([sigmoid(-logits), sigmoid(logits)]).T


@dataclass(frozen=True, eq=False)
class Softmax(Linear):
    """P(k) = exp(score_k) / sum_l exp(score_l), score_k = b_k + sum_j w_kj z_j.

    ``weights`` has shape (K, s) and ``intercepts`` shape (K,). A vector added to all classes
    changes no probability; the sum over the classes is zero here (see ``centred``), so a score is
    the log of the class's probability over the geometric mean of all of them.

    >>> model = Softmax.centred(np.array([[1.0], [0.0], [2.0]]), np.zeros(3))
    >>> model.weights.ravel()
    array([ 0., -1.,  1.])
    >>> model.probabilities(model.scores(np.array([[1.0]]))).round(4)
    array([[0.2447, 0.09  , 0.6652]])
    """

    weights: FloatArray
    intercepts: FloatArray

    def __post_init__(self) -> None:
        shape = self.weights.shape
        if len(shape) != 2 or shape[0] < 3 or self.intercepts.shape != shape[:1]:
            raise ValueError(
                "weights must have shape (K, s) and intercepts shape (K,) for K >= 3 classes, "
                f"not {shape} and {self.intercepts.shape}"
            )

    @classmethod
    def centred(cls, weights: FloatArray, intercepts: FloatArray) -> Softmax:
        """The same probabilities, with weights and intercepts that sum to zero over the classes."""
        return cls(weights - weights.mean(axis=0), intercepts - intercepts.mean())

    @property
    def family(self) -> str:
        return "softmax"

    @property
    def n_classes(self) -> int:
        return len(self.intercepts)

    @property
    def matrix(self) -> FloatArray:
        return self.weights

    @property
    def base(self) -> FloatArray:
        return self.intercepts

    def probabilities(self, scores: FloatArray) -> FloatArray:
        """Shape (n, K). The largest score is taken off first: exp cannot overflow."""
        columns = np.exp(scores.T - scores.max(axis=1))
        total = np.zeros(len(scores))
        for column in columns:
            total += column
        probabilities: FloatArray = columns / total
        return probabilities.T
