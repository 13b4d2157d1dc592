"""Alert rules in the admin: checked beside their fields, recorded; alerts seen to; mails only read."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.contrib.messages import get_messages
from django.test import Client
from django.utils import timezone

from endpoints.admin.alerts import AlertRuleAdmin
from endpoints.models import Alert, AlertRule, EmailDelivery, Endpoint, Event, Membership
from endpoints.roles import ROLES
from endpoints.services import mails
from tests import cast
from tests.endpoints.admin.site import run_action, staff, url
from tests.endpoints.services.alerts.made import a_report, a_rule, a_webhook, days_ago, look

pytestmark = pytest.mark.django_db


@pytest.fixture
def form(raisin: Endpoint) -> dict[str, str]:
    return {
        "endpoint": str(raisin.pk),
        "name": "Too much drift",
        "severity": "warning",
        "enabled": "on",
        "metric": "features_drifted",
        "comparator": "at_least",
        "limit": "1",
        "window": "rows",
        "consecutive": "1",
        "to_webhooks": "on",
        "emails": "ana@example.org",
        "cooldown_minutes": "60",
    }


@pytest.fixture
def alert(raisin: Endpoint) -> Alert:
    a_rule(raisin)
    a_report(raisin.versions.get(number=1), days_ago(1), drifted=2)
    look(raisin)
    return Alert.objects.get()


def said(response: object) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))  # type: ignore[attr-defined]


def test_it_works(form: dict[str, str], admin_client: Client) -> None:
    assert admin_client.post(url("alertrule", "add"), form).status_code == 302
    rule = AlertRule.objects.get()
    assert (rule.name, rule.limit, rule.created_by.username) == ("Too much drift", 1.0, "admin")
    assert Event.objects.filter(verb="create_alert_rule").exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("feature", "Area"),
        ("metric", "requests"),
        ("limit", "nan"),
        ("limit", "-1"),
        ("emails", "ana@example.org\nBcc: x"),
        ("consecutive", "0"),
    ],
)
def test_what_is_wrong_stands_beside_its_field(
    field: str, value: str, form: dict[str, str], admin_client: Client
) -> None:
    page = admin_client.post(url("alertrule", "add"), form | {field: value})
    assert page.status_code == 200
    errors = page.context["adminform"].form.errors
    assert list(errors) == ["window" if field == "metric" else field]
    assert not AlertRule.objects.exists()


def test_one_too_many_is_refused(
    form: dict[str, str], admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("endpoints.services.alerts.checking.MOST_RULES", 0)
    page = admin_client.post(url("alertrule", "add"), form)
    assert page.context["adminform"].form.errors["endpoint"]


def test_a_change_is_recorded(alert: Alert, form: dict[str, str], admin_client: Client) -> None:
    page = url("alertrule", "change", alert.rule_id)
    assert admin_client.get(page).status_code == 200
    changed = form | {"window": "day", "severity": "critical", "emails": ""}
    del changed["enabled"]
    assert admin_client.post(page, changed).status_code == 302
    event = Event.objects.get(verb="change_alert_rule")
    assert event.after == {"enabled": False, "cooldown_minutes": 60}
    assert Alert.objects.get().state == "resolved"


def test_rules_are_enabled_disabled_and_muted(alert: Alert, admin_client: Client) -> None:
    chosen = [alert.rule_id]
    run_action(admin_client, "alertrule", "disable", chosen)
    assert not AlertRule.objects.get().enabled
    run_action(admin_client, "alertrule", "enable", chosen)
    assert AlertRule.objects.get().enabled
    done = run_action(admin_client, "alertrule", "mute_a_day", chosen)
    assert "Muted for a day: Too much drift" in said(done)
    assert AlertRule.objects.get().muted_until > timezone.now() + timedelta(hours=23)
    run_action(admin_client, "alertrule", "tell_again", chosen)
    assert AlertRule.objects.get().muted_until is None


def test_a_test_is_written_or_refused_in_words(alert: Alert, admin_client: Client) -> None:
    done = run_action(admin_client, "alertrule", "send_test", [alert.rule_id])
    assert "tells nobody" in said(done)
    a_webhook()
    done = run_action(admin_client, "alertrule", "send_test", [alert.rule_id])
    assert "The worker sends test messages for: Too much drift." in said(done)


def test_deleted_rules_leave_their_events(alert: Alert, admin_client: Client) -> None:
    run_action(admin_client, "alertrule", "delete_selected", [alert.rule_id], post="yes")
    assert not AlertRule.objects.exists()
    assert Event.objects.filter(verb="delete_alert_rule").exists()


def test_alerts_are_seen_to_and_never_written(alert: Alert, admin_client: Client) -> None:
    page = admin_client.get(url("alert"))
    assert f"/alerts/{alert.pk}/" in page.text
    done = run_action(admin_client, "alert", "acknowledge", [alert.pk])
    assert "You see to 1 of them now." in said(done)
    run_action(admin_client, "alert", "mute_a_day", [alert.pk])
    assert AlertRule.objects.get().muted_until is not None
    assert admin_client.get(url("alert", "change", alert.pk)).status_code == 200
    assert admin_client.post(url("alert", "change", alert.pk), {"note": "x"}).status_code == 403
    assert admin_client.get(url("alert", "add")).status_code == 403


def test_mails_are_read_and_sent_again(admin_client: Client) -> None:
    mail = mails.written(
        "ana@example.org", subject="x", text="x", now=timezone.now() - timedelta(days=1)
    )
    mail.save(force_insert=True)
    EmailDelivery.objects.update(state="failed", attempts=7, problem="away")
    assert "away" in admin_client.get(url("emaildelivery")).text
    done = run_action(admin_client, "emaildelivery", "send_again", [mail.pk])
    assert said(done) == "The worker sends 1 of the 1 chosen again."
    assert EmailDelivery.objects.get().state == "waiting"
    done = run_action(admin_client, "emaildelivery", "send_again", [mail.pk])
    assert "about to be sent anyway" in said(done)
    assert admin_client.get(url("emaildelivery", "add")).status_code == 403


@pytest.mark.parametrize(
    ("role", "status"), [("scientist", 200), ("approver", 200), ("analyst", 403)]
)
def test_who_adds_rules(role: str, status: int, raisin: Endpoint) -> None:
    client = staff("sam", *ROLES[role])
    assert client.get(url("alertrule")).status_code == 200
    assert client.get(url("alertrule", "add")).status_code == status


def test_a_group_does_not_count_at_an_endpoint_for_members_only(
    alert: Alert, form: dict[str, str]
) -> None:
    client = staff("sam", *ROLES["approver"])
    Endpoint.objects.update(members_only=True)
    assert "Too much drift" not in client.get(url("alertrule")).text
    assert "Too much drift" not in client.get(url("alert")).text
    assert client.get(url("alertrule", "change", alert.rule_id)).status_code == 302
    page = client.post(url("alertrule", "add"), form)
    assert page.context["adminform"].form.errors["endpoint"]
    run_action(client, "alert", "acknowledge", [alert.pk])
    alert.refresh_from_db()
    assert alert.acknowledged_at is None


def test_who_may_see_no_endpoint_sees_no_rule(alert: Alert) -> None:
    client = staff("sam", "view_alertrule")
    page = client.get(url("alertrule"))
    assert page.status_code == 200
    assert "Too much drift" not in page.text


@pytest.mark.parametrize(("role", "is_shown"), [("viewer", False), ("scientist", True)])
def test_mail_addresses_are_for_who_keeps_the_rules(
    role: str, is_shown: bool, raisin: Endpoint
) -> None:
    rule = a_rule(raisin, emails="ana@example.org")
    page = staff("sam", *ROLES[role]).get(url("alertrule", "change", rule.pk))
    assert "Too much drift" in page.text
    assert ("ana@example.org" in page.text) == is_shown


def test_who_keeps_the_rules_of_another_endpoint_sees_no_mail_addresses(raisin: Endpoint) -> None:
    rule = a_rule(raisin, emails="ana@example.org")
    Endpoint.objects.update(members_only=True)
    client = staff("sam", *ROLES["scientist"])
    Membership.objects.create(
        user=User.objects.get(username="sam"), endpoint=raisin, role=cast.role("viewer")
    )
    page = client.get(url("alertrule", "change", rule.pk))
    assert "Too much drift" in page.text
    assert "ana@example.org" not in page.text


def test_mail_addresses_cannot_be_guessed_letter_by_letter(raisin: Endpoint) -> None:
    a_rule(raisin, emails="ana@example.org")
    client = staff("sam", *ROLES["viewer"])
    for text in ("a", "b"):
        assert client.get(url("alertrule"), {"emails__startswith": text}).status_code == 400


def test_a_form_keeps_what_another_has_set_meanwhile(
    form: dict[str, str], raisin: Endpoint, admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin_client.post(url("alertrule", "add"), form)
    rule, save = AlertRule.objects.get(), AlertRuleAdmin.save_model

    def late(self: AlertRuleAdmin, *args: object, **kwargs: object) -> None:
        AlertRule.objects.update(limit=3.0)
        save(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(AlertRuleAdmin, "save_model", late)
    admin_client.post(url("alertrule", "change", rule.pk), form | {"name": "Drift"})
    rule.refresh_from_db()
    assert (rule.name, rule.limit) == ("Drift", 3.0)
