"""Pages of a log that grows while it is read: by the place of a row, never by its number.

A filter that no index serves looks at a bounded number of requests a page, and of rows where it looks into
them, and tells how far it got.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from django.http import QueryDict

from endpoints import request_ids
from endpoints.errors import InvalidRequest
from endpoints.filters import PredictionFilter
from endpoints.models import PredictionRequest
from endpoints.models.prediction import PredictionRequestQuerySet

PAGE_SIZE = 50
LOOKED_THROUGH = 12_000
ROWS_LOOKED_THROUGH = 100_000
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
    """Requests, newest first; `newer` and `older` are the query strings of the pages beside it. `matching`
    are the rows that were asked for, by request, where somebody looked into them."""

    rows: list[PredictionRequest]
    newer: str
    older: str
    stop: Stop | None = None
    matching: Mapping[uuid.UUID, Sequence[int]] = field(default_factory=dict)

    @property
    def matching_rows(self) -> int:
        return sum(len(rows) for rows in self.matching.values())


@dataclass(frozen=True)
class _Found:
    """The requests next to a place, the nearest first; `goes_on_at` is the place of the next page."""

    rows: list[PredictionRequest]
    goes_on_at: uuid.UUID | None
    stop: Stop | None
    matching: Mapping[uuid.UUID, Sequence[int]]


class _Reach(NamedTuple):
    """What matches within reach, nearest first; `edge` is the last of the requests looked at, if more lie
    behind it."""

    log: PredictionRequestQuerySet
    edge: uuid.UUID | None = None
    looked_through: int = 0


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
        return KeysetPage(found.rows[::-1], onward, back, found.stop, found.matching)
    back = _link(query, NEWER, came_from)
    return KeysetPage(found.rows, back, onward, found.stop, found.matching)


def newest(filtered: PredictionFilter) -> tuple[PredictionRequestQuerySet, bool]:
    """Return what matches, newest first, and whether older ones were not looked at."""
    reach = _within_reach(filtered, OLDER, None)
    return reach.log, reach.edge is not None


def _beside(filtered: PredictionFilter, way: str, place: uuid.UUID | None, load: Load) -> _Found:
    reach = _within_reach(filtered, way, place)
    matching: dict[uuid.UUID, Sequence[int]] = {}
    log = reach.log
    if filtered.matcher is not None:
        first = islice(filtered.matching(log), PAGE_SIZE + 1)
        matching = {found.id: found.rows for found in first}
        log = PredictionRequest.objects.filter(pk__in=matching).order_by(*log.query.order_by)
    rows = list(load(log)[: PAGE_SIZE + 1])
    if len(rows) > PAGE_SIZE:
        matching.pop(rows[PAGE_SIZE].pk, None)
        return _Found(rows[:PAGE_SIZE], rows[PAGE_SIZE - 1].pk, None, matching)
    return _Found(rows, reach.edge, _stop(way, reach), matching)


def _stop(way: str, reach: _Reach) -> Stop | None:
    if reach.edge is None:
        return None
    return Stop(way, request_ids.moment_of(reach.edge), reach.looked_through)


def _within_reach(filtered: PredictionFilter, way: str, place: uuid.UUID | None) -> _Reach:
    order, beyond, up_to = ("-id", "lt", "gte") if way == OLDER else ("id", "gt", "lte")
    log = filtered.found_by_index.order_by(order)
    if place is not None:
        log = log.filter(**{f"id__{beyond}": place})
    if not filtered.is_looking:
        return _Reach(log)
    edge, looked_through = _edge(log) if filtered.matcher is None else _edge_by_rows(log)
    if edge is not None:
        log = log.filter(**{f"id__{up_to}": edge})
    return _Reach(filtered.look(log), edge, looked_through)


def _edge(log: PredictionRequestQuerySet) -> tuple[uuid.UUID | None, int]:
    ids = list(log.values_list("id", flat=True)[LOOKED_THROUGH - 1 : LOOKED_THROUGH + 1])
    return (ids[0] if len(ids) == 2 else None), LOOKED_THROUGH


def _edge_by_rows(log: PredictionRequestQuerySet) -> tuple[uuid.UUID | None, int]:
    """A request has up to a thousand rows, and each is looked at."""
    reached, looked_through, rows = None, 0, 0
    for request_id, row_count in log.values_list("id", "row_count")[: LOOKED_THROUGH + 1]:
        if looked_through == LOOKED_THROUGH or rows >= ROWS_LOOKED_THROUGH:
            return reached, looked_through
        reached, looked_through, rows = request_id, looked_through + 1, rows + row_count
    return None, looked_through


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
