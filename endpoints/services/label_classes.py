"""Which classes a version answers with, and which of them a true label means; it writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from endpoints.errors import InvalidRequest, NoModel
from endpoints.models import AlgorithmVersion, PredictionRequest
from endpoints.services import snapshots
from mlcore.errors import listed, shown
from mlcore.table import parse_number

RECENT = 1_000
"""Logged requests that are asked for the classes of a version whose artefact cannot be loaded."""


@dataclass(frozen=True)
class Classes:
    """The names of a version's classes, by the numbers that the log has."""

    names: tuple[str, ...]

    def meant(self, label: str | float) -> str:
        """Return the class of this name; else a number is a class of that value, else an index."""
        if label in self.names:
            return str(label)
        number = parse_number(label) if isinstance(label, str) else label
        if number is not None and number in self._values:
            return self.names[self._values.index(number)]
        are_words = not any(value is not None for value in self._values)
        if isinstance(label, int) and are_words and 0 <= label < len(self.names):
            return self.names[label]
        raise InvalidRequest(f"{shown(label)} is not a label; use {self._any}.")

    @cached_property
    def _values(self) -> list[float | None]:
        return [parse_number(name) for name in self.names]

    @cached_property
    def _any(self) -> str:
        names = self.names
        return " or ".join(names) if len(names) == 2 else f"one of {listed(names)}"


def classes_of(version: AlgorithmVersion) -> Classes:
    """Return the classes of a version; raises NoModel.

    Labels come late, perhaps after the artefact is gone: then the log says which number had which
    name, if the version's recent requests of one row were answered with each class at least once.
    """
    try:
        return Classes(tuple(snapshots.load(version).classes))
    except NoModel:
        names = _names_in_log(version)
        if names is None:
            raise
        return Classes(names)


def _names_in_log(version: AlgorithmVersion) -> tuple[str, ...] | None:
    """Return the names, or None unless all of them are found."""
    log = PredictionRequest.objects.filter(version=version).order_by("-id")
    recent = log.filter(pk__in=log.values("pk")[:RECENT], row_count=1)
    names: dict[int, str] = {}
    count = 0
    for request in recent.only("label", "predictions", "probabilities"):
        names[request.predictions[0]] = request.label
        [row] = request.probabilities
        count = len(row) if isinstance(row, list) else 2
    is_whole = count > 0 and len(names) == count
    return tuple(names[number] for number in range(count)) if is_whole else None
