"""Standard errors, tests and fit statistics of fitted coefficients; knows no solver and no names.

The covariance is the inverse of the observed information sum_i s_i loss_i''. Weights count rows: a
row of weight 2 is the same as that row twice. With lambda > 0 the information includes S lambda
for every weight; then ``penalised`` is true, and errors, intervals and tests are approximate:
they describe the shrunken coefficients and ignore the bias of the shrinkage.

Source: McCullagh and Nelder (1989); the robust errors are HC0 of White (1982).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mlcore.arrays import FloatArray
from mlcore.errors import DataError
from mlcore.fitted import fitted
from mlcore.information import covariance, information
from mlcore.likelihood import Matrix, ModelStatistics, as_matrix, model_statistics
from mlcore.special import critical_value, two_sided

Status = Literal["estimated", "fixed", "collinear"]


@dataclass(frozen=True)
class CoefficientInference:
    """One coefficient; ``odds_ratio`` is exp(estimate), None beyond the range of float64.

    Only status "estimated" has errors. "fixed": no row informs about the column. "collinear":
    the column repeats others, and only their sum is known.
    """

    estimate: float
    status: Status
    standard_error: float | None
    robust_standard_error: float | None
    z: float | None
    p_value: float | None
    low: float | None
    high: float | None
    odds_ratio: float | None
    odds_ratio_low: float | None
    odds_ratio_high: float | None


@dataclass(frozen=True)
class InferenceReport(ModelStatistics):
    """``coefficients`` in the order of the columns, the intercept last."""

    coefficients: tuple[CoefficientInference, ...]


@dataclass(frozen=True)
class SoftmaxInferenceReport(ModelStatistics):
    """``classes[k]`` holds the coefficients of class k, the intercept last.

    They sum to zero over the classes: each compares its class with the geometric mean of all.
    ``contrast`` compares two classes.
    """

    classes: tuple[tuple[CoefficientInference, ...], ...]


def infer(
    X: FloatArray,
    y: FloatArray,
    theta: FloatArray,
    lambda_: float,
    weights: FloatArray | None = None,
    level: float = 0.95,
) -> InferenceReport:
    """Wald statistics of the logistic coefficients theta = [w, b] (d + 1,) of rows X (n, d).

    Cov = (sum s h x x' + S lambda I_w)^-1 with h = p (1 - p); z = theta / se,
    p = erfc(|z| / sqrt 2), interval theta -+ q se with q the normal quantile of (1 + level) / 2;
    robust Cov (sum s r^2 x x') Cov. Raises DataError for arrays and settings that do not fit.

    >>> X, y = np.array([[-1.0], [-0.5], [0.5], [1.0]]), np.array([0.0, 1.0, 0.0, 1.0])
    >>> slope, intercept = infer(X, y, np.array([0.8392, 0.0]), 0.0).coefficients
    >>> round(slope.standard_error, 4), round(slope.p_value, 4)
    (1.3596, 0.5371)
    """
    fit = fitted(X, y, np.asarray(theta, dtype=np.float64).ravel(), lambda_, weights)
    sums = information(fit)
    spread = covariance(fit, sums)
    statistics = model_statistics(fit, sums, spread, level)
    status = _statuses(fit.fixed, spread.determined)
    return InferenceReport(
        **vars(statistics),
        coefficients=_coefficients(
            fit.V[0], status, statistics.covariance, statistics.robust_covariance, level
        ),
    )


def infer_softmax(
    X: FloatArray,
    y: FloatArray,
    W: FloatArray,
    b: FloatArray,
    lambda_: float,
    weights: FloatArray | None = None,
) -> SoftmaxInferenceReport:
    """Wald statistics of softmax weights W (K, d) and intercepts b (K,); y holds 0 .. K - 1.

    The information of all K (d + 1) coefficients is inverted on the coefficients that sum to
    zero over the classes; whatever else W and b contain is taken out. 95 % intervals; other
    levels and other comparisons through ``contrast``.

    >>> X, y = np.array([[-1.0], [0.0], [1.0], [0.5]]), np.array([0.0, 1.0, 2.0, 0.0])
    >>> report = infer_softmax(X, y, np.zeros((3, 1)), np.zeros(3), 0.1)
    >>> len(report.classes), len(report.classes[0]), report.penalised
    (3, 2, True)
    """
    fit = fitted(X, y, np.column_stack((W, b)), lambda_, weights)
    sums = information(fit)
    spread = covariance(fit, sums)
    statistics = model_statistics(fit, sums, spread, 0.95)
    n_classes, size = fit.n_classes, fit.V.shape[1]
    free: NDArray[np.bool_] = np.all(spread.determined.reshape(-1, size), axis=0)
    status = _statuses(fit.fixed, free)
    theta = fit.theta
    cells = [slice(k * size, (k + 1) * size) for k in range(n_classes)]
    cov, robust = np.array(statistics.covariance), np.array(statistics.robust_covariance)
    classes = tuple(
        _coefficients(theta[k], status, cov[part, part], robust[part, part], 0.95)
        for k, part in enumerate(cells)
    )
    return SoftmaxInferenceReport(**vars(statistics), classes=classes)


def contrast(
    report: SoftmaxInferenceReport, k: int, base: int, level: float = 0.95
) -> tuple[CoefficientInference, ...]:
    """The coefficients of class k against class ``base``: w_k - w_base, as multinomial logit does.

    Raises DataError for classes that the report does not have, or the same class twice.
    """
    n_classes = len(report.classes)
    if k == base or not (0 <= k < n_classes and 0 <= base < n_classes):
        raise DataError(f"a contrast needs two of the classes 0 .. {n_classes - 1}")
    size = len(report.classes[0])
    J = np.zeros((size, n_classes * size))
    J[:, k * size : (k + 1) * size] = np.eye(size)
    J[:, base * size : (base + 1) * size] = -np.eye(size)
    theta = np.array([c.estimate for row in report.classes for c in row])
    status = tuple(c.status for c in report.classes[k])
    cov, robust = np.array(report.covariance), np.array(report.robust_covariance)
    return _coefficients(J @ theta, status, J @ cov @ J.T, J @ robust @ J.T, level)


def in_raw_units(report: InferenceReport, means: FloatArray, scales: FloatArray) -> InferenceReport:
    """The report for the columns as measured, of which X = (raw - means) / scales.

    w_raw = w / scale and b_raw = b - sum w mean / scale, with covariances J Cov J' by the matrix J
    of this map. The model's statistics stay. Raises DataError for shapes that do not fit.

    >>> X, y = np.array([[-1.0], [-0.5], [0.5], [1.0]]), np.array([0.0, 1.0, 0.0, 1.0])
    >>> report = infer(X, y, np.array([0.8392, 0.0]), 0.0)
    >>> raw = in_raw_units(report, np.array([10.0]), np.array([2.0]))
    >>> [round(c.estimate, 4) for c in raw.coefficients]
    [0.4196, -4.196]
    """
    means, scales = np.asarray(means, dtype=np.float64), np.asarray(scales, dtype=np.float64)
    d = len(report.coefficients) - 1
    if means.shape != (d,) or scales.shape != (d,) or not (scales > 0).all():
        raise DataError(f"means and scales must be ({d},), with scales above 0")
    J = np.diag(np.append(1.0 / scales, 1.0))
    J[-1, :-1] = -means / scales
    theta = J @ [c.estimate for c in report.coefficients]
    cov = J @ np.array(report.covariance) @ J.T
    robust = J @ np.array(report.robust_covariance) @ J.T
    status = [c.status for c in report.coefficients]
    if any(s == "collinear" and mean != 0 for s, mean in zip(status, means, strict=False)):
        status[-1] = "collinear"
    return replace(
        report,
        coefficients=_coefficients(theta, tuple(status), cov, robust, report.level),
        covariance=as_matrix(cov),
        robust_covariance=as_matrix(robust),
    )


def _statuses(fixed: NDArray[np.bool_], free: NDArray[np.bool_]) -> tuple[Status, ...]:
    return tuple(
        "fixed" if is_fixed else "estimated" if is_free else "collinear"
        for is_fixed, is_free in zip(fixed, free, strict=True)
    )


def _coefficients(
    theta: FloatArray,
    status: tuple[Status, ...],
    cov: FloatArray | Matrix,
    robust: FloatArray | Matrix,
    level: float,
) -> tuple[CoefficientInference, ...]:
    q = critical_value(level)
    errors, robust_errors = _roots(cov), _roots(robust)
    return tuple(
        _estimated(estimate, error, robust_error, q)
        if state == "estimated"
        else _unknown(estimate, state)
        for state, estimate, error, robust_error in zip(
            status, theta.tolist(), errors, robust_errors, strict=True
        )
    )


def _roots(cov: FloatArray | Matrix) -> list[float]:
    variances: FloatArray = np.maximum(np.diag(np.asarray(cov)), np.finfo(np.float64).tiny)
    roots: list[float] = np.sqrt(variances).tolist()
    return roots


def _estimated(estimate: float, error: float, robust: float, q: float) -> CoefficientInference:
    low, high = estimate - q * error, estimate + q * error
    z = estimate / error
    return CoefficientInference(
        estimate=estimate,
        status="estimated",
        standard_error=error,
        robust_standard_error=robust,
        z=z,
        p_value=two_sided(z),
        low=low,
        high=high,
        odds_ratio=_exp(estimate),
        odds_ratio_low=_exp(low),
        odds_ratio_high=_exp(high),
    )


def _unknown(estimate: float, status: Status) -> CoefficientInference:
    nothing = (None,) * 6
    return CoefficientInference(estimate, status, *nothing, _exp(estimate), None, None)


def _exp(x: float) -> float | None:
    try:
        return math.exp(x)
    except OverflowError:
        return None
