"""Reads what overview pages tell of endpoints and their versions, beside the traffic.

It changes nothing and knows nothing of pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Exists, OuterRef, Subquery

from endpoints.models import (
    AlgorithmVersion,
    Endpoint,
    PromotionRequest,
    StatusChange,
)
from endpoints.models.endpoint import EndpointQuerySet
from endpoints.models.version import AlgorithmVersionQuerySet
from endpoints.services import log_places


def with_last_request(endpoints: EndpointQuerySet) -> EndpointQuerySet:
    """Annotate `last_request_at`."""
    newest = log_places.of_each("endpoint").values("created_at")[:1]
    return endpoints.annotate(last_request_at=Subquery(newest))


def that_answered(versions: AlgorithmVersionQuerySet) -> AlgorithmVersionQuerySet:
    """Keep the versions that are in the log."""
    newest = log_places.of_each("version").values("pk")[:1]
    return versions.annotate(last_request=Subquery(newest)).filter(last_request__isnull=False)


def live_versions(endpoints: Sequence[Endpoint]) -> list[AlgorithmVersion]:
    """Return what is in production or waits in staging, with `status_since` and `is_requested`."""
    since = (
        StatusChange.objects.filter(version=OuterRef("pk"), to_status=OuterRef("status"))
        .order_by("-at")
        .values("at")[:1]
    )
    return list(
        AlgorithmVersion.objects.filter(endpoint__in=endpoints)
        .filter(status__in=("production", "staging", "ab_testing"))
        .select_related("run")
        .annotate(
            status_since=Subquery(since),
            is_requested=Exists(PromotionRequest.objects.waiting().filter(version=OuterRef("pk"))),
        )
        .order_by("-number")
    )


def promotions(endpoint: Endpoint, *, since: datetime) -> list[StatusChange]:
    """Return what entered production since then, oldest first, to be marked in charts."""
    changes = StatusChange.objects.of(endpoint).into_production().filter(at__gte=since)
    return list(changes.select_related("version").order_by("at", "id"))
