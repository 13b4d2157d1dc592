"""Rows from every kind of source are the same rows, and bad ones are named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore import DataError, GradientDescentSettings, NewtonSettings, gradient_descent, newton
from mlcore.labels import count_labels, tally_labels
from mlcore.rows import (
    BLOCK_BYTES,
    ArrayRows,
    Block,
    PartitionedRows,
    Rows,
    StreamedRows,
    as_rows,
    block_rows,
)
from mlcore.sums import PairwiseSum
from tests.mlcore.problems import random_problem, solution

X, Y = random_problem(0)
Source = Callable[[np.ndarray, np.ndarray, Path], tuple[Any, ...]]


def split(X: np.ndarray, y: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(X[start : start + 17], y[start : start + 17]) for start in range(0, len(y), 17)]


def mapped(X: np.ndarray, y: np.ndarray, folder: Path) -> tuple[Any, ...]:
    np.save(folder / "X.npy", X)
    np.save(folder / "y.npy", y)
    return tuple(np.load(folder / f"{name}.npy", mmap_mode="r") for name in "Xy")


def spread(values: np.ndarray) -> np.ndarray:
    """The same values at every third place of a larger array."""
    wide = np.full((3 * len(values), *values.shape[1:]), np.nan)
    wide[::3] = values
    return wide[::3]


SOURCES: dict[str, Source] = {
    "arrays": lambda X, y, _: (X, y),
    "lists": lambda X, y, _: (X.tolist(), y.tolist()),
    "Fortran order": lambda X, y, _: (np.asfortranarray(X), y),
    "strided": lambda X, y, _: (spread(X), spread(y)),
    "backwards": lambda X, y, _: (X[::-1].copy()[::-1], y[::-1].copy()[::-1]),
    "objects": lambda X, y, _: (X.astype(object), y.astype(object)),
    "a read-only file": mapped,
    "small blocks of arrays": lambda X, y, _: (as_rows(X, y, block_rows=7),),
    "list of blocks": lambda X, y, _: (split(X, y),),
    "list of lists": lambda X, y, _: ([(a.tolist(), b.tolist(), None) for a, b in split(X, y)],),
    "function": lambda X, y, _: (lambda: iter(split(X, y)),),
    "generator function": lambda X, y, _: (lambda: (block for block in split(X, y)),),
    "partitions": lambda X, y, _: (PartitionedRows.of(X, y, parts=3, block_rows=8),),
}
each_source = pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)


@each_source
def test_every_source_gives_the_same_coefficients(source: Source, tmp_path: Path) -> None:
    given = source(X, Y, tmp_path)
    assert solution(*given) == pytest.approx(solution(X, Y), abs=4e-12)
    assert solution(*given, standardise=True) == pytest.approx(solution(X, Y), abs=4e-12)


@each_source
def test_no_source_is_changed(source: Source, tmp_path: Path) -> None:
    mine, labels = X.copy(), Y.copy()
    given = source(mine, labels, tmp_path)
    solution(*given, standardise=True)
    solution(*given)
    assert (mine.tobytes(), labels.tobytes()) == (X.tobytes(), Y.tobytes())
    for array in given:
        if isinstance(array, np.ndarray):
            assert np.array_equal(array.astype(np.float64), X if array.ndim == 2 else Y)


@each_source
@pytest.mark.parametrize("standardise", [False, True])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e200])
def test_a_bad_cell_is_named_in_every_source(
    source: Source, tmp_path: Path, bad: float, standardise: bool
) -> None:
    spoilt = X.copy()
    spoilt[53, 2] = bad
    with pytest.raises(DataError, match=f"X holds {bad} in row 53, column 2".replace("+", r"\+")):
        newton(*source(spoilt, Y, tmp_path), settings=NewtonSettings(standardise=standardise))


@each_source
@pytest.mark.parametrize("bad", [np.nan, 0.5, -1.0, 1000.0, np.inf, -np.inf])
def test_a_bad_label_is_named_in_every_source(source: Source, tmp_path: Path, bad: float) -> None:
    spoilt = Y.copy()
    spoilt[53] = bad
    with pytest.raises(DataError, match=f"y must hold class numbers .* got {bad} in row 53"):
        newton(*source(X, spoilt, tmp_path))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.5])
def test_a_bad_weight_is_named(bad: float) -> None:
    weights = np.ones(len(Y))
    weights[53] = bad
    blocks = [(X[:30], Y[:30], weights[:30]), (X[30:], Y[30:], weights[30:])]
    parts = PartitionedRows.of(X, Y, weights, parts=3, block_rows=7)
    for rows in ((X, Y, weights), (blocks,), (parts,)):
        for standardise in (False, True):
            with pytest.raises(DataError, match=f"weights must hold .* got {bad} in row 53"):
                newton(*rows, settings=NewtonSettings(standardise=standardise))


def test_gradient_descent_names_a_bad_cell_too() -> None:
    spoilt = X.copy()
    spoilt[53, 2] = np.nan
    with pytest.raises(DataError, match="nan in row 53, column 2"):
        gradient_descent(spoilt, Y, settings=GradientDescentSettings(lr="auto"))


def test_text_among_the_numbers_is_named() -> None:
    words = X.astype(object)
    words[53, 2] = "n/a"
    with pytest.raises(DataError, match="X must hold numbers; in rows 50 to 59: .*'n/a'"):
        newton(as_rows(words, Y, block_rows=10))
    with pytest.raises(DataError, match="y must hold numbers; in rows 0 to 59: .*'no'"):
        newton(X, np.where(Y > 0, "yes", "no"))
    with pytest.raises(DataError, match="weights must hold numbers"):
        newton(X, Y, np.full(60, "much"))


def test_a_generator_is_refused_because_it_can_be_read_only_once() -> None:
    with pytest.raises(DataError, match="a function that returns a new iterator"):
        newton(block for block in split(X, Y))
    once = iter(split(X, Y))
    with pytest.raises(DataError, match="there are no rows"):
        newton(lambda: once)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int8, np.int64, np.uint8, bool])
@pytest.mark.parametrize("labels", [bool, np.uint8, np.int64, np.float32])
def test_other_types_are_read_as_float64(dtype: type, labels: type) -> None:
    rough = (X > 0) if dtype is bool else np.round(8 * X + 40).astype(dtype)
    weights = np.arange(1, 61).astype(labels)
    found = solution(rough, Y.astype(labels), weights, standardise=True)
    expected = solution(rough.astype(np.float64), Y, weights.astype(np.float64), standardise=True)
    assert found == pytest.approx(expected, abs=1e-12)


def test_float32_is_the_rounded_data_exactly() -> None:
    narrow = X.astype(np.float32)
    assert np.array_equal(solution(narrow, Y), solution(narrow.astype(np.float64), Y))
    assert solution(narrow, Y) == pytest.approx(solution(X, Y), abs=1e-6)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((np.empty((0, 2)), np.empty(0)), "no rows|both classes"),
        (([],), "no rows"),
        ((lambda: iter(()),), "no rows"),
        (([(np.empty((0, 2)), np.empty(0))],), "no rows|both classes"),
        ((X[:1], Y[:1]), "both classes; class 1 has none"),
        ((X, np.zeros(60)), "both classes; class 1 has none"),
        ((X, np.full(60, np.nan)), "got nan in row 0"),
        ((X, np.ones(60)), "both classes; class 0 has none"),
        ((X, np.arange(60) % 2 * 2.0), "every class; class 1 has none"),
        ((X, Y, Y), "both classes; class 0 has none"),
        ((X, Y, np.zeros(60)), "training needs rows of both classes"),
        ((X, Y, np.full(60, 1e300)), "between 1e-150 and 1e150, got 6e\\+301"),
        ((X, Y, np.full(60, 1e308)), "between 1e-150 and 1e150, got inf"),
        ((X, Y, np.full(60, 1e-300)), "between 1e-150 and 1e150"),
        ((X, Y[:-1]), r"X must be \(n, d\) and y \(n,\), got \(60, 4\) and \(59,\)"),
        ((X, Y[:, None]), "X must be"),
        ((X[0], Y[:4]), "X must be"),
        ((X, Y, np.ones(59)), r"weights must be \(60,\), got \(59,\)"),
        ((3.0, 1.0), "X must be"),
        (([(X, Y[:-1])],), "X must be"),
        (([(X, Y, np.ones(59))],), "weights must be"),
        (([(X, Y), (X[:, :3], Y)],), "block from row 60 on has 3 columns, .* have 4"),
    ],
)
@pytest.mark.parametrize("standardise", [False, True])
def test_it_refuses_what_is_no_problem(
    given: tuple[Any, ...], message: str, standardise: bool
) -> None:
    with pytest.raises(DataError, match=message):
        newton(*given, settings=NewtonSettings(standardise=standardise))


def test_a_thousand_classes_are_the_most() -> None:
    y = np.arange(1001.0)
    assert len(count_labels(as_rows(np.ones((1000, 1)), y[:1000])).of_class) == 1000
    with pytest.raises(DataError, match=r"2 \.\. 999 only, got 1000.0 in row 1000"):
        count_labels(as_rows(np.ones((1001, 1)), y))


def test_labels_are_counted_by_weight() -> None:
    labels = count_labels(as_rows(np.ones((4, 1)), np.array([0, 1, 2, 1]), np.array([1, 2, 4, 0])))
    assert labels.n_rows == 4
    assert labels.weight == 7.0
    assert labels.of_class.tolist() == [1.0, 2.0, 4.0]
    assert labels.rates == pytest.approx([1 / 7, 2 / 7, 4 / 7], rel=1e-15)
    assert labels.rarest == pytest.approx(4 / 7)


def test_a_sample_may_lack_a_class() -> None:
    labels = tally_labels(as_rows(np.ones((2, 1)), np.zeros(2)))
    assert labels.of_class.tolist() == [2.0, 0.0]
    assert labels.rarest == 0.0
    assert tally_labels(as_rows(np.ones((2, 1)), np.zeros(2), np.zeros(2))).rarest == 0.0


def gathered(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    blocks = list(rows.blocks())
    return np.concatenate([block.X for block in blocks]), np.concatenate([b.y for b in blocks])


@given(st.integers(1, 70), st.integers(1, 70))
def test_blocks_are_all_rows_in_order(size: int, outer: int) -> None:
    streamed = [(X[at : at + outer], Y[at : at + outer]) for at in range(0, 60, outer)]
    for rows in (ArrayRows.of(X, Y, None, size), StreamedRows(streamed, size)):
        found = gathered(rows)
        assert np.array_equal(found[0], X)
        assert np.array_equal(found[1], Y)
        starts = [block.start for block in rows.blocks()]
        sizes = [len(block.y) for block in rows.blocks()]
        assert starts == [0, *np.cumsum(sizes)[:-1].tolist()]
        assert max(sizes) <= size


def test_a_block_of_float64_is_a_view() -> None:
    assert np.shares_memory(next(as_rows(X, Y).blocks()).X, X)


def test_a_block_fits_the_cache() -> None:
    assert BLOCK_BYTES / 2 < block_rows(100) * 800 <= BLOCK_BYTES
    assert block_rows(0) == block_rows(1) == 8192
    assert block_rows(10_000) == 1024


@given(st.permutations(range(11)), st.integers(1, 11))
def test_the_order_of_arrival_changes_no_bit(order: list[int], n: int) -> None:
    values = np.random.default_rng(n).normal(size=n)
    sums = PairwiseSum()
    for number in order:
        if number < n:
            sums.add((0, number), values[number : number + 1])
    straight = PairwiseSum()
    for number in range(n):
        straight.add((0, number), values[number : number + 1])
    assert sums.total().tobytes() == straight.total().tobytes()
    assert straight.total()[0] == pytest.approx(values.sum(), abs=1e-14)


def test_the_error_of_a_sum_grows_with_the_logarithm() -> None:
    n = 2**15
    sums, naive = PairwiseSum(), np.zeros(1)
    for number in range(n):
        sums.add((0, number), np.array([0.1]))
        naive += 0.1
    exact = 0.1 * n
    assert abs(sums.total()[0] - exact) <= 15 * np.finfo(float).eps * exact
    assert abs(naive[0] - exact) > 10 * abs(sums.total()[0] - exact)


def test_a_sample_comes_from_all_over_the_data() -> None:
    n = 100_000
    rows = as_rows(np.arange(n, dtype=np.float64)[:, None], np.zeros(n))
    found = gathered(rows.sample(8) or rows)[0].ravel()
    assert len(found) == pytest.approx(n / 8, rel=0.01)
    assert len(set(found)) == len(found)
    assert np.histogram(found, bins=10, range=(0, n))[0].min() > 0


def test_a_sample_of_small_blocks_takes_whole_ones() -> None:
    rows = as_rows(np.arange(2000.0)[:, None], np.zeros(2000), block_rows=10)
    found = gathered(rows.sample(8) or rows)[0].ravel()
    assert len(found) == 250
    assert [len(block.y) for block in (rows.sample(8) or rows).blocks()] == [10] * 25


def test_streams_cannot_be_sampled() -> None:
    assert as_rows(split(X, Y)).sample(8) is None


def test_parts_know_where_their_rows_are() -> None:
    rows = PartitionedRows.of(X, Y, parts=4, block_rows=7)
    assert [block.start for part in rows.parts for block in part.blocks()] == [*range(0, 60, 7)]
    assert rows.n_columns == 4
    assert gathered(rows)[0].tobytes() == X.tobytes()
    assert rows.largest_label() == 1.0


def test_rows_pass_through() -> None:
    rows = as_rows(X, Y)
    assert as_rows(rows) is rows


def test_a_source_is_read_anew_in_every_pass() -> None:
    def blocks() -> Iterator[tuple[np.ndarray, ...]]:
        calls.append(1)
        return iter(split(X, Y))

    calls: list[int] = []
    rows = as_rows(blocks)
    for _ in range(3):
        rows.total(lambda: lambda block: np.array([float(len(block.y))]))
    assert len(calls) == 3


@settings(deadline=None)
@given(st.integers(1, 64))
def test_sums_over_blocks_of_any_size_agree(size: int) -> None:
    def kernel() -> Callable[[Block], np.ndarray]:
        return lambda block: block.X.T @ block.y

    found = as_rows(X, Y, block_rows=size).total(kernel)
    assert found == pytest.approx(X.T @ Y, abs=1e-13)


@pytest.mark.parametrize("dtype", ["complex128", "datetime64[s]", "timedelta64[s]"])
def test_what_is_no_real_number_is_refused(dtype: str) -> None:
    X = np.zeros((4, 1)).astype(dtype)
    with pytest.raises(DataError, match="X must hold numbers; in rows 0 to 3: values of type"):
        newton(X, np.array([0.0, 1.0, 0.0, 1.0]))
