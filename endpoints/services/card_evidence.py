"""What the holdout rows of a version say beyond its metrics: slices, other thresholds, production.

One reading of the file and one pass of scores answer everything; nothing is stored. It knows no
pages and no words for people.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from endpoints.models import AlgorithmVersion
from endpoints.services import artifacts, holdouts
from mlcore.classifier import Classifier
from mlcore.errors import MlcoreError
from mlcore.evaluation import Report, labelled, measured
from mlcore.intervals import wilson
from mlcore.metrics import confusion
from mlcore.preparation import Part
from mlcore.slices import (
    Decided,
    SliceReport,
    by_band,
    by_class,
    by_level,
    decided,
    everything,
)
from mlcore.table import Table

MOST_COLUMNS = 4
MOST_LEVELS = 12
EXPLAINED_ROWS = 500
QUARTILES = (0.25, 0.5, 0.75)
STEPS = (-0.2, -0.1, 0.0, 0.1, 0.2)
SURENESS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class SliceGroup:
    """The slices of one column, or of the target; `left_out` levels are rarer than the others."""

    column: str
    slices: tuple[SliceReport, ...]
    left_out: int = 0


@dataclass(frozen=True)
class CutReport:
    """What another threshold would do; precision is None where nothing is called positive."""

    threshold: float
    precision: float | None
    recall: float | None
    called: float
    accuracy: float
    is_in_use: bool


@dataclass(frozen=True)
class SureReport:
    """Of three or more classes: the answers whose probability is at least this, and how they do."""

    at_least: float
    answered: float
    n: int
    accuracy: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class RivalReport:
    """Two versions on the same rows, decision by decision."""

    label: str
    n: int
    ours: int
    theirs: int
    only_ours: int
    only_theirs: int
    changed: int


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the rows say. `step` 3 means that every third row was read."""

    table: Table
    rows: Decided
    step: int
    report: Report
    whole: SliceReport
    groups: tuple[SliceGroup, ...]
    importance: tuple[tuple[str, float], ...]


def of(version: AlgorithmVersion, classifier: Classifier) -> Evidence | str:
    """Judge the classifier on the holdout rows of its run, or say in a sentence why it cannot be."""
    try:
        table, step = holdouts.read(version.run)
        part = labelled(classifier, table)
    except OSError:
        return "No holdout rows of this version are kept here."
    except (MlcoreError, ValueError) as error:
        return f"The holdout rows cannot be read: {error}"
    return _judged(classifier, table, part, step)


def cuts(evidence: Evidence, threshold: float) -> tuple[CutReport, ...]:
    """The threshold in use and others around it, for two classes."""
    wanted = [(round(threshold + step, 9), step == 0.0) for step in STEPS]
    return tuple(
        _cut(evidence.rows, at, is_in_use=is_in_use)
        for at, is_in_use in wanted
        if is_in_use or 0 < at < 1
    )


def sureness(evidence: Evidence) -> tuple[SureReport, ...]:
    """What leaving the doubtful rows to a person would do, for three or more classes."""
    return tuple(_sure(evidence.rows, at) for at in SURENESS)


def against(
    evidence: Evidence, classifier: Classifier, rival: AlgorithmVersion
) -> RivalReport | str:
    """Compare decisions with those of another version on the same rows, or say why that cannot be."""
    try:
        other = artifacts.load(rival)
        part = labelled(other, evidence.table)
    except MlcoreError as error:
        return f"{rival.label} cannot be judged on these rows: {error}"
    if set(other.classes) != set(classifier.classes):
        return f"{rival.label} answers with other classes."
    theirs = np.array(other.classes)[other.decide(other.probabilities(part.columns))]
    names = np.array(classifier.classes)
    ours, truth = names[evidence.rows.decisions], names[evidence.rows.y]
    right, rival_right = ours == truth, theirs == truth
    return RivalReport(
        label=rival.label,
        n=len(truth),
        ours=int(right.sum()),
        theirs=int(rival_right.sum()),
        only_ours=int((right & ~rival_right).sum()),
        only_theirs=int((rival_right & ~right).sum()),
        changed=int((ours != theirs).sum()),
    )


def _judged(classifier: Classifier, table: Table, part: Part, step: int) -> Evidence:
    probabilities = classifier.probabilities(part.columns)
    rows = decided(part.y, probabilities, classifier.decide(probabilities))
    importance = _importance(classifier, part)
    classes = SliceGroup(classifier.target, by_class(rows, classifier.classes))
    return Evidence(
        table=table,
        rows=rows,
        step=step,
        report=measured(classifier, part.y, probabilities),
        whole=everything(rows),
        groups=(classes, *_column_groups(classifier, part, rows, importance)),
        importance=importance,
    )


def _importance(classifier: Classifier, part: Part) -> tuple[tuple[str, float], ...]:
    """The mean size of each column's contribution, largest first, in the estimator's unit."""
    first = part.columns.take(np.arange(min(EXPLAINED_ROWS, part.columns.n_rows)))
    sizes = np.abs(classifier.score_columns(first).contributions).mean(axis=(0, 1)).tolist()
    named = zip(classifier.schema.names, sizes, strict=True)
    return tuple(sorted(named, key=lambda pair: -pair[1]))


def _column_groups(
    classifier: Classifier, part: Part, rows: Decided, importance: tuple[tuple[str, float], ...]
) -> Iterator[SliceGroup]:
    """The categories, then the numbers, the most important of each."""
    for kind in ("category", "number"):
        places = {
            column.name: place
            for place, column in enumerate(classifier.schema.columns)
            if column.kind == kind
        }
        chosen = [name for name, _ in importance if name in places][:MOST_COLUMNS]
        for name in chosen:
            yield _column_group(classifier, part, rows, places[name])


def _column_group(classifier: Classifier, part: Part, rows: Decided, place: int) -> SliceGroup:
    column, profile = classifier.schema.columns[place], classifier.profile.columns[place]
    values = part.columns.values[column.name]
    present = np.array([column.name not in filled for filled in part.columns.imputed])
    if column.kind == "number":
        bounds = [profile.quantile(p) for p in QUARTILES]
        return SliceGroup(column.name, by_band(rows, values, bounds, present))
    found = sorted(by_level(rows, values, column.levels), key=lambda part: -part.n)
    return SliceGroup(column.name, tuple(found[:MOST_LEVELS]), max(len(found) - MOST_LEVELS, 0))


def _cut(rows: Decided, at: float, *, is_in_use: bool) -> CutReport:
    called = rows.P[:, 1] >= at
    counts = confusion(rows.y, called)
    positives, found = counts.tp + counts.fn, counts.tp + counts.fp
    return CutReport(
        threshold=at,
        precision=counts.tp / found if found else None,
        recall=counts.tp / positives if positives else None,
        called=float(called.mean()),
        accuracy=(counts.tp + counts.tn) / len(rows.y),
        is_in_use=is_in_use,
    )


def _sure(rows: Decided, at: float) -> SureReport:
    answered = rows.P.max(axis=1) >= at
    n, right = int(answered.sum()), int((answered & (rows.decisions == rows.y)).sum())
    low, high = wilson(right, n) if n else (None, None)
    share = right / n if n else None
    return SureReport(at, float(answered.mean()), n, share, low, high)
