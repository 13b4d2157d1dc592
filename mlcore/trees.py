"""Decision trees and forests as plain arrays: shares and path contributions; knows no names or files.

A tree is a run of nodes, its root first. An inner node sends a row left when its slot is at most
the threshold, else right; a leaf answers with the class shares of the training rows that reached
it. A forest answers with the mean over its trees.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from mlcore.arrays import FloatArray
from mlcore.estimators import Explained, Unit

TreeFamily = Literal["decision_tree", "random_forest", "extra_trees"]
Int32Array = NDArray[np.int32]

DEEPEST = 1000
"""Levels of a tree, at most: a bundle from a stranger may not keep a row walking for minutes."""

_WALKERS = 2**15
"""Pairs of a row and a tree that walk together: their arrays stay near the processor."""

_STEPS = 2
"""Levels between two looks at who has arrived: looking costs about as much as a step."""


class _Step(NamedTuple):
    """What the walkers did: their cells in the matrix, and the nodes they left and entered."""

    cells: NDArray[np.intp]
    parents: NDArray[np.intp]
    children: NDArray[np.intp]


class _Paths(NamedTuple):
    """The trees as a walker needs them: leaves lead to themselves and ask for slot 0 in vain.

    From node i the way is ``children[2 i + 1]`` where the answer is yes, else ``children[2 i]``.
    """

    inner: NDArray[np.bool_]
    slots: NDArray[np.intp]
    children: NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class TreeEnsemble:
    """One tree or the mean of many, for K >= 2 classes over s slots.

    Node i tests ``z[feature[i]] <= threshold[i]`` and goes to node ``left[i]`` or ``right[i]``; at
    a leaf ``feature``, ``left`` and ``right`` are -1 and ``threshold`` is 0. ``values`` (nodes, K)
    holds the class shares at every node, ``roots`` the first node of each tree. Node numbers
    count through the whole forest and a child's is larger than its parent's.

    The score of a row is (1/T) sum_t values[leaf_t(row)], a probability: the share of the positive
    class for K = 2 (m = 1), all shares for K >= 3 (m = K). Slots are rounded to float32 before
    they are compared with the float64 threshold, as scikit-learn does, so that both send a row the
    same way.

    Contributions are *path contributions*: the change of the share along each step,
    values[child] - values[node], is credited to the slot tested there and averaged over the trees.
    ``base``, the mean share at the roots, plus all contributions is the score. They explain the
    path that was taken and are not Shapley values: a slot that would have mattered on another path
    gets nothing, and slots tested near the root tend to get less than their due. Sources: Saabas
    (2014), "Interpreting random forests"; Kuz'min, Polishchuk, Artemenko and Andronati (2011),
    doi 10.1002/minf.201000173.

    Construction raises ValueError unless the arrays are finite, well-formed trees in this very
    form, at most 1000 levels deep.

    >>> stump = TreeEnsemble(
    ...     family="decision_tree",
    ...     n_slots=2,
    ...     feature=np.array([1, -1, -1], np.int32),
    ...     threshold=np.array([0.5, 0.0, 0.0]),
    ...     left=np.array([1, -1, -1], np.int32),
    ...     right=np.array([2, -1, -1], np.int32),
    ...     values=np.array([[0.5, 0.5], [0.75, 0.25], [0.0, 1.0]]),
    ...     roots=np.array([0], np.int32),
    ... )
    >>> explained = stump.explain(np.array([[9.0, 0.5], [9.0, 0.6]]))
    >>> stump.base, explained.scores.ravel(), explained.contributions[:, 0]
    (array([0.5]), array([0.25, 1.  ]), array([[ 0.  , -0.25],
           [ 0.  ,  0.5 ]]))
    >>> stump.probabilities(explained.scores)
    array([[0.75, 0.25],
           [0.  , 1.  ]])
    """

    family: TreeFamily
    n_slots: int
    feature: Int32Array
    threshold: FloatArray
    left: Int32Array
    right: Int32Array
    values: FloatArray
    roots: Int32Array

    def __post_init__(self) -> None:
        _check_shapes(self)
        _check_nodes(self)
        _check_trees(self)

    @property
    def n_classes(self) -> int:
        return int(self.values.shape[1])

    @property
    def unit(self) -> Unit:
        return "probability"

    @cached_property
    def base(self) -> FloatArray:
        """The score before the first question, shape (m,): the mean share at the roots."""
        return self._mean(self._outputs[self.roots])

    def scores(self, Z: FloatArray) -> FloatArray:
        """The mean leaf share of each row of Z (n, s), shape (n, m).

        Trees are added one after the other, so a row's score has the same bits in any batch.
        """
        scores = np.empty((len(Z), self._outputs.shape[1]))
        for rows in self._blocks(len(Z)):
            leaves = self._roots_of(rows)
            for _ in self._walk(Z[rows], leaves):
                pass
            scores[rows] = self._mean(self._outputs[leaves])
        return scores

    def explain(self, Z: FloatArray) -> Explained:
        """Scores (n, m) and path contributions (n, m, s); base + sum over slots = score."""
        n_outputs = self._outputs.shape[1]
        scores = np.empty((len(Z), n_outputs))
        contributions = np.zeros((len(Z), n_outputs, self.n_slots))
        for rows in self._blocks(len(Z)):
            leaves = self._roots_of(rows)
            for step in self._walk(Z[rows], leaves):
                self._credit(contributions[rows], step)
            scores[rows] = self._mean(self._outputs[leaves])
        contributions /= len(self.roots)
        return Explained(scores, contributions)

    def probabilities(self, scores: FloatArray) -> FloatArray:
        """Class probabilities (n, K) of scores (n, m): (1 - p, p), or the scores themselves."""
        if self.n_classes > 2:
            return scores
        return np.concatenate((1.0 - scores, scores), axis=1)

    @cached_property
    def _outputs(self) -> FloatArray:
        return self.values[:, 1:].copy() if self.n_classes == 2 else self.values

    @cached_property
    def _paths(self) -> _Paths:
        inner = self.feature >= 0
        itself = np.arange(len(inner))
        sides = [np.where(inner, side, itself) for side in (self.right, self.left)]
        slots = np.where(inner, self.feature, 0).astype(np.intp)
        return _Paths(inner, slots, np.array(sides).T.ravel())

    def _blocks(self, n_rows: int) -> Iterator[slice]:
        size = max(1, _WALKERS // len(self.roots))
        return (slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size))

    def _roots_of(self, rows: slice) -> NDArray[np.intp]:
        """One walker per tree and row at the tree's root, shape (T, rows)."""
        starts = self.roots.astype(np.intp)[:, np.newaxis]
        return np.repeat(starts, rows.stop - rows.start, axis=1)

    def _walk(self, Z: FloatArray, nodes: NDArray[np.intp]) -> Iterator[_Step]:
        """Move every walker to its leaf, level by level; in the end ``nodes`` holds the leaves."""
        with np.errstate(over="ignore"):  # beyond float32 a number is infinite, and still ordered
            X = Z.astype(np.float32).astype(np.float64).ravel()
        paths, places = self._paths, nodes.reshape(-1)
        walkers = np.flatnonzero(paths.inner.take(places))
        rows, parents = walkers % len(Z) * self.n_slots, places.take(walkers)
        while len(walkers):
            for _ in range(_STEPS):
                cells = rows + paths.slots.take(parents)
                yes = X.take(cells) <= self.threshold.take(parents)
                children = paths.children.take(2 * parents + yes)
                yield _Step(cells, parents, children)
                parents = children
            places[walkers] = parents
            walking = np.flatnonzero(paths.inner.take(parents))
            walkers, rows, parents = (a.take(walking) for a in (walkers, rows, parents))

    def _credit(self, contributions: FloatArray, step: _Step) -> None:
        # bincount adds in the order given, tree after tree: no other row can change a sum's bits.
        gain = self._outputs.take(step.children, axis=0) - self._outputs.take(step.parents, axis=0)
        n_rows, n_outputs, n_slots = contributions.shape
        for output in range(n_outputs):
            added = np.bincount(step.cells, gain[:, output], minlength=n_rows * n_slots)
            contributions[:, output] += added.reshape(n_rows, n_slots)

    def _mean(self, shares: FloatArray) -> FloatArray:
        # A running sum has one order of additions; sum() chooses it by the shape of the batch.
        total: FloatArray = np.add.accumulate(shares, axis=0)[-1]
        return total / len(self.roots)


_DTYPES = {
    "feature": np.int32,
    "threshold": np.float64,
    "left": np.int32,
    "right": np.int32,
    "values": np.float64,
    "roots": np.int32,
}


def _check_shapes(trees: TreeEnsemble) -> None:
    flat = (trees.values.ndim, trees.roots.ndim) == (2, 1)
    _require(flat, "values is not a matrix, or roots is not a vector")
    n_nodes, n_trees = len(trees.values), len(trees.roots)
    _require(trees.family in get_args(TreeFamily), f"unknown family {trees.family!r}")
    _require(type(trees.n_slots) is int and trees.n_slots > 0, "n_slots is not a positive integer")
    _require(0 < n_trees <= n_nodes, "there is no tree, or there are more trees than nodes")
    for name, dtype in _DTYPES.items():
        array: NDArray[Any] = getattr(trees, name)
        length = n_trees if name == "roots" else n_nodes
        shape = trees.values.shape if name == "values" else (length,)
        _require(array.dtype == dtype, f"{name} is {array.dtype}, not {np.dtype(dtype)}")
        _require(array.shape == shape, f"{name} has the shape {array.shape}, not {shape}")
    _require(trees.n_classes >= 2, "there are fewer than 2 classes")


def _check_nodes(trees: TreeEnsemble) -> None:
    feature, leaf = trees.feature, trees.feature == -1
    _require(bool(((feature >= 0) | leaf).all()), "a feature is negative")
    _require(bool((feature < trees.n_slots).all()), f"a feature is not below {trees.n_slots}")
    _require(bool(np.isfinite(trees.threshold).all()), "a threshold is not finite")
    for name, blank in (("threshold", 0), ("left", -1), ("right", -1)):
        at_leaves = getattr(trees, name)[leaf]
        _require(bool((at_leaves == blank).all()), f"{name} is not {blank} at a leaf")
    shares = trees.values
    _require(bool(((shares >= 0) & (shares <= 1)).all()), "a class share is not in [0, 1]")
    off = np.abs(shares.sum(axis=1) - 1.0).max()
    _require(bool(off <= 1e-9), "the class shares of a node do not sum to 1")


def _check_trees(trees: TreeEnsemble) -> None:
    """Every node but a root has one parent, before it and in its tree: no cycle, nothing shared."""
    roots, n_nodes = trees.roots.astype(np.intp), len(trees.values)
    ascending = roots[0] == 0 and roots[-1] < n_nodes and bool((np.diff(roots) > 0).all())
    _require(ascending, "the roots do not ascend from 0 through the nodes")
    parents = np.flatnonzero(trees.feature >= 0)
    ends = np.append(roots[1:], n_nodes)[np.searchsorted(roots, parents, side="right") - 1]
    for children in (trees.left[parents], trees.right[parents]):
        inside = bool(((children > parents) & (children < ends)).all())
        _require(inside, "a child does not come after its parent and inside its tree")
    both = np.concatenate((trees.left[parents], trees.right[parents]))
    times = np.bincount(both, minlength=n_nodes)
    times[roots] += 1
    _require(bool((times == 1).all()), "a node does not have exactly one parent")
    _require(_depth_within(trees, roots), f"a tree has more than {DEEPEST} levels")


def _depth_within(trees: TreeEnsemble, level: NDArray[np.intp]) -> bool:
    for _ in range(DEEPEST):
        inner = level[trees.feature[level] >= 0]
        if not len(inner):
            return True
        level = np.concatenate((trees.left[inner], trees.right[inner])).astype(np.intp)
    return False


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(f"not a forest: {otherwise}")
