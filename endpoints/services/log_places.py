"""Finds places in the log for many endpoints or versions at once, each by a step into an index."""

from __future__ import annotations

from django.db import connection
from django.db.models import OuterRef

from endpoints.models import PredictionRequest
from endpoints.models.prediction import PredictionRequestQuerySet


def of_each(owner: str, *, oldest_first: bool = False) -> PredictionRequestQuerySet:
    """Return the requests of the outer query's endpoint or version, in the order of time.

    To be sliced and used in a Subquery. Told that the owner is equal, PostgreSQL may walk through the ids
    of all owners until it meets this one, which never ends where it has none; so it is told a range.
    """
    way = "" if oldest_first else "-"
    if connection.vendor == "postgresql":
        exactly = {f"{owner}_id__gte": OuterRef("pk"), f"{owner}_id__lte": OuterRef("pk")}
        return PredictionRequest.objects.filter(**exactly).order_by(f"{way}{owner}_id", f"{way}id")
    return PredictionRequest.objects.filter(**{owner: OuterRef("pk")}).order_by(f"{way}id")
