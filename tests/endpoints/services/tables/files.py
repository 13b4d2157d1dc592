"""Files to score and plans for them, with small classifiers that others have made by hand."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from endpoints.services.tables import mapping, reading, scoring
from endpoints.services.tables.reading import Reading
from endpoints.services.tables.scoring import Position, ScoringPlan, Tally
from mlcore.classifier import Classifier
from tests.mlcore import classifiers

HEADER = b"Area,Extent,Colour\n"


@lru_cache
def two_classes() -> Classifier:
    """Area (a number), Extent (a number, 0.7 where missing), Colour (dark, gold or red, red where missing)."""
    return classifiers.classifier(classifiers.logistic(5), classifiers.MIXED)


@lru_cache
def three_classes() -> Classifier:
    return classifiers.classifier(classifiers.softmax(5), classifiers.MIXED)


def prepared(folder: Path, content: bytes, *, most_bytes: int = 1 << 30) -> Reading:
    upload = folder / "upload"
    upload.write_bytes(content)
    return reading.prepare(
        upload, folder / "source", name="rows.csv", most_bytes=most_bytes, alive=lambda: None
    )


def plan_of(
    folder: Path, content: bytes, classifier: Classifier | None = None, **facts: Any
) -> ScoringPlan:
    """The plan for a file whose columns have the names of the features."""
    read = prepared(folder, content)
    classifier = classifier or two_classes()
    columns = mapping.match(classifier.schema, read.columns).matched
    return ScoringPlan(folder / "source", read, classifier, columns, version=3, **facts)


def results(
    plan: ScoringPlan, position: Position | None = None, *, chunk_bytes: int = 1 << 20
) -> bytes:
    """The rows of the results, without the header."""
    found = scoring.chunks(plan, position, chunk_bytes=chunk_bytes)
    return b"".join(chunk.results for chunk in found)


def scored(folder: Path, rows: bytes, **facts: Any) -> list[list[str]]:
    """The cells that are added to each of these rows: probability, label, version, error."""
    plan = plan_of(folder, HEADER + rows, **facts)
    text = results(plan).decode()
    return [row[-4:] for row in csv.reader(io.StringIO(text, newline="")) if row]


def errors(plan: ScoringPlan) -> list[list[str]]:
    """Row, column, value and problem."""
    lines = b"".join(chunk.errors for chunk in scoring.chunks(plan))
    return list(csv.reader(io.StringIO(lines.decode(), newline="")))


def tally(plan: ScoringPlan, *, chunk_bytes: int = 1 << 20) -> Tally:
    return total(chunk.tally for chunk in scoring.chunks(plan, chunk_bytes=chunk_bytes))


def total(tallies: Iterable[Tally]) -> Tally:
    found = Tally()
    for tally in tallies:
        found = found.plus(tally)
    return found
