"""The certificate that no optimum exists: never missed and never given without cause.

Every case is built so that the truth is known beforehand.
"""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest

from mlcore import NewtonSettings, NotConvergedWarning, SolverReport, Table, newton
from mlcore.rows import PartitionedRows, as_rows
from mlcore.separation import Separation, find_separation
from tests.mlcore.problems import (
    breast_cancer_problem,
    class_problem,
    flower_problem,
    labelled,
    raisin_problem,
    random_problem,
    standardised,
)

Problem = tuple[np.ndarray, np.ndarray]


def without_penalty(
    X: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None
) -> SolverReport:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)
        return newton(X, y, weights, settings=NewtonSettings(lambda_=0.0))


def overlapping(rng: np.random.Generator) -> Problem:
    """Pairs of equal rows with different labels span the space: no direction separates them."""
    n, d = int(rng.integers(20, 120)), int(rng.integers(1, 6))
    X = rng.normal(size=(n, d)) @ (np.eye(d) + 0.5 * rng.normal(size=(d, d)))
    y = labelled(X, 2.0 * rng.normal(size=d + 1), rng)
    X[d + 1 : 2 * d + 2], y[: d + 1] = X[: d + 1], 0.0
    y[d + 1 : 2 * d + 2] = 1.0
    return X, y


def complete(rng: np.random.Generator) -> Problem:
    """A random direction with a gap around zero."""
    n, d = int(rng.integers(20, 120)), int(rng.integers(1, 6))
    X = rng.normal(size=(n, d))
    u = rng.normal(size=d)
    u /= np.linalg.norm(u)
    side = np.where(np.arange(n) % 2 == 0, 1.0, -1.0)
    X += np.outer(side * (np.abs(X @ u) + rng.uniform(0.01, 0.5)) - X @ u, u)
    return X, (side > 0).astype(np.float64)


def quasi(rng: np.random.Generator) -> Problem:
    """Overlapping classes, and a column that is 0 there and 1 for a few more rows of one class."""
    X, y = overlapping(rng)
    k = int(rng.integers(2, 12))
    more = rng.normal(size=(k, X.shape[1]))
    column = np.append(np.zeros(len(y)), rng.uniform(0.5, 1.5, size=k))
    return np.column_stack((np.vstack((X, more)), column)), np.append(y, np.ones(k))


@pytest.mark.parametrize("seed", range(100))
def test_overlapping_classes_are_never_called_separated(seed: int) -> None:
    X, y = overlapping(np.random.default_rng(seed))
    report = without_penalty(standardised(X), y)
    assert report.separation is None
    assert report.converged, report.message


@pytest.mark.parametrize("seed", range(100))
def test_complete_separation_is_never_missed(seed: int) -> None:
    X, y = complete(np.random.default_rng(seed))
    report = without_penalty(standardised(X), y)
    assert not report.converged
    # Of a complete separation a part may be seen first; it is then called quasi, which is allowed.
    assert report.separation is not None
    assert report.separation.rows <= len(y)
    assert np.isfinite([*report.weights, report.intercept, report.decrement]).all()


@pytest.mark.parametrize("seed", range(100))
def test_quasi_separation_is_never_missed(seed: int) -> None:
    X, y = quasi(np.random.default_rng(seed))
    report = without_penalty(standardised(X), y)
    assert not report.converged
    assert report.separation is not None
    assert report.separation.kind == "quasi"
    assert report.separation.columns[0] == X.shape[1] - 1
    assert report.separation.rows == (X[:, -1] > 0).sum()


def test_complete_separation_is_seldom_called_quasi() -> None:
    kinds = []
    for seed in range(60):
        X, y = complete(np.random.default_rng(seed))
        separation = without_penalty(standardised(X), y).separation
        kinds.append(separation.kind if separation else "none")
    assert kinds.count("complete") >= 58


def test_the_column_that_separates_is_named() -> None:
    X, _ = random_problem(0, d=6)
    y = (X[:, 4] > 0.1).astype(np.float64)
    X[:, 4] += np.where(y == 1, 1.0, -1.0)
    separation = without_penalty(X, y).separation
    assert separation is not None
    assert separation.kind == "complete"
    assert separation.rows == 60
    assert separation.columns[0] == 4
    assert len(separation.columns) <= 5


def test_its_unit_does_not_matter() -> None:
    X, _ = random_problem(0, d=6)
    y = (X[:, 4] > 0.1).astype(np.float64)
    X[:, 4] += np.where(y == 1, 1.0, -1.0)
    for scale in (1e-6, 1e6):
        units = np.where(np.arange(6) == 4, scale, 1.0)
        separation = without_penalty(X * units, y).separation
        assert separation is not None
        assert separation.columns[0] == 4


def test_rows_without_weight_neither_separate_nor_join() -> None:
    X, y = complete(np.random.default_rng(1))
    wrong = 1 - y
    both, labels = np.vstack((X, X)), np.append(y, wrong)
    weights = np.append(np.ones(len(y)), np.zeros(len(y)))
    report = without_penalty(both, labels, weights)
    assert report.separation is not None
    assert report.separation.kind == "complete"
    assert report.separation.rows == len(y)
    weights[-len(y) // 2 :] = 0.5
    assert without_penalty(both, labels).separation is None


def test_blocks_and_parts_see_the_same() -> None:
    X, y = complete(np.random.default_rng(2))
    expected = without_penalty(X, y).separation
    for rows in (
        as_rows(X, y, block_rows=5),
        as_rows([(X[:9], y[:9]), (X[9:], y[9:])]),
        PartitionedRows.of(X, y, parts=3, block_rows=4),
    ):
        with pytest.warns(NotConvergedWarning):
            assert newton(rows, settings=NewtonSettings(lambda_=0.0)).separation == expected


def test_the_advice_is_a_penalty() -> None:
    X, y = complete(np.random.default_rng(3))
    with pytest.warns(NotConvergedWarning, match=r"are separated by .* use lambda_ > 0"):
        newton(X, y, settings=NewtonSettings(lambda_=0.0))
    report = newton(X, y, settings=NewtonSettings(lambda_=1e-6))
    assert report.converged
    assert report.separation is None


@pytest.mark.parametrize("classes", list(itertools.combinations(range(3), 2)))
def test_iris_flowers(classes: tuple[int, int]) -> None:
    report = without_penalty(*flower_problem(*classes))
    if 0 in classes:
        assert report.separation is not None
        assert report.separation.kind == "complete"
        assert report.separation.rows == 100
    else:
        assert report.converged
        assert report.separation is None


def test_30_columns_separate_the_breast_cancer_data() -> None:
    separation = without_penalty(*breast_cancer_problem()).separation
    assert separation is not None
    assert separation.kind == "complete"
    assert separation.rows == 569


def test_raisins_are_not_separated(raisin_table: Table) -> None:
    report = without_penalty(*raisin_problem(raisin_table))
    assert report.converged
    assert report.separation is None


def test_three_flowers_are_quasi_separated() -> None:
    """Setosa stands apart; the two others overlap."""
    report = without_penalty(*flower_problem(0, 1, 2))
    assert report.separation is not None
    assert report.separation.kind == "quasi"
    assert report.separation.rows >= 50
    assert not report.converged


@pytest.mark.parametrize("seed", range(10))
def test_more_classes_that_stand_apart(seed: int) -> None:
    X, y = class_problem(seed, classes=4)
    centres = 20 * np.random.default_rng(seed).normal(size=(4, 3))
    report = without_penalty(standardised(X + centres[y.astype(int)]), y)
    assert report.separation is not None


@pytest.mark.parametrize("seed", range(10))
def test_more_classes_that_overlap(seed: int) -> None:
    X, y = class_problem(seed, classes=4, n=200)
    report = without_penalty(X, y)
    assert report.converged
    assert report.separation is None


def test_a_step_that_moves_every_row_to_its_side_is_proof() -> None:
    X, y = np.array([[-2.0], [-1.0], [1.0], [3.0]]), np.array([0.0, 0.0, 1.0, 1.0])
    rows, nothing = as_rows(X, y), np.zeros(2)
    found = find_separation(rows, nothing, np.array([1.0, 0.0]), np.ones(2))
    assert found == Separation("complete", 4, (0,))


def test_margins_that_are_all_right_are_proof_whatever_the_step() -> None:
    X, y = np.array([[-2.0], [1.0]]), np.array([0.0, 1.0])
    theta, step = np.array([5.0, 0.0]), np.array([-1.0, 0.0])
    found = find_separation(as_rows(X, y), theta, step, np.ones(2))
    assert found is not None
    assert found.kind == "complete"


def test_a_step_that_leaves_the_others_in_peace_is_quasi() -> None:
    X, y = np.array([[0.0], [0.0], [1.0]]), np.array([0.0, 1.0, 1.0])
    found = find_separation(as_rows(X, y), np.zeros(2), np.array([1.0, 0.0]), np.ones(2))
    assert found == Separation("quasi", 1, (0,))


@pytest.mark.parametrize("step", [[0.4, 0.0], [1.0, -0.1], [-1.0, 0.0]])
def test_any_other_step_proves_nothing(step: list[float]) -> None:
    X, y = np.array([[0.0], [0.0], [1.0]]), np.array([0.0, 1.0, 1.0])
    assert find_separation(as_rows(X, y), np.zeros(2), np.array(step), np.ones(2)) is None
