"""Reads what became of versions: what answered at a moment, when a version answered, where it came from.

It rests on the status changes, so it says what was so then, not what is so now; it changes nothing
and knows nothing of pages.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from endpoints.models import AlgorithmVersion, Endpoint, Run, StatusChange
from endpoints.services import traffic


@dataclass(frozen=True)
class Span:
    """A time in production: who began it and who ended it; `ended` is None while it lasts."""

    began: StatusChange
    ended: StatusChange | None = None

    @property
    def since(self) -> datetime:
        return self.began.at

    @property
    def until(self) -> datetime | None:
        return self.ended.at if self.ended else None


@dataclass(frozen=True)
class Lineage:
    """From the data to the predictions of one version."""

    version: AlgorithmVersion
    spans: tuple[Span, ...]
    predictions: int

    @property
    def run(self) -> Run:
        return self.version.run

    @property
    def dataset_name(self) -> str:
        return self.run.dataset_name

    @property
    def dataset_sha256(self) -> str:
        return self.run.dataset_sha256


def in_production_at(endpoint: Endpoint, moment: datetime) -> StatusChange | None:
    """Return the change that put the version of that moment into production; None if none was."""
    last = (
        StatusChange.objects.of(endpoint)
        .touching_production()
        .before(moment)
        .select_related("version")
        .first()
    )
    return last if last is not None and last.to_status == "production" else None


def spans_in_production(version: AlgorithmVersion) -> tuple[Span, ...]:
    """Return the version's times in production, the oldest first."""
    return spans_of(sorted(version.status_changes.all(), key=lambda change: (change.at, change.pk)))


def spans_of(changes: Iterable[StatusChange]) -> tuple[Span, ...]:
    """Pair the changes of one version, oldest first, that put it into production and took it out."""
    spans: list[Span] = []
    for change in changes:
        if change.to_status == "production":
            spans.append(Span(change))
        elif change.from_status == "production" and spans:
            spans[-1] = Span(spans[-1].began, change)
    return tuple(spans)


def lineage(version: AlgorithmVersion) -> Lineage:
    """Return where the version came from and how often it answered."""
    return Lineage(
        version=version,
        spans=spans_in_production(version),
        predictions=traffic.requests_ever(version),
    )
