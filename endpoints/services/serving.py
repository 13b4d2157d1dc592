"""The one way to a prediction: admit the caller, choose the version, score, log, answer.

Protocols and pages are adapters on `predict`. It knows nothing of HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter_ns
from typing import Any
from uuid import UUID

import orjson

from endpoints import correlation, request_ids
from endpoints.errors import DomainError, NoModel
from endpoints.models import AlgorithmVersion, Endpoint, Status
from endpoints.models.prediction import Protocol, Source
from endpoints.services import access, error_detail, rates, request_log, scoring
from endpoints.services.abtests import shadows
from endpoints.services.abtests.running import Part
from endpoints.services.access import Caller, Need
from endpoints.services.arm_tallies import Tried
from endpoints.services.metrics import Asked, TakenPart, metrics
from endpoints.services.scoring import Row as Row
from endpoints.services.scoring import Scored, Table
from endpoints.services.snapshots import Served, load, snapshots
from endpoints.services.tallies import Answered, Entry, Refused
from mlcore.classifier import Classifier
from mlcore.errors import SchemaError
from mlcore.rowscoring import RowReport

__all__ = ["Answer", "Question", "load", "predict", "served", "snapshots"]


@dataclass(frozen=True, kw_only=True)
class Question:
    """Rows for an endpoint, who asks, and which version shall answer: by number, status or both.

    With neither, the version in production answers, or an arm of the running test. `unit` is who it is
    for, such as a user: a split test answers the same unit by the same version.
    """

    slug: str
    rows: Table
    caller: Caller
    version: int | None = None
    status: str | None = None
    source: str = Source.API
    protocol: str = Protocol.NATIVE
    unit: str = ""

    @property
    def is_ordinary(self) -> bool:
        """Say whether an application leaves it to the endpoint which version answers."""
        asks_for_one = self.version is not None or self.status not in (None, Status.AB_TESTING)
        return self.source == Source.API and not asks_for_one


@dataclass(frozen=True)
class Answer:
    """What was answered, row by row, and under which request id it is in the log; `part` is its part in the
    running test, if it has one."""

    request_id: UUID
    endpoint: Endpoint
    version: AlgorithmVersion
    scored: Scored
    part: Part | None = None

    @property
    def classifier(self) -> Classifier:
        return self.scored.classifier

    @property
    def n_rows(self) -> int:
        return len(self.scored.predictions)

    @property
    def predictions(self) -> list[int]:
        return self.scored.predictions

    @property
    def labels(self) -> list[str]:
        classes = self.classifier.classes
        return [classes[number] for number in self.scored.predictions]

    @property
    def probabilities(self) -> list[Sequence[float]]:
        return self.scored.probabilities

    @property
    def scores(self) -> list[Sequence[float]]:
        return self.scored.scores

    @property
    def imputed(self) -> Sequence[Sequence[str]]:
        return self.scored.imputed

    @property
    def rows(self) -> list[RowReport]:
        """The rows with their explanations."""
        return self.scored.reports


def predict(question: Question, *, clock: Callable[[], datetime]) -> Answer:
    """Answer and log one request of one row or many.

    Raises what `served` raises, NoModel (paused, or nothing can answer), InvalidRows with one cell error per
    bad cell, LogUnavailable.
    """
    started = perf_counter_ns()
    found = served(question.slug, caller=question.caller, need=Need.PREDICT)
    refuse_paused(found.endpoint)
    now = clock()
    request_id = request_ids.new(now)
    part = None
    if found.test is not None and question.is_ordinary:
        part = Part(found.test, found.test.arm_of(question.unit or request_id.hex))
    answer = _answer(found, question, request_id, part)
    latency_us = (perf_counter_ns() - started) // 1_000
    request_log.write(logged(answer, question, now=now, latency_us=latency_us))
    by = question.protocol if question.source == Source.API else question.source
    asked = Asked(found.endpoint.slug, answer.version.number, by)
    metrics.answered(asked, seconds=(perf_counter_ns() - started) / 1e9, rows=answer.n_rows)
    if part is not None:
        metrics.tested(TakenPart(found.endpoint.slug, part.test.pk, part.arm.name))
    return answer


def _answer(found: Served, question: Question, request_id: UUID, part: Part | None) -> Answer:
    """Score the rows. What an arm of a split test cannot score is counted, rows that do not fit as no error
    of the arm; in a shadow test the challenger would never be asked, so that there would be nothing to
    compare with."""
    asked = part.arm if part is not None else found.choose(question.version, question.status)
    try:
        scored = scoring.score(asked.classifier, question.rows)
    except Exception as error:
        is_refused = isinstance(error, SchemaError)
        if part is not None and not part.test.is_shadow:
            tried = Tried(part.arm.pk, question.unit, 0, None, refused=is_refused)
            request_log.log().count_failure(tried)
        if isinstance(error, SchemaError):
            raise error_detail.reduced(error, found.endpoint) from error
        raise
    return Answer(request_id, found.endpoint, asked.version, scored, part)


def admitted(slug: str, *, caller: Caller) -> Served:
    """Let a program in that wants a prediction, before anybody reads what it sent: who may not ask, or asks
    too often, costs little and learns nothing from what is wrong with the body.

    Raises what `served` raises, and TooManyRequests.
    """
    found = served(slug, caller=caller, need=Need.PREDICT)
    rates.check(caller, found.endpoint)
    return found


def served(slug: str, *, caller: Caller, need: Need) -> Served:
    """Return what answers at an endpoint, if the caller may do this there.

    Raises NotFound, NotAuthenticated, NotAllowed as `access.admit` does.
    """
    found = snapshots.get(slug)
    access.admit(found.endpoint if found is not None else None, caller=caller, slug=slug, need=need)
    assert found is not None  # noqa: S101 - admit refuses what is not there
    return found


def refuse_paused(endpoint: Endpoint) -> None:
    """Names the role and no person: at a public endpoint anybody reads the message."""
    if endpoint.paused_at is not None:
        raise NoModel(
            f"“{endpoint.slug}” is paused. Ask somebody who may promote its versions to resume it."
        )


def count_refusal(slug: str, error: DomainError, *, now: datetime) -> None:
    """Count a request that an application sent to an endpoint and that got no answer."""
    found = snapshots.get(slug)
    if found is not None:
        request_log.log().count_refusal(Refused(found.endpoint.pk, found.number, error.code, now))


def logged(answer: Answer, question: Question, *, now: datetime, latency_us: int) -> Answered:
    """Return the row of the log for an answer, and what is counted of it."""
    scored, is_binary = answer.scored, answer.classifier.is_binary
    shadow, tried = _tried(answer, question, latency_us)
    threshold = answer.classifier.threshold
    headlines = scored.headlines
    n_rows = len(headlines)
    entry = Entry(
        id=answer.request_id.hex,
        endpoint_id=answer.endpoint.pk,
        version_id=answer.version.pk,
        created_at=now,
        source=question.source,
        protocol=question.protocol if question.source == Source.API else "",
        caller=question.caller.name,
        correlation_id=correlation.request_id.get(),
        traceparent=correlation.traceparent.get(),
        row_count=n_rows,
        inputs=_packed(scored.inputs),
        imputed=_packed(scored.imputed) if any(scored.imputed) else "[]",
        probabilities=_packed(headlines if is_binary else scored.probabilities),
        predictions=_packed(scored.predictions),
        threshold=threshold,
        latency_us=latency_us,
        probability=headlines[0] if n_rows == 1 else None,
        label=answer.labels[0] if n_rows == 1 else "",
        arm_id=answer.part.arm.pk if answer.part is not None else None,
        unit=question.unit,
        shadow=shadow,
    )
    positives = sum(scored.predictions) if is_binary else 0
    return Answered(entry, answer.version.number, positives, scored.score_counts(), tried)


def _tried(answer: Answer, question: Question, latency_us: int) -> tuple[str, tuple[Tried, ...]]:
    """Return what the challenger of a shadow test says, and what the request is to the arms."""
    if answer.part is None:
        return shadows.NOTHING, ()
    test, arm = answer.part
    own = Tried(arm.pk, question.unit, answer.n_rows, latency_us)
    if not test.is_shadow:
        return shadows.NOTHING, (own,)
    shadow = shadows.cast(test.challenger, question.rows, answer.scored)
    return shadow.answer, (own, shadow.tried)


def _packed(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY).decode()
