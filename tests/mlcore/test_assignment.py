"""Which arm a unit belongs to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.assignment import BUCKETS, Split, bucket
from mlcore.errors import DataError

BASIS_POINTS = st.integers(0, BUCKETS)


def test_it_works() -> None:
    assert [bucket("abtest-1", f"user-{n}") for n in range(5)] == [970, 7765, 4637, 346, 4447]
    assert [Split().arm("abtest-1", f"user-{n}") for n in range(5)] == [0, 1, 0, 0, 0]


def test_any_text_names_a_unit() -> None:
    assert 0 <= bucket("", "") < BUCKETS
    assert bucket("salz", "Zoë") == bucket("salz", "Zoë")


def test_half_of_the_units_fall_on_each_half_and_tests_divide_them_independently() -> None:
    first, second = (
        np.array([bucket(salt, f"user-{n}") for n in range(20_000)])
        for salt in ("abtest-1", "abtest-2")
    )
    assert np.mean(first < 5000) == pytest.approx(0.5, abs=0.012)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.02


@settings(deadline=None)
@given(BASIS_POINTS, BASIS_POINTS)
def test_each_arm_has_as_many_buckets_as_its_weight(weight: int, coverage: int) -> None:
    split = Split((weight, BUCKETS - weight), coverage)
    arms = [split.arm_of(number) for number in range(BUCKETS)]
    for arm, share in enumerate(split.weights):
        assert arms.count(arm) == -(-share * coverage // BUCKETS)


@settings(deadline=None)
@given(BASIS_POINTS, BASIS_POINTS, BASIS_POINTS, st.integers(0, BUCKETS - 1))
def test_more_coverage_moves_nobody_to_another_arm(
    weight: int, one: int, other: int, number: int
) -> None:
    weights = (weight, BUCKETS - weight)
    before = Split(weights, min(one, other)).arm_of(number)
    after = Split(weights, max(one, other)).arm_of(number)
    assert before is None or before == after


def test_more_than_two_arms_follow_one_another() -> None:
    split = Split((2000, 3000, 5000))
    assert [split.arm_of(n) for n in (0, 1999, 2000, 4999, 5000, 9999)] == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("weights", [(5000, 4000), (11_000, -1000), ()])
def test_it_refuses_weights_that_are_not_all_of_it(weights: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="basis points"):
        Split(weights)


@pytest.mark.parametrize("coverage", [-1, BUCKETS + 1])
def test_it_refuses_a_coverage_that_is_no_share(coverage: int) -> None:
    with pytest.raises(DataError, match="coverage"):
        Split(coverage=coverage)


@pytest.mark.parametrize("number", [BUCKETS, -1])
def test_it_refuses_what_is_no_bucket(number: int) -> None:
    with pytest.raises(DataError, match="buckets lie between"):
        Split().arm_of(number)
