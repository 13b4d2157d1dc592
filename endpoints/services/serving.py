"""The one way to a prediction: choose the version, check the rows, score, log, answer.

Protocols and pages are adapters on `predict`. It knows nothing of HTTP.
"""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from time import perf_counter_ns
from typing import Self

from endpoints.errors import InvalidRows, NoModel, NotFound
from endpoints.models import AlgorithmVersion, Endpoint, PredictionRequest, Status
from endpoints.models.prediction import Source
from endpoints.services import artifacts, request_log
from mlcore.classifier import Classifier, ScoreReport
from mlcore.errors import ArtifactError, SchemaError
from mlcore.schema import Columns

Row = Mapping[str, object] | Sequence[object]
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
    """What was answered, and under which request id it is in the log."""

    request_id: uuid.UUID
    version: AlgorithmVersion
    classifier: Classifier
    report: ScoreReport

    @classmethod
    def of(cls, version: AlgorithmVersion, classifier: Classifier, report: ScoreReport) -> Self:
        return cls(uuid.uuid4(), version, classifier, report)

    @property
    def contributions(self) -> list[dict[str, float]]:
        """Log-odds a column and row; with the intercept they sum to the logit."""
        names = self.classifier.schema.names
        return [dict(zip(names, row, strict=True)) for row in self.report.contributions.tolist()]


class ModelCache:
    """The classifiers in memory, by checksum, least recently used first out; safe among threads."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._models: OrderedDict[str, Classifier] = OrderedDict()

    def get(self, version: AlgorithmVersion) -> Classifier:
        """Return the version's classifier with its threshold; raises ArtifactError."""
        key = version.artifact_sha256
        with self._lock:
            if key not in self._models:
                self._models[key] = artifacts.load(version)
                while len(self._models) > self._size:
                    self._models.popitem(last=False)
            self._models.move_to_end(key)
            classifier = self._models[key]
        return replace(classifier, threshold=version.threshold)


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
        columns = classifier.schema.read(question.rows)
    except SchemaError as error:
        raise InvalidRows(str(error), cells=error.cells) from error
    answer = Answer.of(version, classifier, classifier.score_columns(columns))
    entry = log_entry(answer, columns, source=question.source, now=clock())
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


def log_entry(answer: Answer, columns: Columns, *, source: str, now: datetime) -> PredictionRequest:
    """Return the unsaved row of the log for an answer."""
    report = answer.report
    names = answer.classifier.schema.names
    inputs = zip(*(columns.values[name].tolist() for name in names), strict=True)
    is_single = columns.n_rows == 1
    return PredictionRequest(
        id=answer.request_id,
        endpoint=answer.version.endpoint,
        version=answer.version,
        created_at=now,
        source=source,
        row_count=columns.n_rows,
        inputs=[list(row) for row in inputs],
        imputed=[list(names) for names in report.imputed] if any(report.imputed) else [],
        probabilities=report.probabilities.tolist(),
        predictions=report.predictions.tolist(),
        threshold=answer.classifier.threshold,
        latency_us=0,
        probability=float(report.probabilities[0]) if is_single else None,
        label=report.labels[0] if is_single else "",
    )


def unloadable_production_models() -> list[str]:
    """Name the endpoints whose production artefact cannot be loaded; readiness asks."""
    broken = []
    for version in AlgorithmVersion.objects.in_production().select_related("endpoint"):
        try:
            models.get(version)
        except ArtifactError:
            broken.append(version.endpoint.slug)
    return broken
