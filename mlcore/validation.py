"""How a model does on rows it has not seen: nearly free from one fit, or by honest refits.

Approximate leave-one-out and one-step K-fold need the gradient and the Hessian at the optimum and
nothing else; cross-validation fits anew and knows nothing of the model but fit and predict. All
three score every row once, by coefficients that did not see it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from mlcore.arrays import FloatArray, IntArray, column_moments
from mlcore.errors import DataError
from mlcore.fitted import Fitted, Slice, fitted
from mlcore.information import (
    Information,
    covariance,
    information,
    leverages,
    penalised_gradient,
)
from mlcore.loss import pointwise, sigmoid
from mlcore.pseudoinverse import Inverse
from mlcore.ranking import mean_roc_auc, roc_auc
from mlcore.softmax import softmax, softmax_losses
from mlcore.split import stratified_folds

Predict = Callable[[FloatArray], FloatArray]
"""Rows X (n, d) to P(y = 1) of shape (n,), or to the probabilities of K classes (n, K)."""

Fit = Callable[[FloatArray, FloatArray], Predict]
"""Training rows X (n, d) and y (n,) to a way to predict."""

_DAMPING = 1e-9


@dataclass(frozen=True)
class FreeValidationReport:
    """Scores of rows unseen by the coefficients that scored them.

    ``log_loss`` in nats a row, with the standard error of that mean over the rows. ``brier``
    sums over the classes when there are more than two; ``roc_auc`` is then the mean of each
    class against the rest, and None where a class is missing.
    """

    method: str
    n: int
    log_loss: float
    log_loss_error: float
    accuracy: float
    roc_auc: float | None
    brier: float


@dataclass(frozen=True)
class CrossValidationReport:
    """``pooled`` over all rows, and each fold on its own."""

    pooled: FreeValidationReport
    folds: tuple[FreeValidationReport, ...]


def leave_one_out(
    X: FloatArray,
    y: FloatArray,
    theta: FloatArray,
    lambda_: float,
    weights: FloatArray | None = None,
) -> FreeValidationReport:
    """The report of ``leave_one_out_scores``.

    >>> X, y = np.array([[-1.0], [-0.5], [0.5], [1.0]]), np.array([0.0, 1.0, 0.0, 1.0])
    >>> report = leave_one_out(X, y, np.array([0.3522, 0.0]), 0.2)
    >>> report.method, round(report.log_loss, 3)
    ('approximate leave-one-out', 1.307)
    """
    fit = fitted(X, y, theta, lambda_, weights)
    sums = information(fit)
    v = left_out(fit, covariance(fit, sums))
    return _of_scores("approximate leave-one-out", fit.scores(v), fit)


def leave_one_out_scores(
    X: FloatArray,
    y: FloatArray,
    theta: FloatArray,
    lambda_: float,
    weights: FloatArray | None = None,
) -> FloatArray:
    """The logit of each row, from the fit without it; scores (n, K) for softmax.

    theta is the optimum on all rows, (d + 1,) or (K, d + 1) for softmax. With a_i = x_i' Cov x_i
    and Cov the inverse of the penalised information, one Newton step without row i gives

        z_i without i = z_i + a_i s_i r_i / (1 - a_i s_i h_i)

    and for softmax, with M_i in place of a_i and L_i the curvature of row i between the classes,
    eta_i + M_i (I - s_i L_i M_i)^-1 s_i r_i. The penalty S lambda stays that of all rows.
    Costs one pass. Source: Rad and Maleki (2020), "A scalable estimate of the out-of-sample
    prediction error via approximate leave-one-out". Raises DataError as ``fitted`` does.
    """
    fit = fitted(X, y, theta, lambda_, weights)
    return fit.scores(left_out(fit, covariance(fit, information(fit))))


def left_out(fit: Fitted, spread: Inverse) -> FloatArray:
    """The contrasts (n, m) of every row without that row; ``spread`` is its covariance.

    Where a row alone decides a coefficient, I - s L M is singular; its eigenvalues, which lie
    in [0, 1], are kept 1e-9 away from 0.
    """
    return np.concatenate([_left_out_of(block, spread) for block in fit.blocks()])


def _left_out_of(block: Slice, spread: Inverse) -> FloatArray:
    M = leverages(block, spread)
    s = block.weights[:, np.newaxis]
    h, r = (1.0 - _DAMPING) * s[:, np.newaxis] * block.curvature, s * block.residual
    if M.shape[1] == 1:  # a thousand 1 x 1 systems are solved faster by division
        return np.asarray(block.v + M[:, 0] * r / (1.0 - h[:, 0] * M[:, 0]))
    pull = np.linalg.solve(np.eye(M.shape[1]) - h @ M, r[:, :, np.newaxis])
    return np.asarray(block.v + (M @ pull)[:, :, 0])


def one_step_folds(
    X: FloatArray,
    y: FloatArray,
    theta: FloatArray,
    lambda_: float,
    fold: IntArray,
    weights: FloatArray | None = None,
) -> FreeValidationReport:
    """The report of ``one_step_fold_scores``.

    >>> X, y = np.array([[-1.0], [-0.5], [0.5], [1.0]]), np.array([0.0, 1.0, 0.0, 1.0])
    >>> fold = np.array([0, 1, 1, 0])
    >>> one_step_folds(X, y, np.array([0.3522, 0.0]), 0.2, fold).n
    4
    """
    fit = fitted(X, y, theta, lambda_, weights)
    scores = fit.scores(_one_step(fit, fold))
    return _of_scores(f"one-step {len(np.unique(fold))}-fold", scores, fit)


def one_step_fold_scores(
    X: FloatArray,
    y: FloatArray,
    theta: FloatArray,
    lambda_: float,
    fold: IntArray,
    weights: FloatArray | None = None,
) -> FloatArray:
    """The logit (n,), or softmax scores (n, K), of each row by one Newton step without its fold.

    theta_k = theta - (H - H_k)^-1 (g - g_k), with H and g the penalised sums over all rows, H_k
    and g_k the sums over fold k: the penalty S lambda stays that of all rows, which a refit of
    the others reaches with lambda S / (S - S_k). fold (n,) numbers the folds, as
    ``split.stratified_folds`` does. Costs one pass for the sums and one for the scores. Raises
    DataError for fewer than 2 folds and as ``fitted`` does.

    >>> X, y = np.array([[-1.0], [-0.5], [0.5], [1.0]]), np.array([0.0, 1.0, 0.0, 1.0])
    >>> fold = np.array([0, 1, 1, 0])
    >>> one_step_fold_scores(X, y, np.array([0.3522, 0.0]), 0.2, fold).round(2).tolist()
    [0.54, -0.39, 0.39, -0.54]
    """
    fit = fitted(X, y, theta, lambda_, weights)
    return fit.scores(_one_step(fit, fold))


def _one_step(fit: Fitted, fold: IntArray) -> FloatArray:
    numbers = np.unique(fold)
    if np.shape(fold) != fit.y.shape or len(numbers) < 2:
        raise DataError(f"fold must be {fit.y.shape} and name at least 2 folds")
    parts = [fit.part(np.flatnonzero(fold == number)) for number in numbers]
    sums = [information(part) for part in parts]
    total = sums[0]
    for each in sums[1:]:
        total = total.plus(each)
    v = np.empty((fit.n_rows, len(fit.V)))
    for part, own in zip(parts, sums, strict=True):
        V = _newton_step(fit, _without(total, own))
        v[part.rows] = np.concatenate([block.v for block in replace(part, V=V).blocks()])
    return v


def _without(total: Information, fold: Information) -> Information:
    """The sums over the other rows, with the weight of all: it sets the penalty."""
    rest = total.plus(fold, -1.0)
    if not rest.weight > 0:
        raise DataError("all the weight lies in one fold; nothing is left to learn from")
    return replace(rest, weight=total.weight)


def _newton_step(fit: Fitted, sums: Information) -> FloatArray:
    factor = covariance(fit, sums).factor
    step = factor.T @ (factor @ penalised_gradient(fit, sums))
    return fit.V - step.reshape(fit.V.shape)


def cross_validate(
    fit: Fit, X: FloatArray, y: FloatArray, folds: int = 5, seed: int = 7
) -> CrossValidationReport:
    """Fit on all folds but one, predict that one, for every fold; folds are stratified by class.

    ``fit(X, y)`` returns a function from rows to probabilities, (n,) or (n, K); wrap it in
    ``standardising`` to learn means and scales within each training part. The same seed gives
    the same folds on any machine. Raises DataError for a class with fewer rows than folds.

    >>> X, y = np.zeros((8, 1)), np.array([0.0, 1.0] * 4)
    >>> report = cross_validate(lambda X, y: lambda new: np.full(len(new), y.mean()), X, y, 4)
    >>> round(report.pooled.log_loss, 4), len(report.folds)
    (0.6931, 4)
    """
    X, y = np.asarray(X), np.asarray(y, dtype=np.float64)
    fold = stratified_folds(y, folds=folds, seed=seed)
    held_out = [np.flatnonzero(fold == k) for k in range(folds)]
    predicted = [_predicted(fit, X, y, rows) for rows in held_out]
    p = np.empty((len(y), *predicted[0].shape[1:]))
    for rows, values in zip(held_out, predicted, strict=True):
        p[rows] = values
    each = [
        report_of(f"fold {k}", values, y[rows])
        for k, (rows, values) in enumerate(zip(held_out, predicted, strict=True))
    ]
    return CrossValidationReport(report_of(f"{folds}-fold cross-validation", p, y), tuple(each))


def _predicted(fit: Fit, X: FloatArray, y: FloatArray, rows: IntArray) -> FloatArray:
    rest = np.ones(len(y), dtype=bool)
    rest[rows] = False
    return np.asarray(fit(X[rest], y[rest])(X[rows]), dtype=np.float64)


def standardising(fit: Fit) -> Fit:
    """The same fit on columns standardised by its training rows alone; constant columns give 0."""

    def wrapped(X: FloatArray, y: FloatArray) -> Predict:
        moments = column_moments(X)
        predict = fit((X - moments.mean) / moments.scale, y)
        return lambda new: predict((new - moments.mean) / moments.scale)

    return wrapped


def report_of(
    method: str, p: FloatArray, y: FloatArray, weights: FloatArray | None = None
) -> FreeValidationReport:
    """The report of probabilities p (n,) or (n, K), kept 2.2e-16 away from 0 in the loss.

    Raises DataError for a p that is no probability.
    """
    unusable = ~((p >= 0) & (p <= 1)).reshape(len(p), -1).all(axis=1)
    if unusable.any():
        row = int(np.argmax(unusable))
        raise DataError(f"row {row} of {method} got {p[row]}, which is no probability")
    own = np.where(y == 1, p, 1.0 - p) if p.ndim == 1 else p[np.arange(len(y)), y.astype(int)]
    losses = -np.log(np.maximum(own, np.finfo(np.float64).eps))
    return _report(method, p, y, losses, weights)


def _of_scores(method: str, scores: FloatArray, fit: Fitted) -> FreeValidationReport:
    y = np.asarray(fit.y, dtype=np.float64)
    if fit.is_softmax:
        return _report(method, softmax(scores), y, softmax_losses(scores, y), fit.weights)
    return _report(method, sigmoid(scores), y, pointwise(scores, y).loss, fit.weights)


def _report(
    method: str, p: FloatArray, y: FloatArray, losses: FloatArray, weights: FloatArray | None
) -> FreeValidationReport:
    mean, error = mean_and_error(losses, weights)
    if p.ndim == 1:
        area = roc_auc(y, p, weights)
        right, squares = (p >= 0.5) == (y == 1), (p - y) ** 2
    else:
        area = mean_roc_auc(y, p, weights)
        truth = y[:, np.newaxis] == np.arange(p.shape[1])
        right, squares = p.argmax(axis=1) == y, np.square(p - truth).sum(axis=1)
    return FreeValidationReport(
        method=method,
        n=len(y),
        log_loss=mean,
        log_loss_error=error,
        accuracy=float(np.average(right, weights=weights)),
        roc_auc=area,
        brier=float(np.average(squares, weights=weights)),
    )


def mean_and_error(losses: FloatArray, weights: FloatArray | None) -> tuple[float, float]:
    """sum s loss / S and its standard error sqrt(sum (s (loss - mean))^2) / S."""
    s = np.ones(len(losses)) if weights is None else np.asarray(weights, dtype=np.float64)
    total = float(s.sum())
    mean = float(s @ losses) / total
    return mean, math.sqrt(float(np.square(s * (losses - mean)).sum())) / total
