"""How many rows a comparison needs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.errors import DataError
from mlcore.mcnemar import Pairs, mcnemar
from mlcore.proportions import Share, pooled_test
from mlcore.sample_size import (
    Precision,
    detectable_difference,
    pairs_needed,
    power_of_pairs,
    power_per_arm,
    rows_per_arm,
    rows_per_arm_beyond,
)


def test_it_works() -> None:
    assert rows_per_arm(0.84, 0.87) == pytest.approx(2161.1870554528746, rel=1e-12)
    assert rows_per_arm_beyond(0.84, 0.87) == pytest.approx(2158.44, abs=0.005)
    assert pairs_needed(0.111, 0.03) == pytest.approx(965.67, abs=0.005)


@settings(deadline=None)
@given(
    st.floats(0.05, 0.95), st.floats(0.05, 0.95), st.floats(0.2, 5), st.sampled_from([0.8, 0.95])
)
def test_the_power_of_as_many_rows_is_the_one_asked_for(
    first: float, second: float, ratio: float, power: float
) -> None:
    if abs(first - second) < 0.01:
        return
    n = rows_per_arm(first, second, Precision(0.01, power), ratio=ratio)
    assert power_per_arm(n, first, second, alpha=0.01, ratio=ratio) == pytest.approx(power)


@settings(deadline=None)
@given(st.floats(0.02, 0.9), st.floats(0.1, 1.0), st.sampled_from([0.3, 0.8, 0.95]))
def test_the_power_of_as_many_pairs_is_the_one_asked_for(
    apart: float, part: float, power: float
) -> None:
    n = pairs_needed(apart, part * apart, Precision(power=power))
    assert power_of_pairs(n, apart, -part * apart) == pytest.approx(power)


def test_uneven_arms_need_more_rows_in_all() -> None:
    even = 2 * rows_per_arm(0.84, 0.87)
    uneven = 10 * rows_per_arm(0.84, 0.87, ratio=9.0)
    assert uneven == pytest.approx(10 / 9 * rows_per_arm(0.87, 0.84, ratio=1 / 9), rel=1e-9)
    assert uneven > 2 * even


def test_not_being_worse_by_a_margin_needs_rows_even_for_equal_models() -> None:
    wide, narrow = (rows_per_arm_beyond(0.85, 0.85, -margin) for margin in (0.02, 0.01))
    assert narrow == pytest.approx(4 * wide)


def test_the_detectable_difference_is_the_one_that_needs_all_rows() -> None:
    found = detectable_difference(1000, 0.84)
    assert found is not None
    assert rows_per_arm(0.84, 0.84 + found) == pytest.approx(1000, rel=1e-9)


def test_too_few_rows_detect_nothing() -> None:
    assert detectable_difference(3, 0.9) is None
    assert detectable_difference(1000, 1.0) is None


def test_simulated_tests_find_the_difference_as_often_as_planned() -> None:
    n = math.ceil(rows_per_arm(0.80, 0.90))
    drawn = np.random.default_rng(5).binomial(n, [[0.80, 0.90]] * 1500)
    found = [pooled_test(Share(int(a), n), Share(int(b), n)).p_value < 0.05 for a, b in drawn]
    assert np.mean(found) == pytest.approx(0.8, abs=0.03)


def test_simulated_pairs_find_the_difference_as_often_as_planned() -> None:
    n = math.ceil(pairs_needed(0.2, 0.08))
    cells = np.random.default_rng(5).multinomial(n, [0.7, 0.06, 0.14, 0.1], size=1500).tolist()
    found = [(mcnemar(Pairs(*row)).chi_square_p or 1.0) < 0.05 for row in cells]
    assert np.mean(found) == pytest.approx(0.8, abs=0.03)


def test_shares_without_a_variance_are_told_apart_or_not() -> None:
    assert power_per_arm(100, 0.0, 1.0) == 1.0
    assert power_per_arm(1, 0.0, 1.0) == 0.0
    assert power_of_pairs(100, 0.5, 0.5) > 0.999
    assert power_of_pairs(100, 1.0, 1.0) == 1.0


@pytest.mark.parametrize(("alpha", "power"), [(0, 0.8), (1, 0.8), (0.05, 0), (0.05, 1)])
def test_it_refuses_what_cannot_be_asked_for(alpha: float, power: float) -> None:
    with pytest.raises(DataError, match="alpha and power"):
        Precision(alpha, power)


def test_it_refuses_shares_that_no_rows_can_tell_apart() -> None:
    with pytest.raises(DataError, match="difference of 0"):
        rows_per_arm(0.8, 0.8)
    with pytest.raises(DataError, match="between 0 and 1"):
        rows_per_arm(0.8, 1.2)
    with pytest.raises(DataError, match="ratio"):
        rows_per_arm(0.8, 0.9, ratio=0)
    with pytest.raises(DataError, match="differ on more"):
        pairs_needed(0.02, 0.03)
