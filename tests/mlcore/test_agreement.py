"""The same coefficients as statsmodels and scikit-learn, computed anew and as once printed.

statsmodels: Logit, tolerance 1e-14. scikit-learn: newton-cholesky, tolerance 1e-14; its C is
1 / (n lambda).
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from mlcore import Table
from mlcore.arrays import FloatArray
from mlcore.loss import logits, mean_log_loss
from tests.mlcore.problems import (
    BREAST_CANCER_COLUMNS,
    RAISIN_MLE,
    breast_cancer_problem,
    raisin_problem,
    random_problem,
    solution,
    solved,
    standardised,
)

RAISIN = {
    1.0: [
        *(0.482061812043, 0.57183141015, -0.733470355536, 0.171287576371, 0.381498003358),
        *(-0.129983867031, 2.333534100172, 0.477924718139),
    ],
    0.1: [
        *(0.46615028594, 0.695255863918, 0.136205161049, 0.553738856312, 0.482784737944),
        *(-0.197555453744, 0.889008671455, 0.361027583531),
    ],
}
CANCER_MLE = [
    *(-3.98370876804, -1.636337692931, -1.691308259643, -2.05157782968, -0.445816111401),
    *(0.778439905011, 0.828288565002),
]
CANCER = {
    1.0: [
        *(-3.078262376969, -1.330415951923, -1.330263842325, -1.76588673767, -0.414434997779),
        *(0.696598473893, 0.773886195689),
    ],
    0.1: [
        *(-1.715731475537, -0.812080586111, -0.714539075348, -1.189173453857, -0.345220583919),
        *(0.420823344317, 0.696166708495),
    ],
}
CANCER_RAW = [
    *(-1.131429843465, -0.380786765301, -120.362699774025, -25.757500365092, -16.276493886982),
    *(110.351956787465, 34.061843737216),
]


def by_statsmodels(X: FloatArray, y: FloatArray) -> FloatArray:
    import statsmodels.api as sm

    model = sm.Logit(y, np.column_stack((X, np.ones(len(y)))))
    with warnings.catch_warnings():
        # Its last digits may rock for ever at this tolerance.
        warnings.simplefilter("ignore")
        params: FloatArray = model.fit(disp=0, method="newton", tol=1e-14, maxiter=30).params
    return params


def by_scikit_learn(X: FloatArray, y: FloatArray, C: float, **options: Any) -> FloatArray:
    from sklearn.linear_model import LogisticRegression

    weights = options.pop("weights", None)
    peer = LogisticRegression(
        C=C, solver="newton-cholesky", tol=1e-14, max_iter=200, **options
    ).fit(X, y, sample_weight=weights)
    found: FloatArray = np.column_stack((peer.coef_, peer.intercept_))
    return found.ravel()


def test_breast_cancer_without_a_penalty() -> None:
    X, y = breast_cancer_problem(BREAST_CANCER_COLUMNS)
    theta = solution(X, y, lambda_=0.0)
    assert theta == pytest.approx(CANCER_MLE, rel=1e-8)
    assert theta == pytest.approx(by_statsmodels(X, y), rel=1e-8)
    assert mean_log_loss(logits(X, theta), y) * 569 == pytest.approx(78.31633637934068, rel=1e-12)


def test_breast_cancer_in_raw_units() -> None:
    from sklearn.datasets import load_breast_cancer

    data: Any = load_breast_cancer()
    raw = data.data[:, BREAST_CANCER_COLUMNS]
    report = solved(raw, data.target, lambda_=0.0, standardise=True)
    w = report.weights / report.scale
    b = report.intercept - (w * report.center).sum()
    assert [*w, b] == pytest.approx(CANCER_RAW, rel=1e-8)
    assert solution(raw, data.target, lambda_=0.0) == pytest.approx(CANCER_RAW, rel=1e-8)


@pytest.mark.parametrize("C", [1.0, 0.1])
def test_breast_cancer_with_a_penalty(C: float) -> None:
    X, y = breast_cancer_problem(BREAST_CANCER_COLUMNS)
    theta = solution(X, y, lambda_=1 / (569 * C))
    assert theta == pytest.approx(CANCER[C], rel=1e-8)
    assert theta == pytest.approx(by_scikit_learn(X, y, C), rel=1e-8)


def test_all_30_columns_of_breast_cancer() -> None:
    X, y = breast_cancer_problem()
    report = solved(X, y, lambda_=1 / 569)
    assert report.theta == pytest.approx(by_scikit_learn(X, y, 1.0), rel=1e-8)
    assert report.theta[[0, 1, 2, 3, 4, 29, 30]] == pytest.approx(
        [
            *(-0.363092531918, -0.387675442419, -0.35106211868, -0.435609803286),
            *(-0.161831102815, -0.479818908043, 0.214502717402),
        ],
        rel=1e-8,
    )
    assert report.objective == pytest.approx(0.06636018622473839, rel=1e-13)
    assert report.objective * 569 == pytest.approx(37.75894596187597, rel=1e-13)


def test_balanced_classes_of_breast_cancer() -> None:
    X, y = breast_cancer_problem()
    counts = np.bincount(y.astype(int))
    weights = (569 / (2 * counts))[y.astype(int)]
    theta = solution(X, y, weights, lambda_=1 / 569)
    assert theta[-1] == pytest.approx(-0.227712406487, rel=1e-8)
    assert theta == pytest.approx(by_scikit_learn(X, y, 1.0, class_weight="balanced"), rel=1e-8)


def test_raisins_without_a_penalty(raisin_table: Table) -> None:
    X, y = raisin_problem(raisin_table)
    theta = solution(X, y, lambda_=0.0)
    assert theta == pytest.approx(RAISIN_MLE, rel=1e-8)
    assert theta == pytest.approx(by_statsmodels(X, y), rel=1e-8)
    assert mean_log_loss(logits(X, theta), y) * 900 == pytest.approx(304.49070002133755, rel=1e-12)
    assert mean_log_loss(logits(X, theta), y) == pytest.approx(0.3383230000237, abs=1e-13)


@pytest.mark.parametrize("C", [1.0, 0.1])
def test_raisins_with_a_penalty(raisin_table: Table, C: float) -> None:
    X, y = raisin_problem(raisin_table)
    theta = solution(X, y, lambda_=1 / (900 * C))
    assert theta == pytest.approx(RAISIN[C], rel=1e-8)
    assert theta == pytest.approx(by_scikit_learn(X, y, C), rel=1e-8)


@pytest.mark.parametrize(("lambda_", "F"), [(1 / 900, 0.3528316570219), (0.01, 0.3660643102617)])
def test_raisin_objectives(raisin_table: Table, lambda_: float, F: float) -> None:
    X, y = raisin_problem(raisin_table)
    assert solved(X, y, lambda_=lambda_).objective == pytest.approx(F, abs=1e-13)


def test_raisin_accuracy_with_a_penalty(raisin_table: Table) -> None:
    X, y = raisin_problem(raisin_table)
    z = logits(X, solution(X, y, lambda_=1 / 900))
    assert np.mean((z >= 0) == y) == pytest.approx(0.8666666667, abs=1e-10)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("mu", [0.01, 1.0, 30.0])
def test_a_penalty_of_mu_over_2n_is_c_of_1_over_mu(seed: int, mu: float) -> None:
    X, y = random_problem(seed, n=80, d=5)
    found = solution(X, y, lambda_=mu / 80)
    assert found == pytest.approx(by_scikit_learn(X, y, 1 / mu), rel=1e-8, abs=1e-12)
    p = 1 / (1 + np.exp(-logits(X, found)))
    # The gradient of (mu / 2n) |w|^2 beside the mean loss is zero here.
    assert X.T @ (p - y) / 80 + mu / 80 * found[:-1] == pytest.approx(np.zeros(5), abs=1e-13)


@pytest.mark.parametrize("seed", range(5))
def test_c_is_1_over_the_sum_of_weights_times_lambda(seed: int) -> None:
    X, y = random_problem(seed, n=80, d=5)
    weights = np.random.default_rng(seed).uniform(0.1, 4.0, size=80)
    peer = by_scikit_learn(X, y, 1 / (weights.sum() * 0.02), weights=weights)
    assert solution(X, y, weights, lambda_=0.02) == pytest.approx(peer, rel=1e-8, abs=1e-12)


@pytest.mark.parametrize("name", ["iris", "wine", "digits"])
def test_softmax(name: str) -> None:
    import sklearn.datasets
    from sklearn.linear_model import LogisticRegression

    data: Any = getattr(sklearn.datasets, f"load_{name}")()
    X, y = standardised(data.data), data.target
    peer = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-12).fit(X, y)
    report = solved(X, y, lambda_=1 / len(y), tolerance=1e-8)
    assert report.weights == pytest.approx(peer.coef_, abs=1e-6)
    assert report.intercept == pytest.approx(peer.intercept_ - peer.intercept_.mean(), abs=1e-6)
