"""Rows in parts that somebody else keeps: the same bits, whoever opens the parts and in what order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore import DataError, GradientDescentSettings, gradient_descent, newton
from mlcore.distributed import DistributedRows, RowsPart, standardised
from mlcore.history import Watch, loss_and_accuracy
from mlcore.moments import moments_of
from mlcore.rows import as_rows
from mlcore.sums import PairwiseSum
from tests.mlcore.problems import class_problem, random_problem


def divided(
    X: np.ndarray,
    y: np.ndarray,
    edges: Sequence[int],
    *,
    weights: np.ndarray | None = None,
    map_: Callable[..., Any] = map,
) -> DistributedRows:
    bounds = [0, *edges, len(y)]
    parts = [
        RowsPart(X[a:b], y[a:b], None if weights is None else weights[a:b])
        for a, b in zip(bounds[:-1], bounds[1:], strict=True)
    ]
    return DistributedRows.of(
        parts,
        [len(part.y) for part in parts],
        n_columns=X.shape[1],
        n_classes=int(y.max()) + 1,
        map_=map_,
    )


def backwards(function: Callable[..., Any], *items: Sequence[Any]) -> Iterator[Any]:
    return iter([function(*each) for each in reversed(list(zip(*items, strict=True)))])


def test_it_finds_the_coefficients_of_the_same_rows_in_one_piece() -> None:
    X, y = random_problem(3, n=3000, d=4)
    whole, parts = newton(X, y), newton(divided(X, y, [700, 1900]))
    assert parts.theta == pytest.approx(whole.theta, abs=1e-9)
    assert parts.iterations == whole.iterations


@pytest.mark.parametrize("weighted", [False, True])
def test_who_passes_over_the_parts_changes_no_bit(weighted: bool) -> None:
    X, y = random_problem(4, n=5000, d=3)
    weights = np.random.default_rng(4).uniform(0.5, 2, size=5000) if weighted else None
    expected = newton(divided(X, y, [100, 2500, 2501], weights=weights)).theta
    with ThreadPoolExecutor(3) as pool:
        for map_ in (backwards, pool.map):
            found = newton(divided(X, y, [100, 2500, 2501], weights=weights, map_=map_))
            assert found.theta.tobytes() == expected.tobytes()


def test_large_parts_open_with_a_sample_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = random_problem(5, n=80_000, d=3)
    whole = newton(X, y)
    fetched = newton(divided(X, y, [30_000, 45_000]))
    monkeypatch.setattr("mlcore.distributed.FETCHED_BYTES", 0)
    stayed = newton(divided(X, y, [30_000, 45_000]))
    assert fetched.theta == pytest.approx(whole.theta, abs=1e-7)
    assert stayed.theta == pytest.approx(whole.theta, abs=1e-7)


def test_a_sample_of_a_sample_numbers_its_blocks_anew() -> None:
    X, y = random_problem(6, n=90_000, d=2)
    rows = divided(X, y, [40_000])
    thinned = rows
    for _ in range(2):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("mlcore.distributed.FETCHED_BYTES", 0)
            thinned = thinned.sample(4)
    assert isinstance(thinned, DistributedRows)
    blocks = list(thinned.blocks())
    sums = PairwiseSum()
    for number, block in enumerate(blocks):
        sums.add((0, number), block.X.sum(axis=0))
    assert np.array_equal(thinned.total(_Columns()), sums.total())


class _Columns:
    def __call__(self) -> Callable[..., Any]:
        return lambda block: block.X.sum(axis=0)


def test_a_bad_label_is_named_by_its_row_in_the_whole() -> None:
    X, y = random_problem(1, n=60)
    y = y.copy()
    y[47] = 0.5
    with pytest.raises(DataError, match=r"got 0\.5 in row 47"):
        newton(divided(X, y, [20, 40]))


def test_parts_without_rows_are_left_out() -> None:
    X, y = random_problem(2, n=60)
    expected = newton(divided(X, y, [30])).theta
    assert newton(divided(X, y, [0, 30, 30])).theta.tobytes() == expected.tobytes()
    with pytest.raises(DataError, match="there are no rows"):
        DistributedRows.of([], [], n_columns=2, n_classes=2, map_=map)


def test_gradients_descend_and_more_classes_are_solved() -> None:
    X, y = random_problem(1)
    choice = GradientDescentSettings(lr="auto", momentum="nesterov", epochs=100, lambda_=0.1)
    whole = gradient_descent(X, y, settings=choice).theta
    assert gradient_descent(divided(X, y, [20]), settings=choice).theta == pytest.approx(whole)
    X, y = class_problem(0, n=300)
    assert newton(divided(X, y, [120])).theta == pytest.approx(newton(X, y).theta, abs=1e-8)


def test_a_watched_solver_judges_all_parts() -> None:
    X, y = random_problem(7, n=400, d=3)
    report = newton(divided(X, y, [150]), watch=Watch((X[:50], y[:50])))
    loss, accuracy = loss_and_accuracy(as_rows(X, y), report.theta)
    assert report.history[-1].train_accuracy == accuracy
    assert report.history[-1].train_loss == pytest.approx(loss)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 500), max_size=6), st.integers(0, 100))
def test_moments_do_not_depend_on_the_parts(edges: list[int], seed: int) -> None:
    X, y = random_problem(seed, n=500, d=3)
    X = X * [1, 1e6, 1e-3] + [1e9, 0, 5]
    found, whole = moments_of(divided(X, y, sorted(edges))), moments_of(as_rows(X, y))
    assert found.mean / whole.scale == pytest.approx(whole.mean / whole.scale, rel=1e-12, abs=1e-11)
    assert found.scale == pytest.approx(whole.scale, rel=1e-9)


def test_a_part_is_standardised_by_given_moments() -> None:
    part = standardised(
        RowsPart(np.array([[1.0, 10.0], [3.0, 30.0]]), np.array([0.0, 1.0])),
        np.array([2.0, 20.0]),
        np.array([1.0, 10.0]),
    )
    assert part.X.tolist() == [[-1.0, -1.0], [1.0, 1.0]]
