"""Each metric is read from the newest windows that tell something, the newest last."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from endpoints.models import AlertRule, AlgorithmVersion, Endpoint, Monitor
from endpoints.models.alert import AlertMetric
from endpoints.services.alerts import checking, kinds, measuring
from endpoints.services.monitoring.windows import start_of
from tests.endpoints.services.alerts.made import (
    NOON,
    a_change,
    a_column,
    a_report,
    a_rule,
    an_hour,
    days_ago,
    labels,
)

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def version(raisin: Endpoint) -> AlgorithmVersion:
    return raisin.versions.get(number=1)


def measured(rule: AlertRule, now: datetime = NOON) -> list[tuple[datetime, float, int, bool]]:
    live = measuring.in_production(rule.endpoint)
    found = measuring.measure(rule, live=live, now=now)
    return [(one.window_start, one.value, one.n, one.is_open) for one in found]


def values(rule: AlertRule, now: datetime = NOON) -> list[float]:
    return [value for _, value, _, _ in measured(rule, now)]


def test_it_works(raisin: Endpoint, version: AlgorithmVersion) -> None:
    rule = a_rule(raisin, consecutive=2)
    for days, drifted in ((3, 1), (2, 0), (1, 4), (0, 2)):
        a_report(version, days_ago(days), drifted=drifted)
    assert measured(rule) == [(days_ago(1), 4.0, 500, False), (days_ago(0), 2.0, 500, True)]


def test_each_value_leads_to_the_rows_behind_it(
    raisin: Endpoint, version: AlgorithmVersion
) -> None:
    a_report(version, days_ago(1), drifted=1)
    live = measuring.in_production(raisin)
    [one] = measuring.measure(a_rule(raisin), live=live, now=NOON)
    assert one.version == version
    assert one.url == (
        "/endpoints/raisin/predictions/?version=1"
        "&since=2026-11-11T00%3A00%3A00%2B00%3A00&until=2026-11-12T00%3A00%3A00%2B00%3A00"
    )


def test_windows_of_another_kind_or_version_are_left_out(
    raisin: Endpoint, version: AlgorithmVersion
) -> None:
    a_report(version, days_ago(1), drifted=1, window="hour")
    a_report(raisin.versions.get(number=2), days_ago(1), drifted=2)
    assert measured(a_rule(raisin)) == []


def test_windows_by_count_are_read(raisin: Endpoint, version: AlgorithmVersion) -> None:
    for minutes, drifted in ((90, 3), (30, 1)):
        start = NOON - timedelta(minutes=minutes)
        a_report(version, start, window="rows", end=start + HOUR / 2, drifted=drifted)
    assert values(a_rule(raisin, window="rows", consecutive=5)) == [3.0, 1.0]


def test_the_endpoint_says_how_many_rows_a_window_needs(
    raisin: Endpoint, version: AlgorithmVersion
) -> None:
    a_report(version, days_ago(1), drifted=1, n_rows=60)
    rule = a_rule(raisin)
    assert values(rule) == [1.0]
    Monitor.objects.create(endpoint=raisin, min_rows=61)
    assert values(rule) == []


@pytest.mark.parametrize(
    ("metric", "facts", "value"),
    [
        ("features_drifted", {"drifted": 3}, 3.0),
        ("drift_score", {"drift_score": 0.25}, 0.25),
        ("drift_score", {"drift_score": None}, None),
        ("estimated_accuracy", {"estimates": {"accuracy": {"value": 0.81, "low": 0.7}}}, 0.81),
        ("estimated_accuracy", {"estimates": {"accuracy": {"value": None}}}, None),
        ("estimated_accuracy", {"estimates": {}}, None),
        ("estimated_accuracy", {"estimates": None}, None),
    ],
)
def test_a_metric_of_a_whole_report(
    metric: str,
    facts: dict[str, Any],
    value: float | None,
    raisin: Endpoint,
    version: AlgorithmVersion,
) -> None:
    a_report(version, days_ago(1), **facts)
    assert values(a_rule(raisin, metric=metric)) == ([] if value is None else [value])


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("feature_effect", 0.3),
        ("feature_psi", 0.4),
        ("missing_share", 0.01),
        ("out_of_range_share", 0.05),
    ],
)
def test_a_metric_of_one_feature(
    metric: str, value: float, raisin: Endpoint, version: AlgorithmVersion
) -> None:
    report = a_report(version, days_ago(1))
    a_column(report, "Area", effect=9.0, psi=9.0, missing=400, out_of_range=400)
    facts = {"effect": 0.3, "psi": 0.4, "missing": 5, "out_of_range": 20, "unseen": 5}
    a_column(report, "Extent", **facts)
    a_column(report, "Extent", kind="label", effect=8.0, psi=8.0)
    assert values(a_rule(raisin, metric=metric, feature="Extent")) == [value]


def test_a_column_that_is_all_missing_has_a_share_of_missing_values_alone(
    raisin: Endpoint, version: AlgorithmVersion
) -> None:
    report = a_report(version, days_ago(1))
    a_column(report, "Area", verdict="insufficient_data", missing=500, effect=0.0, psi=0.0)
    assert values(a_rule(raisin, metric="missing_share", feature="Area")) == [1.0]
    assert values(a_rule(raisin, metric="feature_psi", feature="Area")) == []


def test_what_is_no_number_tells_nothing(raisin: Endpoint, version: AlgorithmVersion) -> None:
    a_report(version, days_ago(1), drift_score=float("inf"))
    assert values(a_rule(raisin, metric="drift_score")) == []


def test_traffic_is_added_up_hour_by_hour_and_over_all_writers(
    raisin: Endpoint, version: AlgorithmVersion
) -> None:
    for hours, positives in ((1, 10), (1, 20), (23, 30), (25, 100)):
        an_hour(version, days_ago(0) - hours * HOUR, positives=positives)
    rule = a_rule(raisin, metric="positive_rate", limit=0.5, consecutive=3)
    assert measured(rule) == [
        (days_ago(2), 1.0, 100, False),
        (days_ago(1), pytest.approx(0.2), 300, False),
    ]


def test_weeks_begin_on_monday(raisin: Endpoint, version: AlgorithmVersion) -> None:
    an_hour(version, NOON, positives=100)
    an_hour(version, days_ago(3), positives=0)
    an_hour(version, days_ago(3) - HOUR, positives=25)
    rule = a_rule(raisin, metric="positive_rate", limit=0.5, window="week", consecutive=2)
    assert measured(rule) == [(days_ago(10), 0.25, 100, False), (days_ago(3), 0.5, 200, True)]


def test_a_quiet_night_is_skipped(raisin: Endpoint, version: AlgorithmVersion) -> None:
    for hours, rows in ((1, 49), (2, 50), (14, 60)):
        an_hour(version, NOON - hours * HOUR, two_class_rows=rows, positives=0)
    rule = a_rule(raisin, metric="positive_rate", limit=0.5, window="hour", consecutive=2)
    assert [n for _, _, n, _ in measured(rule)] == [60, 50]


def test_the_share_of_refused_requests(raisin: Endpoint, version: AlgorithmVersion) -> None:
    an_hour(version, NOON, requests=90, refusals={"invalid_rows": 6, "no_model": 4})
    rule = a_rule(raisin, metric="refused_share", limit=0.05)
    assert measured(rule) == [(days_ago(0), 0.1, 100, True)]


def test_latency_is_read_from_the_histogram(raisin: Endpoint, version: AlgorithmVersion) -> None:
    an_hour(version, NOON, latencies={"20": 94})  # up to 1 ms
    an_hour(version, NOON - HOUR, latencies={"40": 6})  # up to 100 ms
    [value] = values(a_rule(raisin, metric="latency_p95_ms", limit=50.0))
    assert 80 < value < 100


def test_accuracy_is_of_the_rows_with_a_label(raisin: Endpoint, version: AlgorithmVersion) -> None:
    labels(version, NOON - HOUR, right=40, wrong=10)
    labels(version, days_ago(1), right=30, wrong=19)
    rule = a_rule(raisin, metric="accuracy", comparator="below", limit=0.8, consecutive=2)
    assert measured(rule) == [(days_ago(0), 0.8, 50, True)]


def test_coverage_is_of_all_rows_of_windows_that_are_over(
    raisin: Endpoint, version: AlgorithmVersion
) -> None:
    for day in (0, 1):
        an_hour(version, days_ago(day), rows=200)
    labels(version, days_ago(1), right=40, wrong=10)
    facts = {"metric": "label_coverage", "limit": 0.5}
    assert measured(a_rule(raisin, comparator="below", **facts)) == [
        (days_ago(1), 0.25, 200, False)
    ]
    assert values(a_rule(raisin, comparator="above", **facts)) == [0.0]


def test_no_request_at_all_is_a_value(raisin: Endpoint, version: AlgorithmVersion) -> None:
    an_hour(version, NOON - 2 * HOUR, requests=7)
    facts = {"metric": "requests", "window": "hour", "limit": 5.0}
    few = a_rule(raisin, comparator="below", consecutive=3, **facts)
    assert measured(few) == [
        (NOON - 3 * HOUR, 0.0, 0, False),
        (NOON - 2 * HOUR, 7.0, 7, False),
        (NOON - HOUR, 0.0, 0, False),
    ]
    an_hour(version, NOON, requests=9)
    assert values(a_rule(raisin, comparator="above", **facts)) == [9.0]


def test_an_hour_in_which_the_version_went_live_is_not_a_quiet_one(
    raisin: Endpoint, version: AlgorithmVersion
) -> None:
    live = measuring.in_production(raisin)
    assert live is not None
    rule = a_rule(
        raisin, metric="requests", comparator="below", limit=5.0, window="hour", consecutive=9
    )
    now = live.since + 2.5 * HOUR
    starts = [start for start, _, _, _ in measured(rule, now)]
    assert all(live.since <= start for start in starts)
    assert len(starts) == 2


def test_changes_in_the_errors_are_counted_when_they_are_found(
    raisin: Endpoint, version: AlgorithmVersion
) -> None:
    for moment in (NOON - HOUR, NOON - 2 * HOUR, days_ago(0) - HOUR):
        a_change(version, moment)
    rule = a_rule(raisin, metric="error_changes", limit=1.0, consecutive=3)
    assert values(rule) == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("metric", AlertMetric.values)
def test_every_metric_can_be_asked_where_nothing_is_known(metric: str, raisin: Endpoint) -> None:
    rule = AlertRule(endpoint=raisin, name="x", metric=metric, comparator="above", limit=0.5)
    rule.feature = "Area" if "feature" in checking.problems(rule) else ""
    assert checking.problems(rule) == {}
    assert set(values(rule)) <= {0.0}


@pytest.mark.parametrize(
    ("comparator", "breaking"),
    [
        ("above", [False, False, True]),
        ("at_least", [False, True, True]),
        ("below", [True, False, False]),
        ("at_most", [True, True, False]),
    ],
)
def test_the_side_of_the_limit(comparator: str, breaking: list[bool]) -> None:
    rule = AlertRule(comparator=comparator, limit=0.5)
    assert [kinds.breaks(rule, value) for value in (0.4, 0.5, 0.6)] == breaking


def since_long_ago(rule: AlertRule) -> measuring.Live:
    live = measuring.in_production(rule.endpoint)
    assert live is not None
    return replace(live, since=NOON - timedelta(days=400))


@pytest.mark.parametrize("metric", ["features_drifted", "accuracy", "positive_rate"])
@pytest.mark.parametrize(
    ("window", "age", "is_read"),
    [
        ("hour", timedelta(hours=14), True),
        ("hour", timedelta(days=2), False),
        ("day", timedelta(days=3), True),
        ("day", timedelta(days=4), False),
        ("week", timedelta(days=21), True),
        ("week", timedelta(days=28), False),
    ],
)
def test_a_window_of_long_ago_tells_nothing(
    metric: str,
    window: str,
    age: timedelta,
    is_read: bool,
    raisin: Endpoint,
    version: AlgorithmVersion,
) -> None:
    start = start_of(window, NOON - age)
    a_report(version, start, window=window, drifted=3)
    labels(version, start, right=10, wrong=90)
    an_hour(version, start)
    rule = a_rule(raisin, metric=metric, window=window)
    found = measuring.measure(rule, live=since_long_ago(rule), now=NOON)
    assert [one.window_start for one in found] == [start] * is_read


def test_a_rule_that_asks_for_more_windows_goes_back_further(
    raisin: Endpoint, version: AlgorithmVersion
) -> None:
    a_report(version, days_ago(12), drifted=3)
    for consecutive, read in ((9, 0), (10, 1)):
        rule = a_rule(raisin, consecutive=consecutive)
        assert len(measuring.measure(rule, live=since_long_ago(rule), now=NOON)) == read


@pytest.mark.parametrize(("age", "is_read"), [(6, True), (8, False)])
def test_windows_by_count_are_read_for_a_week(
    age: int, is_read: bool, raisin: Endpoint, version: AlgorithmVersion
) -> None:
    a_report(version, days_ago(age), window="rows", end=days_ago(age) + HOUR, drifted=3)
    rule = a_rule(raisin, window="rows")
    found = measuring.measure(rule, live=since_long_ago(rule), now=NOON)
    assert [one.value for one in found] == [3.0] * is_read


@pytest.mark.parametrize("metric", ["accuracy", "positive_rate"])
def test_a_quiet_version_is_not_read_back_to_its_promotion(
    metric: str,
    raisin: Endpoint,
    version: AlgorithmVersion,
    django_assert_max_num_queries: Any,
) -> None:
    rule = a_rule(raisin, metric=metric)
    live = since_long_ago(rule)
    with django_assert_max_num_queries(2):
        assert measuring.measure(rule, live=live, now=NOON) == []


def test_a_constant_column_that_moved_is_beyond_any_limit(
    raisin: Endpoint, version: AlgorithmVersion
) -> None:
    for day, facts in ((1, {"verdict": "drift", "effect": None}), (2, {"effect": 0.3})):
        a_column(a_report(version, days_ago(day)), "Area", **facts)
    rule = a_rule(raisin, metric="feature_effect", feature="Area", limit=checking.LARGEST_LIMIT)
    [value] = values(rule)
    assert value == kinds.WITHOUT_BOUND
    assert kinds.breaks(rule, value)


def test_a_column_that_is_not_measured_tells_nothing(
    raisin: Endpoint, version: AlgorithmVersion
) -> None:
    for day, facts in ((1, {"effect": None}), (2, {"effect": 0.3})):
        a_column(a_report(version, days_ago(day)), "Area", **facts)
    assert values(a_rule(raisin, metric="feature_effect", feature="Area")) == [0.3]
