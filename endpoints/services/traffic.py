"""Adds up what was counted of the traffic, so that no page reads the log; it knows nothing of pages.

All but the requests leaves out what people tried by hand. Latencies are read from a histogram.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from django.db.models import Sum

from endpoints.models import AlgorithmVersion, Endpoint
from endpoints.models.roll_up import LabelCount, RollUp, RollUpQuerySet, Span
from endpoints.services import histograms
from endpoints.services.histograms import Counts
from endpoints.services.periods import LAST_DAY, Period

COUNTED = (
    "requests", "two_class_rows", "positives", "latencies", "scores", "refusals",
)  # fmt: skip


@dataclass
class Totals:
    """Counts of some time and what they tell; a number is None where nothing tells it."""

    requests: int = 0
    two_class_rows: int = 0
    positives: int = 0
    latencies: Counts = field(default_factory=dict)
    scores: Counts = field(default_factory=dict)
    refusals: Counts = field(default_factory=dict)
    labels: int = 0
    correct: int = 0

    @classmethod
    def of(cls, parts: Iterable[Totals]) -> Self:
        total = cls()
        for part in parts:
            total.add(*(getattr(part, name) for name in COUNTED))
            total.labels += part.labels
            total.correct += part.correct
        return total

    def add(self, requests: int, two_class_rows: int, positives: int, *histogram: Counts) -> None:
        """Add the columns COUNTED of a roll-up."""
        self.requests += requests
        self.two_class_rows += two_class_rows
        self.positives += positives
        kept = (self.latencies, self.scores, self.refusals)
        for counts, more in zip(kept, histogram, strict=True):
            histograms.add(counts, more)

    @property
    def p50_ms(self) -> float | None:
        return histograms.latency_ms(self.latencies, 0.50)

    @property
    def p95_ms(self) -> float | None:
        return histograms.latency_ms(self.latencies, 0.95)

    @property
    def positive_rate(self) -> float | None:
        return _share(self.positives, self.two_class_rows)

    @property
    def accuracy(self) -> float | None:
        return _share(self.correct, self.labels)

    @property
    def histogram(self) -> tuple[int, ...]:
        return histograms.score_counts(self.scores)

    @property
    def refused(self) -> int:
        return sum(self.refusals.values())

    @property
    def refused_share(self) -> float | None:
        """Of all that was sent, answered or not."""
        return _share(self.refused, self.requests + self.refused)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


@dataclass(frozen=True)
class VersionTraffic:
    """What one version did in a period, and its share of the answers."""

    number: int
    totals: Totals
    share: float


@dataclass(frozen=True)
class Traffic:
    """What an endpoint did in a period: in all, bar by bar, and by the versions that answered."""

    starts: tuple[datetime, ...]
    totals: Totals
    bars: tuple[Totals, ...]
    versions: tuple[VersionTraffic, ...]


@dataclass(frozen=True)
class Pulse:
    """One endpoint's last 24 hours."""

    totals: Totals
    hours: tuple[int, ...]


def traffic(endpoint: Endpoint, *, period: Period, now: datetime) -> Traffic:
    starts = period.starts(now)
    cells = _cells(endpoint, period, starts)
    bars = [
        Totals.of(totals for (_, place), totals in cells.items() if place == bar)
        for bar in range(len(starts))
    ]
    total = Totals.of(bars)
    return Traffic(tuple(starts), total, tuple(bars), _versions(cells, total.requests))


def pulses(endpoints: Sequence[Endpoint], *, now: datetime) -> dict[int, Pulse]:
    """Return the last 24 hours of many endpoints, by key, in as many queries as for one."""
    starts = LAST_DAY.starts(now)
    totals: dict[int, Totals] = defaultdict(Totals)
    hours: dict[int, list[int]] = defaultdict(lambda: [0] * len(starts))
    counted = of_last_day(now=now).filter(endpoint__in=[found.pk for found in endpoints])
    for key, start, *columns in counted.values_list("endpoint_id", "start", *COUNTED):
        totals[key].add(*columns)
        hours[key][_place(LAST_DAY, starts, start)] += columns[0]
    return {found.pk: Pulse(totals[found.pk], tuple(hours[found.pk])) for found in endpoints}


def requests_of_a_day(endpoint: Endpoint, *, now: datetime) -> int:
    """Return the requests of the last 24 hours, from a full hour on as in every other count of them."""
    counted = of_last_day(now=now).filter(endpoint=endpoint)
    return int(counted.aggregate(sum=Sum("requests", default=0))["sum"])


def of_last_day(*, now: datetime) -> RollUpQuerySet:
    return _counted(LAST_DAY, LAST_DAY.starts(now))


def requests_ever(version: AlgorithmVersion) -> int:
    """Return how often a version answered; hours are counted for good, so this outlives the log."""
    counted = RollUp.objects.filter(
        endpoint=version.endpoint_id, seconds=Span.HOUR, number=version.number
    )
    return int(counted.aggregate(sum=Sum("requests", default=0))["sum"])


Cells = dict[tuple[int, int], Totals]
"""Counts by the version's number and the place of the bar."""


def _cells(endpoint: Endpoint, period: Period, starts: Sequence[datetime]) -> Cells:
    cells: Cells = defaultdict(Totals)
    counted = _counted(period, starts).filter(endpoint=endpoint)
    for number, start, *columns in counted.values_list("number", "start", *COUNTED):
        cells[number, _place(period, starts, start)].add(*columns)
    labelled = LabelCount.objects.filter(
        endpoint=endpoint,
        seconds=period.counted_by,
        start__gte=starts[0],
        start__lt=starts[-1] + period.bar,
    )
    for number, start, predicted, label, rows in labelled.values_list(
        "number", "start", "predicted", "label", "rows"
    ):
        cell = cells[number, _place(period, starts, start)]
        cell.labels += rows
        cell.correct += rows if predicted == label else 0
    return cells


def _counted(period: Period, starts: Sequence[datetime]) -> RollUpQuerySet:
    return RollUp.objects.between(period.counted_by, starts[0], starts[-1] + period.bar)


def _place(period: Period, starts: Sequence[datetime], start: datetime) -> int:
    return (start - starts[0]) // period.bar


def _versions(cells: Cells, requests: int) -> tuple[VersionTraffic, ...]:
    """Split the period by the versions that answered, newest first."""
    by_number: dict[int, list[Totals]] = defaultdict(list)
    for (number, _), totals in cells.items():
        by_number[number].append(totals)
    newest_first = ((n, Totals.of(by_number[n])) for n in sorted(by_number, reverse=True))
    return tuple(
        VersionTraffic(number, totals, totals.requests / requests)
        for number, totals in newest_first
        if totals.requests
    )
