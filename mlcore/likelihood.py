"""How well a whole model fits its rows: likelihood, information criteria, tests; knows no names.

Weights count rows: a row of weight 2 is the same as that row twice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mlcore.arrays import FloatArray
from mlcore.curvature import FAR
from mlcore.fitted import Fitted
from mlcore.information import Information, dispersion, effective_df, penalised_gradient
from mlcore.pseudoinverse import Inverse
from mlcore.special import chi_square_sf

Matrix = tuple[tuple[float, ...], ...]

FAR_FROM_OPTIMUM = 0.01
"""Standard errors between the coefficients and the optimum, beyond which a report warns."""


@dataclass(frozen=True)
class ModelStatistics:
    """How well the whole model fits.

    ``weight`` is S = sum s. ``effective_df`` = trace((H + S Lambda)^-1 H), intercepts included:
    the number of coefficients where nothing is penalised. aic = deviance + 2 effective_df,
    bic = deviance + effective_df ln S. ``distance``: standard errors, at most, between any
    coefficient and the optimum. ``separated``: every row's own class has more than even odds, so
    without a penalty no finite optimum exists. The covariances run over the coefficients in the
    order of the report (class by class), with zeros for fixed ones.
    """

    n: int
    weight: float
    lambda_: float
    penalised: bool
    level: float
    log_likelihood: float
    null_log_likelihood: float
    likelihood_ratio: float
    likelihood_ratio_df: int
    likelihood_ratio_p: float
    effective_df: float
    aic: float
    bic: float
    mcfadden: float | None
    deviance: float
    null_deviance: float
    pearson_chi2: float | None
    distance: float
    collinear: bool
    separated: bool
    warnings: tuple[str, ...]
    covariance: Matrix
    robust_covariance: Matrix


def model_statistics(
    fit: Fitted, sums: Information, spread: Inverse, level: float
) -> ModelStatistics:
    """The statistics of the model; ``level`` is only noted, for the intervals that go with it."""
    null, log_likelihood = _null_log_likelihood(fit), -sums.loss
    effective = effective_df(sums, spread)
    df = max(spread.rank - len(fit.V), 0)
    ratio = 2.0 * (log_likelihood - null)
    g = penalised_gradient(fit, sums)
    distance = min(float(np.linalg.norm(spread.factor @ g)), FAR)
    around = dispersion(fit)
    separated = around.largest_loss < math.log(2.0)
    collinear = bool((~spread.determined & ~np.tile(fit.fixed, len(fit.V))).any())
    cov = spread.matrix
    return ModelStatistics(
        n=fit.n_rows,
        weight=sums.weight,
        lambda_=float(fit.lambda_),
        penalised=fit.lambda_ > 0,
        level=level,
        log_likelihood=log_likelihood,
        null_log_likelihood=null,
        likelihood_ratio=ratio,
        likelihood_ratio_df=df,
        likelihood_ratio_p=chi_square_sf(ratio, df),
        effective_df=effective,
        aic=2.0 * (effective - log_likelihood),
        bic=effective * math.log(sums.weight) - 2.0 * log_likelihood,
        mcfadden=1.0 - log_likelihood / null if null else None,
        deviance=-2.0 * log_likelihood,
        null_deviance=-2.0 * null,
        pearson_chi2=around.pearson if math.isfinite(around.pearson) else None,
        distance=distance,
        collinear=collinear,
        separated=separated,
        warnings=_warnings(fit, distance, collinear, separated),
        covariance=_in_classes(fit, cov),
        robust_covariance=_in_classes(fit, cov @ around.meat @ cov),
    )


def _null_log_likelihood(fit: Fitted) -> float:
    """S sum_k rate_k ln rate_k: the intercepts alone."""
    counts = fit.class_weights[fit.class_weights > 0]
    return float(counts @ np.log(counts / counts.sum()))


def _warnings(fit: Fitted, distance: float, collinear: bool, separated: bool) -> tuple[str, ...]:
    found = []
    if fit.lambda_ > 0:
        found.append("the coefficients are penalised: errors, intervals and tests are approximate")
    if collinear:
        found.append("some columns repeat others: their own coefficients cannot be told apart")
    if separated and fit.lambda_ == 0:
        found.append(
            "the columns separate the classes: without a penalty there is no finite optimum, and "
            "the errors mean nothing; use lambda_ > 0"
        )
    if distance > FAR_FROM_OPTIMUM:
        found.append(
            f"the coefficients are up to {distance:.2g} standard errors from the optimum: fit to "
            "convergence before reading errors and tests"
        )
    return tuple(found)


def _in_classes(fit: Fitted, cov: FloatArray) -> Matrix:
    """The covariance of the contrasts as that of the coefficients themselves."""
    if fit.contrasts is not None:
        J = np.kron(fit.contrasts, np.eye(fit.V.shape[1]))
        cov = J @ cov @ J.T
    return as_matrix(cov)


def as_matrix(values: FloatArray) -> Matrix:
    return tuple(map(tuple, values.tolist()))
