"""Alerts are pending, fire, are said again and are resolved; two looks at once fire once."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from endpoints.models import Alert, AlertRule, EmailDelivery, Endpoint, Event, WebhookDelivery
from endpoints.services import lifecycle
from endpoints.services.alerts import evaluating, handling, kinds, measuring, rules
from endpoints.services.alerts.measuring import Measured
from tests.endpoints.services.alerts.made import (
    ALEX,
    NOON,
    a_column,
    a_report,
    a_rule,
    a_webhook,
    at,
    days_ago,
    look,
)
from tests.endpoints.services.decisions import decision

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def listener(db: None) -> None:
    a_webhook()


def told() -> list[str]:
    """Return the types of the messages about alerts, the oldest first."""
    bodies = WebhookDelivery.objects.order_by("created_at", "id").values_list("body", flat=True)
    kinds = [json.loads(body)["type"] for body in bodies]
    return [kind for kind in kinds if kind.startswith("alert.")]


def steps() -> list[str]:
    events = Event.objects.filter(verb__startswith="alert_").order_by("id")
    return [verb.removeprefix("alert_") for verb in events.values_list("verb", flat=True)]


def test_it_works(raisin: Endpoint) -> None:
    rule = a_rule(raisin)
    version = raisin.versions.get(number=1)
    a_report(version, days_ago(1), drifted=2)
    assert look(raisin) == "firing"
    alert = Alert.objects.get()
    assert (alert.rule, alert.version, alert.value, alert.limit) == (rule, version, 2.0, 1.0)
    assert alert.window_start == days_ago(1)
    assert alert.pending_at == alert.fired_at == alert.told_at == NOON
    assert (steps(), told()) == (["firing"], ["alert.firing"])


def test_nothing_is_written_while_all_is_well(raisin: Endpoint) -> None:
    a_rule(raisin)
    a_report(raisin.versions.get(number=1), days_ago(1))
    assert look(raisin) == ""
    assert (steps(), told()) == ([], [])


def test_it_is_pending_until_enough_windows_in_a_row_are_bad(raisin: Endpoint) -> None:
    a_rule(raisin, consecutive=2)
    version = raisin.versions.get(number=1)
    a_report(version, days_ago(3), drifted=1)
    a_report(version, days_ago(2))
    a_report(version, days_ago(1), drifted=1)
    assert look(raisin) == "pending"
    assert told() == []
    a_report(version, days_ago(0), drifted=3)
    assert look(raisin, NOON + HOUR) == "firing"
    alert = Alert.objects.get()
    assert (alert.pending_at, alert.fired_at, alert.value) == (NOON, NOON + HOUR, 3.0)
    assert (steps(), told()) == (["pending", "firing"], ["alert.firing"])


def test_what_was_only_pending_ends_without_a_word(raisin: Endpoint) -> None:
    a_rule(raisin, consecutive=2)
    version = raisin.versions.get(number=1)
    a_report(version, days_ago(1), drifted=1)
    look(raisin)
    a_report(version, days_ago(0), is_open=False)
    assert look(raisin) == "resolved"
    assert Alert.objects.get().fired_at is None
    assert (steps(), told()) == (["pending", "resolved"], [])


def test_a_good_window_resolves_it_and_that_is_told_once(raisin: Endpoint) -> None:
    a_rule(raisin)
    version = raisin.versions.get(number=1)
    a_report(version, days_ago(1), drifted=1)
    look(raisin)
    a_report(version, days_ago(0), is_open=False)
    for minutes in (1, 2):
        assert look(raisin, NOON + timedelta(minutes=minutes)) == "resolved"
    alert = Alert.objects.get()
    assert (alert.resolved_at, alert.value) == (NOON + timedelta(minutes=1), 0.0)
    assert alert.window_start == days_ago(1)
    assert told() == ["alert.firing", "alert.resolved"]
    body = json.loads(WebhookDelivery.objects.order_by("-created_at").first().body)  # type: ignore[union-attr]
    assert body["data"]["reason"] == evaluating.GOOD_AGAIN


@pytest.mark.parametrize(
    "facts", [{"verdict": "insufficient_data"}, {"n_rows": 49}], ids=["no verdict", "few rows"]
)
def test_a_window_without_enough_data_neither_breaks_nor_heals(
    facts: dict[str, object], raisin: Endpoint
) -> None:
    a_rule(raisin, consecutive=2)
    version = raisin.versions.get(number=1)
    a_report(version, days_ago(3), drifted=1)
    a_report(version, days_ago(2), drifted=0, **facts)
    a_report(version, days_ago(1), drifted=1)
    assert look(raisin) == "firing"
    a_report(version, days_ago(0), drifted=0, **facts)
    assert look(raisin, NOON + HOUR) == "firing"


def test_an_open_window_counts(raisin: Endpoint) -> None:
    a_rule(raisin)
    a_report(raisin.versions.get(number=1), days_ago(0), drifted=1, is_open=True)
    assert look(raisin) == "firing"


def test_an_open_window_proves_nothing_good(raisin: Endpoint) -> None:
    a_rule(raisin)
    version = raisin.versions.get(number=1)
    a_report(version, days_ago(2), drifted=1)
    assert look(raisin) == "firing"
    a_report(version, days_ago(0), is_open=True)
    assert look(raisin) == "firing"
    a_report(version, days_ago(1), is_open=False)
    assert look(raisin) == "resolved"
    assert Alert.objects.get().resolved_at == NOON


def test_a_window_that_broke_the_limit_while_it_was_open_must_be_good_as_a_whole(
    raisin: Endpoint,
) -> None:
    a_rule(raisin)
    version = raisin.versions.get(number=1)
    a_report(version, days_ago(1))
    today = a_report(version, days_ago(0), drifted=1, is_open=True)
    assert look(raisin) == "firing"
    today.drifted = 0
    today.save()
    assert look(raisin) == "firing"
    today.is_open = False
    today.save()
    assert look(raisin) == "resolved"


def test_it_is_said_again_after_the_cooldown(raisin: Endpoint) -> None:
    a_rule(raisin, cooldown_minutes=60)
    a_report(raisin.versions.get(number=1), days_ago(1), drifted=1)
    for minutes in (0, 59, 60, 119, 120):
        look(raisin, NOON + timedelta(minutes=minutes))
    assert told() == ["alert.firing"] * 3
    assert Alert.objects.get().told_at == NOON + timedelta(hours=2)
    assert steps() == ["firing"]


def test_without_a_cooldown_it_is_said_once(raisin: Endpoint) -> None:
    a_rule(raisin, cooldown_minutes=0)
    a_report(raisin.versions.get(number=1), days_ago(1), drifted=1)
    for days in (0, 1, 30):
        look(raisin, NOON + timedelta(days=days))
    assert told() == ["alert.firing"]


def test_whoever_sees_to_it_is_not_reminded(raisin: Endpoint) -> None:
    a_rule(raisin, cooldown_minutes=60)
    version = raisin.versions.get(number=1)
    a_report(version, days_ago(1), drifted=1)
    look(raisin)
    handling.acknowledge(Alert.objects.get(), note="on it", actor=ALEX, now=NOON)
    look(raisin, NOON + 2 * HOUR)
    assert told() == ["alert.firing"]
    a_report(version, days_ago(0), is_open=False)
    look(raisin, NOON + 3 * HOUR)
    assert told() == ["alert.firing", "alert.resolved"]


def test_an_acknowledgement_in_the_midst_of_a_look_is_kept(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_rule(raisin)
    a_report(raisin.versions.get(number=1), days_ago(1), drifted=1)
    look(raisin)
    breaks = kinds.breaks

    def meanwhile(rule: AlertRule, value: float) -> bool:
        Alert.objects.update(acknowledged_at=NOON, acknowledged_by="alex")
        return breaks(rule, value)

    monkeypatch.setattr(kinds, "breaks", meanwhile)
    look(raisin, NOON + HOUR)
    assert Alert.objects.get().acknowledged_by == "alex"


def test_a_muted_rule_moves_and_tells_nobody_until_the_mute_ends(raisin: Endpoint) -> None:
    rule = a_rule(raisin, emails="ana@example.org")
    rules.mute(rule, until=NOON + HOUR, actor=ALEX, now=NOON - HOUR)
    a_report(raisin.versions.get(number=1), days_ago(1), drifted=1)
    assert look(raisin) == "firing"
    assert (told(), EmailDelivery.objects.count()) == ([], 0)
    assert look(raisin, NOON + HOUR) == "firing"
    assert (told(), EmailDelivery.objects.count()) == (["alert.firing"], 1)
    assert steps() == ["firing"]


def test_what_nobody_heard_of_is_resolved_in_silence(raisin: Endpoint) -> None:
    rule = a_rule(raisin)
    rules.mute(rule, until=NOON + HOUR, actor=ALEX, now=NOON - HOUR)
    version = raisin.versions.get(number=1)
    a_report(version, days_ago(1), drifted=1)
    look(raisin)
    a_report(version, days_ago(0), is_open=False)
    assert look(raisin, NOON + 2 * HOUR) == "resolved"
    assert told() == []


def test_a_disabled_rule_is_resolved_and_looked_at_no_more(raisin: Endpoint) -> None:
    rule = a_rule(raisin)
    a_report(raisin.versions.get(number=1), days_ago(1), drifted=1)
    look(raisin)
    rules.configure(rule, {"enabled": False}, actor=ALEX, now=NOON + HOUR)
    assert look(raisin, NOON + 2 * HOUR) == "resolved"
    assert Alert.objects.get().resolved_at == NOON + HOUR
    assert told() == ["alert.firing", "alert.resolved"]


def test_a_rule_disabled_behind_our_back_is_resolved_at_the_next_look(raisin: Endpoint) -> None:
    a_rule(raisin)
    a_report(raisin.versions.get(number=1), days_ago(1), drifted=1)
    look(raisin)
    AlertRule.objects.update(enabled=False)
    assert look(raisin) == "resolved"
    assert Event.objects.get(verb="alert_resolved").reason == evaluating.DISABLED


def test_with_another_version_the_windows_start_anew(raisin: Endpoint) -> None:
    a_rule(raisin, consecutive=2)
    first, second = raisin.versions.order_by("number")
    for days in (2, 1):
        a_report(first, days_ago(days), drifted=1)
    assert look(raisin) == "firing"
    lifecycle.promote(version=second, decision=decision(seen=1))
    assert look(raisin, NOON + HOUR) == "resolved"
    assert Event.objects.get(verb="alert_resolved").reason == "v2 is in production now."
    a_report(second, days_ago(0), drifted=1)
    assert look(raisin, NOON + 2 * HOUR) == "pending"
    assert Alert.objects.open().get().version == second


def test_windows_from_before_a_version_went_live_are_not_its_own(raisin: Endpoint) -> None:
    a_rule(raisin)
    first = raisin.versions.get(number=1)
    a_report(first, days_ago(30), drifted=1)
    assert look(raisin) == ""


def test_without_a_version_in_production_it_ends(raisin: Endpoint) -> None:
    a_rule(raisin)
    version = raisin.versions.get(number=1)
    a_report(version, days_ago(1), drifted=1)
    look(raisin)
    lifecycle.archive(version=version, decision=decision())
    assert look(raisin) == "resolved"
    assert Event.objects.get(verb="alert_resolved").reason == evaluating.NO_VERSION


def test_who_listens_later_is_told_then(raisin: Endpoint) -> None:
    a_rule(raisin, to_webhooks=False)
    a_report(raisin.versions.get(number=1), days_ago(1), drifted=1)
    look(raisin)
    assert (told(), Alert.objects.get().told_at) == ([], None)
    AlertRule.objects.update(to_webhooks=True)
    look(raisin, NOON + HOUR)
    assert told() == ["alert.firing"]


def test_rules_of_other_endpoints_are_left_alone(raisin: Endpoint) -> None:
    a_rule(raisin)
    a_report(raisin.versions.get(number=1), days_ago(1), drifted=1)
    other = Endpoint.objects.create(slug="other", name="Other")
    assert look(other) == ""


def test_a_rule_that_cannot_be_looked_at_does_not_keep_the_others_from_it(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken, sound = a_rule(raisin, name="broken"), a_rule(raisin, name="sound")
    a_report(raisin.versions.get(number=1), days_ago(1), drifted=1)
    measure = measuring.measure

    def failing(rule: AlertRule, **facts: Any) -> list[Measured]:
        if rule == broken:
            raise ZeroDivisionError
        return measure(rule, **facts)

    monkeypatch.setattr(measuring, "measure", failing)
    assert look(raisin) == "firing"
    assert Alert.objects.get().rule == sound
    assert f"alert rule {broken.pk} of raisin" in caplog.text


def test_an_alert_whose_windows_are_long_past_stays_and_says_no_more(raisin: Endpoint) -> None:
    a_rule(raisin, cooldown_minutes=60)
    a_report(raisin.versions.get(number=1), days_ago(0), drifted=1, is_open=False)
    for days in (0, 1, 30):
        assert look(raisin, NOON + days * DAY) == "firing"
    assert told() == ["alert.firing"] * 2


def test_a_shift_without_bound_fires_in_words_and_as_a_number(raisin: Endpoint) -> None:
    a_rule(raisin, metric="feature_effect", feature="Area", emails="ana@example.org")
    report = a_report(raisin.versions.get(number=1), days_ago(1))
    a_column(report, "Area", verdict="drift", effect=None)
    assert look(raisin) == "firing"
    body = json.loads(WebhookDelivery.objects.order_by("-created_at").first().body)  # type: ignore[union-attr]
    assert body["data"]["value"] == 1e12
    assert "Value: without bound; it alerts at ≥ 1" in EmailDelivery.objects.get().text


@pytest.mark.django_db(transaction=True)
def test_four_looks_at_once_fire_once(raisin: Endpoint) -> None:
    a_rule(raisin)
    a_report(raisin.versions.get(number=1), days_ago(1), drifted=1)
    ready = threading.Barrier(4)

    def evaluate() -> None:
        try:
            ready.wait()
            evaluating.evaluate(raisin, at(NOON))
        finally:
            connection.close()

    threads = [threading.Thread(target=evaluate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Alert.objects.get().state == "firing"
    assert (steps(), told()) == (["firing"], ["alert.firing"])
