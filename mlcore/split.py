"""Deterministic, stratified division of rows; knows only the labels, never the features.

NumPy's generators promise a stream only for the same build of NumPy; here a row's place follows
from its number and the seed by integer arithmetic alone, so that any language on any machine
finds the same split.
"""

from __future__ import annotations

from operator import index
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlcore.arrays import IntArray
from mlcore.errors import DataError

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_SEED_STRIDE = 0xD1342543DE82EF95
_MASK = (1 << 64) - 1


def splitmix64(values: ArrayLike, seed: int) -> NDArray[np.uint64]:
    """A well-mixed 64-bit hash of each value: the SplitMix64 finaliser (Steele et al. 2014).

    z = (value + seed * 0xD1342543DE82EF95 + 1) * 0x9E3779B97F4A7C15, then two rounds of
    xor-shift and multiply, modulo 2^64.

    >>> splitmix64([0, 1], seed=7)
    array([14400943876904789833, 11922757474363919646], dtype=uint64)
    """
    # A NumPy integer of 64 bits would overflow.
    shift = np.uint64((index(seed) * _SEED_STRIDE + 1) & _MASK)
    with np.errstate(over="ignore"):
        z = (np.asarray(values, dtype=np.uint64) + shift) * _GAMMA
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def stratified_split(y: ArrayLike, *, test_size: float, seed: int) -> tuple[IntArray, IntArray]:
    """Row numbers (train, test), each ascending; every class is divided in the same share.

    Of a class with m rows, floor(test_size * m + 1/2) go to the test part, but at least one
    stays on either side. Raises DataError for a share outside (0, 1) or a class of one row.

    >>> stratified_split(np.array([0, 0, 0, 0, 1, 1]), test_size=0.5, seed=7)
    (array([0, 3, 4]), array([1, 2, 5]))
    """
    if not 0 < test_size < 1:
        raise DataError(f"test_size must lie between 0 and 1, got {test_size}")
    y = _labels(y)
    test = np.zeros(len(y), dtype=bool)
    for label, rows in _shuffled_classes(y, seed):
        if len(rows) < 2:
            raise DataError(f"class {label} has a single row; a split needs at least 2 of each")
        share = min(max(int(test_size * len(rows) + 0.5), 1), len(rows) - 1)
        test[rows[:share]] = True
    return np.flatnonzero(~test), np.flatnonzero(test)


def stratified_folds(y: ArrayLike, *, folds: int, seed: int) -> IntArray:
    """The fold number 0..folds-1 of each row: the rank within its class, modulo folds.

    Fold sizes differ by at most one row per class. Raises DataError for fewer than 2 folds or
    a class with fewer rows than folds.

    >>> stratified_folds(np.array([0, 0, 0, 1, 1]), folds=2, seed=7)
    array([0, 1, 0, 1, 0])
    """
    if folds < 2:
        raise DataError(f"cross-validation needs at least 2 folds, got {folds}")
    y = _labels(y)
    fold = np.empty(len(y), dtype=np.int64)
    for label, rows in _shuffled_classes(y, seed):
        if len(rows) < folds:
            raise DataError(f"class {label} has {len(rows)} rows, too few for {folds} folds")
        fold[rows] = np.arange(len(rows)) % folds
    return fold


def _labels(y: ArrayLike) -> NDArray[Any]:
    """A plain array: a pandas series would be read by its index and not by place."""
    labels = np.asarray(y)
    if labels.ndim != 1:
        raise DataError(f"labels must have the shape (n,), got {labels.shape}")
    return labels


def _shuffled_classes(y: NDArray[Any], seed: int) -> list[tuple[object, IntArray]]:
    """Each class with its row numbers in the order of their hashes."""
    order = np.argsort(splitmix64(np.arange(len(y)), seed), kind="stable")
    return [(label, order[y[order] == label]) for label in np.unique(y)]
