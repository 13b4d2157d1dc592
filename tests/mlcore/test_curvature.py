"""The inverse of a Hessian: exact where there is one, of least norm where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.curvature import FAR, InverseHessian, constant_columns, unit_diagonal


def matrix(seed: int, size: int = 4) -> np.ndarray:
    A = np.random.default_rng(seed).normal(size=(3 * size, size))
    H: np.ndarray = A.T @ A
    return H


def inverted(H: np.ndarray, free: np.ndarray | None = None) -> InverseHessian:
    free = np.ones(len(H)) if free is None else free
    return InverseHessian.of(H, free=free, scale=unit_diagonal(H))


@pytest.mark.parametrize("seed", range(5))
def test_it_inverts(seed: int) -> None:
    H = matrix(seed)
    inverse = inverted(H)
    assert inverse.matrix @ H == pytest.approx(np.eye(4), abs=1e-12)
    assert inverse.flat.shape == (4, 0)


def test_units_do_not_matter() -> None:
    units = np.array([1e-120, 1.0, 1e60, 1e140])
    H = matrix(0)
    scaled = inverted(H * np.outer(units, units)).matrix * np.outer(units, units)
    assert scaled == pytest.approx(inverted(H).matrix, rel=1e-9)


def test_a_coefficient_that_stays_is_left_out() -> None:
    H = matrix(1)
    inverse = inverted(H, np.array([1.0, 0.0, 1.0, 1.0]))
    kept = [0, 2, 3]
    assert inverse.matrix[np.ix_(kept, kept)] == pytest.approx(
        np.linalg.inv(H[np.ix_(kept, kept)]), rel=1e-10
    )
    assert not inverse.matrix[1].any()
    assert not inverse.matrix[:, 1].any()


@pytest.mark.parametrize("seed", range(5))
def test_repeated_columns_give_the_pseudoinverse_in_units_of_the_scale(seed: int) -> None:
    A = np.random.default_rng(seed).normal(size=(20, 3))
    A = np.column_stack((A, A[:, 0] + A[:, 1]))
    H = A.T @ A
    inverse = inverted(H)
    scale = unit_diagonal(H)
    expected = np.linalg.pinv(H * np.outer(scale, scale), rcond=1e-10) * np.outer(scale, scale)
    assert inverse.matrix == pytest.approx(expected, abs=1e-10)
    assert inverse.flat.shape == (4, 1)
    assert H @ inverse.flat == pytest.approx(np.zeros((4, 1)), abs=1e-10)


def test_an_exactly_singular_matrix_is_no_accident() -> None:
    inverse = inverted(np.ones((2, 2)))
    assert inverse.matrix == pytest.approx(np.full((2, 2), 0.25))
    assert inverse.flat.shape == (2, 1)


def test_no_curvature_at_all_is_flat() -> None:
    inverse = InverseHessian.of(np.zeros((2, 2)), free=np.ones(2), scale=np.ones(2))
    assert not inverse.matrix.any()
    assert inverse.step(np.array([3.0, 4.0]), 4.0).decrement == 10.0


def test_no_columns_at_all() -> None:
    assert inverted(np.empty((0, 0))).matrix.shape == (0, 0)


@pytest.mark.parametrize("seed", range(5))
def test_the_step_ends_at_the_minimum_of_the_quadratic(seed: int) -> None:
    H, g = matrix(seed), np.random.default_rng(seed).normal(size=4)
    step = inverted(H).step(g, 9.0)
    assert H @ step.direction == pytest.approx(-g, abs=1e-11)
    assert step.decrement == pytest.approx(3 * np.sqrt(g @ np.linalg.solve(H, g)), rel=1e-10)


@pytest.mark.parametrize("seed", range(5))
def test_the_decrement_bounds_every_standard_error(seed: int) -> None:
    H, g = matrix(seed), np.random.default_rng(seed).normal(size=4)
    step = inverted(H).step(g, 50.0)
    standard_errors = np.sqrt(np.diag(np.linalg.inv(50.0 * H)))
    assert (np.abs(step.direction) / standard_errors).max() <= step.decrement * (1 + 1e-9)


def test_a_slope_along_a_flat_direction_counts() -> None:
    inverse = inverted(np.ones((2, 2)))
    assert inverse.step(np.array([1.0, 1.0]), 1.0).decrement == pytest.approx(1.0)
    assert inverse.step(np.array([1.0, -1.0]), 1.0).decrement == pytest.approx(np.sqrt(2))


@pytest.mark.parametrize("slope", [np.nan, np.inf, 1e200])
def test_nonsense_is_far_away(slope: float) -> None:
    with np.errstate(all="ignore"):
        assert inverted(np.eye(2)).step(np.array([slope, 1.0]), 1.0).decrement == FAR


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_the_update_is_that_of_the_book(seed: int) -> None:
    rng = np.random.default_rng(seed)
    inverse, s = inverted(matrix(seed)), rng.normal(size=4)
    y = matrix(seed + 1) @ s
    rho = 1 / (s @ y)
    left = np.eye(4) - rho * np.outer(s, y)
    expected = left @ inverse.matrix @ left.T + rho * np.outer(s, s)
    found = inverse.updated(s, y).matrix
    assert found == pytest.approx(expected, rel=1e-8, abs=1e-8 * np.abs(expected).max())
    assert found @ y == pytest.approx(s, rel=1e-6, abs=1e-6)
    assert found == pytest.approx(found.T, rel=1e-12, abs=1e-14)
    assert np.linalg.eigvalsh(found)[0] > 0


def test_the_update_leaves_held_coefficients_alone() -> None:
    inverse = inverted(matrix(0), np.array([1.0, 0.0, 1.0, 1.0]))
    updated = inverse.updated(np.array([1.0, 0.0, 2.0, 0.5]), np.array([1.0, 1e9, 1.0, 1.0]))
    assert not updated.matrix[1].any()
    assert updated.matrix @ [1.0, 0.0, 1.0, 1.0] == pytest.approx([1.0, 0.0, 2.0, 0.5])


@pytest.mark.parametrize("change", [[-1.0, 0, 0, 0], [0.0, 0, 0, 0], [np.nan, 0, 0, 0]])
def test_a_change_that_is_not_convex_is_not_learnt(change: list[float]) -> None:
    inverse = inverted(matrix(0))
    assert inverse.updated(np.eye(4)[0], np.array(change)) is inverse


def test_constant_columns_are_told_from_varying_ones() -> None:
    rng = np.random.default_rng(0)
    columns = (rng.normal(size=50), np.full(50, 0.1), np.zeros(50), rng.normal(size=50) * 1e-200)
    h = rng.uniform(0.1, 0.25, size=50)
    Z = np.column_stack((*columns, 1e5 + rng.normal(size=50), np.ones(50)))
    assert constant_columns((Z.T * h) @ Z).tolist() == [1, 2, 3]


def test_the_scale_gives_a_unit_diagonal() -> None:
    H = np.diag([4.0, 1e-200, 1e200, 0.0])
    scale = unit_diagonal(H)
    assert (H.diagonal() * scale * scale)[:3] == pytest.approx(np.ones(3))
    assert np.isfinite(scale).all()
