"""Reads the newest windows of a rule's metric, of the version in production; it judges none of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from django.urls import reverse

from endpoints.models import AlertRule, AlgorithmVersion, Endpoint
from endpoints.services.alerts import from_counts, from_reports, kinds
from endpoints.services.alerts.reading import Asked, Reading
from endpoints.services.monitoring.configuring import monitor_of
from endpoints.services.monitoring.reports import RowsBehind


@dataclass(frozen=True)
class Live:
    """The version in production, since when, and how many rows of it a window must have to count."""

    version: AlgorithmVersion
    since: datetime
    min_rows: int


@dataclass(frozen=True)
class Measured:
    """The metric in one window: of how many rows, labels or requests, and where to look at them."""

    window_start: datetime
    value: float
    n: int
    is_open: bool
    version: AlgorithmVersion
    url: str


def in_production(endpoint: Endpoint) -> Live | None:
    version = endpoint.versions.in_production().first()
    if version is None:
        return None
    version.endpoint = endpoint
    came = version.status_changes.into_production().first()
    since = came.at if came is not None else version.created_at
    return Live(version, since, monitor_of(endpoint).min_rows)


def measure(
    rule: AlertRule, *, live: Live | None, now: datetime, before: int = 0
) -> list[Measured]:
    """Return the newest windows that tell something, the newest last: as many as
    must break the limit in a row, and so many `before` them.

    A window without enough rows or labels tells nothing. One that is open counts, unless it is still
    growing towards a lower limit. Windows that ended before the version went live are not its own.
    """
    if live is None:
        return []
    asked = Asked(rule, live.version, live.since, now, live.min_rows)
    found = islice(
        (r for r in _readings(asked) if math.isfinite(r.value)), rule.consecutive + before
    )
    measured = [_measured(reading, live.version) for reading in found]
    return measured[::-1]


def _readings(asked: Asked) -> Iterator[Reading]:
    is_of_reports = asked.rule.metric in kinds.FROM_REPORTS
    read = from_reports.read if is_of_reports else from_counts.read
    needs_closed = kinds.needs_closed_windows(asked.rule)
    readings: Iterable[Reading] = read(asked)
    return (reading for reading in readings if not (needs_closed and reading.is_open))


def _measured(reading: Reading, version: AlgorithmVersion) -> Measured:
    return Measured(
        window_start=reading.start,
        value=reading.value,
        n=reading.n,
        is_open=reading.is_open,
        version=version,
        url=_rows_url(reading, version),
    )


def _rows_url(reading: Reading, version: AlgorithmVersion) -> str:
    """Return the page of the logged requests that the window speaks of."""
    page = reverse("dashboard:predictions", args=[version.endpoint.slug])
    return f"{page}?{RowsBehind(version.number, reading.start, reading.end).query}"
