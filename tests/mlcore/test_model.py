from __future__ import annotations

import numpy as np
import pytest

from mlcore import (
    DataError,
    GradientDescentSettings,
    LogisticModel,
    NotConvergedWarning,
    gradient_descent,
)
from mlcore.loss import mean_log_loss
from mlcore.softmax import softmax_losses
from tests.mlcore.problems import class_problem, five_point, random_problem


def model_at(seed: int, n_classes: int = 2) -> LogisticModel:
    rng = np.random.default_rng(seed)
    model = LogisticModel(4, n_classes, lr=0.1, lambda_=0.3)
    model.W = rng.normal(size=model.W.shape)
    model.b = float(rng.normal()) if n_classes == 2 else rng.normal(size=n_classes)
    return model


def problem(n_classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    if n_classes == 2:
        return random_problem(seed)
    return class_problem(seed, d=4, classes=n_classes)


both = pytest.mark.parametrize("n_classes", [2, 3])


@both
def test_it_works(n_classes: int) -> None:
    X, y = problem(n_classes)
    model = LogisticModel(4, n_classes, lr=0.5, lambda_=0.0)
    losses = model.fit(X, y, epochs=50)
    assert losses[0] == pytest.approx(np.log(n_classes))
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.85 * losses[0]
    assert np.mean(model.predict(X) == y) > 1.5 / n_classes


@both
@pytest.mark.parametrize("seed", range(5))
def test_backward_is_the_slope_of_loss(seed: int, n_classes: int) -> None:
    X, y = problem(n_classes, seed)
    model = model_at(seed, n_classes)
    dW, db = model.backward(X, y, model.forward(X)[1])
    found = np.append(np.ravel(dW), db)
    W, b = model.W.copy(), model.b

    def loss_at(theta: np.ndarray) -> float:
        model.W, model.b = W + theta[: W.size].reshape(W.shape), b + theta[W.size :]
        return model.loss(y, model.forward(X)[1])

    for slope, axis in zip(found, np.eye(len(found)), strict=True):
        assert slope == pytest.approx(five_point(lambda t, a=axis: loss_at(t * a), 0.0), abs=1e-9)


@both
def test_the_solver_takes_the_same_steps(n_classes: int) -> None:
    X, y = problem(n_classes)
    model = LogisticModel(4, n_classes, lr=0.4, lambda_=0.05)
    losses = []
    for epoch in range(1, 31):
        losses += model.fit(X, y, epochs=1)
        settings = GradientDescentSettings(lr=0.4, epochs=epoch, lambda_=0.05)
        with pytest.warns(NotConvergedWarning):
            report = gradient_descent(X, y, settings=settings)
        assert pytest.approx(report.weights, abs=1e-12) == model.W.T
        assert model.b == pytest.approx(report.intercept, abs=1e-12)
    assert losses[1:] == pytest.approx([row.objective for row in report.history[:-1]], abs=1e-12)


def test_loss_agrees_with_the_kernel() -> None:
    X, y = random_problem(2)
    model = model_at(2)
    z, p = model.forward(X)
    penalty = 0.15 * float(model.W @ model.W)
    assert model.loss(y, p) == pytest.approx(mean_log_loss(z, y) + penalty, rel=1e-12)


def test_the_loss_of_more_classes_agrees_with_the_kernel() -> None:
    X, y = problem(3)
    model = model_at(2, 3)
    z, p = model.forward(X)
    penalty = 0.15 * float((model.W**2).sum())
    assert model.loss(y, p) == pytest.approx(softmax_losses(z, y).mean() + penalty, rel=1e-12)


def test_logits_and_probabilities_are_clipped() -> None:
    model = LogisticModel(1, lambda_=0.0)
    model.W = np.array([1.0])
    z, p = model.forward(np.array([[1e9], [-1e9]]))
    assert z.tolist() == [500.0, -500.0]
    assert model.loss(np.array([0.0, 1.0]), p) == pytest.approx(-np.log(1e-15), rel=1e-2)


def test_one_certain_and_wrong_row_costs_34_nats_in_more_classes_too() -> None:
    model = LogisticModel(1, 3, lambda_=0.0)
    p = np.array([[1.0, 0.0, 0.0]])
    assert model.loss(np.array([1.0]), p) == pytest.approx(34.538776, abs=1e-6)


def test_update_steps_against_the_gradient() -> None:
    model = LogisticModel(2, lr=0.5)
    model.update(np.array([1.0, -2.0]), 4.0)
    assert model.W.tolist() == [-0.5, 1.0]
    assert model.b == -2.0


@both
def test_the_intercept_is_not_penalised(n_classes: int) -> None:
    X, y = np.zeros((4, 1)), np.arange(4) % n_classes * 1.0
    rates = np.bincount(y.astype(int)) / 4
    model = LogisticModel(1, n_classes, lambda_=5.0)
    model.b = 3.0 if n_classes == 2 else np.array([3.0, 1.0, 2.0])
    p = np.full(4, rates[1]) if n_classes == 2 else np.tile(rates, (4, 1))
    assert np.abs(model.backward(X, y, p)[1]).max() == pytest.approx(0.0, abs=1e-16)
    assert model.loss(y, p) == pytest.approx(-(rates * np.log(rates)).sum())


@both
def test_probabilities_are_given_for_every_class(n_classes: int) -> None:
    X, _ = problem(n_classes)
    model = model_at(0, n_classes)
    p = model.predict_proba(X)
    assert p.shape == (len(X), n_classes)
    assert p.sum(axis=1) == pytest.approx(np.ones(len(X)), abs=1e-15)
    assert np.array_equal(model.predict(X), p.argmax(axis=1))


def test_a_tie_is_class_1() -> None:
    assert LogisticModel(1).predict(np.zeros((2, 1))).tolist() == [1, 1]


def test_it_refuses_a_single_class() -> None:
    with pytest.raises(DataError, match="n_classes must be at least 2, got 1"):
        LogisticModel(3, 1)
