"""Tells people that a promoted version cannot be used, and later that it can: an event and a message each.

Every process notices for itself, so what was told is asked of the audit log: once an hour a version,
whoever tells. It loads nothing and decides nothing; whoever serves must be able to go on without it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from time import monotonic
from typing import Protocol

from django.db import Error, transaction
from django.db.models import QuerySet
from django.utils import timezone

from endpoints.models import AlgorithmVersion, Endpoint, Event
from endpoints.services import audit, webhooks
from endpoints.services.access import Caller

UNUSABLE, USABLE = "model_unusable", "model_usable"
AGAIN_AFTER = timedelta(hours=1)
ASK_EVERY = 60.0
"""Seconds; a problem that lasts is seen once a second, and need not be looked up each time."""

WATCH = Caller(system="serving")

logger = logging.getLogger(__name__)


class Looked(Protocol):
    """What answers at an endpoint; the problem is why it is not the version in production."""

    @property
    def endpoint(self) -> Endpoint: ...
    @property
    def production(self) -> AlgorithmVersion | None: ...
    @property
    def problem(self) -> str: ...


class ModelAlerts:
    """What one process has noticed."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._asked: dict[int, tuple[str, float]] = {}
        self._knows_what_was_told = False

    def notice(self, before: Mapping[str, Looked], now: Mapping[str, Looked]) -> None:
        """Compare two looks, and tell what is new."""
        broken = [found for found in now.values() if found.problem and self._is_due(found)]
        mended = [
            found
            for slug, found in now.items()
            if not found.problem
            and (_had_problem(before.get(slug)) or not self._knows_what_was_told)
        ]
        if not broken and not mended:
            return
        try:
            for found in broken:
                tell_unusable(found.endpoint, found.problem, now=timezone.now())
            for endpoint in _told_of(mended):
                tell_usable(endpoint, now=timezone.now())
            self._knows_what_was_told = True
        except Error:
            self._asked.clear()
            self._knows_what_was_told = False
            logger.exception("nobody could be told about a model")

    def _is_due(self, found: Looked) -> bool:
        problem, until = self._asked.get(found.endpoint.pk, ("", 0.0))
        if problem == found.problem and self._clock() < until:
            return False
        self._asked[found.endpoint.pk] = found.problem, self._clock() + ASK_EVERY
        return True


def tell_unusable(endpoint: Endpoint, problem: str, *, now: datetime) -> None:
    """Tell that the version in production cannot be used, unless somebody did within the hour."""
    with transaction.atomic():
        version = _locked(endpoint)
        if version is None or _told(version).filter(verb=UNUSABLE, at__gt=now - AGAIN_AFTER):
            return
        _tell(UNUSABLE, version, reason=problem, now=now)


def tell_usable(endpoint: Endpoint, *, now: datetime) -> None:
    """Tell that the version in production can be used, if the last word was that it cannot."""
    with transaction.atomic():
        version = _locked(endpoint)
        newest = _told(version).first() if version is not None else None
        if version is not None and newest is not None and newest.verb == UNUSABLE:
            _tell(USABLE, version, reason="", now=now)


def _tell(verb: str, version: AlgorithmVersion, *, reason: str, now: datetime) -> None:
    audit.record(
        verb,
        actor=WATCH,
        endpoint=version.endpoint,
        subject=version.label,
        now=now,
        reason=reason,
    )
    webhooks.announce_state(version, verb.replace("model_", "model."), reason=reason, now=now)


def _locked(endpoint: Endpoint) -> AlgorithmVersion | None:
    """Return what is in production; others who would tell of the endpoint wait until this is told."""
    Endpoint.objects.select_for_update().filter(pk=endpoint.pk).first()
    return endpoint.versions.in_production().select_related("endpoint").first()


def _told(version: AlgorithmVersion) -> QuerySet[Event]:
    return Event.objects.filter(
        endpoint=version.endpoint, subject=version.label, verb__in=(UNUSABLE, USABLE)
    )


def _told_of(found: Collection[Looked]) -> list[Endpoint]:
    """Return those endpoints of which it was ever told that a version cannot be used."""
    if not found:
        return []
    ids = [looked.endpoint.pk for looked in found]
    events = Event.objects.filter(endpoint__in=ids, verb=UNUSABLE).order_by()
    told = set(events.values_list("endpoint", flat=True))
    return [looked.endpoint for looked in found if looked.endpoint.pk in told]


def _had_problem(looked: Looked | None) -> bool:
    return looked is not None and bool(looked.problem)
