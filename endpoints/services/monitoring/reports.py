"""Finds what is known of the live rows of an endpoint, window by window; it knows no pages and no REST."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import F, OuterRef, Prefetch, Q, QuerySet, Subquery

from endpoints import request_ids
from endpoints.errors import NotFound
from endpoints.models import DriftReport, Endpoint, FeatureDrift, LabelCount
from endpoints.models.monitoring import Verdict, Window
from endpoints.models.roll_up import Span
from endpoints.models.version import Status
from endpoints.services.monitoring.windows import INSTANT


@dataclass(frozen=True)
class RowsBehind:
    """Which logged requests a report speaks of, of those that nobody tried by hand; the last one came before
    `until`."""

    version: int
    since: datetime
    until: datetime

    @property
    def query(self) -> str:
        """Return the filter of the lists of predictions that finds them, and what was tried by hand."""
        return self._filter()

    def live(self, **more: object) -> str:
        """Return the filter that finds them alone, perhaps with more conditions; numbers keep every bit."""
        return self._filter(source="live", **more)

    def _filter(self, **more: object) -> str:
        times = {"since": self.since.isoformat(), "until": self.until.isoformat()}
        return urlencode({"version": self.version, **times, **more})

    def seen(self, cursor: UUID | None) -> RowsBehind:
        """Leave out what came after the newest request that monitoring has looked at."""
        if cursor is None:
            return self
        return replace(self, until=min(self.until, request_ids.moment_of(cursor) + INSTANT))


def rows_behind(report: DriftReport) -> RowsBehind:
    until = report.end + INSTANT if report.window == Window.ROWS else report.end
    return RowsBehind(report.version.number, report.start, until)


@dataclass(frozen=True)
class Limits:
    """What a window was judged by: the smallest shift, and the largest corrected p value, of a drift."""

    effect: float
    alpha: float


def limits_of(report: DriftReport) -> Limits | None:
    """Return what it was judged by, whatever is set by now; None where its checks are put away."""
    thresholds: dict[str, float] = {
        check["name"]: check["threshold"]
        for column in report.columns.all()
        for check in column.results
    }
    effect = thresholds.get("wasserstein", thresholds.get("jensen_shannon"))
    alpha = thresholds.get("ks", thresholds.get("chi_square"))
    return None if effect is None or alpha is None else Limits(effect, alpha)


def series(endpoint: Endpoint, *, window: str, version: int | None = None) -> QuerySet[DriftReport]:
    """Return the reports of an endpoint, the newest first, with their features.

    Their impact, and checks and distributions of the features, are left out: of many they are large.
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
    """Also without the impact, and without checks and distributions of the features."""
    columns = FeatureDrift.objects.defer("results", "bins")
    return _light(Prefetch("columns", columns)).defer("impact")


@dataclass(frozen=True)
class Today:
    """The newest day of a version in production that has enough rows for a verdict; `accuracy` is None
    without as many labels."""

    report: DriftReport
    accuracy: float | None


def todays() -> list[Today]:
    """Return the newest such day of every version in production that has one, in three queries.

    What few rows say is chance, and whoever scrapes is woken by it.
    """
    newest_day = (
        DriftReport.objects.filter(version=OuterRef("version"), window=Window.DAY)
        .filter(n_rows__gte=F("version__endpoint__monitor__min_rows"))
        .exclude(verdict=Verdict.INSUFFICIENT)
        .order_by("-start")
    )
    days = _lightest().filter(window=Window.DAY, version__status=Status.PRODUCTION)
    days = days.select_related("version__endpoint__monitor")
    found = list(days.filter(pk=Subquery(newest_day.values("pk")[:1])))
    accuracies = _accuracies(found)
    return [Today(report, accuracies.get(report.pk)) for report in found]


def _accuracies(found: list[DriftReport]) -> dict[int, float]:
    """Return the shares of right predictions, by report, where there are enough labels."""
    days = {
        (report.version.endpoint_id, report.version.number, report.start): report.pk
        for report in found
    }
    enough = {report.pk: report.version.endpoint.monitor.min_rows for report in found}
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
    return {key: right[key] / rows for key, rows in labelled.items() if rows >= enough[key]}


def drifted_names(report: DriftReport) -> list[str]:
    """Return the features that drifted; scores, predictions and labels are none."""
    return [
        column.name
        for column in report.columns.all()
        if column.kind in FeatureDrift.INPUTS and column.verdict == Verdict.DRIFT
    ]
