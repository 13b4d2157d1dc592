from __future__ import annotations

import numpy as np
import pytest

from mlcore.logistic_line import fit_line, fit_shift


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


@pytest.mark.parametrize("seed", range(50))
def test_the_gradient_vanishes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(6, 80))
    x = rng.normal(size=n) * 10 ** rng.uniform(-3, 3) + rng.normal() * 10
    y = (rng.random(n) < 0.4).astype(np.float64)
    weights = rng.exponential(size=n)
    y[[np.argmin(x), np.argmax(x)]], y[np.argsort(x)[1:3]] = 1.0, 0.0
    line = fit_line(x, y, weights)
    assert line is not None
    off = weights * (sigmoid(line.slope * x + line.intercept) - y)
    assert abs(off.sum()) <= 1e-9 * weights.sum()
    assert abs(off @ x) <= 1e-9 * (weights @ np.abs(x))


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([0, 1, 2, 3], [0, 0, 1, 1]),  # separated
        ([0, 1, 2, 3], [1, 1, 0, 0]),
        ([0, 1, 1, 2], [0, 0, 1, 1]),  # separated but for the border
        ([1, 1, 1, 1], [0, 1, 0, 1]),  # no slope
        ([0, 1, 2, 3], [1, 1, 1, 1]),
        ([0, 1, 2, 3], [0, 0, 0, 0]),
    ],
)
def test_it_says_where_there_is_no_line(x: list[float], y: list[float]) -> None:
    assert fit_line(np.array(x, float), np.array(y, float), np.ones(4)) is None


def test_rows_without_weight_do_not_count() -> None:
    x, y = np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.0, 1.0, 0.0, 1.0])
    assert fit_line(x, y, np.ones(4)) is not None
    assert fit_line(x, y, np.array([1.0, 0.0, 1.0, 1.0])) is None


def test_a_lone_overlap_of_vanishing_weight_does_not_break_it() -> None:
    x, y = np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.0, 1.0, 0.0, 1.0])
    line = fit_line(x, y, np.array([1.0, 1e-300, 1e-300, 1.0]))
    assert line is not None
    assert np.isfinite(line).all()
    assert line.slope > 10


def test_a_steep_line_is_found_with_halved_steps() -> None:
    """Nearly separated: full Newton steps from the constant would overshoot."""
    x = np.concatenate([np.linspace(-1, 0.01, 200), np.linspace(0, 1, 200), [-36.0]])
    y = np.concatenate([np.zeros(200), np.ones(201)])
    line = fit_line(x, y, np.ones(401))
    assert line is not None
    off = sigmoid(line.slope * x + line.intercept) - y
    assert abs(off.sum()) + abs(off @ x) <= 1e-7


def test_the_shift_has_its_closed_form_on_a_constant() -> None:
    shift = fit_shift(np.full(4, 0.7), np.array([0.0, 0.0, 0.0, 1.0]), np.ones(4))
    assert shift == pytest.approx(np.log(1 / 3) - 0.7, abs=1e-14)


@pytest.mark.parametrize("seed", range(20))
def test_the_shift_makes_the_means_meet(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y, weights = 5 * rng.normal(size=30), np.arange(30) % 2, rng.exponential(size=30)
    shift = fit_shift(x, y.astype(np.float64), weights)
    assert shift is not None
    assert weights @ sigmoid(x + shift) == pytest.approx(weights @ y, rel=1e-12)


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_one_class_has_no_shift(label: float) -> None:
    assert fit_shift(np.array([0.0, 1.0]), np.full(2, label), np.ones(2)) is None
