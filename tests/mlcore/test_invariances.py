"""What may be done to the data without changing the answer, or with a known change."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.loss import logits, sigmoid
from mlcore.objective import Objective
from mlcore.ranking import roc_auc
from mlcore.rows import as_rows
from tests.mlcore.problems import random_problem, solution, solved

seeds = given(st.integers(0, 10_000), st.sampled_from([0.0, 0.001, 0.1]))
quick = settings(max_examples=25, deadline=None)


def solvable(seed: int, lambda_: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    X, y = random_problem(seed, n=80)
    # A few rows with both labels: there is an optimum without a penalty too.
    X[5:10], y[:5], y[5:10] = X[:5], 0.0, 1.0
    return X, y, solution(X, y, lambda_=lambda_)


@quick
@seeds
def test_a_column_times_a_power_of_two_is_the_same_after_standardising(
    seed: int, lambda_: float
) -> None:
    X, y, _ = solvable(seed, lambda_)
    expected = solution(X, y, lambda_=lambda_, standardise=True)
    powers = np.random.default_rng(seed).integers(-300, 300, size=4)
    found = solution(np.ldexp(X, powers), y, lambda_=lambda_, standardise=True)
    assert found.tobytes() == expected.tobytes()


@quick
@seeds
def test_a_column_with_the_other_sign_flips_its_weight(seed: int, lambda_: float) -> None:
    X, y, theta = solvable(seed, lambda_)
    flip = np.array([1.0, -1.0, 1.0, 1.0, 1.0])
    found = solution(X * flip[:4], y, lambda_=lambda_)
    assert found == pytest.approx(theta * flip, rel=1e-12, abs=1e-13)


@quick
@seeds
def test_any_unit_is_the_same_after_standardising(seed: int, lambda_: float) -> None:
    X, y, _ = solvable(seed, lambda_)
    rng = np.random.default_rng(seed)
    units, shifts = 10.0 ** rng.uniform(-6, 6, size=4), rng.uniform(-100, 100, size=4)
    expected = solution(X, y, lambda_=lambda_, standardise=True)
    found = solution(X * units + shifts * units, y, lambda_=lambda_, standardise=True)
    assert found == pytest.approx(expected, abs=1e-6)


@quick
@seeds
def test_other_labels_flip_every_coefficient(seed: int, lambda_: float) -> None:
    X, y, theta = solvable(seed, lambda_)
    assert solution(X, 1 - y, lambda_=lambda_) == pytest.approx(-theta, rel=1e-11, abs=1e-12)


@quick
@seeds
def test_the_order_of_rows_and_columns_does_not_matter(seed: int, lambda_: float) -> None:
    X, y, theta = solvable(seed, lambda_)
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(80), rng.permutation(4)
    assert solution(X[rows], y[rows], lambda_=lambda_) == pytest.approx(theta, abs=1e-11)
    found = solution(X[:, columns], y, lambda_=lambda_)
    assert found == pytest.approx(theta[[*columns, 4]], abs=1e-11)


@quick
@seeds
def test_weights_are_repeated_rows(seed: int, lambda_: float) -> None:
    X, y, theta = solvable(seed, lambda_)
    s = np.random.default_rng(seed).integers(1, 4, size=80)
    s[20:30] = 0
    repeated = solution(np.repeat(X, s, axis=0), np.repeat(y, s), lambda_=lambda_)
    found = solution(X, y, s, lambda_=lambda_)
    assert found == pytest.approx(repeated, rel=1e-11, abs=1e-11)
    left = s > 0
    assert solution(X[left], y[left], s[left], lambda_=lambda_) == pytest.approx(found, abs=1e-11)
    assert solution(X, y, np.full(80, 7.5), lambda_=lambda_) == pytest.approx(theta, abs=1e-11)
    assert solution(np.tile(X, (2, 1)), np.tile(y, 2), lambda_=lambda_) == pytest.approx(
        theta, abs=1e-11
    )


@quick
@seeds
def test_a_constant_column_changes_nothing(seed: int, lambda_: float) -> None:
    X, y, theta = solvable(seed, lambda_)
    found = solution(np.column_stack((np.full(80, 3.0), X)), y, lambda_=lambda_)
    assert found[0] == 0.0
    assert found[1:] == pytest.approx(theta, rel=1e-10, abs=1e-11)


@quick
@seeds
def test_the_optimum_balances(seed: int, lambda_: float) -> None:
    X, y, theta = solvable(seed, lambda_)
    p = sigmoid(logits(X, theta))
    assert p.mean() == pytest.approx(y.mean(), abs=1e-12)
    assert lambda_ * theta[:-1] == pytest.approx(X.T @ (y - p) / len(y), abs=1e-11)


@quick
@given(st.integers(0, 10_000))
def test_the_fit_is_calibrated_on_its_own_rows(seed: int) -> None:
    X, y, theta = solvable(seed, 0.0)
    line = solution(logits(X, theta)[:, None], y, lambda_=0.0)
    assert line == pytest.approx([1.0, 0.0], abs=1e-8)


@quick
@given(st.integers(0, 10_000))
def test_more_columns_never_fit_worse(seed: int) -> None:
    X, y, _ = solvable(seed, 0.0)
    objective = Objective(as_rows(X, y), 0.0)
    fits = [objective.null_loss()]
    fits += [solved(X[:, :d], y, lambda_=0.0).objective for d in range(1, 5)]
    assert all(better <= worse + 1e-12 for worse, better in zip(fits, fits[1:], strict=False))


@quick
@given(st.integers(0, 10_000))
def test_more_penalty_means_smaller_weights_and_a_worse_fit(seed: int) -> None:
    X, y, _ = solvable(seed, 0.0)
    reports = [solved(X, y, lambda_=lambda_) for lambda_ in (0.0, 0.001, 0.01, 0.1, 1.0, 10.0)]
    norms = [np.linalg.norm(report.weights) for report in reports]
    assert norms == sorted(norms, reverse=True)
    plain = Objective(as_rows(X, y), 0.0)
    losses = [plain.slope(report.theta).F for report in reports]
    assert losses == sorted(losses)


def test_an_endless_penalty_leaves_the_rate() -> None:
    X, y = random_problem(0)
    theta = solution(X, y, lambda_=1e9)
    assert theta[:-1] == pytest.approx(np.zeros(4), abs=1e-8)
    assert theta[-1] == pytest.approx(math.log(y.mean() / (1 - y.mean())), abs=1e-8)


@quick
@given(st.integers(0, 10_000))
def test_folding_the_scale_into_the_weights_changes_no_logit(seed: int) -> None:
    X, y, _ = solvable(seed, 0.0)
    A = X * [1e-3, 1.0, 1e4, 50.0] + [1.0, -20.0, 1e5, 0.0]
    report = solved(A, y, standardise=True)
    standardised = (A - report.center) / report.scale @ report.weights + report.intercept
    folded = A @ (report.weights / report.scale) + (
        report.intercept - (report.weights * report.center / report.scale).sum()
    )
    assert folded == pytest.approx(standardised, abs=1e-11)


@quick
@given(st.integers(0, 10_000))
def test_ranking_knows_no_units(seed: int) -> None:
    X, y, theta = solvable(seed, 0.01)
    z = logits(X, theta)
    auc = roc_auc(y, z)
    assert auc is not None
    assert roc_auc(y, sigmoid(z)) == pytest.approx(auc, abs=1e-12)
    assert roc_auc(y, -z) == pytest.approx(1 - auc, abs=1e-12)
    assert roc_auc(1 - y, z) == pytest.approx(1 - auc, abs=1e-12)
