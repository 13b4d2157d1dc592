"""Fisher's discriminant: the textbook formula, and a start that is close to the optimum."""

from __future__ import annotations

import numpy as np
import pytest

from mlcore.discriminant import discriminant
from mlcore.labels import count_labels
from mlcore.objective import Objective
from mlcore.rows import as_rows
from tests.mlcore.problems import class_problem, random_problem, solution


def first_guess(
    X: np.ndarray, y: np.ndarray, lambda_: float = 0.0, weights: np.ndarray | None = None
) -> np.ndarray:
    rows = as_rows(X, y, weights, block_rows=17)
    return discriminant(rows, count_labels(rows), lambda_)


@pytest.mark.parametrize("seed", range(5))
def test_two_classes_agree_with_scikit_learn(seed: int) -> None:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    X, y = random_problem(seed)
    peer = LinearDiscriminantAnalysis(solver="lsqr").fit(X, y)
    # scikit-learn too divides the covariance within classes by n.
    expected = np.append(peer.coef_[0], peer.intercept_)
    assert first_guess(X, y) == pytest.approx(expected, rel=1e-9)


def test_more_classes_agree_with_scikit_learn() -> None:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    X, y = class_problem(0)
    peer = LinearDiscriminantAnalysis(solver="lsqr").fit(X, y)
    expected = np.column_stack((peer.coef_, peer.intercept_))
    expected -= expected.mean(axis=0)
    assert first_guess(X, y).reshape(3, 4) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_weights_count_rows() -> None:
    X, y = random_problem(0)
    s = np.random.default_rng(0).integers(0, 4, size=60)
    repeated = first_guess(np.repeat(X, s, axis=0), np.repeat(y, s))
    assert first_guess(X, y, 0.01, s.astype(float)) == pytest.approx(
        first_guess(np.repeat(X, s, axis=0), np.repeat(y, s), 0.01), rel=1e-10
    )
    assert first_guess(X, y, 0.0, s.astype(float)) == pytest.approx(repeated, rel=1e-10)


def test_normal_classes_are_nearly_solved() -> None:
    rng = np.random.default_rng(1)
    y = np.arange(4000) % 2 * 1.0
    X = rng.normal(size=(4000, 3)) + y[:, None] * [1.0, -0.5, 0.0]
    assert first_guess(X, y) == pytest.approx(solution(X, y, lambda_=0.0), abs=0.05)


def test_a_penalty_shrinks_it_as_it_shrinks_the_optimum() -> None:
    X, y = random_problem(2, n=400)
    for lambda_ in (0.01, 0.1, 1.0, 100.0):
        objective = Objective(as_rows(X, y), lambda_)
        best = objective.slope(solution(X, y, lambda_=lambda_)).F
        guess = objective.slope(first_guess(X, y, lambda_)).F
        assert guess - best < 0.25 * (objective.null_loss() - best)


def test_a_constant_column_gets_nothing() -> None:
    X, y = random_problem(0)
    theta = first_guess(np.column_stack((X, np.full(60, 0.1))), y)
    assert theta[4] == 0.0
    assert np.delete(theta, 4) == pytest.approx(first_guess(X, y), rel=1e-9)


def test_duplicate_columns_share() -> None:
    X, y = random_problem(0)
    theta = first_guess(np.column_stack((X, X[:, 0])), y)
    assert theta[[0, 4]] == pytest.approx([first_guess(X, y)[0] / 2] * 2, rel=1e-6)


def test_numbers_that_overflow_give_no_guess() -> None:
    X, y = random_problem(0)
    with np.errstate(all="ignore"):
        assert np.isnan(first_guess(X * 1e200, y)).all()
        assert np.isnan(first_guess(*class_problem(0)[:1], class_problem(0)[1])).sum() == 0
        assert first_guess(class_problem(0)[0] * 1e200, class_problem(0)[1]).shape == (12,)
