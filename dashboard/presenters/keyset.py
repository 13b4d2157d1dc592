"""Pages of a log that grows while it is read: by the place of a row, never by its number.

A filter that no index serves looks at a bounded number of requests a page, and tells how far it got.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.http import QueryDict

from endpoints import request_ids
from endpoints.errors import InvalidRequest
from endpoints.filters import PredictionFilter
from endpoints.models import PredictionRequest
from endpoints.models.prediction import PredictionRequestQuerySet

PAGE_SIZE = 50
LOOKED_THROUGH = 12_000
OLDER, NEWER = "older", "newer"
Load = Callable[[PredictionRequestQuerySet], PredictionRequestQuerySet]


@dataclass(frozen=True)
class Stop:
    """Where looking ended before a page was full; `way` is the side to go on at."""

    way: str
    moment: datetime
    looked_through: int


@dataclass(frozen=True)
class KeysetPage:
    """Rows, newest first; `newer` and `older` are the query strings of the pages beside it."""

    rows: list[PredictionRequest]
    newer: str
    older: str
    stop: Stop | None = None


@dataclass(frozen=True)
class _Found:
    """The rows next to a place, the nearest first; `goes_on_at` is the place of the next page."""

    rows: list[PredictionRequest]
    goes_on_at: uuid.UUID | None
    stop: Stop | None


def read(filtered: PredictionFilter, query: QueryDict, *, load: Load) -> KeysetPage:
    """Return the page that `?older=` or `?newer=` names, else the newest one.

    `load` says which columns and related rows a page needs.
    """
    way = NEWER if query.get(NEWER) else OLDER
    place = _read_place(str(query[way])) if query.get(way) else None
    found = _beside(filtered, way, place, load)
    onward = _link(query, way, found.goes_on_at)
    # There is something where one came from.
    came_from = found.rows[0].pk if found.rows and place is not None else None
    if way == NEWER:
        back = _link(query, OLDER, came_from)
        return KeysetPage(found.rows[::-1], newer=onward, older=back, stop=found.stop)
    back = _link(query, NEWER, came_from)
    return KeysetPage(found.rows, newer=back, older=onward, stop=found.stop)


def newest(filtered: PredictionFilter) -> tuple[PredictionRequestQuerySet, bool]:
    """Return what matches, newest first, and whether older ones were not looked at."""
    log, edge = _within_reach(filtered, OLDER, None)
    return log, edge is not None


def _beside(filtered: PredictionFilter, way: str, place: uuid.UUID | None, load: Load) -> _Found:
    log, edge = _within_reach(filtered, way, place)
    rows = list(load(log)[: PAGE_SIZE + 1])
    if len(rows) > PAGE_SIZE:
        return _Found(rows[:PAGE_SIZE], rows[PAGE_SIZE - 1].pk, None)
    return _Found(rows, edge, _stop(way, edge))


def _stop(way: str, edge: uuid.UUID | None) -> Stop | None:
    return None if edge is None else Stop(way, request_ids.moment_of(edge), LOOKED_THROUGH)


def _within_reach(
    filtered: PredictionFilter, way: str, place: uuid.UUID | None
) -> tuple[PredictionRequestQuerySet, uuid.UUID | None]:
    """Return what matches beyond the place, nearest first, and the last request looked at, if more
    lie behind it."""
    order, beyond, up_to = ("-id", "lt", "gte") if way == OLDER else ("id", "gt", "lte")
    log = filtered.found_by_index.order_by(order)
    if place is not None:
        log = log.filter(**{f"id__{beyond}": place})
    if not filtered.is_looking:
        return log, None
    ids = list(log.values_list("id", flat=True)[LOOKED_THROUGH - 1 : LOOKED_THROUGH + 1])
    edge = ids[0] if len(ids) == 2 else None
    if edge is not None:
        log = log.filter(**{f"id__{up_to}": edge})
    return filtered.look(log), edge


def _read_place(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise InvalidRequest("This page's address is damaged. Start from the newest.") from None


def _link(query: QueryDict, way: str, place: uuid.UUID | None) -> str:
    if place is None:
        return ""
    kept = query.copy()
    for name in (OLDER, NEWER):
        kept.pop(name, None)
    kept[way] = str(place)
    return kept.urlencode()
