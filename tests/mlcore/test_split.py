from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore import DataError, splitmix64, stratified_folds, stratified_split

REFERENCE = [14400943876904789833, 11922757474363919646, 7217072021611684127]


def test_it_works() -> None:
    y = np.array([0] * 100 + [1] * 50)
    train, test = stratified_split(y, test_size=0.2, seed=7)
    assert len(test) == 30
    assert y[test].sum() == 10
    assert sorted([*train, *test]) == list(range(150))
    assert (np.diff(train) > 0).all()
    assert (np.diff(test) > 0).all()


def test_the_hash_has_its_reference_values() -> None:
    assert splitmix64(np.arange(3), seed=7).tolist() == REFERENCE


@given(st.integers(-(2**70), 2**70))
def test_any_integer_is_a_seed(seed: int) -> None:
    assert len(set(splitmix64(np.arange(100), seed).tolist())) == 100


def test_the_split_depends_on_the_seed_alone() -> None:
    y = np.arange(60) % 2
    first, again, other = (stratified_split(y, test_size=0.25, seed=s)[1] for s in (1, 1, 2))
    assert first.tolist() == again.tolist() != other.tolist()


@given(st.integers(2, 40), st.integers(2, 40), st.floats(0.001, 0.999), st.integers(0, 99))
def test_both_sides_hold_both_classes(a: int, b: int, test_size: float, seed: int) -> None:
    y = np.array(["x"] * a + ["y"] * b)
    train, test = stratified_split(y, test_size=test_size, seed=seed)
    assert set(y[train]) == set(y[test]) == {"x", "y"}
    assert abs((y[test] == "x").sum() - test_size * a) <= 1


@pytest.mark.parametrize("test_size", [0, 1, -0.1, 1.5, float("nan")])
def test_it_refuses_a_share_outside_0_and_1(test_size: float) -> None:
    with pytest.raises(DataError, match="test_size must lie between 0 and 1"):
        stratified_split(np.array([0, 0, 1, 1]), test_size=test_size, seed=7)


def test_it_refuses_a_class_of_one_row() -> None:
    with pytest.raises(DataError, match="class 1 has a single row"):
        stratified_split(np.array([0, 0, 1]), test_size=0.5, seed=7)


def test_folds_differ_by_at_most_one_row_per_class() -> None:
    y = np.array([0] * 23 + [1] * 12)
    fold = stratified_folds(y, folds=5, seed=7)
    for label in (0, 1):
        sizes = np.bincount(fold[y == label], minlength=5)
        assert sizes.max() - sizes.min() <= 1


@pytest.mark.parametrize("folds", [1, 0, 4])
def test_it_refuses_impossible_folds(folds: int) -> None:
    with pytest.raises(DataError, match="folds"):
        stratified_folds(np.array([0] * 9 + [1] * 3), folds=folds, seed=7)


def test_lists_and_other_sequences_are_read_by_place() -> None:
    y = np.array([0, 1, 1, 0, 1, 0, 1, 1])
    backwards = pd.Series(y, index=range(len(y))[::-1])
    expected = stratified_split(y, test_size=0.25, seed=7)
    for same in (y.tolist(), backwards):
        found = stratified_split(same, test_size=0.25, seed=7)
        assert [part.tolist() for part in found] == [part.tolist() for part in expected]
    folds = stratified_folds(backwards, folds=2, seed=7)
    assert folds.tolist() == stratified_folds(y, folds=2, seed=7).tolist()


def test_a_seed_may_be_an_integer_of_numpy() -> None:
    assert splitmix64(np.arange(3), seed=np.int64(7)).tolist() == REFERENCE  # type: ignore[arg-type]


def test_it_refuses_labels_of_two_dimensions() -> None:
    with pytest.raises(DataError, match=r"shape \(n,\), got \(2, 1\)"):
        stratified_split([[0], [1]], test_size=0.5, seed=7)
