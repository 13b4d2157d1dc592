"""Takes a message that is due, lets it be sent, and notes what became of it; it knows no way to send.

It sends at least once: a worker that dies between the receiver's answer and the note of it leaves a
message that comes again, under the same id. Every message is a row, and its `next_attempt_at` the lease.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from django.db import transaction
from django.db.models import F, Q, QuerySet

from endpoints.models.delivery import Delivery, State

LEASE = timedelta(seconds=60)
"""How long a message belongs to the worker that sends it; longer than sending can take."""

RETRY_AFTER = (
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(hours=24),
)
"""How long to wait after each attempt that failed; after the one that follows, it is given up."""

_AT_ONCE = 10
Message = TypeVar("Message", bound=Delivery)


@dataclass(frozen=True)
class Outcome:
    """What became of an attempt: the problem is "" if it arrived.

    `facts` are columns of the message to note; with `is_final` there is no point in another attempt.
    """

    problem: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    is_final: bool = False


class Way(Protocol[Message]):
    """A kind of message and how it leaves."""

    def due(self, now: datetime) -> QuerySet[Message]: ...

    def send(self, message: Message, now: datetime) -> Outcome: ...

    def refused_for_good(self, message: Message, reason: str, now: datetime) -> None:
        """Draw the consequences of a final refusal, in the transaction that notes it."""


def deliver_one(way: Way[Message], clock: Callable[[], datetime]) -> str | None:
    """Send the message that has been due longest; return its new state, None if there was none."""
    message = _claim(way, clock())
    if message is None:
        return None
    outcome = way.send(message, clock())
    if not outcome.problem:
        return _note(message, State.DELIVERED, outcome, clock())
    if outcome.is_final:
        return _give_up_for_good(way, message, outcome, clock())
    return _note_failure(message, outcome, clock())


def again(chosen: QuerySet[Message], *, now: datetime, **facts: Any) -> int:
    """Make messages due now, with all their attempts before them; return how many.

    One that is due within the lease may be on its way at this moment and is left alone. Facts: columns
    to clear besides.
    """
    idle = ~Q(state=State.WAITING) | Q(next_attempt_at__gt=now + LEASE)
    return chosen.filter(idle).update(
        state=State.WAITING,
        attempts=0,
        next_attempt_at=now,
        problem="",
        ended_at=None,
        **facts,
    )


def _claim(way: Way[Message], now: datetime) -> Message | None:
    """Take a message for the time of the lease, unless another worker was faster with all of them."""
    for message in way.due(now).order_by("next_attempt_at", "id")[:_AT_ONCE]:
        seen = _waiting(message).filter(next_attempt_at=message.next_attempt_at)
        if seen.update(next_attempt_at=now + LEASE, attempts=F("attempts") + 1):
            message.attempts += 1
            return message
    return None


def _note_failure(message: Delivery, outcome: Outcome, now: datetime) -> str:
    if message.attempts > len(RETRY_AFTER):
        return _note(message, State.FAILED, outcome, now)
    message.next_attempt_at = now + RETRY_AFTER[message.attempts - 1]
    return _note(message, State.WAITING, outcome, now)


def _give_up_for_good(way: Way[Message], message: Message, outcome: Outcome, now: datetime) -> str:
    with transaction.atomic():
        way.refused_for_good(message, outcome.problem, now)
        return _note(message, State.FAILED, outcome, now)


def _note(message: Delivery, state: State, outcome: Outcome, now: datetime) -> str:
    """Write the outcome of our own attempt; after a lost lease the next attempt has the word."""
    _waiting(message).filter(attempts=message.attempts).update(
        state=state,
        next_attempt_at=message.next_attempt_at,
        problem=outcome.problem[:500],
        ended_at=None if state == State.WAITING else now,
        **outcome.facts,
    )
    return str(state)


def _waiting(message: Delivery) -> QuerySet[Any]:
    return type(message)._default_manager.filter(pk=message.pk, state=State.WAITING)
