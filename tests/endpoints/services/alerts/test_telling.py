"""What people and programs are told of an alert, by webhook and by mail, through real servers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from endpoints.errors import InvalidTransition
from endpoints.models import Alert, EmailDelivery, Endpoint, Webhook, WebhookDelivery
from endpoints.services import deliveries, mail_deliveries
from endpoints.services.alerts import rules
from tests.endpoints.services import mail_server, receiver
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
from tests.endpoints.services.mail_server import MailServer
from tests.endpoints.services.receiver import Receiver

pytestmark = pytest.mark.django_db


@pytest.fixture
def hook(settings: Any) -> Iterator[Receiver]:
    settings.RAISIN_WEBHOOK_PRIVATE_NETWORKS = True
    with receiver.running() as found:
        yield found


@pytest.fixture
def mailbox(settings: Any) -> Iterator[MailServer]:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    with mail_server.running() as box:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", box.port
        yield box


def work_off() -> None:
    for deliver_one in (deliveries.deliver_one, mail_deliveries.deliver_one):
        while deliver_one(at(NOON)) is not None:
            pass


def data_of(got: bytes) -> dict[str, Any]:
    return dict(json.loads(got)["data"])


def is_signed(webhook: Webhook, headers: dict[str, str], body: bytes) -> bool:
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body.decode()}"
    key = base64.b64decode(webhook.secret.removeprefix("whsec_"))
    mac = hmac.new(key, signed.encode(), hashlib.sha256).digest()
    return headers["webhook-signature"] == f"v1,{base64.b64encode(mac).decode()}"


def test_it_works(raisin: Endpoint, hook: Receiver, mailbox: MailServer) -> None:
    webhook = a_webhook(hook.url)
    a_rule(raisin, emails="ana@example.org\nbob@example.org")
    a_report(raisin.versions.get(number=1), days_ago(1), drifted=2)
    look(raisin)
    work_off()
    alert = Alert.objects.get()
    [body], [headers] = hook.bodies, hook.got
    assert is_signed(webhook, headers, body)
    assert json.loads(body)["type"] == "alert.firing"
    assert data_of(body) == {
        "alert": alert.pk,
        "rule": "Too much drift",
        "metric": "features_drifted",
        "feature": None,
        "value": 2.0,
        "limit": 1.0,
        "comparator": "at_least",
        "window": "day",
        "window_start": "2026-11-11T00:00:00+00:00",
        "severity": "critical",
        "endpoint": "raisin",
        "version": 1,
        "since": "2026-11-12T12:00:00+00:00",
        "url": f"http://127.0.0.1:8000/alerts/{alert.pk}/",
    }
    assert sorted(mailbox.recipients) == ["ana@example.org", "bob@example.org"]
    mail = mailbox.mails[0]
    assert mail["Subject"] == "[Raisin] FIRING (critical): Too much drift, raisin"
    text = mail.get_content()
    assert "Value: 2; it alerts at ≥ 1" in text
    assert f"http://127.0.0.1:8000/alerts/{alert.pk}/" in text
    assert {sent.state for sent in alert.email_deliveries.all()} == {"delivered"}
    assert alert.webhook_deliveries.get().state == "delivered"


def test_the_end_is_told_on_the_same_ways(
    raisin: Endpoint, hook: Receiver, mailbox: MailServer
) -> None:
    a_webhook(hook.url)
    a_rule(raisin, emails="ana@example.org")
    version = raisin.versions.get(number=1)
    a_report(version, days_ago(1), drifted=2)
    look(raisin, NOON - timedelta(minutes=2))
    a_report(version, days_ago(0), is_open=False)
    look(raisin, NOON - timedelta(minutes=1))
    work_off()
    last = data_of(hook.bodies[-1])
    assert json.loads(hook.bodies[-1])["type"] == "alert.resolved"
    assert (last["value"], last["reason"]) == (0.0, "The newest whole window is good again.")
    assert [mail["Subject"].split()[1] for mail in mailbox.mails] == ["FIRING", "RESOLVED"]


def test_the_feature_is_named(raisin: Endpoint, mailbox: MailServer, hook: Receiver) -> None:
    a_webhook(hook.url)
    a_rule(raisin, metric="feature_effect", feature="Area", limit=0.1, emails="ana@example.org")
    a_column(a_report(raisin.versions.get(number=1), days_ago(1)), "Area", effect=0.25)
    look(raisin)
    work_off()
    assert data_of(hook.bodies[0])["feature"] == "Area"
    assert "Metric: shift of “Area”, by day" in mailbox.mails[0].get_content()


def test_a_rule_that_tells_no_webhooks_leaves_them_alone(raisin: Endpoint) -> None:
    a_webhook()
    a_rule(raisin, to_webhooks=False, emails="ana@example.org ana@example.org")
    a_report(raisin.versions.get(number=1), days_ago(1), drifted=2)
    look(raisin)
    assert (WebhookDelivery.objects.count(), EmailDelivery.objects.count()) == (0, 1)


def test_a_disabled_webhook_and_those_of_other_endpoints_are_not_told(raisin: Endpoint) -> None:
    other = Endpoint.objects.create(slug="other", name="Other")
    a_webhook(name="off", enabled=False)
    a_webhook(name="there", endpoint=other)
    a_rule(raisin)
    a_report(raisin.versions.get(number=1), days_ago(1), drifted=2)
    look(raisin)
    assert not WebhookDelivery.objects.exists()


def test_a_test_goes_the_same_way_and_says_so(
    raisin: Endpoint, hook: Receiver, mailbox: MailServer
) -> None:
    webhook = a_webhook(hook.url)
    rule = a_rule(raisin, emails="ana@example.org")
    a_report(raisin.versions.get(number=1), days_ago(1), drifted=2)
    rules.send_test(rule, actor=ALEX, now=NOON)
    work_off()
    assert is_signed(webhook, hook.got[0], hook.bodies[0])
    assert json.loads(hook.bodies[0])["type"] == "alert.test"
    told = data_of(hook.bodies[0])
    assert (told["alert"], told["value"], told["rule"]) == (None, 2.0, "Too much drift")
    assert told["url"] == "http://127.0.0.1:8000/endpoints/raisin/alerts/"
    assert mailbox.mails[0]["Subject"].startswith("[Raisin] TEST (critical)")
    assert "nothing is wrong" in mailbox.mails[0].get_content()
    assert not Alert.objects.exists()


def test_a_test_needs_no_data(raisin: Endpoint) -> None:
    a_webhook()
    rules.send_test(a_rule(raisin, emails="ana@example.org"), actor=ALEX, now=NOON)
    assert data_of(WebhookDelivery.objects.get().body.encode())["value"] is None
    assert "Value: not known" in EmailDelivery.objects.get().text


def test_a_test_that_nobody_would_get_is_refused(raisin: Endpoint) -> None:
    with pytest.raises(InvalidTransition, match="tells nobody"):
        rules.send_test(a_rule(raisin), actor=ALEX, now=NOON)


def test_a_test_is_sent_although_the_rule_is_muted(raisin: Endpoint) -> None:
    a_webhook()
    rule = a_rule(raisin)
    rules.mute(rule, until=NOON + timedelta(days=1), actor=ALEX, now=NOON)
    rules.send_test(rule, actor=ALEX, now=NOON)
    assert WebhookDelivery.objects.count() == 1
