"""Fitted scikit-learn classifiers as our estimators; never imports scikit-learn.

Each converter takes the model, the place of each of its inputs among our slots, how many slots
there are, and the order in which our classes stand among the model's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mlcore.arrays import FloatArray, IntArray
from mlcore.encoding import Encoder
from mlcore.errors import DataError
from mlcore.estimators import Estimator, Logistic, Softmax
from mlcore.schema import Columns
from mlcore.sklearn_steps import as_text, attribute_of, unsupported
from mlcore.trees import TreeEnsemble, TreeFamily


@dataclass(frozen=True, eq=False)
class Wiring:
    """How a model's inputs and classes stand in ours.

    Input j of the model is slot ``slots[j]`` of ``n_slots``; our class k is its ``order[k]``.
    """

    slots: IntArray
    n_slots: int
    order: tuple[int, ...]


def check_supported(model: Any, place: str) -> None:
    if type(model).__name__ not in _MODELS:
        unsupported(place, type(model).__name__, sorted(_MODELS))


def class_names(model: Any, place: str) -> tuple[str, ...]:
    """The model's classes as texts, in its order."""
    classes = attribute_of(model, "classes_", place)
    if isinstance(classes, list) or classes.ndim != 1:
        raise DataError(f"{place} predicts several targets at once; convert one model a target")
    if len(classes) < 2:
        raise DataError(f"{place} knows a single class; a classifier needs two")
    return tuple(as_text(value, place) for value in classes.tolist())


def estimator_of(model: Any, wiring: Wiring, place: str) -> Estimator:
    """The same function of the slots as the fitted model."""
    expected = attribute_of(model, "n_features_in_", place)
    if expected != len(wiring.slots):
        raise DataError(f"{place} was fitted on {expected} columns, not on {len(wiring.slots)}")
    return _MODELS[type(model).__name__](model, wiring, place)


def centred(estimator: Estimator, encoder: Encoder, columns: Columns) -> tuple[Estimator, Encoder]:
    """The same scores, with contributions of a linear model measured from the average row.

    What no scaler has centred (mean 0) gets the mean of these rows, and the intercept takes it
    up: b' = b + w (mean' - mean) / scale. Explanations and the impact of drift rely on it. Trees
    measure from their roots and stay as they are.
    """
    if not isinstance(estimator, Logistic | Softmax):
        return estimator, encoder
    means = np.where(encoder.means == 0, encoder.slot_means(columns), encoder.means)
    taken_off = estimator.weights @ ((means - encoder.means) / encoder.scales)
    moved: Estimator
    if isinstance(estimator, Logistic):
        moved = replace(estimator, intercept=estimator.intercept + float(taken_off))
    else:
        moved = replace(estimator, intercepts=estimator.intercepts + taken_off)
    return moved, replace(encoder, means=means)


def converged(model: Any) -> bool:
    """Whether an iterative solver stopped before its last iteration; trees always have."""
    iterations = getattr(model, "n_iter_", None)
    return iterations is None or bool((np.asarray(iterations) < model.max_iter).all())


def _logistic(model: Any, wiring: Wiring, place: str) -> Estimator:
    coefficients = np.asarray(model.coef_, dtype=np.float64)
    intercepts = np.asarray(model.intercept_, dtype=np.float64)
    weights = np.zeros((len(coefficients), wiring.n_slots))
    weights[:, wiring.slots] = coefficients
    if len(wiring.order) == 2:
        sign = 1.0 if wiring.order == (0, 1) else -1.0
        return Logistic(sign * weights[0], sign * float(intercepts[0]))
    if getattr(model, "multi_class", None) == "ovr" or model.solver == "liblinear":
        raise DataError(f"{place} fits one class against the rest; train a multinomial one")
    order = list(wiring.order)
    return Softmax.centred(weights[order], intercepts[order])


def trees_of(model: Any, wiring: Wiring, place: str) -> TreeEnsemble:
    """The trees of a model one after the other, node numbers shifted, leaves in our form."""
    trees = [tree.tree_ for tree in getattr(model, "estimators_", [model])]
    sizes = [tree.node_count for tree in trees]
    roots = np.cumsum([0, *sizes[:-1]])
    shift = np.repeat(roots, sizes)
    left, right, feature = (
        np.concatenate([getattr(tree, name) for tree in trees])
        for name in ("children_left", "children_right", "feature")
    )
    inner = left >= 0
    threshold = np.where(inner, np.concatenate([tree.threshold for tree in trees]), 0.0)
    if not np.isfinite(threshold).all():
        raise DataError(
            f"{place} splits on whether a value is missing; fill missing values with a "
            "SimpleImputer before the trees"
        )
    try:
        return TreeEnsemble(
            family=_FAMILIES[type(model).__name__],
            n_slots=wiring.n_slots,
            # A leaf's feature is negative; it looks up some slot and is then blanked.
            feature=np.where(inner, wiring.slots[np.maximum(feature, 0)], -1).astype(np.int32),
            threshold=threshold,
            left=np.where(inner, left + shift, -1).astype(np.int32),
            right=np.where(inner, right + shift, -1).astype(np.int32),
            values=_shares(trees, wiring.order),
            roots=roots.astype(np.int32),
        )
    except ValueError as error:
        raise DataError(f"{place} cannot be kept: {error}") from error


def _shares(trees: Sequence[Any], order: Sequence[int]) -> FloatArray:
    """Class shares at every node; before scikit-learn 1.3 these were weighted counts."""
    values = np.concatenate([tree.value[:, 0, :] for tree in trees])
    shares: FloatArray = values / values.sum(axis=1, keepdims=True)
    return shares[:, list(order)]


_FAMILIES: dict[str, TreeFamily] = {
    "DecisionTreeClassifier": "decision_tree",
    "RandomForestClassifier": "random_forest",
    "ExtraTreesClassifier": "extra_trees",
}

_MODELS: dict[str, Callable[[Any, Wiring, str], Estimator]] = {
    "LogisticRegression": _logistic,
    **dict.fromkeys(_FAMILIES, trees_of),
}
