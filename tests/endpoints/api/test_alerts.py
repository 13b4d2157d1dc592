"""Alerts and their rules over REST: listed, made, changed, tried out, muted, acknowledged, deleted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from endpoints.models import Alert, AlertRule, Endpoint, Event, WebhookDelivery
from endpoints.services.alerts import rules
from tests import cast
from tests.endpoints.api.client import post, problem_in, send, with_key
from tests.endpoints.services.alerts.made import (
    ALEX,
    NOON,
    a_report,
    a_rule,
    a_webhook,
    days_ago,
    look,
)

pytestmark = pytest.mark.django_db

ALERTS, RULES = "/api/v1/alerts", "/api/v1/endpoints/raisin/alert-rules"
NEW: dict[str, Any] = {
    "name": "Accuracy falls",
    "metric": "accuracy",
    "comparator": "below",
    "limit": 0.8,
}


@pytest.fixture
def approver(alex: User) -> APIClient:
    return with_key(APIClient(), cast.new_key(alex)[1])


@pytest.fixture
def reader(dev: User) -> APIClient:
    return with_key(APIClient(), cast.new_key(dev, scopes=["read"])[1])


@pytest.fixture
def alert(raisin: Endpoint) -> Alert:
    a_rule(raisin, emails="ana@example.org")
    a_report(raisin.versions.get(number=1), days_ago(1), drifted=2)
    look(raisin)
    return Alert.objects.get()


def rule_path(rule_id: int, verb: str = "") -> str:
    return f"/api/v1/alert-rules/{rule_id}{'/' if verb else ''}{verb}"


def test_it_works(alert: Alert, reader: APIClient) -> None:
    [found] = reader.get(ALERTS).json()["results"]
    assert found == {
        "id": alert.pk,
        "rule": "Too much drift",
        "rule_id": alert.rule_id,
        "endpoint": "raisin",
        "version": 1,
        "metric": "features_drifted",
        "feature": "",
        "severity": "critical",
        "state": "firing",
        "value": 2.0,
        "limit": 1.0,
        "window_start": "2026-11-11T00:00:00Z",
        "pending_at": "2026-11-12T12:00:00Z",
        "fired_at": "2026-11-12T12:00:00Z",
        "resolved_at": None,
        "resolved_reason": "",
        "told_at": "2026-11-12T12:00:00Z",
        "acknowledged_at": None,
        "acknowledged_by": "",
        "note": "",
        "url": f"http://testserver/alerts/{alert.pk}/",
    }


def test_a_resolved_one_says_why(alert: Alert, reader: APIClient) -> None:
    rules.configure(alert.rule, {"enabled": False}, actor=ALEX, now=NOON)
    [found] = reader.get(f"{ALERTS}?state=resolved").json()["results"]
    assert (found["id"], found["resolved_reason"]) == (alert.pk, "The rule is disabled.")


def test_a_list_costs_the_same_at_any_length(raisin: Endpoint, reader: APIClient) -> None:
    a_report(raisin.versions.get(number=1), days_ago(1), drifted=2)
    counts = []
    reader.get(ALERTS)  # the key's last use is noted once in a while
    for numbers in (range(1), range(1, 20)):
        for number in numbers:
            a_rule(raisin, name=f"Rule {number}")
        look(raisin)
        for rule in AlertRule.objects.filter(enabled=True):
            rules.configure(rule, {"enabled": False}, actor=ALEX, now=NOON)
        with CaptureQueriesContext(connection) as asked:
            found = reader.get(ALERTS).json()["results"]
        assert len(found) == numbers.stop
        assert {one["resolved_reason"] for one in found} == {"The rule is disabled."}
        counts.append(len(asked))
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("state=firing", 1),
        ("state=resolved", 0),
        ("endpoint=raisin", 1),
        ("endpoint=other", 0),
        ("endpoint=raisin&state=pending", 0),
    ],
)
def test_alerts_are_narrowed_down(query: str, count: int, alert: Alert, reader: APIClient) -> None:
    cast.an_endpoint("other")
    assert len(reader.get(f"{ALERTS}?{query}").json()["results"]) == count


def test_it_refuses_what_it_does_not_know(alert: Alert, reader: APIClient) -> None:
    problem_in(reader.get(f"{ALERTS}?state=burning"), 400, "invalid_request")
    problem_in(reader.get(f"{ALERTS}?severity=info"), 400, "invalid_request")
    problem_in(reader.get(f"{ALERTS}?endpoint=nowhere"), 404, "not_found")


def test_the_first_to_acknowledge_is_kept(alert: Alert, approver: APIClient, dana: User) -> None:
    path = f"{ALERTS}/{alert.pk}/acknowledge"
    answer = post(approver, path, {"note": "on it"}).json()
    assert (answer["acknowledged_by"], answer["note"]) == ("key tests of alex", "on it")
    another = with_key(APIClient(), cast.new_key(dana)[1])
    again = post(another, path, {"note": "me too"})
    assert again.status_code == 200
    assert again.json() == answer


def test_what_is_resolved_cannot_be_acknowledged(alert: Alert, approver: APIClient) -> None:
    Alert.objects.update(state="resolved", resolved_at=NOON)
    problem_in(post(approver, f"{ALERTS}/{alert.pk}/acknowledge", {}), 409, "invalid_transition")


def test_a_rule_is_made_with_the_usual_settings(raisin: Endpoint, approver: APIClient) -> None:
    response = post(approver, RULES, NEW)
    assert response.status_code == 201
    made = response.json()
    rule = AlertRule.objects.get()
    assert made == NEW | {
        "id": rule.pk,
        "endpoint": "raisin",
        "feature": "",
        "window": "day",
        "consecutive": 1,
        "cooldown_minutes": 1_440,
        "severity": "warning",
        "to_webhooks": True,
        "emails": [],
        "enabled": True,
        "muted_until": None,
        "created_at": made["created_at"],
    }
    assert rule.created_by.username == "alex"
    assert approver.get(rule_path(rule.pk)).json() == made
    assert approver.get(RULES).json()["results"] == [made]
    assert Event.objects.get(verb="create_alert_rule").actor_name == "key tests of alex"


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"limit": 85}, "share"),
        ({"limit": "0.8"}, "limit is a number"),
        ({"window": "rows"}, "counted by time"),
        ({"metric": "feature_psi"}, "Name the feature"),
        ({"metric": "mood"}, "metric is one of"),
        ({"emails": "ana@example.org"}, "a list of at most 20"),
        ({"emails": ["ana@example.org", "ana@example.org"]}, "each once"),
        ({"emails": ["x\nBcc: all@example.org"]}, "a list of at most 20"),
        ({"emails": ["ana@localhost..org"]}, "no mail address"),
        ({"consecutive": 0}, "from 1 to 100"),
        ({"consecutive": 101}, "from 1 to 100"),
        ({"name": "two\nlines"}, "in one line"),
        ({"until": None}, "is not a field here"),
    ],
)
def test_it_refuses(
    facts: dict[str, Any], said: str, raisin: Endpoint, approver: APIClient
) -> None:
    problem = problem_in(post(approver, RULES, NEW | facts), 400, "invalid_request")
    assert said in problem["error"]
    assert not AlertRule.objects.exists()


def test_it_names_every_setting_that_does_not_fit(raisin: Endpoint, approver: APIClient) -> None:
    wrong = NEW | {"limit": 85, "window": "rows"}
    problem = problem_in(post(approver, RULES, wrong), 400, "invalid_request")
    told = {(part["field"], part["code"]) for part in problem["errors"]}
    assert told == {("limit", "bad_setting"), ("window", "bad_setting")}


def test_it_names_what_is_missing(raisin: Endpoint, approver: APIClient) -> None:
    problem = problem_in(post(approver, RULES, {}), 400, "invalid_request")
    named = {part["field"] for part in problem["errors"]}
    assert named == {"name", "metric", "comparator", "limit"}


def test_a_rule_is_changed(raisin: Endpoint, approver: APIClient) -> None:
    rule = a_rule(raisin)
    changes = {"emails": ["ana@example.org", "bob@example.org"], "limit": 2}
    answer = send(approver, "PATCH", rule_path(rule.pk), changes).json()
    assert (answer["emails"], answer["limit"]) == (changes["emails"], 2.0)
    assert answer["name"] == "Too much drift"
    assert send(approver, "PATCH", rule_path(rule.pk), {}).status_code == 200
    refused = send(approver, "PATCH", rule_path(rule.pk), {"feature": "Area"})
    problem_in(refused, 400, "invalid_request")
    rule.refresh_from_db()
    assert (rule.feature, rule.limit) == ("", 2.0)


def test_addresses_are_for_who_keeps_the_rules(alert: Alert, reader: APIClient) -> None:
    assert reader.get(rule_path(alert.rule_id)).json()["emails"] == []
    assert "ana@example.org" not in reader.get(RULES).content.decode()


def test_a_rule_is_deleted(alert: Alert, approver: APIClient) -> None:
    assert send(approver, "DELETE", rule_path(alert.rule_id), b"").status_code == 204
    problem_in(approver.get(rule_path(alert.rule_id)), 404, "not_found")
    assert approver.get(ALERTS).json()["results"] == []


def test_a_rule_is_tried_out(alert: Alert, approver: APIClient) -> None:
    a_webhook()
    assert post(approver, rule_path(alert.rule_id, "test"), b"").status_code == 200
    assert '"type":"alert.test"' in WebhookDelivery.objects.get().body


def test_a_test_that_nobody_would_get_is_refused(raisin: Endpoint, approver: APIClient) -> None:
    rule = a_rule(raisin)
    problem = problem_in(post(approver, rule_path(rule.pk, "test"), {}), 409, "invalid_transition")
    assert "tells nobody" in problem["error"]


def test_a_rule_is_muted_and_told_to_tell_again(alert: Alert, approver: APIClient) -> None:
    path = rule_path(alert.rule_id, "mute")
    until = (timezone.now() + timedelta(hours=1)).replace(microsecond=0)
    answer = post(approver, path, {"until": until.isoformat()}).json()
    assert answer["muted_until"] == until.isoformat().replace("+00:00", "Z")
    assert post(approver, path, {"until": None}).json()["muted_until"] is None
    for unusable in ({}, {"until": "soon"}, {"until": "2026-01-01T00:00:00Z"}):
        problem_in(post(approver, path, unusable), 400, "invalid_request")


def test_who_only_reads_changes_nothing(alert: Alert, reader: APIClient) -> None:
    rule = alert.rule_id
    for method, path, body in (
        ("POST", RULES, NEW),
        ("PATCH", rule_path(rule), {"limit": 2}),
        ("DELETE", rule_path(rule), b""),
        ("POST", rule_path(rule, "test"), {}),
        ("POST", rule_path(rule, "mute"), {"until": None}),
        ("POST", f"{ALERTS}/{alert.pk}/acknowledge", {}),
    ):
        problem_in(send(reader, method, path, body), 403, "not_allowed")


@pytest.mark.parametrize("number", ["99", "9" * 25])
def test_what_is_not_there(number: str, raisin: Endpoint, approver: APIClient) -> None:
    problem_in(approver.get(f"/api/v1/alert-rules/{number}"), 404, "not_found")
    problem_in(post(approver, f"{ALERTS}/{number}/acknowledge", {}), 404, "not_found")


def test_a_hidden_endpoint_is_not_given_away(alert: Alert, approver: APIClient) -> None:
    Endpoint.objects.update(members_only=True)
    problem = problem_in(approver.get(rule_path(alert.rule_id)), 404, "not_found")
    assert "raisin" not in problem["error"]
    assert approver.get(ALERTS).json()["results"] == []


@pytest.mark.parametrize("slug", ["alerts", "alert-rules"])
def test_their_names_are_no_slugs(slug: str, dana: User) -> None:
    scientist = with_key(APIClient(), cast.new_key(dana)[1])
    answer = post(scientist, "/api/v1/endpoints", {"slug": slug, "name": "x"})
    problem_in(answer, 400, "invalid_request")
