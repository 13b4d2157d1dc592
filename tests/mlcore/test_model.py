from __future__ import annotations

import numpy as np
import pytest

from mlcore import LogisticModel
from mlcore.loss import mean_log_loss
from tests.mlcore.problems import five_point, random_problem


def model_at(seed: int) -> LogisticModel:
    rng = np.random.default_rng(seed)
    model = LogisticModel(4, lr=0.1, lambda_=0.3)
    model.W, model.b = rng.normal(size=4), float(rng.normal())
    return model


def test_it_works() -> None:
    X, y = random_problem(0)
    model = LogisticModel(4, lr=0.5, lambda_=0.0)
    losses = []
    for _ in range(50):
        _, p = model.forward(X)
        losses.append(model.loss(y, p))
        model.update(*model.backward(X, y, p))
    assert losses[0] == pytest.approx(np.log(2))
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.6


@pytest.mark.parametrize("seed", range(5))
def test_backward_is_the_slope_of_loss(seed: int) -> None:
    X, y = random_problem(seed)
    model = model_at(seed)
    dW, db = model.backward(X, y, model.forward(X)[1])
    W, b = model.W.copy(), model.b

    def loss_at(j: int, t: float) -> float:
        model.W, model.b = W.copy(), b
        if j < 4:
            model.W[j] += t
        else:
            model.b += t
        return model.loss(y, model.forward(X)[1])

    for j, found in enumerate([*dW, db]):
        assert found == pytest.approx(five_point(lambda t, j=j: loss_at(j, t), 0.0), abs=1e-9)


def test_loss_agrees_with_the_kernel() -> None:
    X, y = random_problem(2)
    model = model_at(2)
    z, p = model.forward(X)
    penalty = 0.15 * float(model.W @ model.W)
    assert model.loss(y, p) == pytest.approx(mean_log_loss(z, y) + penalty, rel=1e-12)


def test_logits_and_probabilities_are_clipped() -> None:
    model = LogisticModel(1, lambda_=0.0)
    model.W = np.array([1.0])
    z, p = model.forward(np.array([[1e9], [-1e9]]))
    assert z.tolist() == [500.0, -500.0]
    assert model.loss(np.array([0.0, 1.0]), p) == pytest.approx(-np.log(1e-15), rel=1e-2)


def test_update_steps_against_the_gradient() -> None:
    model = LogisticModel(2, lr=0.5)
    model.update(np.array([1.0, -2.0]), 4.0)
    assert model.W.tolist() == [-0.5, 1.0]
    assert model.b == -2.0


def test_the_intercept_is_not_penalised() -> None:
    X, y = np.zeros((4, 1)), np.array([0.0, 1.0, 1.0, 1.0])
    model = LogisticModel(1, lambda_=5.0)
    model.b = 3.0
    assert model.backward(X, y, np.full(4, 0.75))[1] == 0.0
    assert model.loss(y, np.full(4, 0.75)) == pytest.approx(0.5623351446188083)
