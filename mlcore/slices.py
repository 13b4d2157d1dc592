"""How a classifier does on parts of its labelled rows: by class, by level, by band of a number.

A good mean can hide a part of the rows on which the answers are poor. It knows no models: rows come
as labels, probabilities and decisions. Bounds of bands are given, so that they can be those of the
training rows and stay the same from one set of rows to the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlcore.arrays import FloatArray, IntArray, floats
from mlcore.errors import DataError
from mlcore.intervals import wilson
from mlcore.scored import class_numbers, row_log_loss

FEW_ROWS = 30
"""Of fewer rows than this nothing can be said with confidence."""


class Decided(NamedTuple):
    """Rows that were scored: class numbers y (n,), probabilities P (n, K), decisions (n,)."""

    y: IntArray
    P: FloatArray
    decisions: IntArray


@dataclass(frozen=True)
class SliceReport:
    """Some rows and how many of their decisions are right, with its 95 % Wilson interval.

    A band of numbers holds low < x <= high, with None for no bound; other slices have a ``name``.
    ``log_loss`` is in nats. Of two classes, ``positive`` is the share of positives found and
    ``probability`` the mean probability of them; None of three or more.
    """

    name: str
    low: float | None
    high: float | None
    n: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    log_loss: float
    positive: float | None
    probability: float | None

    @property
    def is_small(self) -> bool:
        return self.n < FEW_ROWS


def decided(y: ArrayLike, P: ArrayLike, decisions: ArrayLike) -> Decided:
    """The rows, checked; DataError for shapes or class numbers that do not fit.

    >>> decided([0, 1], [[0.8, 0.2], [0.3, 0.7]], [0, 1]).y
    array([0, 1])
    """
    probabilities = floats(P, "probabilities")
    if probabilities.ndim != 2 or not len(probabilities):
        raise DataError(f"probabilities must be (n, K) with n > 0, got {probabilities.shape}")
    n, K = probabilities.shape
    labels, chosen = class_numbers(y, K), class_numbers(decisions, K)
    if labels.shape != (n,) or chosen.shape != (n,):
        raise DataError(f"{labels.shape} labels and {chosen.shape} decisions for {n} rows")
    return Decided(labels, probabilities, chosen)


def everything(rows: Decided, name: str = "all rows") -> SliceReport:
    """All rows as one slice.

    >>> rows = decided([0, 1, 1], [[0.8, 0.2], [0.3, 0.7], [0.6, 0.4]], [0, 1, 0])
    >>> found = everything(rows)
    >>> found.n, round(found.accuracy, 3), round(found.positive, 3), round(found.probability, 3)
    (3, 0.667, 0.667, 0.433)
    """
    return _slice(rows, np.ones(len(rows.y), dtype=bool), name)


def by_class(rows: Decided, classes: Sequence[str]) -> tuple[SliceReport, ...]:
    """A slice a true class that occurs: its accuracy is the recall of the class.

    >>> rows = decided([0, 1, 1], [[0.8, 0.2], [0.3, 0.7], [0.6, 0.4]], [0, 1, 0])
    >>> [(found.name, found.n, found.accuracy) for found in by_class(rows, ("no", "yes"))]
    [('no', 1, 1.0), ('yes', 2, 0.5)]
    """
    return tuple(_filled(rows, ((rows.y == k, name) for k, name in enumerate(classes))))


def by_level(rows: Decided, values: NDArray[Any], levels: Sequence[str]) -> tuple[SliceReport, ...]:
    """A slice a level that occurs among the values (n,) of a category.

    >>> rows = decided([0, 1], [[0.8, 0.2], [0.3, 0.7]], [0, 1])
    >>> [found.name for found in by_level(rows, np.array(["red", "red"]), ["blue", "red"])]
    ['red']
    """
    return tuple(_filled(rows, ((values == level, level) for level in levels)))


def by_band(
    rows: Decided, values: FloatArray, bounds: Sequence[float], present: NDArray[np.bool_]
) -> tuple[SliceReport, ...]:
    """A slice a band of numbers between neighbouring bounds, open at both ends; empty ones left out.

    Rows whose value is not ``present`` form a slice of their own, named "missing". Bounds may
    repeat: a column with few different values has fewer bands.

    >>> rows = decided([0, 1, 1], [[0.8, 0.2], [0.3, 0.7], [0.6, 0.4]], [0, 1, 0])
    >>> found = by_band(rows, np.array([1.0, 2.0, 3.0]), [2.0], np.array([True, True, False]))
    >>> [(band.name, band.low, band.high, band.n) for band in found]
    [('', None, 2.0, 2), ('missing', None, None, 1)]
    """
    inner = np.unique(np.asarray(bounds, dtype=np.float64))
    place = np.searchsorted(inner, values, side="left")
    edges: list[float | None] = [None, *inner.tolist(), None]
    bands = tuple(
        _slice(rows, inside, "", edges[number], edges[number + 1])
        for number in range(len(inner) + 1)
        if (inside := present & (place == number)).any()
    )
    return bands + tuple(_filled(rows, [(~present, "missing")]))


def _filled(rows: Decided, parts: Iterable[tuple[NDArray[np.bool_], str]]) -> Iterator[SliceReport]:
    for inside, name in parts:
        if inside.any():
            yield _slice(rows, inside, name)


def _slice(
    rows: Decided,
    inside: NDArray[np.bool_],
    name: str,
    low: float | None = None,
    high: float | None = None,
) -> SliceReport:
    y, P, decisions = rows.y[inside], rows.P[inside], rows.decisions[inside]
    n, right = len(y), int((decisions == y).sum())
    accuracy_low, accuracy_high = wilson(right, n)
    is_binary = P.shape[1] == 2
    return SliceReport(
        name=name,
        low=low,
        high=high,
        n=n,
        accuracy=right / n,
        accuracy_low=accuracy_low,
        accuracy_high=accuracy_high,
        log_loss=float(row_log_loss(y, P).mean()),
        positive=float(y.mean()) if is_binary else None,
        probability=float(P[:, 1].mean()) if is_binary else None,
    )
