"""Signs and sends the messages to webhooks, one at a time. Only the worker imports this."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime

from django.db.models import QuerySet

from endpoints.models import WebhookDelivery
from endpoints.services import outbound, sending, webhooks
from endpoints.services.access import Caller
from endpoints.services.outbound import NotSent
from endpoints.services.sending import Outcome

WORKER = Caller(system="worker")
_GONE = 410


def deliver_one(clock: Callable[[], datetime]) -> str | None:
    """Send the message that has been due longest; return its new state, None if there was none."""
    return sending.deliver_one(_Webhooks(), clock)


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the signature of the Standard Webhooks: HMAC-SHA256 over id, time and body."""
    key = base64.b64decode(secret.removeprefix(webhooks.SECRET_PREFIX))
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"


class _Webhooks:
    def due(self, now: datetime) -> QuerySet[WebhookDelivery]:
        return WebhookDelivery.objects.due(now).select_related("webhook__endpoint")

    def send(self, message: WebhookDelivery, now: datetime) -> Outcome:
        """Only the status of the answer counts: 2xx is success, 410 the wish to hear no more."""
        webhook, message_id, body = message.webhook, str(message.pk), message.body.encode()
        timestamp = int(now.timestamp())
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(webhook.secret, message_id, timestamp, body),
        }
        try:
            return _judged(outbound.post(webhook.url, body, headers))
        except NotSent as error:
            return Outcome(str(error), {"response_status": None})

    def refused_for_good(self, message: WebhookDelivery, reason: str, now: datetime) -> None:
        webhooks.disable(message.webhook, actor=WORKER, now=now, reason=reason)


def _judged(status: int) -> Outcome:
    facts = {"response_status": status}
    if 200 <= status < 300:
        return Outcome(facts=facts)
    if status == _GONE:
        problem = "The receiver answered 410: it wants no more messages."
        return Outcome(problem, facts, is_final=True)
    return Outcome(f"The receiver answered {status}.", facts)
