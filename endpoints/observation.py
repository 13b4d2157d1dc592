"""What became of requests that got no answer, counted for the log's roll-ups and for metrics; it knows no HTTP.

Only endpoints that exist are counted: their names become labels, of which nobody may make new ones.
"""

from __future__ import annotations

import logging

from django.db import Error
from django.utils import timezone

from endpoints.errors import (
    DomainError,
    InternalError,
    InvalidKey,
    LogUnavailable,
    NoModel,
    NotAllowed,
    NotAuthenticated,
    TooLarge,
    TooManyRequests,
)
from endpoints.services import serving
from endpoints.services.metrics import Refused, metrics

logger = logging.getLogger(__name__)

INTERNAL = "internal"
OUR_FAULT = InternalError("Something went wrong on the server.")
# The first match counts.
REASONS: tuple[tuple[type[DomainError] | tuple[type[DomainError], ...], str], ...] = (
    (LogUnavailable, "log"),
    (NoModel, "model"),
    ((NotAuthenticated, NotAllowed, InvalidKey), "auth"),
    ((TooLarge, TooManyRequests), "limit"),
)


def refused(slug: str, protocol: str, error: DomainError, *, status: int) -> None:
    """Count a request that was refused, with the status that its protocol has for that."""
    if _count(slug, protocol, status, reason_of(error)):
        serving.count_refusal(slug, error, now=timezone.now())


def crashed(slug: str, protocol: str) -> None:
    """Count a request that failed by a fault of ours; who calls this raises on."""
    refused(slug, protocol, OUR_FAULT, status=OUR_FAULT.status)


def reason_of(error: DomainError) -> str:
    for kinds, reason in REASONS:
        if isinstance(error, kinds):
            return reason
    return "validation" if error.status < 500 else INTERNAL


def _count(slug: str, protocol: str, status: int, reason: str) -> bool:
    """Return whether there is such an endpoint. What is told to the caller matters more than a count."""
    try:
        found = serving.snapshots.get(slug) if slug else None
    except Error:
        logger.exception("a refused request was not counted")
        return False
    if found is None:
        return False
    metrics.refused(Refused(found.endpoint.slug, found.number, protocol, status, reason))
    return True
