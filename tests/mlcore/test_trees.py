"""Trees and forests: the walk, the path contributions, and arrays that are no forest."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from mlcore import trees
from mlcore.sklearn_models import Wiring, estimator_of
from mlcore.trees import TreeEnsemble

MODELS = {
    "decision_tree": DecisionTreeClassifier,
    "random_forest": RandomForestClassifier,
    "extra_trees": ExtraTreesClassifier,
}


def converted(model: Any) -> TreeEnsemble:
    slots = np.arange(model.n_features_in_)
    wiring = Wiring(slots, len(slots), tuple(range(model.n_classes_)))
    estimator = estimator_of(model, wiring, "the model")
    assert isinstance(estimator, TreeEnsemble)
    return estimator


def fitted(family: str, n_classes: int, seed: int, **settings: Any) -> tuple[Any, np.ndarray]:
    """A fitted model, and rows of which some lie exactly at, or one step from, its thresholds."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(60, 3)).round(1)
    y = np.append(np.arange(n_classes), rng.integers(n_classes, size=60 - n_classes))
    if family != "decision_tree":
        settings = {"n_estimators": 5, **settings}
    model = MODELS[family](random_state=seed, **settings).fit(X, y)
    cuts = converted(model).threshold[converted(model).feature >= 0]
    near = np.concatenate((cuts, np.nextafter(cuts, 9), np.nextafter(cuts, -9)))
    near32 = near.astype(np.float32)
    places = np.concatenate((near, near32, np.nextafter(near32, np.float32(9))))
    return model, np.concatenate((X, rng.choice(places, size=(200, 3)) if len(places) else X))


def path_contributions(forest: TreeEnsemble, z: np.ndarray) -> np.ndarray:
    """The definition, one step after the other in plain Python: shape (K, s)."""
    found = np.zeros((forest.n_classes, forest.n_slots))
    for root in forest.roots:
        node = root
        while (slot := forest.feature[node]) >= 0:
            goes_left = np.float64(np.float32(z[slot])) <= forest.threshold[node]
            child = forest.left[node] if goes_left else forest.right[node]
            found[:, slot] += forest.values[child] - forest.values[node]
            node = child
    return found / len(forest.roots)


def stump(**changes: Any) -> TreeEnsemble:
    """One question about slot 1; two leaves."""
    whole: dict[str, Any] = {
        "family": "decision_tree",
        "n_slots": 2,
        "feature": np.array([1, -1, -1], np.int32),
        "threshold": np.array([0.5, 0.0, 0.0]),
        "left": np.array([1, -1, -1], np.int32),
        "right": np.array([2, -1, -1], np.int32),
        "values": np.array([[0.5, 0.5], [0.75, 0.25], [0.0, 1.0]]),
        "roots": np.array([0], np.int32),
    }
    return TreeEnsemble(**{**whole, **changes})


def chain(levels: int) -> TreeEnsemble:
    """Every left child is a leaf, every right child asks again."""
    n_inner = levels - 1
    n = 2 * n_inner + 1
    inner = np.arange(n) % 2 == 0
    inner[-1] = False
    number = np.arange(n)
    return stump(
        feature=np.where(inner, 0, -1).astype(np.int32),
        threshold=np.where(inner, number / 2.0, 0.0),
        left=np.where(inner, number + 1, -1).astype(np.int32),
        right=np.where(inner, number + 2, -1).astype(np.int32),
        values=np.tile([0.5, 0.5], (n, 1)),
    )


def test_it_works() -> None:
    forest = stump()
    explained = forest.explain(np.array([[9.0, 0.5], [9.0, 0.6]]))
    assert (forest.family, forest.unit, forest.n_classes) == ("decision_tree", "probability", 2)
    assert forest.base.tolist() == [0.5]
    assert explained.scores.tolist() == [[0.25], [1.0]]
    assert explained.contributions.tolist() == [[[0.0, -0.25]], [[0.0, 0.5]]]
    assert forest.probabilities(explained.scores).tolist() == [[0.75, 0.25], [0.0, 1.0]]


@settings(max_examples=60, deadline=None)
@given(
    family=st.sampled_from(sorted(MODELS)),
    n_classes=st.integers(2, 4),
    seed=st.integers(0, 10**6),
    max_depth=st.none() | st.integers(1, 6),
)
def test_it_agrees_with_scikit_learn(
    family: str, n_classes: int, seed: int, max_depth: int | None
) -> None:
    model, X = fitted(family, n_classes, seed, max_depth=max_depth)
    forest = converted(model)
    scores, contributions = forest.explain(X)
    assert scores.shape[1] == (1 if n_classes == 2 else n_classes)
    assert forest.probabilities(scores) == pytest.approx(model.predict_proba(X), abs=1e-12)
    assert forest.base + contributions.sum(axis=2) == pytest.approx(scores, abs=1e-12)
    assert forest.scores(X).tobytes() == scores.tobytes()


@settings(max_examples=20, deadline=None)
@given(family=st.sampled_from(sorted(MODELS)), n_classes=st.integers(2, 3), seed=st.integers(0, 99))
def test_contributions_follow_the_path(family: str, n_classes: int, seed: int) -> None:
    model, X = fitted(family, n_classes, seed)
    forest = converted(model)
    found = forest.explain(X[-20:]).contributions
    for row, contributions in zip(X[-20:], found, strict=True):
        expected = path_contributions(forest, row)[-len(contributions) :]
        assert contributions == pytest.approx(expected, abs=1e-12)


def test_slots_are_compared_as_float32() -> None:
    # 0.1 is below its own float32, 0.100000001490116: in float64 this row would go left.
    forest = stump(threshold=np.array([0.1, 0.0, 0.0]))
    assert forest.scores(np.array([[0.0, 0.1], [0.0, 0.0999999]])).tolist() == [[1.0], [0.25]]


def test_numbers_beyond_float32_keep_their_side() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = stump().scores(np.array([[0.0, 1e150], [0.0, -1e150]]))
    assert scores.tolist() == [[1.0], [0.25]]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(n_classes=st.integers(2, 3), seed=st.integers(0, 10**6), walkers=st.integers(1, 50))
def test_a_row_has_the_same_bits_in_any_batch(
    monkeypatch: pytest.MonkeyPatch, n_classes: int, seed: int, walkers: int
) -> None:
    model, X = fitted("random_forest", n_classes, seed, n_estimators=17, min_samples_leaf=3)
    forest = converted(model)
    together = forest.explain(X)
    for row in range(0, len(X), 31):
        alone = forest.explain(X[row : row + 1])
        assert alone.scores.tobytes() == together.scores[row].tobytes()
        assert alone.contributions.tobytes() == together.contributions[row].tobytes()
    monkeypatch.setattr(trees, "_WALKERS", walkers)
    in_blocks = forest.explain(np.asfortranarray(X))
    assert in_blocks.scores.tobytes() == together.scores.tobytes()
    assert in_blocks.contributions.tobytes() == together.contributions.tobytes()


def test_no_rows_give_no_scores() -> None:
    scores, contributions = stump().explain(np.empty((0, 2)))
    assert (scores.shape, contributions.shape) == ((0, 1), (0, 1, 2))


def test_a_tree_may_be_a_single_leaf() -> None:
    leaf = stump(
        feature=np.array([-1], np.int32),
        threshold=np.zeros(1),
        left=np.array([-1], np.int32),
        right=np.array([-1], np.int32),
        values=np.array([[0.2, 0.3, 0.5]]),
    )
    scores, contributions = leaf.explain(np.ones((1, 2)))
    assert scores.tolist() == [leaf.base.tolist()] == [[0.2, 0.3, 0.5]]
    assert not contributions.any()
    assert leaf.probabilities(scores).tolist() == scores.tolist()


def test_a_tree_may_have_a_thousand_levels() -> None:
    deepest = chain(1000)
    nodes = np.flatnonzero(deepest.feature >= 0)
    assert len(nodes) == 999
    assert deepest.scores(np.array([[1e9, 0.0]])).tolist() == [[0.5]]
    with pytest.raises(ValueError, match="more than 1000 levels"):
        chain(1001)


INT = np.int32
HOSTILE: list[tuple[str, dict[str, Any]]] = [
    ("unknown family", {"family": "boosted"}),
    ("n_slots is not a positive integer", {"n_slots": 0}),
    ("n_slots is not a positive integer", {"n_slots": True}),
    ("n_slots is not a positive integer", {"n_slots": 2.0}),
    ("values is not a matrix", {"values": np.array([0.5, 0.5])}),
    ("roots is not a vector", {"roots": np.array(0, INT)}),
    ("there is no tree", {"roots": np.array([], INT)}),
    ("more trees than nodes", {"roots": np.array([0, 1, 2, 3], INT)}),
    ("feature is float64", {"feature": np.array([1.0, -1, -1])}),
    ("threshold is float32", {"threshold": np.zeros(3, np.float32)}),
    ("left is int64", {"left": np.array([1, -1, -1])}),
    ("values is int64", {"values": np.array([[1, 0], [1, 0], [0, 1]])}),
    ("feature has the shape", {"feature": np.array([1, -1], INT)}),
    ("fewer than 2 classes", {"values": np.ones((3, 1))}),
    ("a feature is negative", {"feature": np.array([-2, -1, -1], INT)}),
    ("a feature is not below 2", {"feature": np.array([2, -1, -1], INT)}),
    ("a threshold is not finite", {"threshold": np.array([np.nan, 0, 0])}),
    ("a threshold is not finite", {"threshold": np.array([np.inf, 0, 0])}),
    ("threshold is not 0 at a leaf", {"threshold": np.array([0.5, -2, 0])}),
    ("left is not -1 at a leaf", {"left": np.array([1, 2, -1], INT)}),
    ("right is not -1 at a leaf", {"right": np.array([2, -1, 0], INT)}),
    ("a class share is not in", {"values": np.array([[0.5, 0.5], [1.5, -0.5], [0, 1]])}),
    ("a class share is not in", {"values": np.array([[0.5, 0.5], [np.nan, 1], [0, 1]])}),
    ("do not sum to 1", {"values": np.array([[0.5, 0.5], [0.5, 0.4], [0, 1]])}),
    ("the roots do not ascend", {"roots": np.array([1], INT)}),
    ("the roots do not ascend", {"roots": np.array([0, 3], INT)}),
    ("the roots do not ascend", {"roots": np.array([0, 2, 1], INT)}),
    ("a child does not come after", {"left": np.array([0, -1, -1], INT)}),
    ("a child does not come after", {"left": np.array([-1, -1, -1], INT)}),
    ("a child does not come after", {"right": np.array([3, -1, -1], INT)}),
    ("a child does not come after", {"roots": np.array([0, 2], INT)}),
    ("exactly one parent", {"right": np.array([1, -1, -1], INT)}),
]


@pytest.mark.parametrize(("message", "changes"), HOSTILE)
def test_it_refuses_what_is_no_forest(message: str, changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=message):
        stump(**changes)


def test_it_refuses_a_node_that_two_parents_share() -> None:
    shared = {
        "feature": np.array([0, 0, 0, -1, -1], INT),
        "threshold": np.zeros(5),
        "left": np.array([1, 3, 3, -1, -1], INT),
        "right": np.array([2, 4, 4, -1, -1], INT),
        "values": np.tile([0.5, 0.5], (5, 1)),
    }
    with pytest.raises(ValueError, match="exactly one parent"):
        stump(**shared)


@cache
def good_forest() -> TreeEnsemble:
    return converted(fitted("random_forest", 2, 3, max_depth=3)[0])


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_whatever_it_accepts_ends_at_a_leaf(data: st.DataObject) -> None:
    """One number of a good forest is changed: it is refused, or every row still arrives."""
    good = good_forest()
    name = data.draw(st.sampled_from(["feature", "left", "right", "roots"]))
    changed = getattr(good, name).copy()
    place = data.draw(st.integers(0, len(changed) - 1))
    changed[place] = data.draw(st.integers(-3, len(good.feature) + 1))
    try:
        forest = replace(good, **{name: changed})
    except ValueError:
        return
    scores = forest.scores(np.zeros((2, forest.n_slots)))
    assert ((scores >= 0) & (scores <= 1)).all()
