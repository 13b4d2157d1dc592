"""What the metrics of rules are: of one feature or not, shares or counts, by which windows; it reads nothing."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from endpoints.models import AlertRule
from endpoints.models.alert import AlertMetric, Comparator

OF_A_FEATURE = frozenset(
    {
        AlertMetric.FEATURE_EFFECT,
        AlertMetric.FEATURE_PSI,
        AlertMetric.MISSING_SHARE,
        AlertMetric.OUT_OF_RANGE_SHARE,
    }
)
FROM_REPORTS = OF_A_FEATURE | {
    AlertMetric.FEATURES_DRIFTED,
    AlertMetric.DRIFT_SCORE,
    AlertMetric.ESTIMATED_ACCURACY,
}
"""Read from drift reports, which alone know windows by a number of rows."""

SHARES = frozenset(
    {
        AlertMetric.MISSING_SHARE,
        AlertMetric.OUT_OF_RANGE_SHARE,
        AlertMetric.POSITIVE_RATE,
        AlertMetric.ACCURACY,
        AlertMetric.ESTIMATED_ACCURACY,
        AlertMetric.LABEL_COVERAGE,
        AlertMetric.REFUSED_SHARE,
    }
)
GROWING = frozenset({AlertMetric.REQUESTS, AlertMetric.ERROR_CHANGES, AlertMetric.LABEL_COVERAGE})
"""Only grow while a window is open, so that one that is still too low says nothing."""

WITHOUT_BOUND = 1e12
"""Stands for the shift of a column that was constant and moved, which no JSON can hold; beyond any limit."""

UPPER = frozenset({Comparator.ABOVE, Comparator.AT_LEAST})
SIGNS: Mapping[str, str] = MappingProxyType(
    {
        Comparator.ABOVE: ">",
        Comparator.AT_LEAST: "≥",
        Comparator.BELOW: "<",
        Comparator.AT_MOST: "≤",
    }
)


def in_words(rule: AlertRule) -> str:
    """Return what a rule measures, with the feature in its place."""
    return rule.get_metric_display().replace("of one feature", f"of “{rule.feature}”")


def breaks(rule: AlertRule, value: float) -> bool:
    """Say whether a value of the metric is beyond the rule's limit."""
    return {
        Comparator.ABOVE: value > rule.limit,
        Comparator.AT_LEAST: value >= rule.limit,
        Comparator.BELOW: value < rule.limit,
        Comparator.AT_MOST: value <= rule.limit,
    }[Comparator(rule.comparator)]


def needs_closed_windows(rule: AlertRule) -> bool:
    return rule.metric in GROWING and rule.comparator not in UPPER
