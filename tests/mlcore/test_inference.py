"""Errors, tests and intervals against reference numbers, statsmodels and what must not change.

The numbers of the breast cancer and Raisin tables come from statsmodels (Logit, tolerance 1e-14).
"""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mlcore import Table
from mlcore.arrays import FloatArray
from mlcore.errors import DataError
from mlcore.inference import (
    CoefficientInference,
    InferenceReport,
    contrast,
    in_raw_units,
    infer,
    infer_softmax,
)
from tests.mlcore.problems import (
    BREAST_CANCER_COLUMNS,
    RAISIN_MLE,
    breast_cancer_problem,
    raisin_problem,
    random_problem,
    standardised,
)
from tests.mlcore.reference import optimum

# fmt: off
BSE = [0.641529846493, 0.267091256113, 0.35194047023, 0.468375632703, 0.299340055948,
       0.432394267927, 0.217792990971]
Z = [-6.209701372143, -6.126511652781, -4.805665738121, -4.380197615834, -1.489329952814,
     1.800301166671, 3.803100188445]
P = [5.308538388e-10, 8.982663086e-10, 1.542374045e-06, 1.185717282e-05, 0.1364005039989,
     0.07181309680119, 1.428965306187e-04]
ROBUST = [0.57625287777, 0.245052897012, 0.354168539102, 0.42046498121, 0.324616152963,
          0.363516579493, 0.226860573201]
RAW = [-1.131429843465, -0.380786765301, -120.362699774025, -25.757500365092, -16.276493886982,
       110.351956787465, 34.061843737216]
RAW_BSE = [0.18220358366, 0.062153928186, 25.045999104609, 5.880442533456, 10.928736010597,
           61.296386865944, 6.015517412832]
RAISIN_BSE = [4.85103385301, 1.852204950681, 1.345989325846, 0.443437823674, 4.851567460732,
              0.145139431198, 1.809605715113, 0.22958154921]
# fmt: on


def column(rows: tuple[CoefficientInference, ...], name: str) -> list[Any]:
    return [getattr(row, name) for row in rows]


@pytest.fixture(scope="module")
def cancer() -> InferenceReport:
    X, y = breast_cancer_problem(BREAST_CANCER_COLUMNS)
    return infer(X, y, optimum(X, y), 0.0)


def test_it_works(cancer: InferenceReport) -> None:
    rows = cancer.coefficients
    assert_allclose(column(rows, "standard_error"), BSE, rtol=1e-8)
    assert_allclose(column(rows, "z"), Z, rtol=1e-8)
    assert_allclose(column(rows, "p_value"), P, rtol=1e-8)
    assert_allclose(column(rows, "robust_standard_error"), ROBUST, rtol=1e-8)
    assert_allclose([rows[0].low, rows[0].high], [-5.241084162174, -2.726333373906], rtol=1e-8)
    assert_allclose([rows[-1].low, rows[-1].high], [0.401422146615, 1.25515498339], rtol=1e-8)
    assert rows[0].odds_ratio == pytest.approx(0.018616466987, rel=1e-8)
    assert rows[5].odds_ratio == pytest.approx(2.178071614908, rel=1e-8)
    assert rows[0].odds_ratio_low == pytest.approx(math.exp(-5.241084162174), rel=1e-8)
    assert rows[0].odds_ratio_high == pytest.approx(math.exp(-2.726333373906), rel=1e-8)
    assert set(column(rows, "status")) == {"estimated"}


def test_it_describes_the_model(cancer: InferenceReport) -> None:
    assert cancer.log_likelihood == pytest.approx(-78.31633637934068, rel=1e-8)
    assert cancer.null_log_likelihood == pytest.approx(-375.7200027320281, rel=1e-8)
    assert cancer.likelihood_ratio == pytest.approx(594.8073327053748, rel=1e-8)
    assert cancer.likelihood_ratio_p == pytest.approx(3.0747654784e-125, rel=1e-8)
    assert cancer.likelihood_ratio_df == 6
    assert cancer.mcfadden == pytest.approx(0.7915566490741308, rel=1e-8)
    assert cancer.aic == pytest.approx(170.63267275868137, rel=1e-8)
    assert cancer.bic == pytest.approx(201.03983579756567, rel=1e-8)
    assert cancer.deviance == pytest.approx(156.6326727586814, rel=1e-8)
    assert cancer.null_deviance == pytest.approx(751.4400053841689, rel=1e-8)
    assert cancer.pearson_chi2 == pytest.approx(423.23026059645576, rel=1e-8)
    assert cancer.effective_df == pytest.approx(7.0, rel=1e-8)
    assert (cancer.n, cancer.weight, cancer.penalised) == (569, 569.0, False)
    assert cancer.distance < 1e-9
    assert cancer.warnings == ()


def test_raw_units_agree_with_a_fit_on_raw_columns(cancer: InferenceReport) -> None:
    from sklearn.datasets import load_breast_cancer

    data: Any = load_breast_cancer()
    X = data.data[:, BREAST_CANCER_COLUMNS]
    raw = in_raw_units(cancer, X.mean(axis=0), X.std(axis=0))
    assert_allclose(column(raw.coefficients, "estimate"), RAW, rtol=1e-8)
    assert_allclose(column(raw.coefficients, "standard_error"), RAW_BSE, rtol=1e-8)
    assert_allclose(column(raw.coefficients, "z")[:-1], Z[:-1], rtol=1e-8)
    assert raw.log_likelihood == cancer.log_likelihood


def test_it_agrees_on_ill_conditioned_raisins(raisin_table: Table) -> None:
    X, y = raisin_problem(raisin_table)
    report = infer(X, y, np.array(RAISIN_MLE), 0.0)
    assert_allclose(column(report.coefficients, "standard_error"), RAISIN_BSE, rtol=1e-8)
    assert report.log_likelihood == pytest.approx(-304.49070002133755, rel=1e-8)
    assert report.likelihood_ratio == pytest.approx(638.6835249652, rel=1e-8)
    assert report.aic == pytest.approx(624.9814000427, rel=1e-8)
    assert report.bic == pytest.approx(663.4005581492, rel=1e-8)
    assert report.mcfadden == pytest.approx(0.5119030856, rel=1e-8)


@pytest.mark.parametrize("seed", range(5))
def test_it_agrees_with_statsmodels(seed: int) -> None:
    import statsmodels.api as sm

    X, y = random_problem(seed, n=120)
    X1 = np.column_stack((X, np.ones(len(X))))
    model = sm.Logit(y, X1)
    peer = model.fit(method="newton", tol=1e-14, disp=0)
    robust = model.fit(method="newton", tol=1e-14, disp=0, cov_type="HC0")
    report = infer(X, y, peer.params, 0.0, level=0.9)
    assert_allclose(column(report.coefficients, "standard_error"), peer.bse, rtol=1e-8)
    assert_allclose(column(report.coefficients, "robust_standard_error"), robust.bse, rtol=1e-8)
    assert_allclose(column(report.coefficients, "p_value"), peer.pvalues, rtol=1e-8)
    interval = np.column_stack(
        (column(report.coefficients, "low"), column(report.coefficients, "high"))
    )
    assert_allclose(interval, peer.conf_int(0.1), rtol=1e-8)
    assert_allclose(report.covariance, peer.cov_params(), rtol=1e-8)


def test_a_weight_of_two_is_the_row_twice() -> None:
    X, y = random_problem(1)
    s = np.where(np.arange(len(y)) % 3 == 0, 2.0, 1.0)
    s[5] = 0.0
    copies = np.repeat(np.arange(len(y)), s.astype(int))
    theta = optimum(X, y, 0.01, s)
    weighted = infer(X, y, theta, 0.01, s)
    repeated = infer(X[copies], y[copies], theta, 0.01)
    for name in ("weight", "log_likelihood", "null_log_likelihood", "pearson_chi2", "bic", "aic"):
        assert getattr(weighted, name) == pytest.approx(getattr(repeated, name), rel=1e-12)
    assert_allclose(weighted.covariance, repeated.covariance, rtol=1e-10)
    assert_allclose(weighted.robust_covariance, repeated.robust_covariance, rtol=1e-10)
    assert (weighted.n, repeated.n) == (60, len(copies))


def test_a_penalty_shrinks_the_errors_and_is_told() -> None:
    X, y = random_problem(2)
    free = infer(X, y, optimum(X, y), 0.0)
    shrunk = infer(X, y, optimum(X, y, 0.1), 0.1)
    for before, after in zip(free.coefficients[:-1], shrunk.coefficients[:-1], strict=True):
        assert after.standard_error is not None and before.standard_error is not None
        assert after.standard_error < before.standard_error
    assert shrunk.penalised
    assert "approximate" in shrunk.warnings[0]
    assert 1 < shrunk.effective_df < 5


def test_the_penalised_covariance_is_the_inverse_of_its_hessian() -> None:
    X, y = random_problem(3)
    theta = optimum(X, y, 0.05)
    X1 = np.column_stack((X, np.ones(len(X))))
    p = 1 / (1 + np.exp(-X1 @ theta))
    penalty = 0.05 * len(y) * np.diag([1.0, 1, 1, 1, 0])
    H = X1.T @ (X1 * (p * (1 - p))[:, None])
    cov = np.linalg.inv(H + penalty)
    report = infer(X, y, theta, 0.05)
    assert_allclose(report.covariance, cov, rtol=1e-9)
    assert report.effective_df == pytest.approx(np.trace(cov @ H), rel=1e-9)
    meat = X1.T @ (X1 * ((p - y) ** 2)[:, None])
    assert_allclose(report.robust_covariance, cov @ meat @ cov, rtol=1e-8)


def test_a_constant_column_is_fixed_and_changes_nothing_else() -> None:
    X, y = random_problem(0)
    theta = optimum(X, y)
    plain = infer(X, y, theta, 0.0)
    wide = infer(np.column_stack((X, np.zeros(len(y)))), y, np.insert(theta, 4, 0.0), 0.0)
    fixed = wide.coefficients[4]
    assert fixed == CoefficientInference(0.0, "fixed", *[None] * 6, 1.0, None, None)
    assert wide.likelihood_ratio_df == plain.likelihood_ratio_df
    assert not wide.collinear
    others = wide.coefficients[:4] + wide.coefficients[5:]
    for name in ("standard_error", "robust_standard_error", "p_value"):
        assert_allclose(column(others, name), column(plain.coefficients, name), rtol=1e-10)


def test_copied_columns_are_collinear_and_the_others_keep_their_errors() -> None:
    X, y = random_problem(0)
    theta = optimum(X, y)
    plain = infer(X, y, theta, 0.0)
    split = np.insert(theta, 4, theta[0] / 2)
    split[0] /= 2
    wide = infer(np.column_stack((X, X[:, 0])), y, split, 0.0)
    assert column(wide.coefficients, "status") == [
        "collinear",
        *["estimated"] * 3,
        "collinear",
        "estimated",
    ]
    assert wide.coefficients[0].standard_error is None
    assert wide.collinear
    assert "cannot be told apart" in wide.warnings[0]
    assert wide.likelihood_ratio_df == 4
    for a, b in zip(
        plain.coefficients[1:4] + plain.coefficients[4:],
        wide.coefficients[1:4] + wide.coefficients[5:],
        strict=True,
    ):
        assert b.standard_error == pytest.approx(a.standard_error, rel=1e-7)


def test_a_collinear_column_off_centre_leaves_the_raw_intercept_unknown() -> None:
    X, y = random_problem(0)
    theta = optimum(X, y)
    split = np.insert(theta, 4, theta[0] / 2)
    split[0] /= 2
    report = infer(np.column_stack((X, X[:, 0])), y, split, 0.0)
    centred = in_raw_units(report, np.array([0.0, 1, 2, 3, 0]), np.ones(5))
    shifted = in_raw_units(report, np.array([9.0, 1, 2, 3, 9]), np.ones(5))
    assert centred.coefficients[-1].status == "estimated"
    assert shifted.coefficients[-1].status == "collinear"
    assert shifted.coefficients[-1].standard_error is None


def test_separated_classes_are_told() -> None:
    X = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    y = np.array([0.0, 0.0, 1.0, 1.0])
    report = infer(X, y, np.array([8.0, 0.0]), 0.0)
    assert report.separated
    assert "no finite optimum" in " ".join(report.warnings)
    assert "no finite optimum" not in " ".join(infer(X, y, np.array([1.0, 0.0]), 0.1).warnings)


def test_a_fit_that_stopped_early_is_told() -> None:
    X, y = random_problem(0)
    report = infer(X, y, np.zeros(5), 0.0)
    theta, cov = optimum(X, y), np.array(report.covariance)
    assert report.distance > 1
    assert "standard errors from the optimum" in report.warnings[-1]
    nearly = theta + 0.05 * np.sqrt(np.diag(infer(X, y, theta, 0.0).covariance)) * [1, 0, 0, 0, 0]
    assert infer(X, y, nearly, 0.0).distance > 0.03
    assert cov.shape == (5, 5)


def test_extreme_coefficients_give_a_report_of_finite_numbers() -> None:
    X, y = random_problem(0)
    report = infer(X, y, np.array([1500.0, 0, 0, 0, 3.0]), 0.0)
    assert report.coefficients[0].odds_ratio is None
    assert report.pearson_chi2 is None
    json.dumps(dataclasses.asdict(report), allow_nan=False)


def test_rows_that_tell_nothing_leave_the_errors_unknown() -> None:
    X = np.array([[-1.0], [1.0], [-1.0], [1.0]])
    report = infer(X, np.array([0.0, 1, 0, 1]), np.array([740.0, 0.0]), 0.0)
    assert [row.standard_error for row in report.coefficients] == [None, None]
    json.dumps(dataclasses.asdict(report), allow_nan=False)


def test_one_class_has_no_null_deviance_to_explain() -> None:
    X, y = random_problem(0)
    report = infer(X, np.ones_like(y), np.zeros(5), 0.1)
    assert report.mcfadden is None
    assert report.null_deviance == 0.0


def test_reports_are_json(cancer: InferenceReport) -> None:
    again = json.loads(json.dumps(dataclasses.asdict(cancer), allow_nan=False))
    assert again["coefficients"][0]["z"] == cancer.coefficients[0].z


def iris() -> tuple[FloatArray, FloatArray]:
    from sklearn.datasets import load_iris

    data: Any = load_iris()
    return standardised(data.data), data.target.astype(np.float64)


@pytest.mark.parametrize("seed", range(3))
def test_softmax_contrasts_agree_with_multinomial_logit(seed: int) -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(seed)
    X = standardised(rng.normal(size=(300, 3)) @ (np.eye(3) + 0.3))
    y = np.argmax(X @ rng.normal(size=(3, 4)) + rng.gumbel(size=(300, 4)), axis=1).astype(float)
    model = sm.MNLogit(y, np.column_stack((X, np.ones(len(X)))))
    peer = model.fit(method="newton", tol=1e-14, disp=0)
    params = np.column_stack((np.zeros(4), peer.params)).T
    report = infer_softmax(X, y, params[:, :-1], params[:, -1], 0.0)
    for k in (1, 2, 3):
        rows = contrast(report, k, 0)
        assert_allclose(column(rows, "estimate"), peer.params[:, k - 1], rtol=1e-8)
        assert_allclose(column(rows, "standard_error"), peer.bse[:, k - 1], rtol=1e-8)
        assert_allclose(column(rows, "p_value"), peer.pvalues[:, k - 1], rtol=1e-8)
    assert report.log_likelihood == pytest.approx(peer.llf, rel=1e-10)
    assert report.null_log_likelihood == pytest.approx(peer.llnull, rel=1e-8)
    assert report.likelihood_ratio_df == peer.df_model
    assert report.aic == pytest.approx(peer.aic, rel=1e-8)
    assert report.bic == pytest.approx(peer.bic, rel=1e-8)


def test_softmax_coefficients_sum_to_zero_and_forget_a_common_vector() -> None:
    X, y = iris()
    W = np.random.default_rng(0).normal(size=(3, 4))
    b = np.array([0.1, 0.2, -0.3])
    report = infer_softmax(X, y, W, b, 0.1)
    shifted = infer_softmax(X, y, W + [1.0, -2, 3, 4], b + 7, 0.1)
    theta = np.array([column(row, "estimate") for row in report.classes])
    assert_allclose(theta.sum(axis=0), 0, atol=1e-12)
    for ours, other in zip(report.classes, shifted.classes, strict=True):
        for name in ("estimate", "standard_error", "robust_standard_error"):
            assert_allclose(column(ours, name), column(other, name), rtol=1e-8)


def test_softmax_of_two_classes_is_logistic() -> None:
    X, y = random_problem(0)
    theta = optimum(X, y)
    half = np.stack((-theta / 2, theta / 2))
    rows = contrast(infer_softmax(X, y, half[:, :-1], half[:, -1], 0.0), 1, 0, level=0.8)
    expected = infer(X, y, theta, 0.0, level=0.8).coefficients
    for name in ("estimate", "standard_error", "robust_standard_error", "low", "high"):
        assert_allclose(column(rows, name), column(expected, name), rtol=1e-8)


def test_softmax_errors_agree_with_the_gauged_hessian() -> None:
    """The (K (d + 1))^2 Hessian with a rank-one term for each free direction, inverted whole."""
    X, y = iris()
    rng = np.random.default_rng(1)
    W, b = rng.normal(size=(3, 4)), rng.normal(size=3)
    X1 = np.column_stack((X, np.ones(len(X))))
    eta = X @ W.T + b
    p = np.exp(eta) / np.exp(eta).sum(axis=1, keepdims=True)
    H = np.zeros((15, 15))
    for k in range(3):
        for m in range(3):
            h = p[:, k] * ((k == m) - p[:, m])
            H[5 * k : 5 * k + 5, 5 * m : 5 * m + 5] = X1.T @ (X1 * h[:, None])
    free = np.kron(np.full((3, 3), 1 / 3), np.eye(5))
    cov = np.linalg.inv(H + free) - free
    report = infer_softmax(X, y, W, b, 0.0)
    assert_allclose(report.covariance, cov, rtol=1e-7, atol=1e-7 * np.abs(cov).max())


def test_a_constant_column_is_fixed_in_every_class() -> None:
    X, y = iris()
    X = np.column_stack((X, np.zeros(len(X))))
    report = infer_softmax(X, y, np.zeros((3, 5)), np.zeros(3), 0.0)
    assert [row[4].status for row in report.classes] == ["fixed"] * 3
    assert contrast(report, 1, 0)[4].standard_error is None


@pytest.mark.parametrize(("k", "base"), [(0, 0), (3, 0), (0, -1)])
def test_it_refuses_contrasts_it_cannot_make(k: int, base: int) -> None:
    X, y = iris()
    report = infer_softmax(X, y, np.zeros((3, 4)), np.zeros(3), 0.1)
    with pytest.raises(DataError, match="two of the classes"):
        contrast(report, k, base)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_it_refuses_a_level_that_is_none(level: float) -> None:
    X, y = random_problem(0)
    with pytest.raises(DataError, match="level must lie between 0 and 1"):
        infer(X, y, np.zeros(5), 0.1, level=level)


@pytest.mark.parametrize(
    ("means", "scales"), [([0.0] * 5, [1.0] * 6), ([0.0] * 6, [1.0] * 5), ([0.0] * 6, [0.0] * 6)]
)
def test_it_refuses_units_that_do_not_fit(
    cancer: InferenceReport, means: list[float], scales: list[float]
) -> None:
    with pytest.raises(DataError, match="means and scales"):
        in_raw_units(cancer, np.array(means), np.array(scales))
