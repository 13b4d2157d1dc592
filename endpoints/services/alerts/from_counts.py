"""Reads metrics of traffic and labels from what was counted by hour, newest window first; no log is scanned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from types import MappingProxyType
from typing import Any

from django.db.models import QuerySet, Sum

from endpoints.models import LabelCount, RollUp, StreamChange
from endpoints.models.alert import AlertMetric
from endpoints.models.roll_up import Span
from endpoints.services import histograms
from endpoints.services.alerts import kinds
from endpoints.services.alerts.reading import Asked, Reading
from endpoints.services.histograms import Counts
from endpoints.services.monitoring.windows import LENGTHS, end_of, start_of
from mlcore.streams import Adwin

COUNTED_DETECTOR = Adwin.name
"""Two detectors find the same change; to count both would make two of one."""

Hours = Iterable[tuple[Any, ...]]
Told = tuple[float | None, int]
"""The value, None where nothing tells it, and how much it is of."""


@dataclass(frozen=True)
class _Recipe:
    """Which columns of which counts, and how those of a window's hours make its value."""

    model: type[RollUp] | type[LabelCount]
    columns: tuple[str, ...]
    make: Callable[[Hours], Told]


def read(asked: Asked) -> Iterator[Reading]:
    metric = asked.rule.metric
    if metric == AlertMetric.REQUESTS:
        return _requests(asked)
    if metric == AlertMetric.ERROR_CHANGES:
        return _error_changes(asked)
    if metric == AlertMetric.LABEL_COVERAGE:
        return _coverage(asked)
    return _by_recipe(asked, _RECIPES[metric])


def _by_recipe(asked: Asked, recipe: _Recipe) -> Iterator[Reading]:
    window = asked.rule.window
    hours = _newest_first(asked, recipe)
    for start, group in groupby(hours, lambda hour: start_of(window, hour[0])):
        value, n = recipe.make(hour[1:] for hour in group)
        if value is not None and n >= asked.min_rows:
            yield _reading(asked, start, value, n)


def _newest_first(asked: Asked, recipe: _Recipe) -> Iterator[tuple[Any, ...]]:
    """Yield hours until nobody asks for more; each further look goes twice as far back as the one before."""
    window, since = asked.rule.window, start_of(asked.rule.window, asked.oldest)
    until = end_of(window, start_of(window, asked.now))
    reach = LENGTHS[window] * (asked.rule.consecutive + 1)
    while until > since:
        begin = max(since, until - reach)
        hours = _hours(asked, recipe.model).filter(start__gte=begin, start__lt=until)
        yield from hours.order_by("-start").values_list("start", *recipe.columns)
        until, reach = begin, reach * 2


def _positive_rate(hours: Hours) -> Told:
    positives, rows = _sums(hours)
    return _share(positives, rows), rows


def _accuracy(hours: Hours) -> Told:
    correct = labels = 0
    for predicted, label, rows in hours:
        labels += rows
        correct += rows if predicted == label else 0
    return _share(correct, labels), labels


def _refused_share(hours: Hours) -> Told:
    requests, refused = _sums((asked, sum(codes.values())) for asked, codes in hours)
    return _share(refused, requests + refused), requests + refused


def _latency_p95(hours: Hours) -> Told:
    counts: Counts = {}
    for (latencies,) in hours:
        histograms.add(counts, latencies)
    return histograms.latency_ms(counts, 0.95), sum(counts.values())


_RECIPES: Mapping[str, _Recipe] = MappingProxyType(
    {
        AlertMetric.POSITIVE_RATE: _Recipe(RollUp, ("positives", "two_class_rows"), _positive_rate),
        AlertMetric.ACCURACY: _Recipe(LabelCount, ("predicted", "label", "rows"), _accuracy),
        AlertMetric.REFUSED_SHARE: _Recipe(RollUp, ("requests", "refusals"), _refused_share),
        AlertMetric.LATENCY_P95: _Recipe(RollUp, ("latencies",), _latency_p95),
    }
)


def _coverage(asked: Asked) -> Iterator[Reading]:
    """A label counts at the time of its prediction, so late ones fill windows that are over."""
    recipe = _Recipe(RollUp, ("rows",), lambda hours: ((found := _sums(hours)[0]), found))
    for reading in _by_recipe(asked, recipe):
        counted = _hours(asked, LabelCount).filter(start__gte=reading.start, start__lt=reading.end)
        labels = counted.aggregate(sum=Sum("rows", default=0))["sum"]
        yield _reading(asked, reading.start, min(1.0, labels / reading.n), reading.n)


def _requests(asked: Asked) -> Iterator[Reading]:
    """A window without any request is one with 0, unless the version was not live all through."""
    hours = _hours(asked, RollUp).filter(start__gte=_windows(asked)[-1])
    counts = _per_window(asked, hours.values_list("start", "requests"))
    for start in _windows(asked):
        if start >= asked.since or asked.rule.comparator in kinds.UPPER:
            yield _reading(asked, start, float(counts[start]), counts[start])


def _error_changes(asked: Asked) -> Iterator[Reading]:
    found = StreamChange.objects.filter(
        version=asked.version,
        detector=COUNTED_DETECTOR,
        found_at__gte=max(asked.since, _windows(asked)[-1]),
    )
    moments = found.values_list("found_at", flat=True)
    counts = _per_window(asked, ((moment, 1) for moment in moments))
    for start in _windows(asked):
        yield _reading(asked, start, float(counts[start]), counts[start])


def _windows(asked: Asked) -> list[datetime]:
    """Return the starts of one window more than the rule asks for, newest first: the open one may not count."""
    rule = asked.rule
    newest, length = start_of(rule.window, asked.now), LENGTHS[rule.window]
    starts = [newest - length * place for place in range(rule.consecutive + 1)]
    kept = [start for start in starts if end_of(rule.window, start) > asked.since]
    return kept or starts[:1]


def _per_window(asked: Asked, counted: Iterable[tuple[datetime, int]]) -> Counter[datetime]:
    counts: Counter[datetime] = Counter()
    for moment, count in counted:
        counts[start_of(asked.rule.window, moment)] += count
    return counts


def _hours(asked: Asked, model: type[RollUp] | type[LabelCount]) -> QuerySet[Any]:
    return model._default_manager.filter(
        endpoint=asked.version.endpoint_id,
        number=asked.version.number,
        seconds=Span.HOUR,
        start__gte=start_of(asked.rule.window, asked.since),
        start__lte=asked.now,
    )


def _reading(asked: Asked, start: datetime, value: float, n: int) -> Reading:
    end = end_of(asked.rule.window, start)
    return Reading(start, end, value, n, is_open=end > asked.now)


def _sums(hours: Hours) -> list[int]:
    sums = [sum(column) for column in zip(*hours, strict=True)]
    return sums or [0, 0]


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
