"""The softmax loss: closed forms, derivatives against complex steps, references."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore import NewtonSettings, Watch, newton
from mlcore.loss import losses, margins, sigmoid
from mlcore.objective import Objective
from mlcore.rows import as_rows
from mlcore.softmax import gauge, scores, softmax, softmax_losses
from tests.mlcore.problems import class_problem, complex_step, solution, solved, standardised
from tests.mlcore.reference import softmax_optimum

X, Y = class_problem(0)
SIZE = 12


def mean_loss(theta: Any, weights: np.ndarray | None = None) -> Any:
    """The textbook formula, for real and complex theta."""
    per_class = theta.reshape(3, 4)
    eta = X @ per_class[:, :3].T + per_class[:, 3]
    own = eta[np.arange(len(Y)), Y.astype(int)]
    return np.average(np.log(np.exp(eta).sum(axis=1)) - own, weights=weights)


def test_it_works() -> None:
    eta = np.log([[1.0, 2.0, 5.0], [4.0, 2.0, 2.0]])
    assert softmax(eta) == pytest.approx(np.array([[1, 2, 5], [4, 2, 2]]) / 8, rel=1e-15)
    assert softmax_losses(eta, np.array([2, 1])) == pytest.approx(-np.log([5 / 8, 2 / 8]))


@given(
    st.lists(st.floats(-1e300, 1e300), min_size=2, max_size=6), st.integers(0, 1), st.floats(-5, 5)
)
def test_nothing_overflows(eta: list[float], label: int, shift: float) -> None:
    with np.errstate(all="raise", under="ignore"):
        p = softmax(np.array([eta]))
        loss = softmax_losses(np.array([eta]), np.array([label]))
    assert p.sum() == pytest.approx(1.0, abs=1e-15)
    assert ((p >= 0) & (p <= 1)).all()
    assert np.isfinite(loss).all()
    assert loss[0] >= 0
    assert loss[0] == pytest.approx(-np.log(max(p[0, label], 1e-320)), abs=1e-9) or loss[0] > 700


@given(st.lists(st.floats(-30, 30), min_size=3, max_size=3), st.floats(-100, 100))
def test_a_constant_added_to_all_scores_changes_nothing(eta: list[float], shift: float) -> None:
    assert softmax(np.array([eta]) + shift) == pytest.approx(softmax(np.array([eta])), abs=1e-13)


@given(st.floats(-700, 700))
def test_two_scores_are_the_logistic_model(z: float) -> None:
    eta = np.array([[0.0, z], [0.0, z]])
    assert softmax(eta)[0, 1] == pytest.approx(sigmoid(np.array([z]))[0], rel=1e-14)
    expected = losses(margins(np.array([z, z]), np.array([0.0, 1.0])))
    assert softmax_losses(eta, np.array([0, 1])) == pytest.approx(expected, rel=1e-13, abs=1e-15)


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_gradient_and_hessian_are_the_slopes(seed: int, is_weighted: bool) -> None:
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=SIZE)
    weights = rng.uniform(0, 3, size=len(Y)) if is_weighted else None
    at = Objective(as_rows(X, Y, weights), lambda_=0.0).curved(theta)
    assert pytest.approx(mean_loss(theta, weights), rel=1e-14) == at.F
    assert at.gradient == pytest.approx(
        complex_step(lambda t: mean_loss(t, weights), theta), abs=1e-15
    )

    def gradient(t: Any) -> Any:
        per_class = t.reshape(3, 4)
        eta = X @ per_class[:, :3].T + per_class[:, 3]
        p = np.exp(eta) / np.exp(eta).sum(axis=1, keepdims=True)
        s = (np.ones(len(Y)) if weights is None else weights)[:, None]
        r = (p - np.eye(3)[Y.astype(int)]) * s / s.sum()
        return (r.T @ np.column_stack((X, np.ones(len(Y))))).ravel()

    assert at.information == pytest.approx(complex_step(gradient, theta), abs=1e-15)
    assert at.information == pytest.approx(at.information.T, abs=1e-16)
    assert np.linalg.eigvalsh(at.information)[0] > -1e-14


def test_the_penalty_spares_the_intercepts() -> None:
    theta = np.arange(1.0, SIZE + 1)
    free, held = (Objective(as_rows(X, Y), lambda_=value) for value in (0.0, 0.5))
    W = theta * (np.arange(SIZE) % 4 != 3)
    assert pytest.approx(0.25 * W @ W, rel=1e-12) == held.slope(theta).F - free.slope(theta).F
    difference = held.slope(theta).gradient - free.slope(theta).gradient
    assert difference == pytest.approx(0.5 * W, abs=1e-12)


@pytest.mark.parametrize("penalised", [True, False])
def test_the_gauge_fills_what_the_information_lacks(penalised: bool) -> None:
    theta = np.random.default_rng(0).normal(size=SIZE)
    projector = gauge(3, 3, penalised=penalised)
    assert projector @ projector == pytest.approx(projector, abs=1e-15)
    at = Objective(as_rows(X, Y), lambda_=0.01 if penalised else 0.0).curved(theta)
    assert at.information @ projector == pytest.approx(np.zeros((SIZE, SIZE)), abs=1e-15)
    assert np.linalg.eigvalsh(at.hessian)[0] > 1e-3
    assert np.trace(projector) == pytest.approx(1 if penalised else 4)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.01, 1.0]), st.booleans())
def test_it_finds_the_reference_optimum(seed: int, lambda_: float, is_weighted: bool) -> None:
    X, y = class_problem(seed)
    s = np.random.default_rng(seed).uniform(0.5, 2.0, size=len(y)) if is_weighted else None
    found = solved(X, y, s, lambda_=lambda_)
    expected = softmax_optimum(X, y, lambda_, s)
    assert found.theta.reshape(3, 4) == pytest.approx(expected, abs=1e-7)
    assert found.weights.sum(axis=0) == pytest.approx(np.zeros(3), abs=1e-9)
    assert np.sum(found.intercept) == pytest.approx(0.0, abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_the_optimum_balances_every_class(seed: int) -> None:
    X, y = class_problem(seed)
    theta = solution(X, y, lambda_=0.01)
    p = softmax(scores(X, theta))
    assert p.mean(axis=0) == pytest.approx([1 / 3] * 3, abs=1e-11)
    r = p - np.eye(3)[y.astype(int)]
    assert theta.reshape(3, 4)[:, :3] * 0.01 == pytest.approx(-r.T @ X / len(y), abs=1e-11)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_renumbered_classes_are_the_same_classes(seed: int) -> None:
    X, y = class_problem(seed)
    order = np.random.default_rng(seed).permutation(3)
    theta = solution(X, y).reshape(3, 4)
    assert solution(X, order[y.astype(int)]).reshape(3, 4)[order] == pytest.approx(theta, abs=1e-10)


def test_two_classes_agree_with_the_logistic_model_of_half_the_penalty() -> None:
    """Of W and -W as softmax weights the difference is 2 W, penalised by |W|^2 each."""
    X, y = class_problem(1)
    two = y < 2
    # A third class that is far away in a column of its own leaves the others to themselves.
    expected = solution(X[two], y[two], lambda_=0.01)
    eta = scores(X[two], np.concatenate((-expected / 2, expected / 2)))
    assert softmax(eta)[:, 1] == pytest.approx(
        sigmoid(X[two] @ expected[:3] + expected[3]), rel=1e-13
    )
    assert softmax_optimum(X[two], y[two], 0.02)[1] == pytest.approx(expected / 2, abs=1e-9)


def test_a_constant_column_gets_no_weight_in_any_class() -> None:
    A = np.column_stack((X, np.full(len(Y), 7.0)))
    for lambda_ in (0.0, 0.01):
        report = solved(A, Y, lambda_=lambda_)
        assert report.constant == (3,)
        assert not report.weights[:, 3].any()
        assert report.weights[:, :3] == pytest.approx(solved(X, Y, lambda_=lambda_).weights)
        assert not report.rank_deficient


def test_duplicate_columns_share_in_every_class() -> None:
    report = solved(np.column_stack((X, X[:, 0])), Y, lambda_=0.0)
    alone = solved(X, Y, lambda_=0.0)
    assert report.rank_deficient
    assert report.weights[:, 3] == pytest.approx(alone.weights[:, 0] / 2, abs=1e-6)
    assert report.weights[:, 0] == pytest.approx(alone.weights[:, 0] / 2, abs=1e-6)


def test_accuracy_and_losses_are_recorded() -> None:
    report = newton(X, Y, settings=NewtonSettings(lambda_=0.1), watch=Watch((X, Y)))
    last, eta = report.history[-1], scores(X, report.theta)
    assert last.train_accuracy == np.mean(eta.argmax(axis=1) == Y)
    assert last.validation_loss == pytest.approx(mean_loss(report.theta), rel=1e-13)


@pytest.mark.parametrize(("name", "F"), [("iris", 0.209191788405), ("wine", 0.067923234685)])
def test_it_reaches_the_printed_objectives(name: str, F: float) -> None:
    import sklearn.datasets

    data = getattr(sklearn.datasets, f"load_{name}")()
    Z, y = standardised(data.data), data.target
    report = solved(Z, y, lambda_=1 / len(y))
    assert report.objective == pytest.approx(F, abs=1e-12)
    if name == "iris":
        assert report.intercept == pytest.approx([-0.20524113, 2.07483978, -1.86959865], abs=1e-8)
        assert report.weights[0, :2] == pytest.approx([-1.07406615, 1.16011512], abs=1e-8)


def test_it_reads_digits() -> None:
    from sklearn.datasets import load_digits

    data: Any = load_digits()
    Z, y = standardised(data.data), data.target
    report = newton(Z, y, settings=NewtonSettings(lambda_=1 / len(y), tolerance=1e-4))
    assert report.converged
    assert report.objective == pytest.approx(0.063149668770, abs=1e-10)
    assert len(report.constant) == 3
