from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from mlcore import DataError
from mlcore.importance import ImportanceSettings, permutation, permutation_importance
from mlcore.metrics import log_loss
from mlcore.ranking import roc_auc

FEW = ImportanceSettings(repeats=6, seed=11)


def linear(seed: int = 1, n: int = 120) -> tuple[np.ndarray, ...]:
    """X, w, b and labels drawn from the model; the last column has no weight."""
    rng = np.random.default_rng(seed)
    X, w = rng.normal(size=(n, 4)), np.array([2.0, -1.0, 0.5, 0.0])
    y = (rng.random(n) < 1 / (1 + np.exp(-(X @ w + 0.3)))).astype(np.float64)
    return X, w, y


def test_it_works() -> None:
    X, w, y = linear()
    report = permutation_importance(y, X @ w + 0.3, X * w)
    harm = [row.log_loss_increase for row in report.rows]
    assert harm == sorted(harm, reverse=True)
    assert [row.name for row in report.rows] == ["0", "1", "2", "3"]
    assert (report.n, report.repeats, harm[-1]) == (120, 30, 0.0)
    for row in report.rows:
        assert row.log_loss_low <= row.log_loss_increase <= row.log_loss_high
        assert row.roc_auc_low <= row.roc_auc_drop <= row.roc_auc_high  # type: ignore[operator]
    json.dumps(asdict(report), allow_nan=False)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("columns", [[0], [2], [0, 1], [0, 1, 2, 3]])
def test_it_agrees_with_scoring_shuffled_columns(columns: list[int], *, weighted: bool) -> None:
    X, w, y = linear()
    weights = np.random.default_rng(3).exponential(size=len(y)) if weighted else None

    def quality(X: np.ndarray) -> tuple[float, float]:
        p = 1 / (1 + np.exp(-(X @ w + 0.3)))
        area = roc_auc(y, p, weights)
        assert area is not None
        return log_loss(y, p, weights), area

    loss, area = quality(X)
    found = []
    for repeat in range(6):
        moved = X.copy()
        moved[:, columns] = X[permutation(len(X), repeat=repeat, seed=11)][:, columns]
        found.append(quality(moved))
    report = permutation_importance(
        y, X @ w + 0.3, X * w, groups={"some": columns}, weights=weights, settings=FEW
    )
    (row,) = report.rows
    more, less = np.array(found)[:, 0] - loss, area - np.array(found)[:, 1]
    assert (report.log_loss, report.roc_auc) == pytest.approx((loss, area), abs=1e-12)
    assert row.log_loss_increase == pytest.approx(more.mean(), abs=1e-12)
    assert row.roc_auc_drop == pytest.approx(less.mean(), abs=1e-12)
    ends = (row.log_loss_low, row.log_loss_high)
    assert ends == pytest.approx(np.quantile(more, [0.025, 0.975]), abs=1e-12)
    ends = (row.roc_auc_low, row.roc_auc_high)
    assert ends == pytest.approx(np.quantile(less, [0.025, 0.975]), abs=1e-12)


def test_the_softmax_agrees_with_scoring_shuffled_columns() -> None:
    from sklearn.metrics import log_loss as peer_loss
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(4)
    X, W = rng.normal(size=(90, 3)), rng.normal(size=(4, 3))
    y = np.argmax(X @ W.T + rng.gumbel(size=(90, 4)), axis=1)

    def quality(X: np.ndarray) -> tuple[float, float]:
        P = np.exp(X @ W.T)
        P /= P.sum(axis=1, keepdims=True)
        return peer_loss(y, P), roc_auc_score(y, P, multi_class="ovr")

    report = permutation_importance(y, X @ W.T, X[:, None, :] * W, settings=FEW)
    loss, area = quality(X)
    assert (report.log_loss, report.roc_auc) == pytest.approx((loss, area), abs=1e-12)
    for j, row in enumerate(report.rows):
        found = []
        for repeat in range(6):
            moved = X.copy()
            moved[:, j] = X[permutation(90, repeat=repeat, seed=11), j]
            found.append(quality(moved))
        more = np.mean(found, axis=0) - (loss, area)
        assert (row.log_loss_increase, -row.roc_auc_drop) == pytest.approx(  # type: ignore[operator]
            more, abs=1e-12
        )


def test_two_classes_kept_as_a_column_give_the_same() -> None:
    X, w, y = linear()
    flat = permutation_importance(y, X @ w, X * w, settings=FEW)
    column = permutation_importance(y, (X @ w)[:, None], (X * w)[:, None, :], settings=FEW)
    assert column == flat


def test_columns_that_share_what_they_know_matter_together() -> None:
    X, _, y = linear()
    twins = np.column_stack([X[:, 0], X[:, 0]]) * [1.0, 1.0]
    groups = {"one": [0], "both": [0, 1]}
    one, both = permutation_importance(y, twins.sum(axis=1), twins, groups=groups).rows
    assert both.roc_auc_drop > 1.5 * one.roc_auc_drop  # type: ignore[operator]


def test_one_class_has_no_area() -> None:
    X, w, _ = linear()
    (row,) = permutation_importance(
        np.ones(120), X @ w, X * w, groups={"x": [0]}, settings=FEW
    ).rows
    assert (row.roc_auc_drop, row.roc_auc_low, row.roc_auc_high) == (None, None, None)
    three = np.repeat((X @ w)[:, None], 3, axis=1)
    report = permutation_importance(np.zeros(120, dtype=int), three, three[..., None], settings=FEW)
    assert report.roc_auc is None


def test_permutations_are_fixed_and_differ() -> None:
    assert permutation(4, repeat=0, seed=7).tolist() == [2, 1, 3, 0]
    orders = {tuple(permutation(20, repeat=r, seed=s)) for r in range(5) for s in range(5)}
    assert len(orders) == 25
    assert all(sorted(order) == list(range(20)) for order in orders)


def test_the_inputs_are_left_alone() -> None:
    X, w, y = linear()
    z, parts = X @ w, X * w
    before = z.copy(), parts.copy()
    permutation_importance(y, z, parts, settings=FEW)
    np.testing.assert_array_equal(z, before[0])
    np.testing.assert_array_equal(parts, before[1])


Z, PARTS = np.zeros(2), np.zeros((2, 3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: permutation_importance([0, 1], Z, Z), "one more axis"),
        (lambda: permutation_importance([0, 1], Z, np.zeros((3, 3))), "one more axis"),
        (lambda: permutation_importance([0, 1], Z, PARTS, groups={"a": []}), 'group "a"'),
        (lambda: permutation_importance([0, 1], Z, PARTS, groups={"a": [3]}), "from 0 to 2"),
        (lambda: permutation_importance([0, 1], Z, PARTS, groups={"a": [-1]}), "from 0 to 2"),
        (lambda: permutation_importance([0, 1], Z, PARTS, groups={"a": [1, 1]}), "different"),
        (lambda: permutation_importance([0, 2], PARTS[:, :2], np.zeros((2, 2, 1))), "from 0 to 1"),
        (lambda: permutation_importance([0], PARTS[:, :2], np.zeros((2, 2, 1))), "for every row"),
        (lambda: ImportanceSettings(repeats=1), "at least 2"),
    ],
)
def test_it_refuses(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        call()
