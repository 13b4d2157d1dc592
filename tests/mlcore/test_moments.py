"""Means, spreads and standardised rows: exact under shifts and scales, whatever the blocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore import DataError, Watch, newton
from mlcore.arrays import column_moments
from mlcore.moments import Moments, StandardisedRows, moments_of, smoothness, standardised
from mlcore.rows import as_rows
from mlcore.solvers import NewtonSettings
from tests.mlcore.problems import random_problem, solution, solved

X, Y = random_problem(0)


def moments(X: np.ndarray, weights: np.ndarray | None = None, size: int | None = None) -> Moments:
    return moments_of(as_rows(X, np.zeros(len(X)), weights, block_rows=size))


@settings(deadline=None)
@given(st.integers(0, 1000), st.integers(1, 64))
def test_it_agrees_with_numpy(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(50, 3)) * [1, 1e3, 1e-3] + [5, -7, 0]
    weights = rng.uniform(0.1, 3.0, size=50)
    for s in (None, weights):
        found = moments(A, s, size)
        mean = np.average(A, axis=0, weights=s)
        assert found.mean == pytest.approx(mean, rel=1e-13)
        covariance = np.cov(A, rowvar=False, aweights=s, ddof=0)
        sd = np.sqrt(np.diag(covariance))
        assert found.scale == pytest.approx(sd, rel=1e-12)
        assert found.covariance / np.outer(sd, sd) == pytest.approx(
            covariance / np.outer(sd, sd), abs=1e-12
        )


def test_it_agrees_with_the_moments_of_arrays() -> None:
    A = X * 3 + 8
    assert moments(A).mean == pytest.approx(column_moments(A).mean, rel=1e-14)
    assert moments(A).scale == pytest.approx(column_moments(A).sd, rel=1e-14)


@pytest.mark.parametrize("offset", [1e6, 1e9, 1e12])
def test_an_offset_costs_no_digits(offset: float) -> None:
    steps = np.round(X * 1024)
    assert moments(steps + offset).scale == pytest.approx(moments(steps).scale, rel=1e-13)


@pytest.mark.parametrize("power", [-1000, -500, -3, 5, 490])
def test_a_power_of_two_changes_no_bit(power: int) -> None:
    found, plain = moments(np.ldexp(X, power), size=16), moments(X, size=16)
    assert found.scale.tobytes() == np.ldexp(plain.scale, power).tobytes()
    assert found.mean.tobytes() == np.ldexp(plain.mean, power).tobytes()


@pytest.mark.parametrize("value", [0.0, 5.0, 0.1, 1e12, -1e-300])
def test_a_constant_column_has_scale_1(value: float) -> None:
    A = np.column_stack((X, np.full(60, value)))
    assert moments(A, size=7).scale[-1] == 1.0


def test_rounding_of_the_mean_is_no_variance() -> None:
    noise = 1e12 * (1 + np.finfo(float).eps * (np.arange(60) % 2))
    assert moments(noise[:, None]).scale.tolist() == [1.0]


def test_weights_of_zero_hide_a_row() -> None:
    s = (np.arange(60) != 3).astype(float)
    changed = X.copy()
    changed[3] = 1e9
    expected = np.delete(X, 3, axis=0)
    for size in (1, 2, 60):
        assert moments(changed[3:], s[3:], size).mean == pytest.approx(expected[3:].mean(axis=0))
        assert moments(changed, s, size).mean == pytest.approx(expected.mean(axis=0), abs=1e-15)
        assert moments(changed, s, size).scale == pytest.approx(expected.std(axis=0), rel=1e-13)


def test_no_rows_have_no_moments() -> None:
    with pytest.raises(DataError, match="no rows"):
        moments(np.empty((0, 2)))


def test_none_changes_nothing() -> None:
    none = Moments.none(2)
    assert none.mean.tolist() == [0, 0]
    assert none.scale.tolist() == [1, 1]
    assert none.covariance.tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("weights", [None, np.arange(1.0, 61.0)])
def test_smoothness_is_the_largest_eigenvalue(weights: np.ndarray | None) -> None:
    A = np.column_stack((X + 3, np.ones(60)))
    s = np.ones(60) if weights is None else weights
    expected = np.linalg.eigvalsh((A.T * s) @ A / s.sum())[-1]
    assert smoothness(moments(X + 3, weights)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("size", [1, 7, 60])
def test_standardised_rows_have_mean_0_and_variance_1(size: int) -> None:
    rows = as_rows(X * 1e5 - 77, Y, block_rows=size)
    through = standardised(rows, moments_of(rows))
    Z = np.concatenate([block.X.copy() for block in through.blocks()])
    assert Z.mean(axis=0) == pytest.approx(np.zeros(4), abs=1e-14)
    assert Z.std(axis=0) == pytest.approx(np.ones(4), rel=1e-13)
    assert through.n_columns == 4
    assert through.largest_label() == 1.0


def test_standardised_rows_are_sampled_like_the_rows() -> None:
    blocks = [(X, Y)]
    assert StandardisedRows(as_rows(blocks), Moments.none(4)).sample(8) is None
    rows = as_rows(X, Y, block_rows=4)
    sample = StandardisedRows(rows, moments_of(rows)).sample(3)
    assert sample is not None
    assert sum(len(block.y) for block in sample.blocks()) == 20


def test_standardising_solves_the_standardised_problem() -> None:
    A = X * [1e-3, 1, 1e5, 7] + [0, 1e3, 5, -1]
    report = solved(A, Y, standardise=True)
    assert report.theta == pytest.approx(solution(X, Y), abs=1e-9)
    assert report.center == pytest.approx(A.mean(axis=0), rel=1e-12, abs=1e-10)
    assert report.scale == pytest.approx(A.std(axis=0), rel=1e-12)


def test_validation_rows_are_standardised_alike() -> None:
    A = X * 3 + 50
    report = newton(A, Y, settings=NewtonSettings(standardise=True), watch=Watch((A, Y)))
    last = report.history[-1]
    assert last.validation_loss == pytest.approx(last.train_loss, abs=1e-15)
    assert last.validation_accuracy == last.train_accuracy
