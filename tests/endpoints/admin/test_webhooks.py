"""Webhooks in the admin: the secret is shown once, unusable addresses are refused, history stays."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.utils import timezone

from endpoints.models import Event, Webhook, WebhookDelivery
from endpoints.services import webhooks
from tests.endpoints.admin.site import run_action, staff, url

pytestmark = pytest.mark.django_db
FORM = {"name": "chat", "url": "https://hooks.example.org/T0/x", "endpoint": "", "enabled": "on"}


@pytest.fixture
def webhook(admin_client: Client) -> Webhook:
    admin_client.post(url("webhook", "add"), FORM)
    return Webhook.objects.get()


def said(response: object) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))  # type: ignore[attr-defined]


def test_it_works(admin_client: Client) -> None:
    done = admin_client.post(url("webhook", "add"), FORM)
    webhook = Webhook.objects.get()
    assert done.status_code == 302
    assert webhook.created_by.username == "admin"
    assert webhook.secret in said(done)
    assert Event.objects.get().verb == "create_webhook"


def test_the_secret_is_shown_once(webhook: Webhook, admin_client: Client) -> None:
    assert webhook.secret in admin_client.get(url("webhook")).text
    for page in (url("webhook"), url("webhook", "change", webhook.pk)):
        assert webhook.secret not in admin_client.get(page).text
    assert webhook.secret not in admin_client.get(url("webhook", "history", webhook.pk)).text


@pytest.mark.parametrize("address", ["http://example.org/", "https://127.0.0.1/", "nonsense"])
def test_it_refuses_an_unusable_address(address: str, admin_client: Client) -> None:
    page = admin_client.post(url("webhook", "add"), FORM | {"url": address})
    assert page.status_code == 200
    assert page.context["adminform"].form.errors["url"]
    assert not Webhook.objects.exists()


def test_a_change_is_recorded(webhook: Webhook, admin_client: Client) -> None:
    form = {name: value for name, value in FORM.items() if name != "enabled"}
    admin_client.post(url("webhook", "change", webhook.pk), form)
    assert not Webhook.objects.get().enabled
    event = Event.objects.filter(verb="change_webhook").get()
    assert (event.actor_name, event.after) == ("admin", {"enabled": False})


def test_one_without_messages_is_deleted(webhook: Webhook, admin_client: Client) -> None:
    admin_client.post(url("webhook", "delete", webhook.pk), {"post": "yes"})
    assert not Webhook.objects.exists()
    assert Event.objects.filter(verb="delete_webhook").exists()


def test_one_with_messages_stays(webhook: Webhook, admin_client: Client) -> None:
    run_action(admin_client, "webhook", "send_test", [webhook.pk])
    gone = admin_client.post(url("webhook", "delete", webhook.pk), {"post": "yes"})
    assert gone.status_code == 403
    run_action(admin_client, "webhook", "delete_selected", [webhook.pk], post="yes")
    assert Webhook.objects.exists()


def test_a_test_message_waits_for_the_worker(webhook: Webhook, admin_client: Client) -> None:
    run_action(admin_client, "webhook", "send_test", [webhook.pk])
    assert WebhookDelivery.objects.get().state == "waiting"


def test_a_disabled_one_is_not_tested(webhook: Webhook, admin_client: Client) -> None:
    Webhook.objects.update(enabled=False)
    done = run_action(admin_client, "webhook", "send_test", [webhook.pk])
    assert "Enable it first" in said(done)
    assert not WebhookDelivery.objects.exists()


def test_a_message_is_sent_again(webhook: Webhook, admin_client: Client) -> None:
    message = webhooks.send_test(webhook, now=timezone.now() - timedelta(days=1))
    WebhookDelivery.objects.update(state="failed", attempts=7, problem="away")
    assert "away" in admin_client.get(url("webhookdelivery")).text
    done = run_action(admin_client, "webhookdelivery", "send_again", [message.pk])
    assert said(done) == "The worker sends 1 of the 1 chosen again."
    message.refresh_from_db()
    assert (message.state, message.attempts) == ("waiting", 0)


def test_messages_that_are_not_sent_again_are_explained(
    webhook: Webhook, admin_client: Client
) -> None:
    message = webhooks.send_test(webhook, now=timezone.now())
    done = run_action(admin_client, "webhookdelivery", "send_again", [message.pk])
    assert said(done).endswith(
        "The worker sends 0 of the 1 chosen again. The others are about to be sent anyway, or "
        "their webhook is disabled: enable it first."
    )


def test_a_message_cannot_be_written(webhook: Webhook, admin_client: Client) -> None:
    message = webhooks.send_test(webhook, now=timezone.now())
    page = url("webhookdelivery", "change", message.pk)
    assert admin_client.get(page).status_code == 200
    assert admin_client.post(page, {"body": "nicer"}).status_code == 403
    assert admin_client.get(url("webhookdelivery", "add")).status_code == 403
    assert admin_client.post(url("webhookdelivery", "delete", message.pk)).status_code == 403


def test_it_needs_the_permission(webhook: Webhook) -> None:
    message = webhooks.send_test(webhook, now=timezone.now() - timedelta(days=1))
    WebhookDelivery.objects.update(state="failed")
    alex = staff("alex", "promote_version", "change_endpoint")
    assert alex.get(url("webhook")).status_code == 403
    eve = staff("eve", "view_webhook", "view_webhookdelivery")
    assert eve.get(url("webhook", "add")).status_code == 403
    assert eve.post(url("webhook", "change", webhook.pk), FORM).status_code == 403
    run_action(eve, "webhook", "send_test", [webhook.pk])
    run_action(eve, "webhookdelivery", "send_again", [message.pk])
    assert WebhookDelivery.objects.get().state == "failed"
    carol = staff("carol", "view_webhook", "add_webhook")
    assert carol.post(url("webhook", "add"), FORM | {"name": "carols"}).status_code == 302
