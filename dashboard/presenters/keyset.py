"""Pages of a log that grows while it is read: by the place of a row, never by its number."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet
from django.http import QueryDict

from endpoints.errors import InvalidRequest
from endpoints.models import PredictionRequest

PAGE_SIZE = 50
OLDER, NEWER = "older", "newer"


@dataclass(frozen=True)
class KeysetPage:
    """Rows, newest first; `newer` and `older` are the query strings of the pages beside it."""

    rows: list[PredictionRequest]
    newer: str
    older: str


def read(log: QuerySet[PredictionRequest], query: QueryDict) -> KeysetPage:
    """Return the page that `?older=` or `?newer=` names, else the newest one."""
    newer = query.get(NEWER, "")
    if newer:
        ahead = _beside(log, newer, "gt").order_by("created_at", "id")
        found = list(ahead[: PAGE_SIZE + 1])
        rows = found[:PAGE_SIZE][::-1]
        return _page(query, rows, newer=len(found) > PAGE_SIZE, older=True)
    older = query.get(OLDER, "")
    behind = _beside(log, older, "lt") if older else log
    found = list(behind.order_by("-created_at", "-id")[: PAGE_SIZE + 1])
    return _page(query, found[:PAGE_SIZE], newer=bool(older), older=len(found) > PAGE_SIZE)


def _page(
    query: QueryDict, rows: list[PredictionRequest], *, newer: bool, older: bool
) -> KeysetPage:
    return KeysetPage(
        rows,
        newer=_link(query, NEWER, rows[0]) if rows and newer else "",
        older=_link(query, OLDER, rows[-1]) if rows and older else "",
    )


def _beside(log: QuerySet[PredictionRequest], place: str, way: str) -> QuerySet[PredictionRequest]:
    at, key = _read_place(place)
    # The first condition alone lets the index find the place.
    return log.filter(
        Q(**{f"created_at__{way}e": at}),
        Q(**{f"created_at__{way}": at}) | Q(created_at=at, **{f"id__{way}": key}),
    )


def _read_place(place: str) -> tuple[datetime, uuid.UUID]:
    moment, _, key = place.partition("_")
    try:
        at = datetime.fromisoformat(moment)
        found = uuid.UUID(key)
    except ValueError:
        raise InvalidRequest("This page's address is damaged. Start from the newest.") from None
    if at.tzinfo is None:
        raise InvalidRequest("This page's address is damaged. Start from the newest.")
    return at, found


def _link(query: QueryDict, way: str, row: PredictionRequest) -> str:
    kept = query.copy()
    for name in (OLDER, NEWER):
        kept.pop(name, None)
    kept[way] = f"{row.created_at.isoformat()}_{row.pk}"
    return kept.urlencode()
