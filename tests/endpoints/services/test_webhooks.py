"""Webhooks are kept and recorded, and every change of status leaves them a message."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from endpoints.errors import DomainError, GateFailed, InvalidRequest, InvalidTransition
from endpoints.models import Endpoint, Event, Status, Webhook, WebhookDelivery
from endpoints.services import lifecycle, webhooks
from endpoints.services.access import Caller
from endpoints.services.sending import LEASE
from tests import cast
from tests.endpoints.services.decisions import NOON, REASON, decision

pytestmark = pytest.mark.django_db
ALEX = Caller(system="alex")
URL = "https://hooks.example.org/T0/secret-path"


def a_webhook(**facts: Any) -> Webhook:
    webhook = Webhook(**{"name": "chat", "url": URL} | facts)
    webhooks.create(webhook, actor=ALEX, now=NOON)
    return webhook


def bodies() -> list[dict[str, Any]]:
    return [json.loads(delivery.body) for delivery in WebhookDelivery.objects.order_by("pk")]


def test_it_works(raisin: Endpoint) -> None:
    webhook = a_webhook()
    change = lifecycle.withdraw(version=raisin.versions.get(number=2), decision=decision())
    message = WebhookDelivery.objects.get()
    assert (message.webhook, message.state, message.attempts) == (webhook, "waiting", 0)
    assert message.next_attempt_at == change.at == NOON
    assert json.loads(message.body) == {
        "id": str(message.pk),
        "type": "version.withdraw",
        "timestamp": "2026-11-12T12:00:00+00:00",
        "data": {
            "endpoint": "raisin",
            "version": 2,
            "verb": "withdraw",
            "from": "staging",
            "to": "testing",
            "by": "alex",
            "reason": REASON,
            "overridden": [],
            "url": "http://127.0.0.1:8000/endpoints/raisin/versions/2/",
        },
    }


def test_the_body_is_canonical(raisin: Endpoint) -> None:
    a_webhook()
    said = decision(reason="größer als “zuvor”")
    lifecycle.withdraw(version=raisin.versions.get(number=2), decision=said)
    body = WebhookDelivery.objects.get().body
    assert body == json.dumps(
        json.loads(body), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    assert "größer" in body


def test_a_promotion_tells_of_both_versions(raisin: Endpoint) -> None:
    a_webhook()
    lifecycle.promote(version=raisin.versions.get(number=2), decision=decision(seen=1))
    told = {(body["type"], body["data"]["version"], body["data"]["to"]) for body in bodies()}
    assert told == {("version.replace", 1, "archived"), ("version.promote", 2, "production")}


def test_a_registration_tells_of_no_status_before() -> None:
    a_webhook()
    cast.registered_version(cast.an_endpoint())
    assert (bodies()[0]["data"]["from"], bodies()[0]["data"]["to"]) == (None, "testing")


def test_an_overridden_gate_is_told() -> None:
    endpoint = cast.an_endpoint()
    cast.registered_version(endpoint, status=Status.PRODUCTION)
    worse = cast.registered_version(endpoint, status=Status.STAGING, lambda_=0.1)
    a_webhook()
    with pytest.raises(GateFailed):
        lifecycle.promote(version=worse, decision=decision(seen=1))
    assert bodies() == []
    overriding = replace(decision(reason="the newer fields differ", seen=1), override=True)
    lifecycle.promote(version=worse, decision=overriding)
    promoted = next(body for body in bodies() if body["type"] == "version.promote")
    assert promoted["data"]["overridden"] == ["metric"]


def test_each_is_told_of_its_own_endpoint_alone(raisin: Endpoint) -> None:
    other = cast.an_endpoint("other")
    everywhere, here = a_webhook(), a_webhook(name="here", endpoint=raisin)
    a_webhook(name="there", endpoint=other)
    a_webhook(name="off", enabled=False)
    lifecycle.withdraw(version=raisin.versions.get(number=2), decision=decision())
    assert {told.webhook for told in WebhookDelivery.objects.all()} == {everywhere, here}


def test_a_change_that_is_rolled_back_leaves_no_message(raisin: Endpoint) -> None:
    a_webhook()
    with pytest.raises(RuntimeError), transaction.atomic():
        lifecycle.withdraw(version=raisin.versions.get(number=2), decision=decision())
        assert WebhookDelivery.objects.exists()
        raise RuntimeError
    assert not WebhookDelivery.objects.exists()


def test_a_submission_that_comes_twice_is_told_once(raisin: Endpoint) -> None:
    a_webhook()
    version = raisin.versions.get(number=2)
    for _ in range(2):
        lifecycle.withdraw(version=version, decision=replace(decision(), submission="form-1"))
    assert WebhookDelivery.objects.count() == 1


def test_every_secret_is_random_and_long_enough() -> None:
    secrets = {a_webhook().secret for _ in range(3)}
    assert len(secrets) == 3
    for secret in secrets:
        assert secret.startswith("whsec_")
        assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32


def test_it_records_who_made_it_without_its_secrets() -> None:
    webhook = a_webhook()
    event = Event.objects.get()
    assert (event.verb, event.actor_name, event.subject) == (
        "create_webhook",
        "alex",
        "webhook chat",
    )
    assert event.after == {
        "name": "chat",
        "url": "https://hooks.example.org",
        "endpoint": None,
        "enabled": True,
    }
    assert webhook.secret not in str(event.after)


def test_it_records_a_change(raisin: Endpoint) -> None:
    webhook = a_webhook()
    webhook.endpoint, webhook.url = raisin, f"{URL}2"
    webhooks.change(webhook, actor=ALEX, now=NOON)
    event = Event.objects.filter(verb="change_webhook").get()
    assert event.endpoint == raisin
    assert event.before == {"url": "https://hooks.example.org", "endpoint": None}
    assert event.after == {"url": "https://hooks.example.org", "endpoint": "raisin"}
    assert Webhook.objects.get().url == f"{URL}2"


def test_a_change_of_nothing_leaves_no_trace() -> None:
    webhooks.change(a_webhook(), actor=ALEX, now=NOON)
    assert not Event.objects.filter(verb="change_webhook").exists()


@pytest.mark.parametrize("url", ["http://example.org/", "https://10.0.0.1/", "nonsense"])
def test_it_refuses_an_unusable_url(url: str) -> None:
    with pytest.raises(InvalidRequest):
        a_webhook(url=url)
    webhook = a_webhook()
    webhook.url = url
    with pytest.raises(InvalidRequest):
        webhooks.change(webhook, actor=ALEX, now=NOON)


def test_it_can_be_disabled_although_its_url_is_no_longer_allowed(settings: Any) -> None:
    settings.RAISIN_WEBHOOK_PRIVATE_NETWORKS = True
    webhook = a_webhook(url="http://receiver:9000/")
    settings.RAISIN_WEBHOOK_PRIVATE_NETWORKS = False
    webhook.enabled = False
    webhooks.change(webhook, actor=ALEX, now=NOON)
    assert not Webhook.objects.get().enabled


def test_one_without_messages_is_deleted_and_recorded() -> None:
    webhooks.remove(a_webhook(), actor=ALEX, now=NOON)
    assert not Webhook.objects.exists()
    assert Event.objects.filter(verb="delete_webhook").get().before["name"] == "chat"


def test_it_refuses_to_delete_one_with_messages() -> None:
    webhook = a_webhook()
    webhooks.send_test(webhook, now=NOON)
    with pytest.raises(InvalidTransition, match="Disable it"):
        webhooks.remove(webhook, actor=ALEX, now=NOON)
    assert WebhookDelivery.objects.filter(webhook=webhook).exists()


def test_a_test_message_says_nothing() -> None:
    message = webhooks.send_test(a_webhook(), now=NOON)
    assert bodies() == [
        {
            "id": str(message.pk),
            "type": "webhook.test",
            "timestamp": "2026-11-12T12:00:00+00:00",
            "data": {"webhook": "chat"},
        }
    ]


def test_it_refuses_to_test_a_disabled_one() -> None:
    with pytest.raises(DomainError, match="Enable it"):
        webhooks.send_test(a_webhook(enabled=False), now=NOON)


@pytest.mark.parametrize(
    ("facts", "again"),
    [
        ({"state": "failed", "attempts": 7, "ended_at": NOON, "response_status": 500}, 1),
        ({"state": "delivered", "attempts": 1, "ended_at": NOON}, 1),
        ({"attempts": 5, "next_attempt_at": NOON + timedelta(hours=6)}, 1),
        ({"attempts": 1, "next_attempt_at": NOON + LEASE}, 0),
    ],
)
def test_a_message_is_sent_again_unless_it_may_be_on_its_way(
    facts: dict[str, Any], again: int
) -> None:
    message = webhooks.send_test(a_webhook(), now=NOON)
    WebhookDelivery.objects.update(**facts)
    assert webhooks.send_again(WebhookDelivery.objects.all(), now=NOON) == again
    message.refresh_from_db()
    if again:
        assert (message.state, message.attempts, message.next_attempt_at) == ("waiting", 0, NOON)
        assert (message.ended_at, message.response_status) == (None, None)


def test_a_message_to_a_disabled_webhook_is_not_sent_again() -> None:
    webhook = a_webhook()
    webhooks.send_test(webhook, now=NOON)
    WebhookDelivery.objects.update(state="failed")
    webhooks.disable(webhook, actor=cast.SYSTEM, now=NOON, reason="")
    assert webhooks.send_again(WebhookDelivery.objects.all(), now=NOON) == 0
    assert WebhookDelivery.objects.get().state == "failed"
