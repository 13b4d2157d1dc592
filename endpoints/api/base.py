"""What all views share: every body is JSON, the caller is known by name, parameters are checked."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.views import APIView

from endpoints.api import query
from endpoints.api.auth import caller_of
from endpoints.api.fields import Field, read_object
from endpoints.api.finite import refuse_not_finite
from endpoints.api.operations import IDEMPOTENT, Operations
from endpoints.bodies import parse_json, read_body
from endpoints.errors import InvalidRequest
from endpoints.services.access import Caller

USABLE_KEY = re.compile(r"[!-~]{1,64}")


def caller_in(context: Mapping[str, Any]) -> Caller:
    """Return whom a serializer writes for: the one that is named to it, else the caller of its list."""
    named: Caller = context["caller"] if "caller" in context else context["view"].caller
    return named


class JsonView(APIView):
    operations: Operations = {}
    """By method; the query parameters that it knows are the only ones that are not refused."""

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        """Forget the announced type: a form type, which curl sends by default, would make the CSRF
        check read the body as a form, and an exotic charset would break the query string."""
        request.META["CONTENT_TYPE"] = "application/json"
        if request.encoding not in (None, "utf-8"):
            request.encoding = "utf-8"
        return super().initialize_request(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        method = str(request.method).replace("HEAD", "GET")
        if method in self.operations:  # any other is about to be refused as such
            known = self.operations[method].parameters
            query.refuse_unknown(request.query_params, known, what="query parameter")
            query.refuse_repeated(request.query_params)

    def finalize_response(
        self, request: Request, response: HttpResponse, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Let go of the body: view and request know each other, so it would stay until a full collection."""
        vars(request._request).pop("_body", None)
        return super().finalize_response(request, response, *args, **kwargs)

    @property
    def caller(self) -> Caller:
        return caller_of(self.request)

    def fields(self, fields: Sequence[Field]) -> dict[str, Any]:
        """Read the body; none at all is an empty object where no field is required."""
        body = read_body(self.request._request)
        if not body and not any(field.required for field in fields):
            return {}
        refuse_not_finite(body, fields)
        return read_object(parse_json(body), fields)

    def submission(self) -> str:
        """Return the name of this request, under which it changes something once; "" if it has none.

        Callers choose their keys without knowing one another, so each caller has names of its own,
        and they count at one address.
        """
        given = self.request.headers.get(IDEMPOTENT)
        if given is None:
            return ""
        if USABLE_KEY.fullmatch(given) is None:
            raise InvalidRequest(f"{IDEMPOTENT} has 1 to 64 visible ASCII characters.")
        said = f"{self.caller.identity}\n{self.request.path}\n{given}"
        return hashlib.sha256(said.encode()).hexdigest()


class JsonListView(JsonView, ListAPIView):
    """A list in pages; `newest_first` is its ordering, unique or nearly so in the first field."""

    newest_first: tuple[str, ...]
