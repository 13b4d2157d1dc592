"""Arms whose shares changed, compared within the stretches of constant shares."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.errors import DataError
from mlcore.stratified import Counted, Stratum, stratified

ROWS = st.integers(1, 2_000)
STRATA = st.lists(
    st.tuples(ROWS, ROWS, st.floats(0, 1), st.floats(0, 1)).map(
        lambda drawn: (
            Counted(round(drawn[0] * drawn[2]), drawn[0]),
            Counted(round(drawn[1] * drawn[3]), drawn[1]),
        )
    ),
    min_size=1,
    max_size=6,
)


def of(*strata: Stratum) -> tuple[float, float]:
    found = stratified(strata, (0.16, 0.09))
    assert found is not None
    return found.difference, found.se


def test_it_works() -> None:
    """One stratum is two plain shares."""
    found = stratified([(Counted(840, 1000), Counted(871, 1000))], (0.1344, 0.112359))
    assert found is not None
    assert (found.first.value, found.second.value) == (0.84, 0.871)
    assert found.se == pytest.approx(math.sqrt(0.1344 / 1000 + 0.112359 / 1000))
    assert (found.time, found.first.rows) == (2000, pytest.approx(1000))
    assert found.first.posterior() == (841, 161)


def test_shares_that_moved_with_the_world_do_not_make_a_difference() -> None:
    """Simpson's paradox: both arms alike in each stratum, the second mostly asked in the bad one."""
    good, bad = (Counted(90, 100), Counted(9, 10)), (Counted(5, 10), Counted(95, 190))
    difference, _ = of(good, bad)
    assert difference == pytest.approx(0)
    pooled = (9 + 95) / 200 - (90 + 5) / 110
    assert pooled < -0.3


def test_it_is_the_risk_difference_of_mantel_and_haenszel() -> None:
    """sum (x_2 n_1 - x_1 n_2) / N over sum n_1 n_2 / N."""
    strata = [(30, 60, 45, 50), (10, 20, 70, 90), (8, 9, 200, 301)]
    found = of(*((Counted(a, n), Counted(b, m)) for a, n, b, m in strata))
    above = sum((b * n - a * m) / (n + m) for a, n, b, m in strata)
    below = sum(n * m / (n + m) for _, n, _, m in strata)
    assert found[0] == pytest.approx(above / below)


@given(STRATA)
def test_the_difference_is_that_of_both_means(strata: list[Stratum]) -> None:
    found = stratified(strata, (0.16, 0.09))
    assert found is not None
    assert found.difference == pytest.approx(found.second.value - found.first.value, abs=1e-12)
    assert found.se**2 == pytest.approx(found.first.se**2 + found.second.se**2)


@given(STRATA)
def test_no_more_rows_tell_than_there_are(strata: list[Stratum]) -> None:
    found = stratified(strata, (0.16, 0.09))
    assert found is not None
    for side, mean in enumerate((found.first, found.second)):
        assert mean.rows <= sum(stratum[side].n for stratum in strata) * (1 + 1e-9)
        assert min(mean.posterior()) >= 1


def test_a_stratum_without_labels_of_both_tells_nothing() -> None:
    full = (Counted(80, 100), Counted(90, 100))
    assert of(full, (Counted(0, 0), Counted(3, 9))) == of(full)
    assert stratified([(Counted(0, 0), Counted(3, 9))], (0.16, 0.09)) is None


def test_units_that_come_again_make_it_less_certain() -> None:
    strata = [(Counted(80, 100), Counted(90, 100))] * 4
    once, again = (stratified(strata, (0.16, 0.09), repeats) for repeats in (1.0, 4.0))
    assert once is not None
    assert again is not None
    assert again.se == pytest.approx(2 * once.se)
    assert (again.time, again.first.rows) == (once.time / 4, pytest.approx(once.first.rows / 4))


def test_its_error_is_that_of_draws_whose_shares_follow_the_labels() -> None:
    """Two equal arms; the share of a stratum depends on what the one before said."""
    rng, scores = np.random.default_rng(5), []
    for _ in range(1_000):
        share, strata = 0.5, []
        for _ in range(8):
            n = np.array([200 * (1 - share), 200 * share]).astype(int)
            x = rng.binomial(n, 0.8)
            strata.append((Counted(x[0], n[0]), Counted(x[1], n[1])))
            share = 0.9 if x[1] / n[1] > x[0] / n[0] else 0.1
        found = stratified(strata, (0.16, 0.16))
        assert found is not None
        scores.append(found.difference / found.se)
    assert np.mean(scores) == pytest.approx(0, abs=0.1)
    assert np.std(scores) == pytest.approx(1, abs=0.08)


def test_it_refuses_variances_and_repeats_that_cannot_be() -> None:
    strata = [(Counted(80, 100), Counted(90, 100))]
    for variances, repeats in (((0.0, 0.1), 1.0), ((0.1, math.nan), 1.0), ((0.1, 0.1), 0.5)):
        with pytest.raises(DataError, match="variances are above 0"):
            stratified(strata, variances, repeats)
