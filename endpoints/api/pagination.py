"""Lists in pages by cursor: the cost stays constant however long the list is."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import QuerySet, Subquery
from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

from endpoints.errors import InvalidRequest
from endpoints.services import access, log_places


class NewestFirst(CursorPagination):
    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 200

    def paginate_queryset(
        self, queryset: Any, request: Request, view: Any = None
    ) -> list[Any] | None:
        try:
            return super().paginate_queryset(
                self.within_reach(queryset, request, view), request, view
            )
        except (NotFound, ValidationError, ValueError, OverflowError):
            if self.cursor_query_param not in request.query_params:
                raise
            raise InvalidRequest("“cursor” must come from a list's “next” or “previous”.") from None

    def within_reach(self, queryset: Any, request: Request, view: Any) -> Any:
        """Keep a part that is sure to hold the page, where there is too much for a database to sort."""
        return queryset

    def get_page_size(self, request: Request) -> int:
        text = request.query_params.get("limit", str(self.page_size))
        if re.fullmatch("[0-9]{1,3}", text) is None or not 1 <= int(text) <= self.max_page_size:
            raise InvalidRequest(f"“limit” is a number from 1 to {self.max_page_size}.")
        return int(text)

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> tuple[str, ...]:
        return view.newest_first


class NewestOfLog(NewestFirst):
    """The logged predictions of many endpoints, in the order of their ids.

    An index finds the newest of one endpoint only. Of each endpoint that one is looked up which stands
    where the page would end if there were no other; the page ends at the nearest of them or before.
    """

    def within_reach(self, queryset: Any, request: Request, view: Any) -> Any:
        cursor = self.decode_cursor(request)
        is_reverse = cursor is not None and cursor.reverse
        log = log_places.of_each("endpoint", oldest_first=is_reverse)
        if cursor is not None and cursor.position:
            beyond = "id__gt" if is_reverse else "id__lt"
            log = log.filter(**{beyond: UUID(str(cursor.position))})
        place = self.get_page_size(request) + (cursor.offset if cursor else 0)
        last = Subquery(log.values("pk")[place : place + 1])
        endpoints = access.visible_endpoints(view.caller).annotate(last=last)
        ends = dict(endpoints.values_list("pk", "last"))
        found = queryset.filter(endpoint__in=list(ends))
        nearest = sorted((end for end in ends.values() if end), reverse=not is_reverse)
        up_to = "id__lte" if is_reverse else "id__gte"
        return found.filter(**{up_to: nearest[0]}) if nearest else found
