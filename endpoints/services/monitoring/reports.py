"""Finds what is known of the live rows of an endpoint, window by window; it knows no pages and no REST."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import OuterRef, Prefetch, Q, QuerySet, Subquery

from endpoints.errors import NotFound
from endpoints.models import DriftReport, Endpoint, FeatureDrift, LabelCount
from endpoints.models.monitoring import Verdict, Window
from endpoints.models.roll_up import Span
from endpoints.models.version import Status
from endpoints.services.monitoring.windows import INSTANT


@dataclass(frozen=True)
class RowsBehind:
    """Which logged requests a report speaks of; the last one came before `until`."""

    version: int
    since: datetime
    until: datetime

    @property
    def query(self) -> str:
        """Return the filter of the lists of predictions that finds them."""
        times = {"since": self.since.isoformat(), "until": self.until.isoformat()}
        return urlencode({"version": self.version, **times})


def rows_behind(report: DriftReport) -> RowsBehind:
    until = report.end + INSTANT if report.window == Window.ROWS else report.end
    return RowsBehind(report.version.number, report.start, until)


def series(endpoint: Endpoint, *, window: str, version: int | None = None) -> QuerySet[DriftReport]:
    """Return the reports of an endpoint, the newest first, with their features.

    Checks and distributions of the features are left out: many reports of many features are large.
    """
    found = _lightest().filter(version__endpoint=endpoint, window=window)
    return found if version is None else found.filter(version__number=version)


def find(endpoint: Endpoint, key: int) -> DriftReport:
    report = _light().filter(version__endpoint=endpoint, pk=key).first()
    if report is None:
        raise NotFound(f"“{endpoint.slug}” has no drift report {key}.")
    return report


def _light(columns: str | Prefetch[Any] = "columns") -> QuerySet[DriftReport]:
    """Without the summaries, which are large and only for growing."""
    light = DriftReport.objects.defer("summary").select_related("version__endpoint")
    return light.prefetch_related(columns).order_by("-start", "-id")


def _lightest() -> QuerySet[DriftReport]:
    """Also without checks and distributions of the features."""
    return _light(Prefetch("columns", FeatureDrift.objects.defer("results", "bins")))


@dataclass(frozen=True)
class Today:
    """The newest day of a version in production; `accuracy` is None without labels."""

    report: DriftReport
    accuracy: float | None


def todays() -> list[Today]:
    """Return the newest day of every version in production that has one, in three queries."""
    newest_day = DriftReport.objects.filter(
        version=OuterRef("version"), window=Window.DAY
    ).order_by("-start")
    days = _lightest().defer("impact").filter(window=Window.DAY)
    found = list(
        days.filter(pk=Subquery(newest_day.values("pk")[:1]), version__status=Status.PRODUCTION)
    )
    accuracies = _accuracies(found)
    return [Today(report, accuracies.get(report.pk)) for report in found]


def _accuracies(found: list[DriftReport]) -> dict[int, float]:
    """Return the shares of right predictions, by report, where there are labels."""
    days = {
        (report.version.endpoint_id, report.version.number, report.start): report.pk
        for report in found
    }
    within = Q(pk__in=())
    for endpoint, number, start in days:
        until = start + timedelta(days=1)
        within |= Q(endpoint=endpoint, number=number, start__gte=start, start__lt=until)
    labelled: Counter[int] = Counter()
    right: Counter[int] = Counter()
    counts = LabelCount.objects.filter(within, seconds=Span.HOUR)
    for endpoint, number, start, predicted, label, rows in counts.values_list(
        "endpoint_id", "number", "start", "predicted", "label", "rows"
    ):
        key = days[endpoint, number, start.replace(hour=0)]
        labelled[key] += rows
        right[key] += rows if predicted == label else 0
    return {key: right[key] / rows for key, rows in labelled.items() if rows}


def drifted_names(report: DriftReport) -> list[str]:
    """Return the features that drifted; scores, predictions and labels are none."""
    return [
        column.name
        for column in report.columns.all()
        if column.kind in FeatureDrift.INPUTS and column.verdict == Verdict.DRIFT
    ]
