"""A trained model as its page shows it: schema, environment and files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dashboard import formats
from dashboard.presenters import snippets
from endpoints.models import Run
from endpoints.services import artifacts
from mlcore.classifier import Classifier
from mlcore.errors import ArtifactError
from mlcore.estimators import Linear
from mlcore.profile import ColumnProfile
from mlcore.schema import Column

SHOWN_LEVELS = 8


@dataclass(frozen=True)
class Loaded:
    """A model, or why it cannot be shown."""

    classifier: Classifier | None
    described: Mapping[str, Any]
    problem: str = ""


@dataclass(frozen=True)
class SchemaRow:
    """A column as people know it; `usual` is the range from the 1st to the 99th percentile."""

    name: str
    kind: str
    typical: float | str
    low: float | None
    high: float | None
    levels: tuple[str, ...]
    more_levels: int
    missing: str


@dataclass(frozen=True)
class StoredFile:
    name: str
    size: int
    sha256: str


def of_run(run: Run) -> Loaded:
    """Load and describe the run's artefact; a version has the artefact of its run."""
    described = describe(run)
    if described.problem:
        return described
    return replace(described, classifier=artifacts.load(run))


def describe(run: Run) -> Loaded:
    """Read what is written about the run's model, without its classifier."""
    if not run.artifact_sha256:
        return Loaded(None, {}, "The run has no model.")
    try:
        return Loaded(None, artifacts.describe(run))
    except ArtifactError as error:
        return Loaded(None, {}, f"The stored model cannot be read: {error}.")


def parts(run: Run, loaded: Loaded) -> dict[str, Any]:
    """Return what the pages of a run and of a version show of the model; nothing without one."""
    if loaded.classifier is None:
        return {}
    return {
        "schema": schema(loaded.classifier),
        "files": files(run),
    }


def schema(classifier: Classifier) -> list[SchemaRow]:
    profiles = {profile.name: profile for profile in classifier.profile.columns}
    return [_schema_row(column, profiles[column.name]) for column in classifier.schema.columns]


def _schema_row(column: Column, profile: ColumnProfile) -> SchemaRow:
    is_number = column.kind == "number"
    return SchemaRow(
        name=column.name,
        kind=column.kind,
        typical=snippets.typical_value(profile),
        low=profile.quantile(0.01) if is_number else None,
        high=profile.quantile(0.99) if is_number else None,
        levels=column.levels[:SHOWN_LEVELS],
        more_levels=max(len(column.levels) - SHOWN_LEVELS, 0),
        missing="refused" if column.fill is None else f"filled with {fill_text(column.fill)}",
    )


def fill_text(fill: float | str) -> str:
    return fill if isinstance(fill, str) else formats.plain(float(f"{fill:.4g}"))


def column_weights(classifier: Classifier) -> list[float]:
    """Return the largest weight of each column's slots and classes, in the order of the schema."""
    largest = [0.0] * len(classifier.schema.columns)
    if not isinstance(classifier.estimator, Linear):
        return largest
    weights = abs(classifier.estimator.matrix).max(axis=0).tolist()
    for owner, weight in zip(classifier.encoder.owners, weights, strict=True):
        largest[owner] = max(largest[owner], weight)
    return largest


def files(run: Run) -> list[StoredFile]:
    """Return the artefact's files with the checksums that are stored beside them."""
    folder = artifacts.folder(run)
    try:
        lines = (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
        return [_stored(folder, *line.split(maxsplit=1)) for line in lines if line]
    except (OSError, ValueError):
        return []


def _stored(folder: Path, sha256: str, name: str) -> StoredFile:
    name = name.lstrip("*")
    return StoredFile(name, (folder / name).stat().st_size, sha256)
