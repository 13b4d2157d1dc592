from __future__ import annotations

import numpy as np
import pytest

from mlcore import (
    DataError,
    GradientDescentSettings,
    Iteration,
    NotConvergedWarning,
    Table,
    gradient_descent,
    newton,
)
from tests.mlcore.problems import raisin_problem, random_problem


def smoothness(X: np.ndarray) -> float:
    Xb = np.column_stack((X, np.ones(len(X))))
    return float(np.linalg.eigvalsh(Xb.T @ Xb / len(X))[-1] / 4)


def test_it_works() -> None:
    X, y = random_problem(0)
    report = gradient_descent(X, y, settings=GradientDescentSettings(lr=1.0, epochs=3000))
    best = newton(X, y)
    assert report.converged
    assert report.solver == "gd"
    assert report.message == "converged in 3000 epochs"
    assert report.weights == pytest.approx(best.weights, abs=1e-4)
    assert report.intercept == pytest.approx(best.intercept, abs=1e-4)


def test_it_is_plain_gradient_descent() -> None:
    X, y = random_problem(1)
    with pytest.warns(NotConvergedWarning):
        report = gradient_descent(X, y, settings=GradientDescentSettings(lr=0.3, epochs=5))
    w, b = np.zeros(4), 0.0
    for _ in range(5):
        p = 1 / (1 + np.exp(-(X @ w + b)))
        w, b = w - 0.3 * (X.T @ (p - y) / len(y) + 0.01 * w), b - 0.3 * np.mean(p - y)
    assert report.weights == pytest.approx(w, abs=1e-14)
    assert report.intercept == pytest.approx(b, abs=1e-14)


@pytest.mark.parametrize("seed", range(5))
def test_a_safe_step_never_raises_the_loss(seed: int) -> None:
    X, y = random_problem(seed)
    step = 1 / smoothness(X)
    settings = GradientDescentSettings(lr=step, epochs=1000, lambda_=0.0)
    losses = [row.train_loss for row in gradient_descent(X, y, settings=settings).history]
    assert losses == pytest.approx(sorted(losses, reverse=True), abs=1e-14)
    assert losses[-1] < losses[0] < np.log(2)


def test_the_default_settings_say_that_they_did_not_converge(raisin_table: Table) -> None:
    X, y = raisin_problem(raisin_table)
    with pytest.warns(NotConvergedWarning, match="standard errors from the optimum"):
        report = gradient_descent(X, y)
    assert not report.converged
    assert report.decrement > 1
    assert report.message.startswith("not converged after 100 epochs: the coefficients are still")
    assert report.message.endswith("use the newton solver or more epochs")
    assert report.history[-1].train_accuracy > 0.85


def test_it_records_one_row_an_epoch() -> None:
    X, y = random_problem(0)
    seen: list[Iteration] = []
    with pytest.warns(NotConvergedWarning):
        report = gradient_descent(X, y, validation=random_problem(1), on_iteration=seen.append)
    assert tuple(seen) == report.history
    assert [row.number for row in seen] == list(range(1, 101))
    assert {row.step for row in seen} == {0.01}
    assert all(row.validation_accuracy is not None for row in seen)


@pytest.mark.parametrize("lr", [1e3, 1e5])
def test_too_large_a_step_ends_finite_and_unconverged(lr: float) -> None:
    X, y = random_problem(0)
    with pytest.warns(NotConvergedWarning):
        report = gradient_descent(X, y, settings=GradientDescentSettings(lr=lr, epochs=20))
    assert not report.converged
    assert np.isfinite([*report.weights, report.intercept, report.decrement]).all()
    assert np.isfinite([row.train_loss for row in report.history]).all()


def test_it_refuses_a_step_that_leaves_the_number_range() -> None:
    X, y = random_problem(0)
    with pytest.raises(
        DataError, match=r"diverged in epoch \d+ with lr=1e\+300; .* at most \d\.\d"
    ):
        gradient_descent(X, y, settings=GradientDescentSettings(lr=1e300))


@pytest.mark.parametrize(
    "wrong",
    [
        {"lr": 0},
        {"lr": -1},
        {"lr": float("nan")},
        {"lr": float("inf")},
        {"epochs": 0},
        {"lambda_": -1},
        {"lambda_": float("nan")},
    ],
)
def test_it_refuses_impossible_settings(wrong: dict[str, float]) -> None:
    with pytest.raises(DataError, match=next(iter(wrong))):
        GradientDescentSettings(**wrong)  # type: ignore[arg-type]


def test_it_leaves_its_input_alone() -> None:
    X, y = random_problem(0)
    before = X.tobytes(), y.tobytes()
    gradient_descent(X, y, settings=GradientDescentSettings(lr=1.0, epochs=3000))
    assert (X.tobytes(), y.tobytes()) == before
