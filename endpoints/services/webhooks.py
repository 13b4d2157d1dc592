"""Keeps the webhooks and writes the messages to them; it sends nothing and opens no connection.

A message is a row, written in the transaction of the change that it tells of, so there is one for
each change and none for a change that did not happen. The worker sends it.
Who may keep webhooks is asked by the admin, where alone they are kept.
"""

from __future__ import annotations

import base64
import json
import secrets
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from endpoints.errors import InvalidRequest, InvalidTransition
from endpoints.models import (
    Alert,
    AlgorithmVersion,
    Endpoint,
    StatusChange,
    Webhook,
    WebhookDelivery,
)
from endpoints.models.webhook import DeliveryQuerySet
from endpoints.services import addresses, audit, sending
from endpoints.services.access import Caller
from endpoints.services.addresses import UnusableUrl

SECRET_PREFIX = "whsec_"  # noqa: S105 - what every secret of the Standard Webhooks begins with
_WRITABLE = ("name", "url", "endpoint", "enabled")


def create(webhook: Webhook, *, actor: Caller, now: datetime) -> str:
    """Keep a new webhook and return its secret, which nobody is shown again."""
    _check(webhook)
    webhook.secret = SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode("ascii")
    webhook.created_at = now
    webhook.created_by = actor.person
    with transaction.atomic():
        webhook.save(force_insert=True)
        _record("create_webhook", webhook, actor=actor, now=now, after=_said(webhook, _WRITABLE))
    return webhook.secret


def change(webhook: Webhook, *, actor: Caller, now: datetime) -> None:
    """Keep what is new about a webhook; nothing new leaves no trace."""
    with transaction.atomic():
        old = Webhook.objects.select_related("endpoint").get(pk=webhook.pk)
        new = [name for name in _WRITABLE if getattr(old, name) != getattr(webhook, name)]
        if not new:
            return
        if "url" in new:
            _check(webhook)
        webhook.save(update_fields=new)
        before, after = _said(old, new), _said(webhook, new)
        _record("change_webhook", webhook, actor=actor, now=now, before=before, after=after)


def disable(webhook: Webhook, *, actor: Caller, now: datetime, reason: str) -> None:
    """Write and send no more messages; what waits stays for the day it is enabled again."""
    with transaction.atomic():
        if not Webhook.objects.filter(pk=webhook.pk, enabled=True).update(enabled=False):
            return
        webhook.enabled = False
        facts = {"before": {"enabled": True}, "after": {"enabled": False}, "reason": reason}
        _record("change_webhook", webhook, actor=actor, now=now, **facts)


def remove(webhook: Webhook, *, actor: Caller, now: datetime) -> None:
    """Delete a webhook that was never told anything; the others are history and can be disabled."""
    with transaction.atomic():
        if webhook.deliveries.exists():
            raise InvalidTransition(f"“{webhook}” has messages. Disable it instead.")
        before = _said(webhook, _WRITABLE)
        _record("delete_webhook", webhook, actor=actor, now=now, before=before)
        webhook.delete()


def announce(change: StatusChange) -> None:
    """Write a message about a change of status to every webhook that wants to hear of it."""
    listeners = Webhook.objects.told_of(change.version.endpoint)
    WebhookDelivery.objects.bulk_create(
        [
            _message(f"version.{change.verb}", _told(change), to=to, now=change.at)
            for to in listeners
        ]
    )


def announce_state(version: AlgorithmVersion, kind: str, *, reason: str, now: datetime) -> None:
    """Write a message about what a version is found to be, to every webhook of its endpoint."""
    facts = _place(version) | {"reason": reason}
    listeners = Webhook.objects.told_of(version.endpoint)
    WebhookDelivery.objects.bulk_create([_message(kind, facts, to=to, now=now) for to in listeners])


def send_test(webhook: Webhook, *, now: datetime) -> WebhookDelivery:
    """Write a message that says nothing, so that the receiver can be tried out."""
    if not webhook.enabled:
        raise InvalidTransition(f"“{webhook}” is disabled. Enable it first.")
    message = _message("webhook.test", {"webhook": webhook.name}, to=webhook, now=now)
    message.save(force_insert=True)
    return message


def announce_alert(
    kind: str, facts: Mapping[str, Any], *, endpoint: Endpoint, alert: Alert | None, now: datetime
) -> int:
    """Write a message about an alert to every webhook of its endpoint; return how many there are.

    Without an alert it is a trial of its rule.
    """
    messages = [
        _message(kind, facts, to=to, now=now, alert=alert)
        for to in Webhook.objects.told_of(endpoint)
    ]
    return len(WebhookDelivery.objects.bulk_create(messages))


def send_again(chosen: DeliveryQuerySet, *, now: datetime) -> int:
    """Make messages due now, as sending.again does; none to a webhook that is disabled."""
    enabled = Webhook.objects.filter(enabled=True)
    return sending.again(chosen.filter(webhook__in=enabled), now=now, response_status=None)


def _message(
    kind: str, data: Mapping[str, Any], *, to: Webhook, now: datetime, alert: Alert | None = None
) -> WebhookDelivery:
    message_id = uuid.uuid4()
    said = {"id": str(message_id), "type": kind, "timestamp": now.isoformat(), "data": data}
    body = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return WebhookDelivery(
        id=message_id, webhook=to, alert=alert, body=body, next_attempt_at=now, created_at=now
    )


def _told(change: StatusChange) -> dict[str, Any]:
    return {
        **_place(change.version),
        "verb": change.verb,
        "from": change.from_status or None,
        "to": change.to_status,
        "by": change.actor_name,
        "reason": change.reason,
        "overridden": change.overridden,
    }


def _place(version: AlgorithmVersion) -> dict[str, Any]:
    place = (version.endpoint.slug, version.number)
    return {
        "endpoint": version.endpoint.slug,
        "version": version.number,
        "url": f"{settings.RAISIN_URL}{reverse('dashboard:version', args=place)}",
    }


def _check(webhook: Webhook) -> None:
    try:
        addresses.parse(webhook.url)
    except UnusableUrl as error:
        raise InvalidRequest(str(error)) from error


def _said(webhook: Webhook, names: list[str] | tuple[str, ...]) -> dict[str, Any]:
    """What the audit log, which many may read, says of these fields: of the URL only the host."""
    values = {
        "name": webhook.name,
        "url": addresses.origin(webhook.url),
        "endpoint": webhook.endpoint.slug if webhook.endpoint else None,
        "enabled": webhook.enabled,
    }
    return {name: values[name] for name in names}


def _record(verb: str, webhook: Webhook, *, actor: Caller, now: datetime, **facts: Any) -> None:
    subject = f"webhook {webhook.name}"
    audit.record(verb, actor=actor, endpoint=webhook.endpoint, subject=subject, now=now, **facts)
