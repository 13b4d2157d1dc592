"""Rows and the coefficients fitted to them, block by block; knows no solver and no statistics.

Two classes and many are one case here. The scores of K classes sum to zero over the classes, so
m = K - 1 contrasts v = C' eta hold all of them, with orthonormal columns in C (K, m); for two
classes v is the logit itself and m = 1. The coefficients are V (m, d + 1), the intercept last, and
vectors and matrices over them run through V row by row. Nothing is singular merely because of the
notation, and |V|^2 = |W|^2 for weights that sum to zero over the classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlcore.arrays import LIMIT, FloatArray, IntArray, floats, is_constant
from mlcore.errors import DataError
from mlcore.loss import pointwise
from mlcore.softmax import softmax, softmax_losses

_BLOCK_CELLS = 2**17
_FEWEST_ROWS, _MOST_ROWS = 16, 4096


class Slice(NamedTuple):
    """Some rows at the fitted coefficients; b is their number, m that of the contrasts.

    X1 is [x 1] (b, d + 1), y and weights (b,), v the contrasts (b, m), loss in nats (b,), and its
    derivatives in v: residual (b, m), curvature (b, m, m).
    """

    X1: FloatArray
    y: FloatArray
    weights: FloatArray
    v: FloatArray
    loss: FloatArray
    residual: FloatArray
    curvature: FloatArray


@dataclass(frozen=True, eq=False)
class Fitted:
    """Rows and the coefficients fitted to them; see ``fitted``.

    ``fixed`` marks the columns of [X 1] whose coefficient no row informs about;
    ``class_weights`` is the weight of all rows of each class.
    """

    X: NDArray[Any]
    y: NDArray[Any]
    weights: NDArray[Any] | None
    V: FloatArray
    contrasts: FloatArray | None
    lambda_: float
    fixed: NDArray[np.bool_]
    class_weights: FloatArray
    rows: IntArray | None = None

    @property
    def is_softmax(self) -> bool:
        return self.contrasts is not None

    @property
    def n_classes(self) -> int:
        return 2 if self.contrasts is None else len(self.contrasts)

    @property
    def n_rows(self) -> int:
        return len(self.X) if self.rows is None else len(self.rows)

    @property
    def theta(self) -> FloatArray:
        """The coefficients class by class: (1, d + 1) for two classes, else (K, d + 1)."""
        return self.V if self.contrasts is None else self.contrasts @ self.V

    @property
    def penalty(self) -> FloatArray:
        """lambda for every weight, 0 for the intercepts, shape (P,)."""
        each = np.full(self.V.shape, self.lambda_)
        each[:, -1] = 0.0
        return each.ravel()

    def part(self, rows: IntArray) -> Fitted:
        """The same coefficients on some of the rows."""
        return replace(self, rows=rows)

    def at(self, theta: FloatArray, lambda_: float) -> Fitted:
        """Other coefficients on the same rows."""
        V = theta[np.newaxis] if self.contrasts is None else self.contrasts.T @ theta
        return replace(self, V=V, lambda_=lambda_)

    def blocks(self) -> Iterator[Slice]:
        step = _rows_per_block(self.V.size)
        for start in range(0, self.n_rows, step):
            stop = min(start + step, self.n_rows)
            yield self._slice(slice(start, stop) if self.rows is None else self.rows[start:stop])

    def _slice(self, rows: slice | IntArray) -> Slice:
        X = np.asarray(self.X[rows], dtype=np.float64)
        y = np.asarray(self.y[rows], dtype=np.float64)
        s = np.ones(len(y)) if self.weights is None else np.asarray(self.weights[rows], np.float64)
        X1 = np.column_stack((X, np.ones(len(y))))
        v = X1 @ self.V.T
        return Slice(X1, y, s, v, *self.derivatives(v, y))

    def derivatives(
        self, v: FloatArray, y: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Loss, residual and curvature of rows with contrasts v."""
        if self.contrasts is None:
            at = pointwise(v[:, 0], y)
            return at.loss, at.residual[:, np.newaxis], at.curvature[:, np.newaxis, np.newaxis]
        eta = v @ self.contrasts.T
        p = softmax(eta)
        return softmax_losses(eta, y), *_in_contrasts(p, y, self.contrasts)

    def scores(self, v: FloatArray) -> FloatArray:
        """Logits (n,) of two classes, scores (n, K) of more, from contrasts (n, m)."""
        return v[:, 0] if self.contrasts is None else v @ self.contrasts.T


def _in_contrasts(p: FloatArray, y: FloatArray, C: FloatArray) -> tuple[FloatArray, FloatArray]:
    """C'(p - e_y) and C'(diag p - p p')C of each row."""
    m = C.shape[1]
    mean = p @ C
    squares = (C[:, :, np.newaxis] * C[:, np.newaxis, :]).reshape(len(C), m * m)
    curvature = (p @ squares).reshape(-1, m, m) - mean[:, :, np.newaxis] * mean[:, np.newaxis, :]
    residual = p.copy()
    residual[np.arange(len(y)), y.astype(np.int64)] -= 1.0
    return residual @ C, curvature


def fitted(
    X: NDArray[Any],
    y: NDArray[Any],
    theta: FloatArray,
    lambda_: float = 0.0,
    weights: NDArray[Any] | None = None,
) -> Fitted:
    """Rows X (n, d), y (n,), weights (n,) or None, with their coefficients.

    theta of shape (d + 1,) is logistic, [w, b], with y of 0 and 1; of shape (K, d + 1) it is
    softmax, one [w_k, b_k] a row, with y of 0 .. K - 1. A vector common to all classes changes no
    probability and is taken out. Raises DataError for shapes and values that do not fit.

    >>> fit = fitted(np.array([[-1.0], [1.0]]), np.array([0.0, 1.0]), np.array([1.0, 0.0]))
    >>> [block.loss.round(6).tolist() for block in fit.blocks()]
    [[0.313262, 0.313262]]
    """
    X, y, theta = _numbers(X, "rows"), _numbers(y, "labels"), floats(theta, "coefficients")
    weights = None if weights is None else _numbers(weights, "weights")
    _check_shapes(X, y, theta, weights)
    if not np.isfinite(theta).all():
        raise DataError("the coefficients must be finite: the model is not fitted")
    if not (isinstance(lambda_, Real) and 0 <= lambda_ < np.inf):
        raise DataError(f"lambda_ must be a finite number of at least 0, got {lambda_!r}")
    C = None if theta.ndim == 1 else orthonormal_contrasts(len(theta))
    counts = _class_weights(y, weights, 2 if C is None else len(C))
    fixed = np.append(constant_columns(X), False)
    return Fitted(X, y, weights, np.empty((0, 0)), C, lambda_, fixed, counts).at(theta, lambda_)


def _numbers(values: NDArray[Any], what: str) -> NDArray[Any]:
    """Of whatever numeric type they have: float32 rows are read block by block."""
    array = np.asanyarray(values)
    if array.dtype.kind not in "bfiu":
        raise DataError(f"the {what} must be numbers, got {array.dtype}")
    return array


def _check_shapes(
    X: NDArray[Any], y: NDArray[Any], theta: FloatArray, weights: NDArray[Any] | None
) -> None:
    if X.ndim != 2 or y.shape != (len(X),) or len(X) == 0:
        raise DataError(f"X must be (n, d) and y (n,) with n > 0, got {X.shape} and {y.shape}")
    if weights is not None and weights.shape != y.shape:
        raise DataError(f"weights must be {y.shape}, got {weights.shape}")
    size = X.shape[1] + 1
    if theta.ndim not in (1, 2) or theta.shape[-1] != size or (theta.ndim == 2 and len(theta) < 2):
        raise DataError(f"theta must be ({size},) or (K, {size}) with K >= 2, got {theta.shape}")


def _class_weights(y: NDArray[Any], weights: NDArray[Any] | None, n_classes: int) -> FloatArray:
    """The weight of each class, once every label and weight is seen to be one."""
    counts = np.zeros(n_classes)
    for start in range(0, len(y), _BLOCK_CELLS):
        rows = slice(start, start + _BLOCK_CELLS)
        labels = np.asarray(y[rows], dtype=np.float64)
        usable = (labels >= 0) & (labels < n_classes) & (labels == np.floor(labels))
        _refuse_rows("y", labels, usable, f"0 .. {n_classes - 1}", start)
        s = None if weights is None else np.asarray(weights[rows], dtype=np.float64)
        if s is not None:
            usable = (s >= 0) & np.isfinite(s)
            _refuse_rows("weights", s, usable, "finite numbers of at least 0", start)
        counts += np.bincount(labels.astype(np.int64), weights=s, minlength=n_classes)
    if not counts.sum() > 0:
        raise DataError("the weights sum to zero; at least one row must count")
    return counts


def _refuse_rows(
    name: str, values: FloatArray, usable: NDArray[np.bool_], expected: str, start: int
) -> None:
    if not usable.all():
        row = int(np.argmin(usable))
        raise DataError(f"{name} must hold {expected}; got {values[row]} in row {start + row}")


def orthonormal_contrasts(n_classes: int) -> FloatArray:
    """Helmert's contrasts, shape (K, K - 1): column j compares class j + 1 with those before."""
    C = np.zeros((n_classes, n_classes - 1))
    for j in range(1, n_classes):
        C[:j, j - 1] = 1.0
        C[j, j - 1] = -j
        C[:, j - 1] /= np.sqrt(j * (j + 1.0))
    return C


def constant_columns(X: NDArray[Any]) -> NDArray[np.bool_]:
    """Columns that are constant, or so small that their squares vanish; block by block."""
    step = _rows_per_block(X.shape[1])
    squares = np.zeros(X.shape[1])
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        mean = X.mean(axis=0, dtype=np.float64)
        for start in range(0, len(X), step):
            squares += np.square(X[start : start + step] - mean).sum(axis=0)
    sd = np.sqrt(squares / len(X))
    return is_constant(mean, sd, len(X)) | (sd < 1 / LIMIT)


def _rows_per_block(width: int) -> int:
    """Rows of so many float64 values that together take about 1 MiB."""
    return min(max(_BLOCK_CELLS // max(width, 1), _FEWEST_ROWS), _MOST_ROWS)
