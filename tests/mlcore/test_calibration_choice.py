from __future__ import annotations

import time

import numpy as np
import pytest

from mlcore.arrays import FloatArray
from mlcore.calibration import Isotonic, Platt, fit_isotonic, fit_platt
from mlcore.calibration_choice import chosen_calibration
from mlcore.loss import sigmoid
from tests import pace
from tests.mlcore.reference_scores import reference_and_current


def rows(n: int, *, slope: float, seed: int = 5) -> tuple[FloatArray, FloatArray]:
    """Labels, and scores whose logits are ``slope`` times the true ones."""
    rng = np.random.default_rng(seed)
    z = 1.5 * rng.normal(size=n)
    return (rng.random(n) < sigmoid(z)).astype(np.float64), sigmoid(slope * z)


def test_over_confident_reference_rows_get_the_isotonic_steps_of_all_of_them() -> None:
    reference, _ = reference_and_current()
    assert chosen_calibration(*reference) == fit_isotonic(*reference)


def test_few_rows_get_a_line() -> None:
    y, p = rows(180, slope=3.0)
    found = chosen_calibration(y, p)
    expected = fit_platt(y, p)
    assert isinstance(found, Platt)
    assert found.slope == pytest.approx(expected.slope, rel=1e-9)
    assert found.slope == pytest.approx(1 / 3, abs=0.15)


@pytest.mark.parametrize(("n", "kind"), [(999, Platt), (1000, Isotonic)])
def test_a_thousand_rows_are_enough_for_steps(n: int, kind: type) -> None:
    assert isinstance(chosen_calibration(*rows(n, slope=3.0)), kind)


@pytest.mark.parametrize(("slope", "most", "without"), [(1.0, 0.02, 0.0), (3.0, 0.03, 0.1)])
def test_few_rows_are_enough_to_expect_the_right_accuracy(
    slope: float, most: float, without: float
) -> None:
    z = 1.5 * np.random.default_rng(9).normal(0.5, 1.0, 20_000)
    p, right = sigmoid(slope * z), np.where(z >= 0, sigmoid(z), sigmoid(-z)).mean()

    def expected(corrected: FloatArray) -> float:
        return float(np.where(p >= 0.5, corrected, 1 - corrected).mean())

    errors = []
    for seed in range(30):
        found = chosen_calibration(*rows(180, slope=slope, seed=seed))
        errors.append(abs(expected(p if found is None else found.apply(p)) - right))
    assert np.mean(errors) < most
    assert abs(expected(p) - right) >= without


def test_scores_that_rank_the_wrong_way_round_say_no_more_than_the_base_rate() -> None:
    y, p = rows(400, slope=2.0)
    found = chosen_calibration(1 - y, p)
    assert found == Isotonic((0.5,), (float(np.mean(1 - y)),))


@pytest.mark.parametrize(
    ("y", "p"),
    [
        ([1, 1, 1], [0.2, 0.3, 0.4]),
        ([0, 1, 1], [0.2, 0.3, 0.4]),
        ([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]),
    ],
    ids=["one class", "a single negative", "perfect order"],
)
def test_nothing_is_learnt_where_there_is_nothing_to_learn(y: list[int], p: list[float]) -> None:
    assert chosen_calibration(y, p) is None


def test_two_rows_of_a_class_are_enough_to_try() -> None:
    y, p = [0, 1, 0, 1, 1], [0.9, 0.9, 0.8, 0.95, 0.7]
    assert chosen_calibration(y, p) is not None


@pytest.mark.parametrize("n", [9_000, 60_000])
def test_it_is_right_and_quick_on_many_rows(n: int) -> None:
    y, p = rows(n, slope=2.0)
    began = time.process_time()
    found = chosen_calibration(y, p)
    assert time.process_time() - began < pace.seconds(3.0)
    assert isinstance(found, Isotonic)
    assert len(found.knots) <= 2 * 2001
    at = np.linspace(0.02, 0.98, 97)
    true = sigmoid(np.log(at / (1 - at)) / 2)
    assert np.abs(found.apply(at) - true).mean() < 0.02


def test_gathering_scores_changes_little() -> None:
    y, p = rows(60_000, slope=2.0)
    found, exact = chosen_calibration(y, p), fit_isotonic(y, p)
    assert found is not None
    assert np.abs(found.apply(p) - exact.apply(p)).mean() < 0.002


def test_the_order_of_the_rows_decides_only_the_folds() -> None:
    y, p = rows(3000, slope=3.0)
    backwards = chosen_calibration(y[::-1], p[::-1])
    assert backwards == chosen_calibration(y, p)
