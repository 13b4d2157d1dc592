"""How drift went over the windows of a version, in a query a chart; it reads no summary."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max, Q

from endpoints.models import AlgorithmVersion, DriftReport, FeatureDrift


@dataclass(frozen=True)
class TrendPoint:
    """One window: the largest shift of a feature, and how many features of how many have drifted."""

    start: datetime
    verdict: str
    n_rows: int
    largest_effect: float | None
    drift_score: float | None
    drifted: int
    features: int


def trend(version: AlgorithmVersion, window: str, *, limit: int) -> tuple[TrendPoint, ...]:
    """Return the newest windows, the oldest of them first."""
    reports = DriftReport.objects.filter(version=version, window=window).order_by("-start")
    largest = Max("columns__effect", filter=Q(columns__kind__in=FeatureDrift.INPUTS))
    found = reports.annotate(largest_effect=largest).values_list(
        "start", "verdict", "n_rows", "largest_effect", "drift_score", "drifted", "features"
    )
    return tuple(TrendPoint(*values) for values in reversed(found[:limit]))


def effects(
    version: AlgorithmVersion, window: str, *, limit: int
) -> dict[str, tuple[float | None, ...]]:
    """Return each feature's shifts in the newest windows, the oldest first; outputs are among them."""
    reports = DriftReport.objects.filter(version=version, window=window).order_by("-start")
    newest = list(reports.values_list("pk", flat=True)[:limit])
    found: dict[str, list[float | None]] = defaultdict(list)
    columns = FeatureDrift.objects.filter(report__in=newest).order_by("report__start", "position")
    for name, kind, effect in columns.values_list("name", "kind", "effect"):
        found[series_key(name, kind)].append(effect)
    return {key: tuple(values) for key, values in found.items()}


def series_key(name: str, kind: str) -> str:
    """A feature may be called as an output is."""
    return f"{'input' if kind in FeatureDrift.INPUTS else kind} {name}"
