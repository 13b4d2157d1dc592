"""What all views share: every body is JSON, the caller is known by name, parameters are checked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.views import APIView

from endpoints.api import query
from endpoints.api.auth import caller_of
from endpoints.services.access import Caller


class JsonView(APIView):
    parameters: Iterable[str] = ()

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        """Forget the announced type: a form type, which curl sends by default, would make the CSRF
        check read the body as a form, and an exotic charset would break the query string."""
        request.META["CONTENT_TYPE"] = "application/json"
        request.encoding = "utf-8"
        return super().initialize_request(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        query.refuse_unknown(request.query_params, self.parameters, what="query parameter")

    @property
    def caller(self) -> Caller:
        return caller_of(self.request)


class JsonListView(JsonView, ListAPIView):
    """A list in pages; `newest_first` is its ordering, unique or nearly so in the first field."""

    parameters = ("cursor", "limit")
    newest_first: tuple[str, ...]
