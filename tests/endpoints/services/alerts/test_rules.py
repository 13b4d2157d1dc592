"""Rules are checked, kept, changed and deleted, by who may, and every change is recorded."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from endpoints.errors import InvalidRequest, InvalidTransition, NotAllowed, NotFound
from endpoints.models import Alert, AlertRule, Endpoint, Event
from endpoints.models.alert import AlertMetric
from endpoints.services.access import Caller, Need
from endpoints.services.alerts import checking, handling, kinds, rules
from tests import cast
from tests.endpoints.services.alerts.made import (
    ALEX,
    NOON,
    a_report,
    a_rule,
    days_ago,
    look,
)

pytestmark = pytest.mark.django_db
SOUND = {
    "name": "Too much drift",
    "metric": "features_drifted",
    "comparator": "at_least",
    "limit": 1.0,
}


def problems(endpoint: Endpoint, **facts: Any) -> dict[str, str]:
    return checking.problems(AlertRule(endpoint=endpoint, **SOUND | facts))


def test_it_works(raisin: Endpoint) -> None:
    rule = a_rule(raisin, emails="ana@example.org")
    assert AlertRule.objects.get() == rule
    event = Event.objects.get(verb="create_alert_rule")
    assert (event.actor_name, event.endpoint, event.at) == ("alex", raisin, NOON)
    assert event.after["limit"] == 1.0
    assert event.after["emails"] == 1  # no address in a log that many read


def test_a_sound_rule_has_no_problem(raisin: Endpoint) -> None:
    assert problems(raisin) == {}


@pytest.mark.parametrize(
    ("facts", "field", "said"),
    [
        ({"name": ""}, "name", "blank"),
        ({"name": "two\nlines"}, "name", "one line"),
        ({"metric": "mood"}, "metric", "not a valid choice"),
        ({"comparator": "near"}, "comparator", "not a valid choice"),
        ({"severity": "meh"}, "severity", "not a valid choice"),
        ({"window": "year"}, "window", "not a valid choice"),
        ({"feature": "Area"}, "feature", "no single feature"),
        ({"metric": "feature_psi"}, "feature", "Name the feature"),
        ({"metric": "feature_psi", "feature": "Aera"}, "feature", 'mean "Area"'),
        ({"limit": float("nan")}, "limit", "number"),
        ({"limit": -1.0}, "limit", "number"),
        ({"limit": 1e10}, "limit", "number"),
        ({"metric": "accuracy", "limit": 85.0}, "limit", "share"),
        ({"consecutive": 0}, "consecutive", "greater than or equal to 1"),
        ({"consecutive": 101}, "consecutive", "less than or equal to 100"),
        ({"cooldown_minutes": 600_000}, "cooldown_minutes", "year"),
        ({"emails": "ana"}, "emails", "no mail address"),
        ({"emails": "a@example.org, b@example.org"}, "emails", "no mail address"),
        ({"emails": "\n".join(f"a{n}@example.org" for n in range(21))}, "emails", "20"),
    ],
)
def test_it_refuses(facts: dict[str, Any], field: str, said: str, raisin: Endpoint) -> None:
    found = problems(raisin, **facts)
    assert list(found) == [field]
    assert said in found[field]
    with pytest.raises(InvalidRequest, match=field):
        a_rule(raisin, **facts)


@pytest.mark.parametrize("metric", sorted(set(AlertMetric.values) - kinds.FROM_REPORTS))
def test_it_refuses_windows_by_rows_for_what_is_counted_by_time(
    metric: str, raisin: Endpoint
) -> None:
    found = problems(raisin, metric=metric, window="rows")
    assert "choose hour, day or week" in found["window"]


@pytest.mark.parametrize("metric", sorted(kinds.FROM_REPORTS))
def test_it_takes_windows_by_rows_for_drift(metric: str, raisin: Endpoint) -> None:
    feature = "Area" if metric in kinds.OF_A_FEATURE else ""
    assert problems(raisin, metric=metric, feature=feature, window="rows") == {}


def test_without_a_version_any_feature_may_be_named(db: None) -> None:
    endpoint = cast.an_endpoint()
    assert problems(endpoint, metric="feature_psi", feature="who knows") == {}


def test_an_endpoint_has_so_many_rules_at_most(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "MOST_RULES", 1)
    rule = a_rule(raisin)
    with pytest.raises(InvalidRequest, match="which is the most"):
        a_rule(raisin)
    assert checking.problems(rule) == {}


def test_a_change_is_recorded_with_what_was_before(raisin: Endpoint) -> None:
    rule = a_rule(raisin)
    assert rules.configure(rule, {"limit": 2.0, "window": "day"}, actor=ALEX, now=NOON)
    event = Event.objects.get(verb="change_alert_rule")
    assert (event.before, event.after) == ({"limit": 1.0}, {"limit": 2.0})
    assert not rules.configure(rule, {"limit": 2.0}, actor=ALEX, now=NOON)
    assert Event.objects.filter(verb="change_alert_rule").count() == 1


def test_what_another_has_set_meanwhile_is_kept(raisin: Endpoint) -> None:
    rule = a_rule(raisin)
    mine, theirs = AlertRule.objects.get(), AlertRule.objects.get()
    rules.configure(theirs, {"limit": 3.0}, actor=ALEX, now=NOON)
    assert rules.configure(mine, {"name": "Drift"}, actor=ALEX, now=NOON)
    rule.refresh_from_db()
    assert (rule.name, rule.limit) == ("Drift", 3.0)
    assert mine.limit == 3.0
    newest = Event.objects.filter(verb="change_alert_rule").latest("id")
    assert (newest.before, newest.after) == ({"name": "Too much drift"}, {"name": "Drift"})


def test_a_change_is_checked_with_what_another_has_set_meanwhile(raisin: Endpoint) -> None:
    a_rule(raisin)
    mine, theirs = AlertRule.objects.get(), AlertRule.objects.get()
    rules.configure(theirs, {"metric": "accuracy", "limit": 0.8}, actor=ALEX, now=NOON)
    with pytest.raises(InvalidRequest, match="share"):
        rules.configure(mine, {"limit": 85.0}, actor=ALEX, now=NOON)


@pytest.mark.django_db(transaction=True)
def test_settings_that_are_changed_at_once_are_all_kept(raisin: Endpoint) -> None:
    rule = a_rule(raisin)
    changes = {"name": "Drift", "limit": 3.0, "consecutive": 2, "severity": "info"}
    stale = [(AlertRule.objects.get(), {name: value}) for name, value in changes.items()]
    ready = threading.Barrier(len(stale))

    def configure(read: AlertRule, settings: dict[str, Any]) -> None:
        try:
            ready.wait()
            rules.configure(read, settings, actor=ALEX, now=NOON)
        finally:
            connection.close()

    threads = [threading.Thread(target=configure, args=args) for args in stale]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rule.refresh_from_db()
    assert {name: getattr(rule, name) for name in changes} == changes


def test_a_rule_that_is_deleted_meanwhile_is_not_there(raisin: Endpoint) -> None:
    rule = a_rule(raisin)
    AlertRule.objects.all().delete()
    for change in (
        lambda: rules.configure(rule, {"limit": 3.0}, actor=ALEX, now=NOON),
        lambda: rules.mute(rule, until=None, actor=ALEX, now=NOON),
    ):
        with pytest.raises(NotFound, match=f"no alert rule {rule.pk}"):
            change()
    assert not AlertRule.objects.exists()


def test_a_change_is_checked(raisin: Endpoint) -> None:
    rule = a_rule(raisin)
    with pytest.raises(InvalidRequest, match="limit"):
        rules.configure(rule, {"limit": -1.0}, actor=ALEX, now=NOON)
    rule.refresh_from_db()
    assert rule.limit == 1.0


@pytest.mark.parametrize(
    ("settings", "state"), [({"limit": 2.0}, "firing"), ({"window": "hour"}, "resolved")]
)
def test_an_open_alert_ends_with_what_it_measures(
    settings: dict[str, Any], state: str, raisin: Endpoint
) -> None:
    rule = a_rule(raisin)
    a_report(raisin.versions.get(number=1), days_ago(1), drifted=3)
    look(raisin)
    rules.configure(rule, settings, actor=ALEX, now=NOON)
    assert Alert.objects.get().state == state
    assert look(raisin) == state


def test_a_deleted_rule_takes_its_alerts_along_and_leaves_its_events(raisin: Endpoint) -> None:
    rule = a_rule(raisin)
    a_report(raisin.versions.get(number=1), days_ago(1), drifted=3)
    look(raisin)
    rules.remove(rule, actor=ALEX, now=NOON)
    assert not AlertRule.objects.exists()
    assert not Alert.objects.exists()
    verbs = Event.objects.order_by("id").values_list("verb", flat=True)
    assert list(verbs)[-2:] == ["alert_resolved", "delete_alert_rule"]


def test_muting_is_recorded_and_ends(raisin: Endpoint) -> None:
    rule = a_rule(raisin)
    until = NOON + timedelta(hours=1)
    assert rules.mute(rule, until=until, actor=ALEX, now=NOON)
    assert AlertRule.objects.get().muted_until == until
    assert rules.mute(rule, until=None, actor=ALEX, now=NOON)
    assert AlertRule.objects.get().muted_until is None
    assert not rules.mute(rule, until=None, actor=ALEX, now=NOON)
    events = Event.objects.filter(verb__endswith="mute_alert_rule").order_by("id")
    assert [(event.verb, event.after["muted_until"]) for event in events] == [
        ("mute_alert_rule", until.isoformat()),
        ("unmute_alert_rule", None),
    ]


def test_it_refuses_a_mute_that_is_over(raisin: Endpoint) -> None:
    with pytest.raises(InvalidRequest, match="future"):
        rules.mute(a_rule(raisin), until=NOON, actor=ALEX, now=NOON)


def test_the_default_rule_watches_the_newest_rows(raisin: Endpoint) -> None:
    rule = rules.add_default(raisin, actor=ALEX, now=NOON)
    told = (rule.metric, rule.comparator, rule.limit, rule.window, rule.severity)
    assert told == ("features_drifted", "at_least", 1.0, "rows", "warning")


def test_only_who_may_keeps_rules(raisin: Endpoint, ana: User, alex: User, dana: User) -> None:
    rule = a_rule(raisin)
    nobody = Caller(user=ana)
    for refused in (
        lambda: rules.add_default(raisin, actor=nobody, now=NOON),
        lambda: rules.configure(rule, {"limit": 2.0}, actor=nobody, now=NOON),
        lambda: rules.remove(rule, actor=nobody, now=NOON),
        lambda: rules.mute(rule, until=None, actor=nobody, now=NOON),
        lambda: rules.send_test(rule, actor=nobody, now=NOON),
    ):
        with pytest.raises(NotAllowed):
            refused()
    for person in (alex, dana):
        rules.add_default(raisin, actor=Caller(user=person), now=NOON)


def test_the_first_to_acknowledge_is_kept(raisin: Endpoint) -> None:
    a_rule(raisin)
    a_report(raisin.versions.get(number=1), days_ago(1), drifted=3)
    look(raisin)
    alert = Alert.objects.get()
    assert handling.acknowledge(alert, note="on it", actor=ALEX, now=NOON)
    assert not handling.acknowledge(alert, note="me too", actor=Caller(system="dana"), now=NOON)
    alert.refresh_from_db()
    assert (alert.acknowledged_by, alert.note, alert.acknowledged_at) == ("alex", "on it", NOON)
    assert Event.objects.get(verb="acknowledge_alert").reason == "on it"


def test_what_is_resolved_needs_nobody(raisin: Endpoint) -> None:
    rule = a_rule(raisin)
    a_report(raisin.versions.get(number=1), days_ago(1), drifted=3)
    look(raisin)
    rules.configure(rule, {"enabled": False}, actor=ALEX, now=NOON)
    with pytest.raises(InvalidTransition, match="resolved already"):
        handling.acknowledge(Alert.objects.get(), note="", actor=ALEX, now=NOON)


def test_alerts_of_hidden_endpoints_are_not_there(raisin: Endpoint, alex: User) -> None:
    rule = a_rule(raisin)
    a_report(raisin.versions.get(number=1), days_ago(1), drifted=3)
    look(raisin)
    alert, caller = Alert.objects.get(), Caller(user=alex)
    assert handling.find_alert(alert.pk, caller=caller, need=Need.ALERTS) == alert
    assert list(handling.visible(caller)) == [alert]
    Endpoint.objects.update(members_only=True)
    with pytest.raises(NotFound, match=f"no alert {alert.pk}"):
        handling.find_alert(alert.pk, caller=caller, need=Need.READ)
    with pytest.raises(NotFound, match=f"no alert rule {rule.pk}"):
        handling.find_rule(rule.pk, caller=caller, need=Need.READ)
    assert list(handling.visible(caller)) == []


def test_what_nobody_sees_to_comes_first_then_the_worst(raisin: Endpoint) -> None:
    for name, severity in (("a", "info"), ("b", "critical"), ("c", "warning"), ("d", "critical")):
        a_rule(raisin, name=name, severity=severity)
    a_report(raisin.versions.get(number=1), days_ago(1), drifted=3)
    look(raisin)
    handling.acknowledge(Alert.objects.get(rule__name="b"), note="", actor=ALEX, now=NOON)
    order = [alert.rule.name for alert in handling.needing_attention(ALEX)]
    assert order == ["d", "c", "a", "b"]
