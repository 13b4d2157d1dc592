"""Counts and moments that are put together from parts."""

from __future__ import annotations

import numpy as np
import pytest

from endpoints.services.datasets.sketches import Distinct, Levels, Moments


def of_parts(hashes: np.ndarray, most: int) -> Distinct:
    distinct = Distinct(most)
    for part in np.array_split(hashes, 17):
        distinct.add(part)
    return distinct


@pytest.mark.parametrize("n", [0, 1, 4_000, 4_095])
def test_few_values_are_counted(n: int) -> None:
    hashes = np.random.default_rng(n).integers(0, 2**64, n, dtype=np.uint64, endpoint=False)
    found = of_parts(np.tile(hashes, 3), 4_096)
    assert (found.count, found.is_exact) == (n, True)


@pytest.mark.parametrize("n", [5_000, 50_000, 500_000])
def test_many_values_are_estimated(n: int) -> None:
    hashes = np.random.default_rng(n).integers(0, 2**64, n, dtype=np.uint64, endpoint=False)
    found = of_parts(np.concatenate([hashes, hashes[::2]]), 4_096)
    assert not found.is_exact
    assert found.count == pytest.approx(n, rel=0.05)


def test_levels_are_given_up_where_they_are_many() -> None:
    levels = Levels(2)
    levels.add({"a": 1, "b": 2})
    levels.add({"b": 3})
    assert levels.counts == {"a": 1, "b": 5}
    levels.add({"c": 1})
    levels.add({"a": 1})
    assert levels.counts is None


def test_moments_of_parts_are_those_of_the_whole() -> None:
    numbers = np.random.default_rng(1).normal(1e6, 3.0, 1_000)
    found = Moments()
    for part in np.array_split(numbers, 7):
        found = found.plus(Moments(len(part), part.mean(), part.var() * len(part)))
    assert found.mean == pytest.approx(numbers.mean(), rel=1e-12)
    assert found.sd == pytest.approx(numbers.std(ddof=1), rel=1e-9)


def test_one_number_does_not_scatter() -> None:
    assert Moments(1, 3.0, 0.0).sd is None
