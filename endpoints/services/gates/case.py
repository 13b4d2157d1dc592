"""The candidate, who decides and when, and what several gates read, each thing read once."""

from __future__ import annotations

import filecmp
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from endpoints.models import AlgorithmVersion
from endpoints.services import artifacts, holdouts
from endpoints.services.access import Caller
from mlcore.arrays import FloatArray
from mlcore.classifier import Classifier
from mlcore.features import fill, read_cells, read_target
from mlcore.paired import Answers
from mlcore.table import Table

NO_RIVAL = "There is no production version to compare with."


@dataclass(frozen=True)
class Rival:
    """The version in production, with its model."""

    version: AlgorithmVersion
    model: Classifier


@dataclass(frozen=True)
class Holdout:
    """Labelled rows kept from the training of `owner`, and what the candidate says of them.

    `truth` holds class numbers as the candidate counts them.
    """

    owner: AlgorithmVersion
    table: Table
    truth: FloatArray
    answers: Answers

    @property
    def rows(self) -> str:
        return f"{len(self.truth):,} holdout rows of {self.owner.label}"


@dataclass(frozen=True)
class Case:
    """One promotion that might be. What cannot be read raises MlcoreError from where it is asked for."""

    version: AlgorithmVersion
    actor: Caller
    now: datetime

    @cached_property
    def model(self) -> Classifier:
        return artifacts.load(self.version)

    @cached_property
    def rival(self) -> Rival | None:
        others = self.version.endpoint.versions.in_production().exclude(pk=self.version.pk)
        found = others.select_related("run").first()
        return None if found is None else Rival(found, artifacts.load(found))

    @cached_property
    def holdout(self) -> Holdout | None:
        """The candidate's own rows; production's for a model that came without any."""
        if _has_rows(self.version):
            return self._read(self.version, self.model.target)
        if self.rival is None or not _has_rows(self.rival.version):
            return None
        return self._read(self.rival.version, self.rival.model.target)

    def _read(self, owner: AlgorithmVersion, target: str) -> Holdout:
        table, _ = holdouts.read(owner.run)
        truth = read_target(table, target=target, classes=self.model.classes)
        return Holdout(owner, table, truth, answers_of(self.model, table))


def answers_of(model: Classifier, table: Table) -> Answers:
    """What a model says of a table's rows; raises DataError where they do not fit its schema."""
    columns = fill(model.schema, read_cells(model.schema.columns, table))
    probabilities = model.probabilities(columns)
    return Answers(probabilities, model.decide(probabilities))


def are_split_alike(one: AlgorithmVersion, other: AlgorithmVersion) -> bool:
    """Say whether both trainings kept the same rows out."""
    if not (_has_rows(one) and _has_rows(other)):
        return False
    files = artifacts.holdout_file(one.run), artifacts.holdout_file(other.run)
    return filecmp.cmp(files[0], files[1], shallow=False)


def _has_rows(version: AlgorithmVersion) -> bool:
    return artifacts.holdout_file(version.run).is_file()
