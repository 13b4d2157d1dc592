"""Live rows for the tests of monitoring: as the training's or shifted, logged at the moments wanted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np

from endpoints import request_ids
from endpoints.models import DriftReport, Endpoint
from endpoints.services import request_log, scoring, serving
from endpoints.services.serving import Answer, Question
from tests import cast

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
NOON = datetime(2026, 11, 4, 12, 0, tzinfo=UTC)  # a Wednesday
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)


def training_rows(count: int, *, seed: int = 7) -> list[list[float]]:
    """Rows drawn from those that the models of the cast were trained on."""
    known = np.array([row[:-1] for row in cast.raisin_rows().rows], dtype=np.float64)
    drawn: list[list[float]] = known[
        np.random.default_rng(seed).integers(len(known), size=count)
    ].tolist()
    return drawn


def shifted(rows: list[list[float]], *, column: int = 0, factor: float = 1.5) -> list[list[float]]:
    return [[*row[:column], row[column] * factor, *row[column + 1 :]] for row in rows]


def log(
    endpoint: Endpoint,
    requests: Sequence[Sequence[Any]],
    moments: Iterable[datetime],
    *,
    number: int = 1,
    **asked: Any,
) -> list[UUID]:
    """Log requests of one version, each a list of rows, without waiting for the clock."""
    version = endpoint.versions.select_related("endpoint").get(number=number)
    classifier = serving.load(version)
    entries, ids = [], []
    for rows, now in zip(requests, moments, strict=True):
        question = Question(slug=endpoint.slug, rows=rows, caller=cast.SYSTEM, **asked)
        scored = scoring.score(classifier, rows)
        answer = Answer(request_ids.new(now), endpoint, version, scored)
        entries.append(serving.logged(answer, question, now=now, latency_us=100))
        ids.append(answer.request_id)
    request_log.log().write_all(entries)
    return ids


def one_by_one(rows: list[list[float]]) -> list[list[list[float]]]:
    return [[row] for row in rows]


def every(step: timedelta, count: int, *, since: datetime = NOON) -> list[datetime]:
    return [since + step * place for place in range(count)]


def at(moment: datetime) -> Any:
    """A clock that stands."""
    return lambda: moment


def found(endpoint: Endpoint, window: str, *, number: int = 1) -> list[DriftReport]:
    """The reports of a version, the oldest first."""
    reports = DriftReport.objects.filter(version__endpoint=endpoint, version__number=number)
    return list(reports.filter(window=window).order_by("start"))
