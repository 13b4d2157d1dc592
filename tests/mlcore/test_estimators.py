from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mlcore.estimators import Estimator, Logistic, Softmax
from tests.mlcore.classifiers import logistic, softmax, stump

Z_ROWS = arrays(np.float64, st.tuples(st.integers(1, 30), st.just(3)), elements=st.floats(-50, 50))
EVERY = pytest.mark.parametrize("estimator", [logistic(3), softmax(3), stump(2), stump(3)])


def test_it_works() -> None:
    model = Logistic(np.array([2.0, -1.0]), 0.5)
    assert model.scores(np.array([[1.0, 1.0], [0.0, 0.5]])).tolist() == [[1.5], [0.0]]
    assert model.probabilities(np.array([[0.0]])).tolist() == [[0.5, 0.5]]
    assert (model.family, model.n_classes, model.n_slots, model.unit) == (
        "logistic", 2, 2, "log_odds",
    )  # fmt: skip


def test_so_does_softmax() -> None:
    model = Softmax(np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]), np.array([0.5, -0.5, 0.0]))
    scores = model.scores(np.array([[1.0, 2.0]]))
    assert scores.tolist() == [[1.5, 1.5, -3.0]]
    e = np.exp([1.5, 1.5, -3.0])
    assert model.probabilities(scores)[0] == pytest.approx(e / e.sum(), abs=1e-15)
    assert (model.family, model.n_classes, model.n_slots, model.unit) == (
        "softmax", 3, 2, "log_odds",
    )  # fmt: skip


@EVERY
@given(Z=Z_ROWS)
@settings(max_examples=40, deadline=None)
def test_contributions_and_base_add_up_to_the_score(estimator: Estimator, Z: np.ndarray) -> None:
    scores, contributions = estimator.explain(Z)
    n_scores = 1 if estimator.n_classes == 2 else estimator.n_classes
    assert scores.shape == (len(Z), n_scores)
    assert contributions.shape == (len(Z), n_scores, estimator.n_slots)
    assert estimator.base + contributions.sum(axis=2) == pytest.approx(scores, abs=1e-9)
    assert scores.tobytes() == estimator.scores(Z).tobytes()


@EVERY
@given(Z=Z_ROWS)
@settings(max_examples=40, deadline=None)
def test_a_row_is_the_same_in_any_batch_to_the_last_bit(
    estimator: Estimator, Z: np.ndarray
) -> None:
    together = estimator.explain(Z)
    p = estimator.probabilities(together.scores)
    for row in range(len(Z)):
        alone = estimator.explain(Z[row : row + 1])
        assert alone.scores[0].tobytes() == together.scores[row].tobytes()
        assert alone.contributions[0].tobytes() == together.contributions[row].tobytes()
        assert estimator.probabilities(alone.scores)[0].tobytes() == p[row].tobytes()


@EVERY
@given(Z=Z_ROWS)
@settings(max_examples=40, deadline=None)
def test_probabilities_are_probabilities(estimator: Estimator, Z: np.ndarray) -> None:
    p = estimator.probabilities(estimator.scores(Z))
    assert p.shape == (len(Z), estimator.n_classes)
    assert (p >= 0).all()
    assert p.sum(axis=1) == pytest.approx(np.ones(len(Z)), abs=1e-14)


def test_extreme_scores_stay_probabilities() -> None:
    with np.errstate(over="raise", invalid="raise"):
        two = logistic(3).probabilities(np.array([[-800.0], [800.0], [-40.0]]))
        three = softmax(3).probabilities(np.array([[1e5, 0.0, -1e5], [-1e5, -1e5, -1e5]]))
    assert two[:2].tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert two[2, 1] == pytest.approx(np.exp(-40), rel=1e-15)
    assert three[0].tolist() == [1.0, 0.0, 0.0]
    assert three[1] == pytest.approx(np.full(3, 1 / 3), abs=1e-15)


def test_softmax_of_three_agrees_with_scikit_learn() -> None:
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    X, y = load_iris(return_X_y=True)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    fitted = LogisticRegression(C=1.0, max_iter=1000).fit(Z, y)
    model = Softmax.centred(fitted.coef_, fitted.intercept_)
    assert model.probabilities(model.scores(Z)) == pytest.approx(fitted.predict_proba(Z), abs=1e-12)


@given(
    arrays(np.float64, (4, 3), elements=st.floats(-5, 5)),
    arrays(np.float64, 4, elements=st.floats(-5, 5)),
    arrays(np.float64, 3, elements=st.floats(-5, 5)),
)
def test_the_gauge_changes_no_probability(
    weights: np.ndarray, intercepts: np.ndarray, shift: np.ndarray
) -> None:
    plain, centred = Softmax(weights + shift, intercepts), Softmax.centred(weights, intercepts)
    Z = np.linspace(-2, 2, 15).reshape(5, 3)
    expected = plain.probabilities(plain.scores(Z))
    assert centred.probabilities(centred.scores(Z)) == pytest.approx(expected, abs=1e-12)
    assert centred.weights.sum(axis=0) == pytest.approx(np.zeros(3), abs=1e-12)
    assert centred.scores(Z).sum(axis=1) == pytest.approx(np.zeros(5), abs=1e-12)


@pytest.mark.parametrize(
    ("weights", "intercepts"), [((2, 3), 2), ((3, 3), 2), ((9,), 3)], ids=["two", "short", "flat"]
)
def test_it_refuses_other_shapes(weights: tuple[int, ...], intercepts: int) -> None:
    with pytest.raises(ValueError, match=r"shape \(K, s\)"):
        Softmax(np.zeros(weights), np.zeros(intercepts))
    with pytest.raises(ValueError, match=r"shape \(s,\)"):
        Logistic(np.zeros((1, 3)), 0.0)
