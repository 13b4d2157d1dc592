from __future__ import annotations

import warnings

import numpy as np
import pytest

from mlcore import (
    DataError,
    GradientDescentSettings,
    Iteration,
    NewtonSettings,
    NotConvergedWarning,
    Table,
    Watch,
    gradient_descent,
    newton,
)
from mlcore.history import Recorder
from mlcore.moments import moments_of
from mlcore.moments import smoothness as four_times_smoothness
from mlcore.objective import Evaluation
from mlcore.rows import as_rows
from tests.mlcore.problems import class_problem, raisin_problem, random_problem


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
        report = gradient_descent(X, y, watch=Watch((X, y)))
    assert not report.converged
    assert report.decrement > 1
    assert report.message.startswith("not converged after 100 epochs: the coefficients are still")
    assert report.message.endswith("use the newton solver or more epochs")
    assert (report.history[-1].train_accuracy or 0) > 0.85


def test_it_records_one_row_an_epoch() -> None:
    X, y = random_problem(0)
    seen: list[Iteration] = []
    with pytest.warns(NotConvergedWarning):
        report = gradient_descent(X, y, watch=Watch(random_problem(1), seen.append))
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


def test_auto_is_the_largest_step_that_never_climbs() -> None:
    X, y = random_problem(0)
    settings = GradientDescentSettings(lr="auto", epochs=1, lambda_=0.3)
    with pytest.warns(NotConvergedWarning):
        report = gradient_descent(X, y, settings=settings)
    assert report.history[0].step == pytest.approx(1 / (smoothness(X) + 0.3), rel=1e-12)


@pytest.mark.parametrize("momentum", ["none", "nesterov"])
def test_auto_counts_half_a_square_for_softmax(momentum: str) -> None:
    X, y = class_problem(0)
    settings = GradientDescentSettings(lr="auto", epochs=1, lambda_=0.3, momentum=momentum)  # type: ignore[arg-type]
    with pytest.warns(NotConvergedWarning):
        report = gradient_descent(X, y, settings=settings)
    assert report.history[0].step == pytest.approx(1 / (2 * smoothness(X) + 0.3), rel=1e-12)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("fraction", [0.3, 1.0])
@pytest.mark.parametrize("classes", [2, 3, 5])
def test_the_objective_never_rises_with_a_safe_step(
    seed: int, fraction: float, classes: int
) -> None:
    X, y = random_problem(seed) if classes == 2 else class_problem(seed, classes=classes)
    weights = np.random.default_rng(seed).uniform(0.2, 3.0, size=len(y))
    bound = four_times_smoothness(moments_of(as_rows(X, y, weights))) / (4 if classes == 2 else 2)
    start = 2 * np.random.default_rng(seed).normal(
        size=(X.shape[1] + 1) * (1 if classes == 2 else classes)
    )
    settings = GradientDescentSettings(lr=fraction / (bound + 0.05), epochs=200, lambda_=0.05)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)
        report = gradient_descent(X, y, weights, settings=settings, start=start)
    values = np.array([row.objective for row in report.history])
    assert (np.diff(values) <= 1e-15).all()
    assert values[-1] < values[0]


class Arrived(Exception):
    """Thrown by a listener to end a descent."""


def epochs_until(relative: float, X: np.ndarray, y: np.ndarray, **options: object) -> int:
    """Epochs until the largest component of the gradient is so much smaller than at zero."""
    residual = 0.5 - y
    first = np.abs(np.append(X.T @ residual, residual.sum()) / len(y)).max()

    def record(recorder: Recorder, at: Evaluation, *, step: float) -> None:
        epochs.append(step)
        if np.abs(at.gradient).max() <= relative * first:
            raise Arrived

    epochs: list[float] = []
    settings = GradientDescentSettings(epochs=12_000, **options)  # type: ignore[arg-type]
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Arrived):
        patch.setattr(Recorder, "record", record)
        gradient_descent(X, y, settings=settings)
    return len(epochs)


@pytest.mark.parametrize(
    ("lambda_", "lr", "momentum", "epochs"),
    [
        (0.0, "auto", "nesterov", 1806),
        (1 / 900, "auto", "none", 7629),
        (1 / 900, "auto", "nesterov", 381),
        (0.01, "auto", "none", 1016),
        (0.01, "auto", "nesterov", 88),
        (0.01, 0.1, "none", 8362),
    ],
)
def test_it_takes_the_epochs_that_theory_allows_on_raisins(
    raisin_table: Table, lambda_: float, lr: object, momentum: str, epochs: int
) -> None:
    X, y = raisin_problem(raisin_table)
    found = epochs_until(1e-6, X, y, lambda_=lambda_, lr=lr, momentum=momentum)
    assert found == pytest.approx(epochs, rel=0.02)


def test_coefficients_of_raisins_are_far_off_when_the_accuracy_looks_right(
    raisin_table: Table,
) -> None:
    X, y = raisin_problem(raisin_table)
    settings = GradientDescentSettings(lr=0.1, epochs=1000, lambda_=0.0)
    with pytest.warns(NotConvergedWarning):
        report = gradient_descent(X, y, settings=settings)
    best = newton(X, y, settings=NewtonSettings(lambda_=0.0))
    right = np.mean((X @ report.weights + report.intercept >= 0) == y)
    assert right == pytest.approx(0.8656, abs=1e-4)
    assert np.abs(report.weights - best.weights).max() == pytest.approx(19, abs=0.5)
    assert report.decrement > 1


def test_momentum_starts_anew_where_it_would_climb() -> None:
    X, y = random_problem(0)
    step = 1 / (smoothness(X) + 0.01)
    settings = GradientDescentSettings(lr="auto", epochs=200, momentum="nesterov")
    report = gradient_descent(X, y, settings=settings)
    point = theta = np.zeros(5)
    t, restarts = 1.0, 0
    for row in report.history:
        p = 1 / (1 + np.exp(-(X @ point[:4] + point[4])))
        g = np.append(X.T @ (p - y) / 60 + 0.01 * point[:4], (p - y).mean())
        new = point - step * g
        if g @ (new - theta) > 0:
            point, t, restarts = new, 1.0, restarts + 1
        else:
            longer = (1 + np.sqrt(1 + 4 * t * t)) / 2
            point, t = new + (t - 1) / longer * (new - theta), longer
        theta = new
        z = X @ point[:4] + point[4]
        F = np.logaddexp(0, (1 - 2 * y) * z).mean() + 0.005 * point[:4] @ point[:4]
        assert row.objective == pytest.approx(F, abs=1e-12)
    assert restarts > 0
    assert report.converged
    assert report.theta == pytest.approx(point, abs=1e-10)


def test_it_goes_on_from_a_start() -> None:
    X, y = class_problem(0)
    first, second, whole = (
        GradientDescentSettings(lr=0.1, epochs=epochs) for epochs in (20, 30, 50)
    )
    with pytest.warns(NotConvergedWarning):
        halfway = gradient_descent(X, y, settings=first)
        on = gradient_descent(X, y, settings=second, start=halfway.theta)
        straight = gradient_descent(X, y, settings=whole)
    assert on.theta == pytest.approx(straight.theta, abs=1e-14)
    assert halfway.weights.shape == (3, 3)


def test_the_distance_is_that_of_newton() -> None:
    X, y = random_problem(2, n=400)
    settings = GradientDescentSettings(lr="auto", momentum="nesterov", epochs=8)
    with pytest.warns(NotConvergedWarning):
        report = gradient_descent(X, y, settings=settings)
    with pytest.warns(NotConvergedWarning):
        one_step = newton(
            X, y, start=report.theta, settings=NewtonSettings(max_iterations=1, tolerance=1e-15)
        )
    assert report.decrement > 1e-3
    assert one_step.decrement < report.decrement**2


def test_it_refuses_unknown_choices() -> None:
    with pytest.raises(DataError, match="lr must be one of auto, got 'fast'"):
        GradientDescentSettings(lr="fast")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="momentum must be one of none, nesterov, got 'heavy'"):
        GradientDescentSettings(momentum="heavy")  # type: ignore[arg-type]
