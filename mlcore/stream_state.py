"""What all detectors of change share: one value or many, and a state that a database can hold.

It knows no detector.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from mlcore.arrays import LIMIT, floats
from mlcore.errors import DataError

_MOST = 2**53


@dataclass
class Detector(ABC):
    """A detector is its settings and its state: a dataclass of numbers, and lists of them."""

    name: ClassVar[str]

    def update(self, x: float) -> bool:
        """Take the next value; True where it raises the alarm. DataError for no finite number."""
        if not abs(x) <= LIMIT:
            raise DataError(f"a stream holds numbers up to {LIMIT:g}, got {x}")
        return self._take(float(x))

    def update_many(self, values: ArrayLike) -> list[int]:
        """Take values (n,) in their order; the places of those that raised the alarm.

        DataError, and nothing taken, where one of them is no finite number.
        """
        given = floats(values, "values of a stream")
        if given.ndim != 1:
            raise DataError(f"a stream has the shape (n,), got {given.shape}")
        odd = ~(np.abs(given) <= LIMIT)
        if odd.any():
            place = int(np.argmax(odd))
            raise DataError(f"value {place} of a stream is {given[place]}; use finite numbers")
        take = self._take
        return [place for place, x in enumerate(given.tolist()) if take(x)]

    def to_dict(self) -> dict[str, Any]:
        """The settings and the state in JSON's terms, floats to the last bit."""
        return {"detector": self.name, **asdict(self)}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """What to_dict wrote, to go on as if never stopped; ValueError for anything else."""
        kinds = {field.name: str(field.type) for field in fields(cls)}
        known = isinstance(document, Mapping) and set(document) == {"detector", *kinds}
        if not known or document["detector"] != cls.name:
            raise ValueError(f"this is no state of {cls.name}")
        state = {
            name: _checked(cls.name, name, kind, document[name]) for name, kind in kinds.items()
        }
        try:
            found = cls(**state)
        except DataError as error:
            raise ValueError(str(error)) from error
        if not found._is_sound():
            raise ValueError(f"the state of {cls.name} contradicts itself")
        return found

    @abstractmethod
    def _take(self, x: float) -> bool:
        """``update`` with a float that is known to be one."""

    def _is_sound(self) -> bool:
        """Whether the parts of the state belong together."""
        return True


def _checked(detector: str, name: str, kind: str, value: Any) -> Any:
    """The value as its field has it: databases give 1e22 back as an integer."""
    if (value is None and kind == "float | None") or (type(value) is bool and kind == "bool"):
        return value
    if type(value) is int and kind == "int" and 0 <= value <= _MOST:
        return value
    if is_finite(value) and kind.startswith("float"):
        return float(value)
    if isinstance(value, list) and kind.startswith("list"):
        return value
    raise ValueError(f"the {name} of a state of {detector} is not well formed")


def is_finite(value: object) -> bool:
    """Whether this is a number that float64 can hold.

    >>> is_finite(10**400), is_finite(True), is_finite(2)
    (False, False, True)
    """
    try:
        return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]
    except OverflowError:
        return False
