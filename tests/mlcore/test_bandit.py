"""How much traffic each arm deserves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.assignment import Split
from mlcore.bandit import basis_points, best_arm_probabilities, thompson_weights
from mlcore.errors import DataError
from mlcore.posterior import Beta, posterior, probability_greater

ARMS = [posterior(420, 500), posterior(440, 500)]

BETAS = st.builds(Beta, st.integers(1, 3000), st.integers(1, 3000))


def test_it_works() -> None:
    """GrowthBook's 10000 draws of normal posteriors: .0351 and .9649, with a floor .044398."""
    assert best_arm_probabilities(ARMS) == pytest.approx((0.0351, 0.9649), abs=0.005)
    assert thompson_weights(ARMS) == pytest.approx((0.044398, 0.955602), abs=0.005)


@settings(deadline=None)
@given(BETAS, BETAS)
def test_of_two_arms_it_is_the_exact_probability(first: Beta, second: Beta) -> None:
    found = best_arm_probabilities([first, second])
    assert found[0] == pytest.approx(probability_greater(first, second), abs=1e-4)
    assert sum(found) == pytest.approx(1)


def test_an_arm_with_few_labels_among_arms_with_many_is_seen_as_well() -> None:
    many, few = Beta(850_000, 150_000), Beta(9, 3)
    found = best_arm_probabilities([many, few])
    assert found[1] == pytest.approx(probability_greater(few, many), abs=1e-4)


def test_three_arms_agree_with_draws() -> None:
    arms = [*ARMS, posterior(90, 100)]
    draws = np.random.default_rng(2).beta(*np.array(arms).T, size=(200_000, 3))
    drawn = np.bincount(draws.argmax(axis=1)) / 200_000
    assert best_arm_probabilities(arms) == pytest.approx(drawn.tolist(), abs=0.005)


def test_equal_arms_share_equally() -> None:
    assert thompson_weights([Beta(5, 2)] * 4) == pytest.approx([0.25] * 4)


def test_no_arm_falls_below_the_floor() -> None:
    weights = thompson_weights([Beta(1, 5000), Beta(5000, 1)], floor=0.05)
    assert weights == pytest.approx((0.05, 0.95))


@settings(deadline=None)
@given(st.lists(st.integers(0, 1000), min_size=2, max_size=6).filter(any))
def test_whole_weights_make_a_split(parts: list[int]) -> None:
    shares = [part / sum(parts) for part in parts]
    points = basis_points(shares)
    assert Split(points).weights == points
    assert points == pytest.approx([share * 10_000 for share in shares], abs=1)


def test_it_refuses_what_cannot_be_shared_out() -> None:
    with pytest.raises(DataError, match="from two on"):
        best_arm_probabilities([Beta(1, 1)])
    with pytest.raises(DataError, match="cannot each have"):
        thompson_weights(ARMS, floor=0.6)
    with pytest.raises(DataError, match="cannot each have"):
        thompson_weights(ARMS, floor=-0.1)
    for shares in ([0.5, 0.6], [1.5, -0.5]):
        with pytest.raises(DataError, match="sum to 1"):
            basis_points(shares)
