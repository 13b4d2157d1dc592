"""The inverse where there is one, the least-norm one where there is none."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from mlcore.pseudoinverse import inverse


def test_it_works() -> None:
    A = np.array([[4.0, 1.0], [1.0, 3.0]])
    found = inverse(A)
    assert_allclose(found.matrix @ A, np.eye(2), atol=1e-15)
    assert found.rank == 2
    assert found.determined.all()
    assert found.null.shape == (2, 0)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 8))
def test_units_do_not_matter(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(size + 5, size))
    A = root.T @ root
    units = 10.0 ** rng.integers(-60, 60, size=size)
    found = inverse(A * units * units[:, None])
    assert_allclose(found.matrix * units * units[:, None], inverse(A).matrix, rtol=1e-7, atol=1e-9)
    assert found.rank == size


def test_a_singular_matrix_has_its_least_norm_inverse() -> None:
    rng = np.random.default_rng(0)
    root = rng.normal(size=(9, 5))
    root[:, 4] = root[:, 0] + root[:, 1]
    scale = 1 / np.sqrt(np.square(root).sum(axis=0))
    A = (root * scale).T @ (root * scale)
    found = inverse(A)
    assert_allclose(found.matrix, np.linalg.pinv(A, rcond=1e-10), atol=1e-10)
    assert found.rank == 4
    assert found.determined.tolist() == [False, False, True, True, False]
    assert_allclose(A @ found.null, 0, atol=1e-12)
    assert_allclose(found.null.T @ found.null, np.eye(1), atol=1e-12)


def test_what_is_determined_is_the_same_without_the_rest() -> None:
    rng = np.random.default_rng(1)
    root = rng.normal(size=(9, 3))
    twice = np.column_stack((root, root[:, 0]))
    found, plain = inverse(twice.T @ twice), inverse(root.T @ root)
    assert_allclose(found.matrix[1:3, 1:3], plain.matrix[1:3, 1:3], rtol=1e-8)


def test_a_nearly_singular_matrix_counts_as_singular() -> None:
    for gap, rank in ((1e-9, 2), (1e-13, 1)):
        A = np.array([[1.0, 1.0 - gap], [1.0 - gap, 1.0]])
        assert inverse(A).rank == rank


def test_empty_rows_stay_empty() -> None:
    A = np.diag([2.0, 0.0, 5.0])
    found = inverse(A)
    assert_allclose(found.matrix, np.diag([0.5, 0.0, 0.2]), rtol=1e-15, atol=0)
    assert found.determined.tolist() == [True, False, True]
    assert inverse(np.zeros((2, 2))).rank == 0
