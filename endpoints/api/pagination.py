"""Lists in pages by cursor: the cost stays constant however long the list is."""

from __future__ import annotations

import re
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

from endpoints.errors import InvalidRequest


class NewestFirst(CursorPagination):
    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 200

    def paginate_queryset(
        self, queryset: Any, request: Request, view: Any = None
    ) -> list[Any] | None:
        try:
            return super().paginate_queryset(queryset, request, view)
        except (NotFound, ValidationError, ValueError, OverflowError):
            if self.cursor_query_param not in request.query_params:
                raise
            raise InvalidRequest("“cursor” must come from a list's “next” or “previous”.") from None

    def get_page_size(self, request: Request) -> int:
        text = request.query_params.get("limit", str(self.page_size))
        if re.fullmatch("[0-9]{1,3}", text) is None or not 1 <= int(text) <= self.max_page_size:
            raise InvalidRequest(f"“limit” is a number from 1 to {self.max_page_size}.")
        return int(text)

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> tuple[str, ...]:
        return view.newest_first
