"""The same coefficients to the last bit, however the rows are divided among workers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_all_start_methods, get_context

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore import DataError, GradientDescentSettings, NewtonSettings, gradient_descent, newton
from mlcore.rows import PartitionedRows, as_rows
from tests.mlcore.problems import class_problem, random_problem, solution

N = 1003
"""The last block of 64 rows has 43."""

POOLS = ["threads", *(method for method in ("fork", "spawn") if method in get_all_start_methods())]


@pytest.fixture(scope="module", params=POOLS)
def pool(request: pytest.FixtureRequest) -> Iterator[Executor]:
    kind = request.param
    if kind == "threads":
        with ThreadPoolExecutor(2) as threads:
            yield threads
    else:
        with ProcessPoolExecutor(2, mp_context=get_context(kind)) as processes:
            yield processes


@pytest.fixture(scope="module")
def problem() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    X, y = random_problem(3, n=N, d=5)
    weights = np.random.default_rng(3).integers(0, 4, size=N).astype(np.float64)
    return X * [1, 10, 0.1, 3, 1] + [0, 100, 0, 1e6, 3], y, weights


Problem = tuple[np.ndarray, np.ndarray, np.ndarray]


@pytest.mark.parametrize("parts", [1, 2, 4, 100])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_parts_change_no_bit(problem: Problem, parts: int, is_weighted: bool) -> None:
    X, y, s = problem
    weights = s if is_weighted else None
    whole = as_rows(X, y, weights, block_rows=64)
    divided = PartitionedRows.of(X, y, weights, parts=parts, block_rows=64)
    assert len(divided.parts) == min(parts, 16)
    for options in ({"lambda_": 0.0}, {"lambda_": 0.01, "standardise": True}):
        assert solution(divided, **options).tobytes() == solution(whole, **options).tobytes()


@pytest.mark.parametrize("standardise", [False, True])
def test_workers_change_no_bit(problem: Problem, pool: Executor, standardise: bool) -> None:
    X, y, weights = problem
    expected = solution(as_rows(X, y, weights, block_rows=64), standardise=standardise)
    for parts in (1, 2, 4):
        rows = PartitionedRows.of(X, y, weights, parts=parts, block_rows=64, map_=pool.map)
        assert solution(rows, standardise=standardise).tobytes() == expected.tobytes()


def test_workers_solve_more_classes(pool: Executor) -> None:
    X, y = class_problem(0, n=300)
    rows = PartitionedRows.of(X, y, parts=3, block_rows=32, map_=pool.map)
    assert solution(rows).tobytes() == solution(as_rows(X, y, block_rows=32)).tobytes()


def test_workers_descend_together(problem: Problem, pool: Executor) -> None:
    X, y = random_problem(1)
    choice = GradientDescentSettings(lr="auto", momentum="nesterov", epochs=100, lambda_=0.1)
    rows = PartitionedRows.of(X, y, parts=2, block_rows=16, map_=pool.map)
    whole = gradient_descent(as_rows(X, y, block_rows=16), settings=choice)
    assert gradient_descent(rows, settings=choice).theta.tobytes() == whole.theta.tobytes()


def test_a_worker_names_the_row_of_the_whole(problem: Problem, pool: Executor) -> None:
    X, y, _ = problem
    y = y.copy()
    y[999] = 0.5
    rows = PartitionedRows.of(X, y, parts=4, block_rows=64, map_=pool.map)
    with pytest.raises(DataError, match=r"got 0\.5 in row 999"):
        newton(rows)


def test_large_data_open_with_a_sample_of_the_whole() -> None:
    X, y = random_problem(5, n=40_000, d=3)
    whole = as_rows(X, y, block_rows=1024)
    with ThreadPoolExecutor(2) as threads:
        rows = PartitionedRows.of(X, y, parts=3, block_rows=1024, map_=threads.map)
        for standardise in (False, True):
            expected = newton(whole, settings=NewtonSettings(standardise=standardise))
            found = newton(rows, settings=NewtonSettings(standardise=standardise))
            assert found.theta.tobytes() == expected.theta.tobytes()
            assert found.iterations == expected.iterations


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 64), st.integers(0, 1000), st.booleans())
def test_blocks_of_any_size_agree(size: int, seed: int, is_weighted: bool) -> None:
    X, y = random_problem(seed)
    weights = np.random.default_rng(seed).uniform(0.5, 2.0, size=60) if is_weighted else None
    blocked = solution(as_rows(X, y, weights, block_rows=size))
    assert blocked == pytest.approx(solution(X, y, weights), abs=4e-12)
