"""Reads metrics of drift, quality and estimates from the drift reports, newest window first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import Q, QuerySet

from endpoints.models import DriftReport, FeatureDrift
from endpoints.models.alert import AlertMetric
from endpoints.models.monitoring import Verdict
from endpoints.services.alerts import kinds
from endpoints.services.alerts.reading import Asked, Reading
from endpoints.services.monitoring import reports

_QUALITY = frozenset({AlertMetric.MISSING_SHARE, AlertMetric.OUT_OF_RANGE_SHARE})
"""A column that is all missing has too few values for a verdict, and a share of missing ones."""
_SPARE = 20
"""Windows to read beyond those asked for, since some may hold no number."""
_TELLING = {
    AlertMetric.FEATURE_EFFECT: Q(effect__isnull=False) | Q(verdict=Verdict.DRIFT),
    AlertMetric.FEATURE_PSI: Q(psi__isnull=False),
}


def read(asked: Asked) -> Iterator[Reading]:
    values = _of_feature(asked) if asked.rule.metric in kinds.OF_A_FEATURE else _of_report(asked)
    for report, value in values:
        if value is not None:
            until = reports.rows_behind(report).until
            yield Reading(report.start, until, value, report.n_rows, report.is_open)


def _of_report(asked: Asked) -> Iterator[tuple[DriftReport, float | None]]:
    told = _reports(asked).exclude(verdict=Verdict.INSUFFICIENT)
    if asked.rule.metric == AlertMetric.DRIFT_SCORE:
        told = told.filter(drift_score__isnull=False)
    elif asked.rule.metric == AlertMetric.ESTIMATED_ACCURACY:
        told = told.filter(estimates__isnull=False)
    for report in told.defer("summary", "impact")[: asked.rule.consecutive + _SPARE]:
        report.version = asked.version
        yield report, _value(asked.rule.metric, report)


def _value(metric: str, report: DriftReport) -> float | None:
    if metric == AlertMetric.FEATURES_DRIFTED:
        return float(report.drifted)
    if metric == AlertMetric.DRIFT_SCORE:
        return report.drift_score
    estimate: Any = (report.estimates or {}).get("accuracy")
    value = estimate.get("value") if isinstance(estimate, dict) else estimate
    return None if value is None else float(value)


def _of_feature(asked: Asked) -> Iterator[tuple[DriftReport, float | None]]:
    rule = asked.rule
    kinds_of_inputs = (FeatureDrift.Kind.NUMBER, FeatureDrift.Kind.CATEGORY)
    columns = FeatureDrift.objects.filter(
        report__in=_reports(asked).order_by(), name=rule.feature, kind__in=kinds_of_inputs
    )
    if rule.metric not in _QUALITY:
        columns = columns.exclude(verdict=Verdict.INSUFFICIENT)
        columns = columns.filter(_TELLING[AlertMetric(rule.metric)])
    newest_first = columns.select_related("report").order_by("-report__start", "-report_id")
    light = newest_first.defer("results", "bins", "report__summary", "report__impact")
    for column in light[: rule.consecutive + _SPARE]:
        column.report.version = asked.version
        yield column.report, _feature_value(rule.metric, column)


def _feature_value(metric: str, column: FeatureDrift) -> float | None:
    rows = column.report.n_rows
    if metric == AlertMetric.FEATURE_EFFECT:
        return kinds.WITHOUT_BOUND if column.effect is None else column.effect
    if metric == AlertMetric.FEATURE_PSI:
        return column.psi
    if metric == AlertMetric.MISSING_SHARE:
        return column.missing / rows
    return (column.out_of_range + column.unseen) / rows


def _reports(asked: Asked) -> QuerySet[DriftReport]:
    return DriftReport.objects.filter(
        version=asked.version,
        window=asked.rule.window,
        end__gt=asked.oldest,
        n_rows__gte=max(asked.min_rows, 1),
    ).order_by("-start", "-id")
