"""Writes the audit log; called inside the transaction of the change that it records."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from endpoints.models import Endpoint, Event
from endpoints.services.access import Caller


def record(
    verb: str,
    *,
    actor: Caller,
    endpoint: Endpoint | None,
    subject: str,
    now: datetime,
    **facts: Any,
) -> Event:
    """Add one event. Facts: before, after (JSON) and reason."""
    return Event.objects.create(
        verb=verb,
        at=now,
        actor=actor.person,
        actor_name=actor.name,
        endpoint=endpoint,
        subject=subject,
        **facts,
    )
