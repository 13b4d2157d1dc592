"""The settings of a training, as requests and forms give them: each is read strictly, from JSON or from text.

The server reads them, so nothing here may load what trains.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from mlcore.errors import DataError, shown
from mlcore.thresholds import SPECS, ThresholdSpec

LOGISTIC = "logistic_regression"
SOLVERS_OF: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        LOGISTIC: ("newton", "gd"),
        "decision_tree": ("decision_tree",),
        "random_forest": ("random_forest",),
        "extra_trees": ("extra_trees",),
    }
)
"""An algorithm -> its solvers, the usual one first."""
ALL = tuple(solver for solvers in SOLVERS_OF.values() for solver in solvers)
TREES = ("decision_tree", "random_forest", "extra_trees")
FORESTS = ("random_forest", "extra_trees")
Read = Callable[[Any], Any]


class Unfit(ValueError):
    """Says what a value may be."""


@dataclass(frozen=True)
class Setting:
    """One setting: `name` as requests say it, `field` as the spec of the training does."""

    name: str
    read: Read
    default: Any
    about: str
    solvers: tuple[str, ...] = ALL
    field: str = ""

    @property
    def key(self) -> str:
        return self.field or self.name


def _number(text: Any) -> float:
    try:
        value = float(text)
    except (TypeError, ValueError, OverflowError):
        raise Unfit("a number") from None
    if isinstance(text, bool) or not math.isfinite(value):
        raise Unfit("a number")
    return value


def number(low: float, high: float, *, word: str = "") -> Read:
    """Read a number above `low` or equal to it, or one word."""
    wanted = f"a number from {low:g} to {high:g}{f', or {word}' if word else ''}"

    def read(value: Any) -> float | str:
        if word and value == word:
            return word
        try:
            found = _number(value)
        except Unfit:
            raise Unfit(wanted) from None
        if not low <= found <= high:
            raise Unfit(wanted)
        return found

    return read


def whole(low: int, high: int, *, nullable: bool = False) -> Read:
    wanted = f"a whole number from {low:,} to {high:,}"
    in_range = number(low, high)

    def read(value: Any) -> int | None:
        if nullable and value is None:
            return None
        try:
            found = in_range(value)
        except Unfit:
            raise Unfit(wanted) from None
        if found != int(found):
            raise Unfit(wanted)
        return int(found)

    return read


def choice(*choices: str) -> Read:
    def read(value: Any) -> str:
        if value not in choices:
            raise Unfit(f"one of {', '.join(choices)}")
        return str(value)

    return read


def threshold(value: Any) -> float | str:
    """Read a number, or what to tune it for."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Unfit(SPECS)
    try:
        spec = ThresholdSpec.of(value if isinstance(value, str) else float(value))
    except DataError:
        raise Unfit(SPECS) from None
    return spec.target if spec.objective == "fixed" and spec.target is not None else str(value)


SETTINGS: Sequence[Setting] = (
    Setting(
        "lambda",
        number(0, 1e6, word="auto"),
        0.01,
        "L2 penalty; auto takes the best by approximate leave-one-out.",
        ("newton", "gd"),
        "lambda_",
    ),
    Setting("lr", number(1e-9, 1e6, word="auto"), 0.01, "Learning rate, or auto.", ("gd",)),
    Setting("momentum", choice("none", "nesterov"), "none", "Momentum.", ("gd",)),
    Setting("epochs", whole(1, 10_000), 100, "Passes over the rows.", ("gd",)),
    Setting("n_estimators", whole(1, 2_000), 100, "Trees of a forest.", FORESTS),
    Setting(
        "max_depth",
        whole(1, 1_000, nullable=True),
        None,
        "Depth of a tree; without it there is no limit.",
        TREES,
    ),
    Setting("min_samples_leaf", whole(1, 1_000_000), 5, "Rows of a leaf.", TREES),
    Setting("class_weight", choice("none", "balanced"), "none", "Weight of the classes."),
    Setting(
        "calibration",
        choice("none", "platt", "isotonic"),
        "none",
        "How probabilities are corrected; for two classes.",
    ),
    Setting("threshold", threshold, 0.5, f"One of {SPECS}; for two classes."),
    Setting("test_size", number(0.01, 0.9), 0.2, "Share of the rows that are held out."),
    Setting("seed", whole(0, 2**32 - 1), 7, "Of the split and of trees."),
)


def of_solver(solver: str) -> tuple[Setting, ...]:
    """Return the settings that this solver looks at."""
    return tuple(setting for setting in SETTINGS if solver in setting.solvers)


def refusal(name: str, wanted: str, value: Any) -> str:
    return f"{name} is {wanted}, not {shown(value)}."
