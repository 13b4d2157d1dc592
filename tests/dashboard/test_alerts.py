"""The pages of alerts: what fires, one alert with its messages, the rules of an endpoint, the home page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboard.presenters import alerts
from endpoints.models import Alert, AlertRule, EmailDelivery, Endpoint, Webhook, WebhookDelivery
from endpoints.services import mails
from endpoints.services.alerts import evaluating
from endpoints.services.monitoring.windows import start_of
from tests import cast
from tests.dashboard.conftest import Browse
from tests.dashboard.pages import assert_clean, read, text_of
from tests.endpoints.services.alerts.made import a_report, a_rule, a_webhook, days_ago, look

pytestmark = pytest.mark.django_db
LONG = "A-name-without-any-place-to-break-" * 3


@pytest.fixture
def alert(raisin: Endpoint) -> Alert:
    a_webhook()
    a_rule(raisin, emails="ana@example.org")
    a_report(raisin.versions.get(number=1), days_ago(1), drifted=2)
    look(raisin)
    return Alert.objects.get()


def page_of(alert: Alert) -> str:
    return f"/alerts/{alert.pk}/"


def test_it_works(alert: Alert, eve: User, browse: Browse) -> None:
    response = browse(eve).get("/alerts/")
    assert_clean(response)
    said = text_of(response)
    assert all(part in said for part in ("Too much drift", "Firing", "critical", "≥ 1", "nobody"))
    assert page_of(alert) in read(response).links


def test_nothing_fires(raisin: Endpoint, eve: User, browse: Browse) -> None:
    response = browse(eve).get("/alerts/")
    assert_clean(response)
    assert "Nothing fires" in text_of(response)


def test_pending_and_resolved_ones_stand_below(alert: Alert, eve: User, browse: Browse) -> None:
    a_rule(alert.rule.endpoint, name="Slowly", consecutive=2)
    look(alert.rule.endpoint)
    Alert.objects.filter(pk=alert.pk).update(state="resolved", resolved_at=timezone.now())
    response = browse(eve).get("/alerts/")
    assert_clean(response)
    said = text_of(response)
    assert said.index("Nothing fires") < said.index("Slowly") < said.index("Too much drift")


def test_what_one_may_not_see_is_not_there(alert: Alert, eve: User, browse: Browse) -> None:
    Endpoint.objects.update(members_only=True)
    client = browse(eve)
    assert "Too much drift" not in text_of(client.get("/alerts/"))
    assert "Too much drift" not in text_of(client.get("/"))
    assert client.get(page_of(alert)).status_code == 404


def test_the_home_page_tells_of_it(alert: Alert, eve: User, browse: Browse) -> None:
    response = browse(eve).get("/")
    assert_clean(response)
    assert "Raisin: Too much drift: features in drift 2, it alerts at ≥ 1" in text_of(response)
    assert page_of(alert) in read(response).links
    assert "/alerts/" in read(response).links


def test_the_home_page_says_when_there_are_more(
    raisin: Endpoint, eve: User, browse: Browse
) -> None:
    for number in range(6):
        a_rule(raisin, name=f"Rule {number}")
    a_report(raisin.versions.get(number=1), days_ago(1), drifted=2)
    look(raisin)
    said = text_of(browse(eve).get("/"))
    assert said.count("features in drift 2") == 5
    assert "More alerts are firing." in said


def test_an_alert_tells_all_of_itself(alert: Alert, alex: User, browse: Browse) -> None:
    WebhookDelivery.objects.update(state="failed", attempts=7, problem="It is away.")
    response = browse(alex).get(page_of(alert))
    assert_clean(response)
    said = text_of(response)
    assert "features in drift ≥ 1, by the day" in said
    assert all(part in said for part in ("chat", "ana@example.org", "Failed", "It is away."))


def test_addresses_and_problems_are_for_who_keeps_the_rules(
    alert: Alert, eve: User, browse: Browse
) -> None:
    EmailDelivery.objects.update(problem="ana@example.org is unknown")
    response = browse(eve).get(page_of(alert))
    assert_clean(response)
    assert "a mail address" in text_of(response)
    assert "ana@example.org" not in response.text
    assert "Acknowledge" not in response.text


def test_acknowledging(alert: Alert, alex: User, browse: Browse) -> None:
    client = browse(alex)
    response = client.post(page_of(alert), {"note": "new camera\r\nsince noon"}, follow=True)
    assert response.redirect_chain == [(page_of(alert), 302)]
    assert_clean(response)
    alert.refresh_from_db()
    assert (alert.acknowledged_by, alert.note) == ("alex", "new camera\nsince noon")
    assert "alex sees to it" in text_of(client.get("/"))
    again = client.post(page_of(alert), {"note": ""}, follow=True)
    assert "alex sees to it already" in text_of(again)


def test_a_note_that_is_too_long_is_refused(alert: Alert, alex: User, browse: Browse) -> None:
    response = browse(alex).post(page_of(alert), {"note": "x" * 10_001}, follow=True)
    assert "at most" in text_of(response)
    alert.refresh_from_db()
    assert alert.acknowledged_at is None


def test_muting_and_telling_again(alert: Alert, alex: User, browse: Browse) -> None:
    client = browse(alex)
    response = client.post(page_of(alert), {"hours": "8"}, follow=True)
    assert_clean(response)
    assert "muted" in text_of(response)
    muted_until = AlertRule.objects.get().muted_until
    assert muted_until is not None
    assert abs(muted_until - timezone.now() - timedelta(hours=8)) < timedelta(minutes=1)
    assert "The rule is muted for 8 hours: nobody is told of it." in text_of(response)
    response = client.post(page_of(alert), {"unmute": "1"}, follow=True)
    assert_clean(response)
    assert AlertRule.objects.get().muted_until is None
    said = text_of(response)
    assert "The rule is no longer muted: it tells again." in said
    assert "Nobody" not in said
    assert "nobody is told" not in said
    again = client.post(page_of(alert), {"unmute": "1"}, follow=True)
    assert "The rule is not muted." in text_of(again)
    for unknown in ("0", "7"):
        refused = client.post(page_of(alert), {"hours": unknown}, follow=True)
        assert "Choose for how long" in text_of(refused)


def test_only_what_is_muted_can_be_told_to_tell_again(
    alert: Alert, alex: User, browse: Browse
) -> None:
    client = browse(alex)
    assert "Tell again" not in text_of(client.get(page_of(alert)))
    client.post(page_of(alert), {"hours": "8"})
    assert "Tell again" in text_of(client.get(page_of(alert)))


def test_the_story_tells_muting_from_its_end(alert: Alert, alex: User, browse: Browse) -> None:
    client, story = browse(alex), "/endpoints/raisin/"
    client.post(page_of(alert), {"hours": "8"})
    assert "alert rule “Too much drift” muted" in text_of(client.get(story))
    client.post(page_of(alert), {"unmute": "1"})
    assert "alert rule “Too much drift” no longer muted" in text_of(client.get(story))


def test_a_resolved_alert_says_why(alert: Alert, eve: User, browse: Browse) -> None:
    reason = "The newest whole window is good again."
    assert reason not in text_of(browse(eve).get(page_of(alert)))
    evaluating.close(alert.rule, reason=reason, now=timezone.now())
    response = browse(eve).get(page_of(alert))
    assert_clean(response)
    assert reason in text_of(response)


@pytest.mark.parametrize("body", [{"note": "x"}, {"hours": "8"}, {"unmute": "1"}])
def test_who_may_not_changes_nothing(
    body: dict[str, str], alert: Alert, ana: User, browse: Browse
) -> None:
    assert browse(ana).post(page_of(alert), body).status_code == 403
    alert.refresh_from_db()
    assert (alert.acknowledged_at, AlertRule.objects.get().muted_until) == (None, None)


def test_a_form_without_its_token_is_refused(alert: Alert, alex: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alex)
    assert client.post(page_of(alert), {"note": "x"}).status_code == 403


def test_an_alert_that_is_not_there(alex: User, browse: Browse) -> None:
    for number in ("99", "9" * 30):
        assert browse(alex).get(f"/alerts/{number}/").status_code == 404


def test_the_rules_of_an_endpoint(alert: Alert, eve: User, browse: Browse) -> None:
    a_rule(alert.rule.endpoint, name="Fewer requests", metric="requests", comparator="below")
    AlertRule.objects.filter(name="Fewer requests").update(enabled=False)
    response = browse(eve).get("/endpoints/raisin/alerts/")
    assert_clean(response)
    said = text_of(response)
    assert all(part in said for part in ("Too much drift", "Firing", "Disabled", "1 mail address"))
    links = read(response).links
    assert page_of(alert) in links
    assert any(link.startswith("/endpoints/raisin/predictions/?version=1") for link in links)
    assert not any(link.startswith("/admin/") for link in links)


def test_rules_that_fire_stand_first(alert: Alert, eve: User, browse: Browse) -> None:
    a_rule(alert.rule.endpoint, name="All is well", limit=9.0)
    a_rule(alert.rule.endpoint, name="Zealous", consecutive=2)
    look(alert.rule.endpoint)
    rows = browse(eve).get("/endpoints/raisin/alerts/").context["rows"]
    names = [row.rule.name for row in rows]
    assert names == ["Too much drift", "Zealous", "All is well"]


@pytest.mark.parametrize(
    ("facts", "without", "with_one"),
    [
        ({}, "nobody; no webhook is set up", "webhooks"),
        (
            {"emails": "a@example.org\nb@example.org"},
            "2 mail addresses; no webhook is set up",
            "webhooks and 2 mail addresses",
        ),
        (
            {"emails": "a@example.org", "to_webhooks": False},
            "1 mail address",
            "1 mail address",
        ),
        ({"to_webhooks": False}, "nobody", "nobody"),
    ],
)
def test_a_rule_tells_only_webhooks_that_there_are(
    facts: dict[str, Any], without: str, with_one: str, raisin: Endpoint, eve: User, browse: Browse
) -> None:
    def told() -> str:
        [row] = browse(eve).get("/endpoints/raisin/alerts/").context["rows"]
        return str(row.tells)

    a_rule(raisin, **facts)
    assert told() == without
    a_webhook(endpoint=cast.an_endpoint("other"))
    deaf = a_webhook()
    Webhook.objects.filter(pk=deaf.pk).update(enabled=False)
    assert told() == without
    Webhook.objects.filter(pk=deaf.pk).update(enabled=True)
    assert told() == with_one


def test_every_state_of_a_rule_has_a_word(raisin: Endpoint, eve: User, browse: Browse) -> None:
    a_rule(raisin, name="good", limit=5.0)
    a_rule(raisin, name="slow", consecutive=2)
    a_rule(raisin, name="blind", metric="accuracy", comparator="below", limit=0.5)
    now = timezone.now()  # the page tells nothing of windows that are long past
    a_report(raisin.versions.get(number=1), start_of("day", now) - timedelta(days=1), drifted=2)
    look(raisin, now)
    said = text_of(browse(eve).get("/endpoints/raisin/alerts/"))
    assert all(word in said for word in ("OK", "Pending", "No data"))


def test_who_may_adds_the_usual_rule(raisin: Endpoint, dana: User, browse: Browse) -> None:
    client = browse(dana)
    assert "Add the usual rule" in text_of(client.get("/endpoints/raisin/alerts/"))
    response = client.post("/endpoints/raisin/alerts/", follow=True)
    assert_clean(response)
    assert AlertRule.objects.get().name == "Features in drift"
    assert "Add the usual rule" not in text_of(response)


def test_the_admin_is_linked_for_who_gets_in(
    alert: Alert, admin_user: User, browse: Browse
) -> None:
    response = browse(admin_user).get("/endpoints/raisin/alerts/")
    links = [link for link in read(response).links if link.startswith("/admin/")]
    assert len(links) >= 2
    assert {browse(admin_user).get(link).status_code for link in links} == {200}


def test_what_was_resolved_stands_below_the_rules(alert: Alert, eve: User, browse: Browse) -> None:
    evaluating.close(alert.rule, reason="over", now=timezone.now())
    response = browse(eve).get("/endpoints/raisin/alerts/")
    assert_clean(response)
    assert page_of(alert) in read(response).links


def test_odd_names_are_escaped(raisin: Endpoint, eve: User, browse: Browse) -> None:
    a_rule(raisin, name="<b>bold</b> & “quoted”")
    a_rule(raisin, name=LONG)
    a_report(raisin.versions.get(number=1), days_ago(1), drifted=2)
    look(raisin)
    for address in ("/", "/alerts/", "/endpoints/raisin/alerts/"):
        response = browse(eve).get(address)
        assert "<b>bold" not in response.text
        assert_clean(response)


def test_pages_ask_as_often_for_many_as_for_few(
    raisin: Endpoint, eve: User, browse: Browse
) -> None:
    client, counts = browse(eve), []
    version = raisin.versions.get(number=1)
    a_report(version, days_ago(1), drifted=2)
    for numbers in (range(2), range(2, 40)):
        for number in numbers:
            a_rule(raisin, name=f"Rule {number}")
        look(raisin)
        with CaptureQueriesContext(connection) as asked:
            assert client.get("/alerts/").status_code == 200
        counts.append(len(asked))
    assert counts[0] == counts[1] <= 15


def test_the_messages_of_an_alert_are_bounded(alert: Alert, alex: User, browse: Browse) -> None:
    EmailDelivery.objects.bulk_create(
        mails.written("a@example.org", subject="x", text="x", now=timezone.now(), alert=alert)
        for _ in range(80)
    )
    response = browse(alex).get(page_of(alert))
    assert len(response.context["letters"]) == 50


def test_its_story_reads_well(alert: Alert, eve: User, browse: Browse) -> None:
    evaluating.close(alert.rule, reason="The rule is disabled.", now=timezone.now())
    said = text_of(browse(eve).get("/endpoints/raisin/"))
    assert "alert “Too much drift” fires" in said
    assert "alert “Too much drift” is resolved" in said


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("drift_score", 0.001, "0.001"),
        ("feature_effect", 0.196, "0.196"),
        ("feature_effect", 1e12, "without bound"),
        ("requests", 1_000_000.0, "1,000,000"),
        ("accuracy", 0.9, "90.0\u00a0%"),
        ("latency_p95_ms", 0.25, "0.25\u00a0ms"),
    ],
)
def test_a_value_is_told_as_exactly_as_its_limit(metric: str, value: float, text: str) -> None:
    assert alerts.shown(metric, value) == text
