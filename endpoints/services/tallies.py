"""What the writer of the log counts while it writes: one tally a version and minute, and a version and hour.

A tally is stored whole with each commit that adds to it. Its rows belong to one writer, so nobody else
can have changed them. It knows no SQL.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple, Self

from endpoints.models.prediction import Source
from endpoints.models.roll_up import Span
from endpoints.services import histograms
from endpoints.services.arm_tallies import ArmTallies, Tried
from endpoints.services.histograms import Counts

REMEMBERED = timedelta(hours=2)


class Entry(NamedTuple):
    """One answered request, as its columns are in the table of the log."""

    id: str
    endpoint_id: int
    version_id: int
    created_at: datetime
    source: str
    protocol: str
    caller: str
    correlation_id: str
    traceparent: str
    row_count: int
    inputs: str
    imputed: str
    probabilities: str
    predictions: str
    threshold: float | None
    latency_us: int
    probability: float | None
    label: str
    arm_id: int | None = None
    unit: str = ""
    shadow: str = "{}"


class Answered(NamedTuple):
    """An entry and what is counted of it: positives of two classes, rows by bin of probability, and what
    it was to the arms of a test."""

    entry: Entry
    number: int
    positives: int
    scores: Counts
    tried: tuple[Tried, ...] = ()


class Refused(NamedTuple):
    """A request that got no answer, by the code of the error.

    `number` is that of the version in production, 0 without one: which was asked for may be unknown.
    """

    endpoint_id: int
    number: int
    code: str
    at: datetime


class Key(NamedTuple):
    endpoint_id: int
    number: int
    span: Span
    start: datetime


@dataclass
class Tally:
    requests: int = 0
    rows: int = 0
    two_class_rows: int = 0
    positives: int = 0
    latencies: Counts = field(default_factory=dict)
    scores: Counts = field(default_factory=dict)
    refusals: Counts = field(default_factory=dict)

    def copy(self) -> Self:
        return replace(
            self,
            latencies=dict(self.latencies),
            scores=dict(self.scores),
            refusals=dict(self.refusals),
        )

    def add(self, answered: Answered) -> None:
        entry = answered.entry
        self.requests += 1
        if entry.source == Source.TRY:
            return
        self.rows += entry.row_count
        if entry.threshold is not None:
            self.two_class_rows += entry.row_count
            self.positives += answered.positives
        bucket = histograms.latency_bucket(entry.latency_us)
        self.latencies[bucket] = self.latencies.get(bucket, 0) + 1
        histograms.add(self.scores, answered.scores)


class Tallies:
    """All tallies of one writer; safe in one thread only."""

    def __init__(self) -> None:
        self._start_anew()

    def _start_anew(self) -> None:
        self.writer = secrets.token_hex(8)
        self.arms = ArmTallies()
        self._kept: dict[Key, Tally] = {}
        self._newest: datetime | None = None

    def with_these(
        self, answered: Iterable[Answered], refused: Iterable[Refused]
    ) -> dict[Key, Tally]:
        """Return the tallies that these change, as they will be; `keep` them once they are stored."""
        changed: dict[Key, Tally] = {}
        for item in answered:
            for key in _keys(item.entry.endpoint_id, item.number, item.entry.created_at):
                self._changing(changed, key).add(item)
        for refusal in refused:
            for key in _keys(refusal.endpoint_id, refusal.number, refusal.at):
                histograms.add(self._changing(changed, key).refusals, {refusal.code: 1})
        return changed

    def keep(self, stored: Mapping[Key, Tally]) -> None:
        """Remember what is stored now, and forget what is too old to change again."""
        self._kept.update(stored)
        newest = max(key.start for key in stored) if stored else None
        if newest is None or newest == self._newest:
            return
        self._newest = newest
        oldest = newest - REMEMBERED
        self._kept = {key: tally for key, tally in self._kept.items() if key.start >= oldest}

    def make_room(self, moments: Iterable[datetime]) -> None:
        """Before counting: a moment from before what is remembered needs rows under a new name."""
        if (
            self._newest is not None
            and min(moments, default=self._newest) < self._newest - REMEMBERED / 2
        ):
            self._start_anew()

    def _changing(self, changed: dict[Key, Tally], key: Key) -> Tally:
        if key not in changed:
            changed[key] = self._kept[key].copy() if key in self._kept else Tally()
        return changed[key]


def _keys(endpoint_id: int, number: int, moment: datetime) -> tuple[Key, Key]:
    minute, hour = _starts(int(moment.timestamp()) // Span.MINUTE)
    return Key(endpoint_id, number, Span.MINUTE, minute), Key(endpoint_id, number, Span.HOUR, hour)


@lru_cache(8)
def _starts(minute: int) -> tuple[datetime, datetime]:
    """When a minute, counted from 1970, and its hour began; all requests of a minute ask the same."""
    start = datetime.fromtimestamp(minute * Span.MINUTE, tz=UTC)
    return start, Span.HOUR.start(start)
