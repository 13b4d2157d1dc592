"""Beliefs about two success rates, against whole numbers and integrals."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

from mlcore.errors import DataError
from mlcore.posterior import (
    Belief,
    Beta,
    belief,
    expected_loss,
    normal_belief,
    paired_belief,
    posterior,
    probability_greater,
)

CONTROL, CHALLENGER = posterior(840, 1000), posterior(871, 1000)

BETAS = st.builds(Beta, st.integers(1, 40), st.integers(1, 40))


def exact_greater(first: Beta, second: Beta) -> Fraction:
    """sum over i < a_X of B(a_Y + i, b_X + b_Y) / ((b_X + i) B(1 + i, b_X) B(a_Y, b_Y))."""

    def beta(a: int, b: int) -> Fraction:
        return Fraction(math.factorial(a - 1) * math.factorial(b - 1), math.factorial(a + b - 1))

    bottom = beta(second.a, second.b)
    return sum(
        (
            beta(second.a + i, first.b + second.b) / ((first.b + i) * beta(1 + i, first.b) * bottom)
            for i in range(first.a)
        ),
        Fraction(0),
    )


def test_it_works() -> None:
    found = belief(CONTROL, CHALLENGER)
    assert found.b_better == pytest.approx(0.9755654364841928, abs=1e-11)
    assert found.loss_of_b == pytest.approx(0.00014495413819708494, abs=1e-12)
    assert found.loss_of_a == pytest.approx(0.031083077890297184, abs=1e-12)


def test_it_agrees_with_an_integral() -> None:
    def above(x: float) -> float:
        density: float = stats.beta.pdf(x, *CONTROL) * special.betainc(130, 872, 1 - x)
        return density

    area, _ = integrate.quad(above, 0.7, 0.95, epsabs=1e-13)
    assert probability_greater(CHALLENGER, CONTROL) == pytest.approx(area, abs=1e-11)


@settings(deadline=None, max_examples=50)
@given(BETAS, BETAS)
def test_it_is_the_closed_sum(first: Beta, second: Beta) -> None:
    exact = float(exact_greater(first, second))
    assert probability_greater(first, second) == pytest.approx(exact, rel=1e-12)


@settings(deadline=None, max_examples=50)
@given(BETAS, BETAS)
def test_one_of_two_is_greater(first: Beta, second: Beta) -> None:
    both = probability_greater(first, second) + probability_greater(second, first)
    assert both == pytest.approx(1, rel=1e-12)


@settings(deadline=None, max_examples=50)
@given(BETAS, BETAS)
def test_the_losses_differ_by_the_difference_of_the_means(a: Beta, b: Beta) -> None:
    found = belief(a, b)
    assert found.loss_of_a - found.loss_of_b == pytest.approx(b.mean - a.mean, abs=1e-13)
    assert found.loss_of_b == expected_loss(b, a)


def test_a_million_labels_of_each_arm_are_believed_at_once() -> None:
    a, b = posterior(850_000, 1_000_000), posterior(851_000, 1_000_000)
    se = math.sqrt(sum(x.mean * (1 - x.mean) / (x.a + x.b + 1) for x in (a, b)))
    near = normal_belief(b.mean - a.mean, se)
    assert belief(a, b) == pytest.approx(near, rel=2e-3)


def test_a_prior_is_added_to_the_counts() -> None:
    assert posterior(3, 10, Beta(5, 2)) == (8, 9)


def test_the_normal_belief_is_the_approximation_for_many_labels() -> None:
    variance = sum(x.mean * (1 - x.mean) / (x.a + x.b + 1) for x in (CONTROL, CHALLENGER))
    found = normal_belief(CHALLENGER.mean - CONTROL.mean, math.sqrt(variance))
    assert found.b_better == pytest.approx(0.9754909789794284, rel=1e-13)
    assert found.loss_of_b == pytest.approx(0.00014516783438, abs=1e-14)


@settings(deadline=None)
@given(st.floats(-3, 3), st.floats(0.01, 3))
def test_turning_the_gain_round_exchanges_the_losses(gain: float, se: float) -> None:
    there, back = normal_belief(gain, se), normal_belief(-gain, se)
    assert there.loss_of_b == pytest.approx(back.loss_of_a, abs=1e-15)
    assert there.b_better + back.b_better == pytest.approx(1)
    assert there.loss_of_a - there.loss_of_b == pytest.approx(gain, abs=1e-14)


@pytest.mark.parametrize(("only_a", "only_b", "n"), [(40, 71, 1000), (0, 0, 0), (3, 0, 5)])
def test_the_belief_in_pairs_is_that_of_a_dirichlet(only_a: int, only_b: int, n: int) -> None:
    t = stats.beta(only_b + 1, only_a + 1)
    apart = (only_a + only_b + 2) / (n + 4)
    lost, _ = integrate.quad(lambda x: (1 - 2 * x) * t.pdf(x), 0, 0.5, epsabs=1e-14)
    missed, _ = integrate.quad(lambda x: (2 * x - 1) * t.pdf(x), 0.5, 1, epsabs=1e-14)
    expected = Belief(t.sf(0.5), apart * lost, apart * missed)
    assert paired_belief(only_a, only_b, n) == pytest.approx(expected, rel=1e-9, abs=1e-13)


def test_the_belief_in_pairs_agrees_with_draws() -> None:
    shares = np.random.default_rng(0).dirichlet([801, 41, 72, 90], 200_000)
    gain = shares[:, 2] - shares[:, 1]
    drawn = (np.mean(gain > 0), np.mean(np.maximum(gain, 0)))
    found = paired_belief(40, 71, 1000)
    assert (found.b_better, found.loss_of_a) == pytest.approx(drawn, rel=2e-3)


def test_it_refuses_what_cannot_be_counted() -> None:
    with pytest.raises(DataError, match="0 <= x <= n"):
        posterior(11, 10)
    with pytest.raises(DataError, match="prior"):
        posterior(1, 10, Beta(0, 1))
    with pytest.raises(DataError, match="do not fit"):
        paired_belief(3, 3, 5)
    with pytest.raises(DataError, match="do not fit"):
        paired_belief(-1, 3, 5)


@pytest.mark.parametrize(("gain", "se"), [(0.1, 0.0), (0.1, math.inf), (math.nan, 1.0)])
def test_it_refuses_a_gain_without_an_error(gain: float, se: float) -> None:
    with pytest.raises(DataError, match="error above 0"):
        normal_belief(gain, se)
