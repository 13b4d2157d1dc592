"""The one way to a prediction: choose the version, check the rows, score, log, answer.

Protocols and pages are adapters on `predict`. It knows nothing of HTTP.
"""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from time import perf_counter_ns
from typing import Any, Self

from endpoints.errors import InvalidRows, NoModel, NotFound
from endpoints.models import AlgorithmVersion, Endpoint, PredictionRequest, Status
from endpoints.models.prediction import Source
from endpoints.services import artifacts, request_log
from mlcore.classifier import Classifier
from mlcore.errors import ArtifactError, SchemaError
from mlcore.rowscoring import RowReport
from mlcore.schema import Schema

Row = Mapping[str, object] | Sequence[object]
Cell = float | str | None
LOADED_MODELS = 16


@dataclass(frozen=True, kw_only=True)
class Question:
    """Rows for an endpoint, and which of its versions shall answer: by number, status or both.

    With neither, the version in production answers.
    """

    endpoint: Endpoint
    rows: Sequence[Row]
    status: str | None = None
    version: int | None = None
    source: str = Source.API


@dataclass(frozen=True)
class Answer:
    """What was answered, row by row, and under which request id it is in the log.

    `inputs` holds the values that were scored, in the order of the schema, with missing cells filled.
    """

    request_id: uuid.UUID
    version: AlgorithmVersion
    classifier: Classifier
    rows: Sequence[RowReport]
    inputs: list[list[Cell]]

    @classmethod
    def of(cls, version: AlgorithmVersion, classifier: Classifier, rows: Sequence[Row]) -> Self:
        """Score the rows; raises SchemaError. One row alone takes the fast way, with the same bits."""
        if len(rows) == 1:
            report = classifier.score_row(rows[0])
            return cls(
                uuid.uuid4(), version, classifier, [report], [_filled(classifier.schema, rows[0])]
            )
        columns = classifier.schema.read(rows)
        values = (columns.values[name].tolist() for name in classifier.schema.names)
        inputs = [list(row) for row in zip(*values, strict=True)]
        reports = classifier.score_columns(columns).rows()
        return cls(uuid.uuid4(), version, classifier, reports, inputs)


def _filled(schema: Schema, row: Row) -> list[Cell]:
    """The cells of a row that the schema has accepted, as `Schema.read` would give them."""
    cells: Iterable[Any]
    cells = (row[name] for name in schema.names) if isinstance(row, Mapping) else row
    return [
        column.fill if cell is None else float(cell) if column.kind == "number" else cell
        for column, cell in zip(schema.columns, cells, strict=True)
    ]


class ModelCache:
    """The classifiers in memory, by checksum and threshold, least recently used first out; safe among threads."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._models: OrderedDict[tuple[str, float | None], Classifier] = OrderedDict()

    def get(self, version: AlgorithmVersion) -> Classifier:
        """Return the version's classifier with its threshold; raises ArtifactError."""
        key = version.artifact_sha256, version.threshold
        with self._lock:
            if key not in self._models:
                loaded = artifacts.load(version)
                # Its threshold is the version's; what is prepared for fast rows is kept with it.
                self._models[key] = replace(loaded, threshold=version.threshold)
                while len(self._models) > self._size:
                    self._models.popitem(last=False)
            self._models.move_to_end(key)
            return self._models[key]


models = ModelCache(LOADED_MODELS)


def predict(question: Question, *, clock: Callable[[], datetime]) -> Answer:
    """Answer and log one request of one row or many.

    Raises NoModel (paused, or nothing can answer), NotFound (no such version), InvalidRows with one
    cell error per bad cell.
    """
    started = perf_counter_ns()
    refuse_paused(question.endpoint)
    version = choose_version(question)
    classifier = load(version)
    try:
        answer = Answer.of(version, classifier, question.rows)
    except SchemaError as error:
        raise InvalidRows(str(error), cells=error.cells) from error
    entry = log_entry(answer, source=question.source, now=clock())
    entry.latency_us = (perf_counter_ns() - started) // 1_000
    request_log.write(entry)
    return answer


def refuse_paused(endpoint: Endpoint) -> None:
    """Names the role and no person: at a public endpoint anybody reads the message."""
    if endpoint.paused_at is not None:
        raise NoModel(
            f"“{endpoint.slug}” is paused. Ask somebody who may promote its versions to resume it."
        )


def choose_version(question: Question) -> AlgorithmVersion:
    """Return the version of this number, which must have the status if one is given; by status
    alone the newest one that has it."""
    versions = question.endpoint.versions.select_related("endpoint")
    if question.version is not None:
        chosen = versions.filter(number=question.version).first()
        if chosen is None:
            raise NotFound(f"“{question.endpoint.slug}” has no version {question.version}.")
        if question.status not in (None, chosen.status):
            raise NotFound(f"{chosen.label} is in {chosen.status}, not in {question.status}.")
        return chosen
    status = question.status or Status.PRODUCTION
    chosen = versions.filter(status=status).order_by("-number").first()
    if chosen is not None:
        return chosen
    message = f"“{question.endpoint.slug}” has no version in {status}."
    raise NoModel(message) if status == Status.PRODUCTION else NotFound(message)


def load(version: AlgorithmVersion) -> Classifier:
    """Return the version's classifier from memory or disk; raises NoModel."""
    try:
        return models.get(version)
    except ArtifactError as error:
        raise NoModel(f"The artefact of {version.label} cannot be used: {error}") from error


def log_entry(answer: Answer, *, source: str, now: datetime) -> PredictionRequest:
    """Return the unsaved row of the log for an answer."""
    rows, is_binary = answer.rows, answer.classifier.is_binary
    imputed = [list(row.imputed) for row in rows]
    entry = PredictionRequest(
        id=answer.request_id,
        endpoint=answer.version.endpoint,
        version=answer.version,
        created_at=now,
        source=source,
        row_count=len(rows),
        inputs=answer.inputs,
        imputed=imputed if any(imputed) else [],
        probabilities=[
            row.probabilities[1] if is_binary else list(row.probabilities) for row in rows
        ],
        predictions=[row.prediction for row in rows],
        threshold=answer.classifier.threshold,
        latency_us=0,
    )
    if len(rows) == 1:
        entry.probability, entry.label = entry.probability_of(0), rows[0].label
    return entry


def unloadable_production_models() -> list[str]:
    """Name the endpoints whose production artefact cannot be loaded; readiness asks."""
    broken = []
    for version in AlgorithmVersion.objects.in_production().select_related("endpoint"):
        try:
            models.get(version)
        except ArtifactError:
            broken.append(version.endpoint.slug)
    return broken
