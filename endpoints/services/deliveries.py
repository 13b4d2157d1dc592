"""Signs and sends the messages to webhooks, one at a time, and notes what became of each.

It sends at least once: a worker that dies between the receiver's answer and the note of it leaves a
message that comes again, under the same id. Only the worker imports this.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F

from endpoints.models import WebhookDelivery
from endpoints.services import outbound, webhooks
from endpoints.services.access import Caller
from endpoints.services.outbound import NotSent

WORKER = Caller(system="worker")
RETRY_AFTER = (
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(hours=24),
)
"""How long to wait after each attempt that failed; after the one that follows, it is given up."""

_GONE = 410
_AT_ONCE = 10
_State = WebhookDelivery.State


@dataclass(frozen=True)
class Outcome:
    """The receiver's status, or the reason why there was none."""

    status: int | None = None
    problem: str = ""

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def deliver_one(clock: Callable[[], datetime]) -> str | None:
    """Send the message that has been due longest; return its new state, None if there was none."""
    delivery = _claim(clock())
    if delivery is None:
        return None
    outcome = _send(delivery, clock())
    if outcome.is_success:
        return _note(delivery, _State.DELIVERED, outcome, clock())
    return _note_failure(delivery, outcome, clock())


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the signature of the Standard Webhooks: HMAC-SHA256 over id, time and body."""
    key = base64.b64decode(secret.removeprefix(webhooks.SECRET_PREFIX))
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"


def _claim(now: datetime) -> WebhookDelivery | None:
    """Take a message for the time of the lease, unless another worker was faster with all of them."""
    due = WebhookDelivery.objects.due(now).select_related("webhook__endpoint")
    for delivery in due.order_by("next_attempt_at", "id")[:_AT_ONCE]:
        seen = WebhookDelivery.objects.waiting().filter(
            pk=delivery.pk, next_attempt_at=delivery.next_attempt_at
        )
        if seen.update(next_attempt_at=now + webhooks.LEASE, attempts=F("attempts") + 1):
            delivery.attempts += 1
            return delivery
    return None


def _send(delivery: WebhookDelivery, now: datetime) -> Outcome:
    webhook, message_id, body = delivery.webhook, str(delivery.pk), delivery.body.encode()
    timestamp = int(now.timestamp())
    headers = {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(webhook.secret, message_id, timestamp, body),
    }
    try:
        return Outcome(status=outbound.post(webhook.url, body, headers))
    except NotSent as error:
        return Outcome(problem=str(error))


def _note_failure(delivery: WebhookDelivery, outcome: Outcome, now: datetime) -> str:
    if outcome.status == _GONE:
        return _give_up_for_good(delivery, now)
    problem = outcome.problem or f"The receiver answered {outcome.status}."
    failed = Outcome(status=outcome.status, problem=problem)
    if delivery.attempts > len(RETRY_AFTER):
        return _note(delivery, _State.FAILED, failed, now)
    delivery.next_attempt_at = now + RETRY_AFTER[delivery.attempts - 1]
    return _note(delivery, _State.WAITING, failed, now)


def _give_up_for_good(delivery: WebhookDelivery, now: datetime) -> str:
    reason = "The receiver answered 410: it wants no more messages."
    with transaction.atomic():
        webhooks.disable(delivery.webhook, actor=WORKER, now=now, reason=reason)
        return _note(delivery, _State.FAILED, Outcome(status=_GONE, problem=reason), now)


def _note(delivery: WebhookDelivery, state: str, outcome: Outcome, now: datetime) -> str:
    """Write the outcome of our own attempt; after a lost lease the next attempt has the word."""
    ours = WebhookDelivery.objects.waiting().filter(pk=delivery.pk, attempts=delivery.attempts)
    ours.update(
        state=state,
        next_attempt_at=delivery.next_attempt_at,
        response_status=outcome.status,
        problem=outcome.problem[:500],
        ended_at=None if state == _State.WAITING else now,
    )
    return str(state)
