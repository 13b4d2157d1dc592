"""What a solver may be told, refused where it means nothing; knows no data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Literal

from mlcore.errors import DataError


@dataclass(frozen=True)
class GradientDescentSettings:
    """Step, number of passes over the rows, and penalty (lambda/2) |w|^2.

    ``lr`` "auto" is 1/L, the largest step that never raises the objective. ``momentum``
    "nesterov" accelerates (Nesterov 1983) and restarts where it would climb (O'Donoghue and
    Candes 2015).
    """

    lr: float | Literal["auto"] = 0.01
    epochs: int = 100
    lambda_: float = 0.01
    momentum: Literal["none", "nesterov"] = "none"

    def __post_init__(self) -> None:
        if isinstance(self.lr, str):
            _check_choice("lr", self.lr, ("auto",))
        else:
            _check_positive("lr", self.lr)
        _check_choice("momentum", self.momentum, ("none", "nesterov"))
        _check_count("epochs", self.epochs)
        _check_penalty(self.lambda_)


@dataclass(frozen=True)
class NewtonSettings:
    """Penalty, and the distance from the optimum, in standard errors, at which to stop.

    ``standardise`` centres and scales the columns block by block: for data that were not
    standardised and are too large to copy.
    """

    lambda_: float = 0.01
    tolerance: float = 1e-6
    max_iterations: int = 50
    standardise: bool = False

    def __post_init__(self) -> None:
        _check_penalty(self.lambda_)
        _check_positive("tolerance", self.tolerance)
        _check_count("max_iterations", self.max_iterations)


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise DataError(f"{name} must be one of {', '.join(choices)}, got {value!r}")


def _check_positive(name: str, value: float) -> None:
    if not (_is_finite(value) and value > 0):
        raise DataError(f"{name} must be a finite number above 0, got {value!r}")


def _check_count(name: str, value: int) -> None:
    if not (isinstance(value, Integral) and value >= 1):
        raise DataError(f"{name} must be a whole number of at least 1, got {value!r}")


def _check_penalty(value: float) -> None:
    if not (_is_finite(value) and value >= 0):
        raise DataError(f"lambda_ must be a finite number of at least 0, got {value!r}")


def _is_finite(value: object) -> bool:
    return isinstance(value, Real) and math.isfinite(value)
