"""What of alerts and rules is found, in which order, and why an alert ended."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from endpoints.models import Alert, AlertRule, Endpoint
from endpoints.services.alerts import evaluating, handling, rules
from tests import cast
from tests.endpoints.services.alerts.made import ALEX, NOON, a_report, a_rule, days_ago, look

pytestmark = pytest.mark.django_db


def reasons() -> dict[str, str]:
    """Return why each alert ended, by the name of its rule."""
    alerts = list(Alert.objects.select_related("rule"))
    told = handling.why_resolved(alerts)
    return {alert.rule.name: told[alert.pk] for alert in alerts if alert.pk in told}


def test_it_works(raisin: Endpoint) -> None:
    """Three that end in three ways, at the same moment, and one that goes on."""
    for name in ("good again", "disabled", "changed", "goes on"):
        a_rule(raisin, name=name)
    version = raisin.versions.get(number=1)
    a_report(version, days_ago(1), drifted=2)
    look(raisin)
    AlertRule.objects.filter(name="good again").update(limit=9.0)
    look(raisin)
    for name, change in (("disabled", {"enabled": False}), ("changed", {"window": "hour"})):
        rules.configure(AlertRule.objects.get(name=name), change, actor=ALEX, now=NOON)
    assert reasons() == {
        "good again": evaluating.GOOD_AGAIN,
        "disabled": evaluating.DISABLED,
        "changed": evaluating.CHANGED,
    }


def test_each_time_has_its_reason(raisin: Endpoint) -> None:
    rule = a_rule(raisin)
    a_report(raisin.versions.get(number=1), days_ago(1), drifted=2)
    look(raisin)
    evaluating.close(rule, reason="the first", now=NOON)
    look(raisin, NOON + timedelta(minutes=1))
    evaluating.close(rule, reason="the second", now=NOON + timedelta(minutes=2))
    alerts = list(Alert.objects.order_by("id"))
    told = handling.why_resolved(alerts)
    assert [told[alert.pk] for alert in alerts] == ["the first", "the second"]


def test_what_has_no_event_has_no_reason(raisin: Endpoint) -> None:
    a_rule(raisin)
    a_report(raisin.versions.get(number=1), days_ago(1), drifted=2)
    look(raisin)
    Alert.objects.update(state="resolved", resolved_at=NOON)
    assert reasons() == {}
    assert handling.why_resolved([]) == {}


def test_many_reasons_take_one_query(raisin: Endpoint) -> None:
    """It asks for the moments, which have an index: an endpoint's story may be long."""
    kept = [a_rule(raisin, name=f"Rule {number}") for number in range(5)]
    a_report(raisin.versions.get(number=1), days_ago(1), drifted=2)
    look(raisin)
    for rule in kept:
        evaluating.close(rule, reason="over", now=NOON)
    alerts = list(Alert.objects.select_related("rule"))
    with CaptureQueriesContext(connection) as asked:
        assert list(handling.why_resolved(alerts).values()) == ["over"] * 5
    [query] = asked
    assert '"endpoints_event"."at" IN (' in query["sql"]


def test_rules_that_fire_come_first(raisin: Endpoint) -> None:
    limits = {"a good": (9.0, 1), "b pending": (1.0, 2), "c fires": (1.0, 1), "d good": (9.0, 1)}
    for name, (limit, consecutive) in limits.items():
        a_rule(raisin, name=name, limit=limit, consecutive=consecutive)
    a_rule(raisin, name="a fires")
    other = cast.an_endpoint("other")
    a_rule(other, name="of another")
    a_report(raisin.versions.get(number=1), days_ago(1), drifted=2)
    look(raisin)
    names = list(handling.rules_of(raisin).values_list("name", flat=True))
    assert names == ["a fires", "c fires", "b pending", "a good", "d good"]


def test_what_fired_before_counts_no_more(raisin: Endpoint) -> None:
    a_rule(raisin, name="a good")
    fired = a_rule(raisin, name="b fired", limit=2.0)
    AlertRule.objects.filter(name="a good").update(limit=9.0)
    a_report(raisin.versions.get(number=1), days_ago(1), drifted=2)
    look(raisin)
    assert [rule.name for rule in handling.rules_of(raisin)] == ["b fired", "a good"]
    evaluating.close(fired, reason="over", now=NOON)
    assert [rule.name for rule in handling.rules_of(raisin)] == ["a good", "b fired"]
