"""Answers the overview pages' questions about traffic, in few queries whose cost is bounded.

Counts are of every answered request and come from an index alone. Latencies, rates and scores leave out
what people tried by hand, and are of at most SAMPLE requests of the period, drawn at random by their
ids. It changes nothing and knows nothing of pages.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import (
    Case,
    Count,
    Exists,
    IntegerField,
    OuterRef,
    Q,
    Subquery,
    Sum,
    Value,
    When,
)

from endpoints.models import (
    AlgorithmVersion,
    Endpoint,
    PredictionRequest,
    PromotionRequest,
    StatusChange,
)
from endpoints.models.endpoint import EndpointQuerySet
from endpoints.models.prediction import PredictionRequestQuerySet, headline

SAMPLE = 5_000
SAMPLE_ROWS = 20_000
HOME_SAMPLE = 200
SCORE_BINS = 20
DAY = timedelta(days=1)
Labels = dict[int, tuple[int, int]]


@dataclass(frozen=True)
class Period:
    """A span of time that ends now, and the width of a bar in its chart."""

    code: str
    label: str
    length: timedelta
    bucket: timedelta


PERIODS = {
    period.code: period
    for period in (
        Period("1h", "1 hour", timedelta(hours=1), timedelta(minutes=2)),
        Period("24h", "24 hours", DAY, timedelta(hours=1)),
        Period("7d", "7 days", 7 * DAY, timedelta(hours=4)),
        Period("30d", "30 days", 30 * DAY, DAY),
    )
}


@dataclass(frozen=True)
class VersionTraffic:
    """What one version did in the period; the rates rest on its part of the sample."""

    number: int
    requests: int
    share: float
    p50_ms: float | None
    p95_ms: float | None
    positive_rate: float | None
    labels: int
    accuracy: float | None


@dataclass(frozen=True)
class Traffic:
    """What an endpoint did in a period; all but the counts rests on the sample."""

    since: datetime
    requests: int
    is_sampled: bool
    starts: tuple[datetime, ...]
    counts: tuple[int, ...]
    p50_ms: float | None
    p95_ms: float | None
    positive_rate: float | None
    labels: int
    accuracy: float | None
    histogram: tuple[int, ...]
    versions: tuple[VersionTraffic, ...]


@dataclass(frozen=True)
class Pulse:
    """One endpoint's last 24 hours; `p50_ms` and `p95_ms` are of its newest requests."""

    requests: int
    hours: tuple[int, ...]
    p50_ms: float | None
    p95_ms: float | None


@dataclass(frozen=True)
class _Scored:
    """One sampled request; `threshold` None says that it has no positive class."""

    version: int
    latency_us: int
    probabilities: Sequence[float | list[float]]
    threshold: float | None

    @property
    def headlines(self) -> list[float]:
        return [headline(found) for found in self.probabilities]

    @property
    def positives(self) -> int:
        return 0 if self.threshold is None else sum(p >= self.threshold for p in self.headlines)


def traffic(endpoint: Endpoint, *, period: Period, now: datetime) -> Traffic:
    """Return the endpoint's numbers for the period.

    The histogram is of the positive class, or of the predicted one where there are three or more.
    """
    starts = bucket_starts(period, now)
    counts = _by_bar([endpoint], starts).get(endpoint.pk, [0] * len(starts))
    requests = sum(counts)
    drawn = _drawn(endpoint, starts[0], requests)
    sample = _sample(drawn)
    labelled = _labels(drawn)
    p50, p95 = latency(scored.latency_us for scored in sample)
    labels = sum(count for count, _ in labelled.values())
    return Traffic(
        since=starts[0],
        requests=requests,
        is_sampled=requests > SAMPLE,
        starts=tuple(starts),
        counts=tuple(counts),
        p50_ms=p50,
        p95_ms=p95,
        positive_rate=_positive_rate(sample),
        labels=labels,
        accuracy=sum(right for _, right in labelled.values()) / labels if labels else None,
        histogram=histogram(p for scored in sample for p in scored.headlines),
        versions=_by_version(endpoint, starts[0], sample, labelled),
    )


def pulses(endpoints: Sequence[Endpoint], *, now: datetime) -> dict[int, Pulse]:
    """Return the last 24 hours of many endpoints, by key, in as many queries as for one."""
    starts = bucket_starts(PERIODS["24h"], now)
    hours = _by_bar(endpoints, starts)
    latencies = _newest_latencies(endpoints, starts[0])
    return {
        endpoint.pk: Pulse(sum(counts), tuple(counts), *latency(latencies.get(endpoint.pk, [])))
        for endpoint in endpoints
        for counts in (hours.get(endpoint.pk, [0] * len(starts)),)
    }


def with_last_request(endpoints: EndpointQuerySet) -> EndpointQuerySet:
    """Annotate `last_request_at`: one step into the index an endpoint, whatever the log's size."""
    newest = PredictionRequest.objects.filter(endpoint=OuterRef("pk")).order_by("-created_at")
    return endpoints.annotate(last_request_at=Subquery(newest.values("created_at")[:1]))


def live_versions(endpoints: Sequence[Endpoint]) -> list[AlgorithmVersion]:
    """Return what is in production or waits in staging, with `status_since` and `is_requested`."""
    since = (
        StatusChange.objects.filter(version=OuterRef("pk"), to_status=OuterRef("status"))
        .order_by("-at")
        .values("at")[:1]
    )
    return list(
        AlgorithmVersion.objects.filter(endpoint__in=endpoints)
        .filter(status__in=("production", "staging", "ab_testing"))
        .select_related("run")
        .annotate(
            status_since=Subquery(since),
            is_requested=Exists(PromotionRequest.objects.waiting().filter(version=OuterRef("pk"))),
        )
        .order_by("-number")
    )


def requests_of_a_day(endpoint: Endpoint, *, now: datetime) -> int:
    """Return the requests of the last 24 hours, from a full hour on as in every other count of them."""
    begin = bucket_starts(PERIODS["24h"], now)[0]
    return PredictionRequest.objects.filter(endpoint=endpoint).since(begin).count()


def promotions(endpoint: Endpoint, *, since: datetime) -> list[StatusChange]:
    """Return what entered production since then, oldest first, to be marked in charts."""
    changes = StatusChange.objects.of(endpoint).into_production().filter(at__gte=since)
    return list(changes.select_related("version").order_by("at", "id"))


def bucket_starts(period: Period, now: datetime) -> list[datetime]:
    """Return the starts of the period's bars: whole multiples of their width, the last one open."""
    width = int(period.bucket.total_seconds())
    last = datetime.fromtimestamp(int(now.timestamp()) // width * width, tz=now.tzinfo)
    bars = period.length // period.bucket
    return [last - period.bucket * (bars - 1 - position) for position in range(bars)]


def latency(microseconds: Iterable[int]) -> tuple[float | None, float | None]:
    """Return the median and the 95th percentile in milliseconds, by the nearest rank."""
    ordered = sorted(microseconds)
    if not ordered:
        return None, None
    return tuple(ordered[-(-len(ordered) * rank // 100) - 1] / 1_000 for rank in (50, 95))  # type: ignore[return-value]


def histogram(probabilities: Iterable[float]) -> tuple[int, ...]:
    """Count probabilities in equal bins; 1.0 falls into the last."""
    counts = [0] * SCORE_BINS
    for probability in probabilities:
        counts[min(int(probability * SCORE_BINS), SCORE_BINS - 1)] += 1
    return tuple(counts)


def _by_bar(endpoints: Sequence[Endpoint], starts: Sequence[datetime]) -> dict[int, list[int]]:
    """Count the requests of each endpoint from start to start.

    One range of the index a bar: grouping by a computed bar would read and compute every row.
    """
    log = PredictionRequest.objects.filter(endpoint__in=endpoints).order_by()
    ends: list[datetime | None] = [*starts[1:], None]
    bars = (
        log.filter(created_at__gte=start, **({"created_at__lt": end} if end else {}))
        .values("endpoint_id")
        .annotate(bar=Value(place, output_field=IntegerField()), count=Count("*"))
        .values_list("endpoint_id", "bar", "count")
        for place, (start, end) in enumerate(zip(starts, ends, strict=True))
    )
    counted: dict[int, list[int]] = {}
    for key, place, count in next(bars).union(*bars, all=True):
        counted.setdefault(key, [0] * len(starts))[place] = count
    return counted


def _drawn(endpoint: Endpoint, since: datetime, requests: int) -> PredictionRequestQuerySet:
    """Return about SAMPLE requests of the period: ids are random, so a range of them is a draw."""
    log = PredictionRequest.objects.monitored().filter(endpoint=endpoint).since(since)
    if requests <= SAMPLE:
        return log
    return log.filter(pk__lt=uuid.UUID(int=SAMPLE * 2**128 // requests))


def _sample(drawn: PredictionRequestQuerySet) -> list[_Scored]:
    """Read the draw, no more than SAMPLE_ROWS rows of it: one request may hold a thousand."""
    rows = drawn.values_list("version_id", "latency_us", "probabilities", "threshold")
    sample, held = [], 0
    for row in rows.iterator(chunk_size=500):
        sample.append(_Scored(*row))
        held += len(sample[-1].probabilities)
        if held >= SAMPLE_ROWS:
            break
    return sample


def _labels(drawn: PredictionRequestQuerySet) -> Labels:
    """Count the draw's labels, and the right answers among them, by the version's key."""
    rows = (
        drawn.filter(feedback__current=True)
        .order_by()
        .values_list("version_id")
        .annotate(
            count=Count("feedback"),
            right=Sum(Case(When(feedback__correct=True, then=1), default=0)),
        )
    )
    return {key: (count, right) for key, count, right in rows}


def _newest_latencies(endpoints: Sequence[Endpoint], since: datetime) -> dict[int, list[int]]:
    """Read at most HOME_SAMPLE latencies an endpoint: first find where its share of the log begins."""
    log = PredictionRequest.objects.monitored().since(since)
    last = log.filter(endpoint=OuterRef("pk")).values("created_at")[HOME_SAMPLE - 1 : HOME_SAMPLE]
    begins = Endpoint.objects.filter(pk__in=[endpoint.pk for endpoint in endpoints]).annotate(
        begin=Subquery(last)
    )
    shares = Q(pk__in=())
    for key, begin in begins.values_list("pk", "begin"):
        shares |= Q(endpoint=key, created_at__gte=begin or since)
    found: dict[int, list[int]] = {}
    for key, latency_us in log.filter(shares).order_by().values_list("endpoint_id", "latency_us"):
        found.setdefault(key, []).append(latency_us)
    return found


def _by_version(
    endpoint: Endpoint, since: datetime, sample: list[_Scored], labelled: Labels
) -> tuple[VersionTraffic, ...]:
    """Split the period by version, newest first."""
    rows = list(
        PredictionRequest.objects.filter(version__endpoint=endpoint)
        .since(since)
        .order_by("-version__number")
        .values_list("version_id", "version__number")
        .annotate(count=Count("*"))
    )
    total = sum(count for _, _, count in rows)
    return tuple(
        _version_traffic(
            number,
            (count, total),
            [scored for scored in sample if scored.version == key],
            labelled.get(key, (0, 0)),
        )
        for key, number, count in rows
    )


def _version_traffic(
    number: int, counted: tuple[int, int], sample: list[_Scored], labelled: tuple[int, int]
) -> VersionTraffic:
    requests, of_all = counted
    labels, right = labelled
    p50, p95 = latency(scored.latency_us for scored in sample)
    return VersionTraffic(
        number=number,
        requests=requests,
        share=requests / of_all,
        p50_ms=p50,
        p95_ms=p95,
        positive_rate=_positive_rate(sample),
        labels=labels,
        accuracy=right / labels if labels else None,
    )


def _positive_rate(sample: list[_Scored]) -> float | None:
    """Of the rows that two classes share."""
    binary = [scored for scored in sample if scored.threshold is not None]
    rows = sum(len(scored.probabilities) for scored in binary)
    return sum(scored.positives for scored in binary) / rows if rows else None
