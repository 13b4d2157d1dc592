"""A descent that is interrupted and gone on with ends with the bits of one that was not."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore import (
    DataError,
    GradientDescentSettings,
    Iteration,
    NotConvergedWarning,
    SolverReport,
    Watch,
    gradient_descent,
)
from mlcore.history import Descent
from tests.mlcore.problems import class_problem, random_problem

EPOCHS = 25


def problem(classes: int) -> tuple[np.ndarray, np.ndarray]:
    return random_problem(3) if classes == 2 else class_problem(3, classes=classes)


def descend(
    classes: int, choice: GradientDescentSettings, *, start: Descent | None = None
) -> tuple[SolverReport, list[Descent]]:
    """The report, and where the descent stood after each epoch."""
    X, y = problem(classes)
    weights = np.random.default_rng(1).uniform(0.2, 3.0, size=len(y))
    stood: list[Descent] = []

    def keep(descent: Descent) -> None:
        stood.append(replace(descent, history=tuple(descent.history)))

    watch = Watch(problem(classes), on_epoch=keep)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)
        report = gradient_descent(X, y, weights, settings=choice, watch=watch, start=start)
    return report, stood


def untimed(history: tuple[Iteration, ...]) -> list[Iteration]:
    return [replace(row, seconds=0.0) for row in history]


@given(
    classes=st.sampled_from([2, 3]),
    momentum=st.sampled_from(["none", "nesterov"]),
    lr=st.sampled_from(["auto", 0.3]),
    epoch=st.integers(1, EPOCHS),
)
@settings(max_examples=60, deadline=None)
def test_it_goes_on_to_the_same_bits(classes: int, momentum: str, lr: object, epoch: int) -> None:
    choice = GradientDescentSettings(lr=lr, epochs=EPOCHS, momentum=momentum)  # type: ignore[arg-type]
    whole, stood = descend(classes, choice)
    on, later = descend(classes, choice, start=stood[epoch - 1])
    assert on.theta.tobytes() == whole.theta.tobytes()
    assert (on.objective, on.decrement, on.message) == (
        whole.objective,
        whole.decrement,
        whole.message,
    )
    assert untimed(on.history) == untimed(whole.history)
    assert [descent.epoch for descent in later] == list(range(epoch + 1, EPOCHS + 1))


@pytest.mark.parametrize("classes", [2, 3])
def test_it_may_be_interrupted_after_every_epoch(classes: int) -> None:
    choice = GradientDescentSettings(lr="auto", epochs=EPOCHS, momentum="nesterov")
    whole, [at, *_] = descend(classes, choice)
    for _ in range(EPOCHS - 1):
        _, [at, *_] = descend(classes, choice, start=at)
    last, _ = descend(classes, choice, start=at)
    assert last.theta.tobytes() == whole.theta.tobytes()
    assert untimed(last.history) == untimed(whole.history)


def test_its_seconds_go_on_too() -> None:
    X, y = problem(2)
    choice = GradientDescentSettings(epochs=4)
    stood: list[Descent] = []

    def descended(ticks: Iterator[float], start: Descent | None) -> list[float]:
        watch = Watch(on_epoch=stood.append, clock=lambda: next(ticks))
        with pytest.warns(NotConvergedWarning):
            report = gradient_descent(X, y, settings=choice, watch=watch, start=start)
        return [row.seconds for row in report.history]

    assert descended(iter([0.0, 1.0, 2.0, 3.0, 4.0]), None) == [1.0, 2.0, 3.0, 4.0]
    half = replace(stood[1], history=stood[1].history[:2])
    assert descended(iter([100.0, 105.0, 106.0]), half) == [1.0, 2.0, 7.0, 8.0]


def test_it_refuses_one_over_other_rows() -> None:
    choice = GradientDescentSettings(epochs=EPOCHS)
    _, stood = descend(3, choice)
    with pytest.raises(DataError, match="at 5 finite numbers"):
        descend(2, choice, start=stood[0])
    _, stood = descend(2, choice)
    lost = replace(stood[0], theta=stood[0].theta * np.nan)
    with pytest.raises(DataError, match="at 5 finite numbers"):
        descend(2, choice, start=lost)


def test_it_refuses_one_with_more_epochs_than_asked_for() -> None:
    _, stood = descend(2, GradientDescentSettings(epochs=EPOCHS))
    with pytest.raises(DataError, match="has gone 25 epochs; 3 are asked for"):
        descend(2, GradientDescentSettings(epochs=3), start=stood[-1])
