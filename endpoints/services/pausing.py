"""Pauses and resumes an endpoint: while it is paused, every prediction is refused; it knows nothing of HTTP."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import F

from endpoints.models import Endpoint
from endpoints.services import access, audit
from endpoints.services.access import Caller, Need
from endpoints.services.snapshots import snapshots


def pause(*, endpoint: Endpoint, actor: Caller, now: datetime, reason: str = "") -> bool:
    """Refuse callers from now on. Returns False if the endpoint was paused already.

    Raises NotAllowed without Need.PROMOTE.
    """
    access.require(actor, Need.PROMOTE, endpoint)
    with transaction.atomic():
        running = Endpoint.objects.filter(pk=endpoint.pk, paused_at=None)
        if not running.update(paused_at=now, revision=F("revision") + 1):
            return False
        transaction.on_commit(snapshots.expire)
        _record("pause", endpoint, actor=actor, now=now, reason=reason)
    endpoint.paused_at = now
    return True


def resume(*, endpoint: Endpoint, actor: Caller, now: datetime, reason: str = "") -> bool:
    """Answer callers again. Returns False if the endpoint was not paused.

    Raises NotAllowed without Need.PROMOTE.
    """
    access.require(actor, Need.PROMOTE, endpoint)
    with transaction.atomic():
        paused = Endpoint.objects.filter(pk=endpoint.pk, paused_at__isnull=False)
        if not paused.update(paused_at=None, revision=F("revision") + 1):
            return False
        transaction.on_commit(snapshots.expire)
        _record("resume", endpoint, actor=actor, now=now, reason=reason)
    endpoint.paused_at = None
    return True


def _record(verb: str, endpoint: Endpoint, *, actor: Caller, now: datetime, reason: str) -> None:
    is_paused = verb == "pause"
    audit.record(
        verb,
        actor=actor,
        endpoint=endpoint,
        subject=f"endpoint {endpoint.slug}",
        now=now,
        before={"paused": not is_paused},
        after={"paused": is_paused},
        reason=reason.strip(),
    )
