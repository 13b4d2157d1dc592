"""Probabilities that mean what they say: corrections fitted on held-out rows; knows no models.

A correction is a frozen set of numbers with ``apply``: it maps each probability by itself, so a
row's answer never depends on the rows beside it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mlcore.arrays import LIMIT, FloatArray
from mlcore.logistic_line import Line, fit_line, fit_shift
from mlcore.loss import sigmoid
from mlcore.scored import both_classes, logit, probable

MAX_KNOTS = 1_000_000


@dataclass(frozen=True)
class Platt:
    """p -> sigmoid(slope logit(p) + intercept); the identity at slope 1, intercept 0.

    >>> Platt(slope=1.0, intercept=0.0).apply(np.array([0.25]))
    array([0.25])
    """

    slope: float
    intercept: float

    def __post_init__(self) -> None:
        _check_number("slope", self.slope, LIMIT)
        _check_number("intercept", self.intercept, LIMIT)

    def apply(self, p: FloatArray) -> FloatArray:
        """The corrected probability of each p, in the shape of p."""
        return sigmoid(self.slope * logit(np.asarray(p, dtype=np.float64)) + self.intercept)

    def to_dict(self) -> dict[str, Any]:
        return {"method": "platt", "slope": self.slope, "intercept": self.intercept}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Platt:
        """What to_dict wrote; ValueError for anything else."""
        _check_keys(document, "platt", {"slope", "intercept"})
        return cls(slope=document["slope"], intercept=document["intercept"])


@dataclass(frozen=True)
class Isotonic:
    """Straight lines between (knot, value) pairs, level outside them; never decreasing.

    >>> Isotonic(knots=(0.2, 0.6), values=(0.0, 1.0)).apply(np.array([0.1, 0.3, 0.9]))
    array([0.  , 0.25, 1.  ])
    """

    knots: tuple[float, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.knots) <= MAX_KNOTS or len(self.knots) != len(self.values):
            raise ValueError("an isotonic calibration has as many values as knots, at least one")
        for name, column in (("knot", self.knots), ("value", self.values)):
            for number in column:
                _check_number(name, number, 1.0)
                if number < 0:
                    raise ValueError(f"the {name} {number!r} of a calibration is negative")
        if any(left >= right for left, right in zip(self.knots, self.knots[1:], strict=False)):
            raise ValueError("the knots of a calibration must increase")
        if any(left > right for left, right in zip(self.values, self.values[1:], strict=False)):
            raise ValueError("the values of a calibration must not decrease")

    def apply(self, p: FloatArray) -> FloatArray:
        """The corrected probability of each p, in the shape of p.

        np.interp was rejected: its slope times distance may round past the next value, and the
        result would no longer be monotone.
        """
        knots, values = self._arrays
        p = np.clip(np.asarray(p, dtype=np.float64), knots[0], knots[-1])
        right = np.clip(np.searchsorted(knots, p, side="right"), 1, max(len(knots) - 1, 1))
        left, right = right - 1, np.minimum(right, len(knots) - 1)
        width = knots[right] - knots[left]
        share = (p - knots[left]) / np.where(width > 0, width, 1.0)
        low, high = values[left], values[right]
        return np.minimum(low + share * (high - low), high)

    def to_dict(self) -> dict[str, Any]:
        return {"method": "isotonic", "knots": list(self.knots), "values": list(self.values)}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Isotonic:
        """What to_dict wrote; ValueError for anything else."""
        _check_keys(document, "isotonic", {"knots", "values"})
        return cls(
            knots=_numbers("knots", document["knots"]),
            values=_numbers("values", document["values"]),
        )

    @cached_property
    def _arrays(self) -> tuple[FloatArray, FloatArray]:
        return np.array(self.knots), np.array(self.values)


Calibration = Platt | Isotonic


def calibrated(probabilities: FloatArray, calibration: Calibration | None) -> FloatArray:
    """Probabilities (n, 2) with the positive one, the second, corrected; unchanged without.

    >>> calibrated(np.array([[0.75, 0.25]]), Isotonic(knots=(0.0, 1.0), values=(0.0, 0.5)))
    array([[0.875, 0.125]])
    """
    if calibration is None:
        return probabilities
    positive = calibration.apply(probabilities[:, 1])
    return np.array([1.0 - positive, positive]).T


def calibration_from_dict(document: Mapping[str, Any]) -> Calibration:
    """The calibration that to_dict wrote; ValueError for an unknown, damaged or hostile one.

    >>> calibration_from_dict({"method": "platt", "slope": 2.0, "intercept": -1.0})
    Platt(slope=2.0, intercept=-1.0)
    """
    method = document.get("method") if isinstance(document, Mapping) else None
    if method == "platt":
        return Platt.from_dict(document)
    if method == "isotonic":
        return Isotonic.from_dict(document)
    raise ValueError("the method of a calibration is platt or isotonic")


def fit_platt(y: ArrayLike, p: ArrayLike, weights: ArrayLike | None = None) -> Platt:
    """Logistic regression of smoothed labels on logit(p) (Platt 1999).

    A positive counts as (P + 1) / (P + 2) and a negative as 1 / (N + 2), with P and N the
    weights of the two classes: without this, perfect scores would ask for an infinite slope.
    When all probabilities are equal no slope can be told: it is 1, and only the intercept is
    fitted. Raises DataError for a class without weight.

    >>> fitted = fit_platt([0, 0, 1, 0, 1, 1], [0.1, 0.2, 0.4, 0.6, 0.8, 0.9])
    >>> round(fitted.slope, 6), round(abs(fitted.intercept), 6)
    (0.61723, 0.0)
    """
    rows = both_classes(probable(y, p, weights), "a calibration can only be fitted")
    positive = float(rows.weights @ rows.y)
    negative = float(rows.weights @ (1 - rows.y))
    targets = np.where(rows.y == 1, (positive + 1) / (positive + 2), 1 / (negative + 2))
    x = logit(rows.scores)
    line = fit_line(x, targets, rows.weights)
    if line is None:
        line = Line(1.0, fit_shift(x, targets, rows.weights) or 0.0)
    return Platt(slope=line.slope, intercept=line.intercept)


def fit_isotonic(y: ArrayLike, p: ArrayLike, weights: ArrayLike | None = None) -> Isotonic:
    """The non-decreasing steps nearest to the labels in weighted squares, joined by lines.

    Pool adjacent violators (Barlow and Brunk 1972): equal probabilities are one point with their
    mean label; neighbours that decrease are pooled. Of a level stretch only the ends are kept.
    Raises DataError for a class without weight.

    >>> fit_isotonic([0, 1, 0, 1], [0.1, 0.3, 0.4, 0.8])
    Isotonic(knots=(0.1, 0.3, 0.4, 0.8), values=(0.0, 0.5, 0.5, 1.0))
    """
    rows = both_classes(probable(y, p, weights), "a calibration can only be fitted")
    counts = rows.weights > 0
    levels, group = np.unique(rows.scores[counts], return_inverse=True)
    weight = np.bincount(group, weights=rows.weights[counts])
    positive = np.bincount(group, weights=(rows.weights * rows.y)[counts])
    knots, values = _pooled(levels.tolist(), weight.tolist(), positive.tolist())
    return Isotonic(knots=tuple(knots), values=tuple(values))


def _pooled(
    levels: Sequence[float], weight: Sequence[float], positive: Sequence[float]
) -> tuple[list[float], list[float]]:
    blocks: list[tuple[float, float, float, float]] = []  # first level, last level, weight, sum
    for level, w, s in zip(levels, weight, positive, strict=True):
        first, last = level, level
        while blocks and blocks[-1][3] / blocks[-1][2] >= s / w:
            first, _, more_w, more_s = blocks.pop()
            w, s = w + more_w, s + more_s  # noqa: PLW2901
        blocks.append((first, last, w, s))
    knots: list[float] = []
    values: list[float] = []
    for first, last, w, s in blocks:
        ends = [first] if first == last else [first, last]
        knots += ends
        values += [s / w] * len(ends)
    return knots, values


def _check_number(name: str, value: object, most: float) -> None:
    """ValueError unless the value is a float of at most this magnitude."""
    if not isinstance(value, float) or not math.isfinite(value) or abs(value) > most:
        raise ValueError(f"the {name} of a calibration must be a number up to {most:g}")


def _numbers(name: str, values: object) -> tuple[float, ...]:
    if not isinstance(values, list | tuple):
        raise ValueError(f"the {name} of a calibration must be a list")
    return tuple(values)


def _check_keys(document: Mapping[str, Any], method: str, keys: set[str]) -> None:
    if document.get("method") != method or set(document) != keys | {"method"}:
        raise ValueError(f"a {method} calibration has exactly {', '.join(sorted(keys))}")
