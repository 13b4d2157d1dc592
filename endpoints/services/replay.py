"""Scores logged inputs again with another version: a shadow test after the fact, which writes nothing.

It reads the log in the order of time, a block at a time. It knows nothing of who asks and how.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from endpoints.errors import InvalidRequest, NotFound
from endpoints.models import AlgorithmVersion, Endpoint, PredictionRequest
from endpoints.models.prediction import PredictionRequestQuerySet
from endpoints.services import snapshots
from endpoints.services.agreement import Agreement
from endpoints.services.logged_rows import Labels, Rows, blocks, labels_of
from mlcore.arrays import FloatArray, IntArray
from mlcore.classifier import Classifier
from mlcore.errors import listed
from mlcore.paired import Answers
from mlcore.schema import Column, Columns, Schema


@dataclass(frozen=True, kw_only=True)
class Replay:
    """What to score again: the monitored requests of a time, all or those that one version answered."""

    version: AlgorithmVersion
    since: datetime
    until: datetime
    against: int | None = None
    limit: int | None = None

    @property
    def endpoint(self) -> Endpoint:
        return self.version.endpoint


@dataclass
class Replayed:
    """The requests that were read, and by the version that answered how far the other one agrees."""

    requests: int = 0
    by_version: dict[AlgorithmVersion, Agreement] = field(default_factory=dict)


def run(replay: Replay) -> Replayed:
    """Score and compare. Raises NotFound where nothing is logged, NoModel, and InvalidRequest where the
    log lacks what the version needs."""
    classifier = snapshots.load(replay.version)
    pairs = {
        version.pk: _Pair(version, snapshots.load(version), classifier)
        for version in _answering(replay)
    }
    replayed = Replayed()
    for pair in pairs.values():
        pair.check(replay.version)
        replayed.by_version[pair.version] = pair.agreement
    for block in blocks(_logged(replay), replay.limit):
        replayed.requests += len(block)
        labels = labels_of(block)
        for key, pair in pairs.items():
            own = [entry for entry in block if entry.version_id == key]
            if own:
                pair.add(Rows(own), labels)
    return replayed


def _logged(replay: Replay) -> PredictionRequestQuerySet:
    found = PredictionRequest.objects.monitored().since(replay.since).before(replay.until)
    found = found.filter(endpoint=replay.endpoint)
    if replay.against is not None:
        found = found.filter(version__number=replay.against)
    return found


def _answering(replay: Replay) -> list[AlgorithmVersion]:
    """Return the versions that answered in this time, the newest first."""
    versions = replay.endpoint.versions.order_by("-number")
    if replay.against is not None:
        versions = versions.filter(number=replay.against)
        if not versions:
            raise NotFound(f"“{replay.endpoint.slug}” has no version {replay.against}.")
    logged = _logged(replay)
    answering = [version for version in versions if logged.filter(version=version).exists()]
    if not answering:
        raise NotFound(
            f"“{replay.endpoint.slug}” has nothing logged that fits, from "
            f"{replay.since:%Y-%m-%d %H:%M} to {replay.until:%Y-%m-%d %H:%M}."
        )
    return answering


class _Pair:
    """A version that answered, and the one that is asked now."""

    def __init__(self, version: AlgorithmVersion, answered: Classifier, asked: Classifier) -> None:
        self.version = version
        self._answered, self._asked = answered, asked
        self.agreement = Agreement(tuple(asked.classes))

    def check(self, asked: AlgorithmVersion) -> None:
        """Raises InvalidRequest where the two are not about the same columns and classes."""
        known = {column.name: column.kind for column in self._answered.schema.columns}
        needed = self._asked.schema.columns
        if lacking := [column.name for column in needed if column.name not in known]:
            raise InvalidRequest(
                f"{asked.label} needs columns that requests to {self.version.label} do not have: "
                f"{listed(lacking)}."
            )
        if odd := [column.name for column in needed if known[column.name] != column.kind]:
            raise InvalidRequest(
                f"Columns are of another kind for {asked.label} than for {self.version.label}: "
                f"{listed(odd)}."
            )
        if set(self._answered.classes) != set(self._asked.classes):
            raise InvalidRequest(
                f"{asked.label} tells {listed(self._asked.classes)}, but {self.version.label} "
                f"{listed(self._answered.classes)}: they cannot be compared."
            )

    def add(self, rows: Rows, labels: Labels) -> None:
        columns, usable = _read(rows, self._answered.schema, self._asked.schema)
        kept = np.flatnonzero(usable)
        self.agreement.not_scored += len(rows) - len(kept)
        if not len(kept):
            return
        replayed = self._replay({name: cells[kept] for name, cells in columns.items()}, len(kept))
        answered = self._as_answered(rows, kept)
        self.agreement.add(answered, replayed, lambda row: rows.place(int(kept[row])))
        self._add_labels(rows.labels(labels), kept, answered, replayed)

    def _replay(self, columns: dict[str, NDArray[Any]], n_rows: int) -> Answers:
        schema = self._asked.schema
        if schema.is_numeric:
            probabilities = self._asked.probabilities(
                np.column_stack([columns[name] for name in schema.names])
            )
        else:
            probabilities = self._asked.probabilities(Columns(columns, n_rows, ((),) * n_rows))
        return Answers(probabilities, self._asked.decide(probabilities))

    def _as_answered(self, rows: Rows, kept: IntArray) -> Answers:
        """What was answered, with the classes in the order of the version that is asked now."""
        logged: FloatArray = np.array(rows.probabilities, dtype=np.float64)[kept]
        said = np.column_stack((1.0 - logged, logged)) if logged.ndim == 1 else logged
        before = list(self._answered.classes)
        chosen = np.array(rows.predictions, dtype=np.int64)[kept]
        if before == list(self._asked.classes):
            return Answers(said, chosen)
        own_place = np.array([self._asked.classes.index(name) for name in before])
        return Answers(
            said[:, [before.index(name) for name in self._asked.classes]], own_place[chosen]
        )

    def _add_labels(
        self,
        labels: Iterator[tuple[int, str]],
        kept: IntArray,
        answered: Answers,
        replayed: Answers,
    ) -> None:
        number_of = {name: number for number, name in enumerate(self._asked.classes)}
        known = [(row, number_of[label]) for row, label in labels if label in number_of]
        if not known:
            return
        rows, truth = np.array(known, dtype=np.int64).T
        places = np.minimum(np.searchsorted(kept, rows), len(kept) - 1)
        was_scored = kept[places] == rows
        places, truth = places[was_scored], truth[was_scored]
        if len(places):
            self.agreement.add_labels(truth, answered.chosen[places], replayed.chosen[places])


def _read(
    rows: Rows, answered: Schema, asked: Schema
) -> tuple[dict[str, NDArray[Any]], NDArray[np.bool_]]:
    """Return the columns that are asked for, filled as that version fills them, and which rows it takes."""
    cells = _by_column(rows.inputs, answered)
    usable = np.ones(len(rows), dtype=bool)
    holes = rows.holes
    columns = {}
    for column in asked.columns:
        values = cells[column.name].copy()
        missing = holes.get(column.name, [])
        if column.kind == "category":
            usable &= _is_known(values, column, missing)
        if missing:
            usable[missing] &= column.fill is not None
            values[missing] = column.fill if column.fill is not None else 0.0
        columns[column.name] = values
    return columns, usable


def _by_column(inputs: list[list[Any]], schema: Schema) -> dict[str, NDArray[Any]]:
    if schema.is_numeric:
        return dict(zip(schema.names, np.array(inputs, dtype=np.float64).T, strict=True))
    pairs = zip(schema.columns, zip(*inputs, strict=True), strict=True)
    return {
        column.name: np.array(cells, dtype=np.float64 if column.kind == "number" else np.object_)
        for column, cells in pairs
    }


def _is_known(values: NDArray[Any], column: Column, missing: list[int]) -> NDArray[np.bool_]:
    """Whether each cell is of a known level; what was filled before does not matter."""
    levels = frozenset(column.levels)
    known = np.fromiter((value in levels for value in values), dtype=bool, count=len(values))
    known[missing] = True
    return known
