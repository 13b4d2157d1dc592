"""What a drawing of a response curve says: its titles, its description, where it passes the threshold.

It knows no shapes and no colours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from endpoints.drawing.axis import number, share
from endpoints.services.response_curve import ResponseCurve
from mlcore.arrays import FloatArray

MOST_CLASSES, MOST_LEVELS, MOST_CROSSINGS = 6, 40, 3
LONGEST = 22
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, kw_only=True)
class Chart:
    """What is drawn, and the words around it."""

    curve: ResponseCurve
    classes: tuple[str, ...]
    threshold: float | None
    source: str

    @property
    def drawn(self) -> list[int]:
        """The classes that get a line: the positive one of two, else those that come highest."""
        if len(self.classes) == 2:
            return [1]
        highest = np.argsort(-self.curve.probabilities.max(axis=0), kind="stable")
        return sorted(highest[:MOST_CLASSES].tolist())

    @property
    def title(self) -> str:
        return f"Probability of {self._what} by {short(self.curve.column.name)}"

    @property
    def _what(self) -> str:
        drawn, total = len(self.drawn), len(self.classes)
        if drawn == 1:
            return short(self.classes[1])
        return "each class" if drawn == total else f"the highest {drawn} of {total} classes"

    @property
    def subtitle(self) -> str:
        if not self.curve.typical:
            return self.source
        return f"{self.source} · all other features at their typical value in training"

    @property
    def levels(self) -> tuple[str, ...]:
        return tuple(str(value) for value in self.curve.values[:MOST_LEVELS])


def describe(chart: Chart) -> str:
    """Say in words what the drawing shows."""
    curve = chart.curve
    parts = [
        f"{short(chart.classes[k])}: {_course(curve, curve.probabilities[:, k])}"
        for k in chart.drawn
    ]
    if chart.threshold is not None:
        parts.append(f"threshold {share(chart.threshold)}{_crossed(chart)}")
    if curve.column.kind == "number" and len(curve.values) > 1:
        low, high = number(curve.values[0]), number(curve.values[-1])
        parts.append(f"{short(curve.column.name)} runs from {low} to {high}")
    return "; ".join(parts) + "."


def _course(curve: ResponseCurve, values: FloatArray) -> str:
    if curve.column.kind == "category":
        levels = zip(curve.values[:MOST_LEVELS], values.tolist(), strict=False)
        return ", ".join(f"{short(str(level))} {share(value)}" for level, value in levels)
    if len(values) == 1:
        return f"{share(values[0])} at {number(curve.values[0])}, the only value in training"
    low, high = share(values.min()), share(values.max())
    return f"from {share(values[0])} to {share(values[-1])}, lowest {low}, highest {high}"


def _crossed(chart: Chart) -> str:
    places = crossings(chart)
    return f", crossed at {', '.join(map(number, places))}" if places else ""


def crossings(chart: Chart) -> list[float]:
    """Where the curve of a number passes the threshold of two classes; none if it does so all the time."""
    if chart.threshold is None or chart.curve.column.kind == "category":
        return []
    x = np.array(chart.curve.values, dtype=np.float64)
    above = chart.curve.probabilities[:, 1] - chart.threshold
    before = np.flatnonzero((above[:-1] >= 0) != (above[1:] >= 0))
    part = above[before] / (above[before] - above[before + 1])
    found: list[float] = (x[before] + part * (x[before + 1] - x[before])).tolist()
    return found if len(found) <= MOST_CROSSINGS else []


def short(text: str) -> str:
    """The text without what XML cannot hold, cut where it would run into its neighbour."""
    text = _UNPRINTABLE.sub("\ufffd", text)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
