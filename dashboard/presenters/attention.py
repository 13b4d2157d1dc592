"""What waits for somebody: promotion requests, for those who may answer them; the oldest first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from endpoints.models import AlgorithmVersion, PromotionRequest
from endpoints.services import access
from endpoints.services.access import Caller, Need

SHOWN = 5


@dataclass(frozen=True)
class Attention:
    """The requests to show, and whether there are more than these."""

    requests: list[PromotionRequest]
    has_more: bool


def needed(caller: Caller) -> Attention:
    """Return what waits for this person at any endpoint."""
    if not caller.may(Need.PROMOTE):
        return Attention([], False)
    theirs = access.endpoints_where(caller, Need.PROMOTE)
    found = PromotionRequest.objects.waiting().filter(version__endpoint__in=theirs)
    oldest = list(found.select_related("version__endpoint").order_by("at", "id")[: SHOWN + 1])
    return Attention(oldest[:SHOWN], len(oldest) > SHOWN)


def open_requests(versions: Iterable[AlgorithmVersion]) -> list[PromotionRequest]:
    """Return the requests without an answer, whoever may give it; the versions know `is_requested`."""
    asked = [version for version in versions if getattr(version, "is_requested", False)]
    if not asked:
        return []
    found = PromotionRequest.objects.waiting().filter(version__in=asked)
    return list(found.select_related("version").order_by("at", "id")[:SHOWN])
