"""Every exception becomes one domain error, and every domain error one JSON shape, on every route.

It knows no REST framework: the wire protocols answer with it as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from django.core.exceptions import (
    DisallowedHost,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.db import DataError as DatabaseDataError
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpResponse

from endpoints.correlation import request_id
from endpoints.errors import (
    DatabaseUnavailable,
    DomainError,
    InvalidData,
    InvalidKey,
    InvalidRequest,
    InvalidRows,
    MethodNotAllowed,
    NoModel,
    NotAllowed,
    NotFound,
    TooLarge,
)
from mlcore.errors import ArtifactError, CellError, DataError, SchemaError


def response(error: DomainError) -> HttpResponse:
    """Return the answer to a request that failed."""
    return HttpResponse(
        orjson.dumps(problem(error)),
        status=error.status,
        content_type="application/json",  # some clients compare it for equality
        headers=headers(error),
    )


def problem(error: DomainError) -> dict[str, Any]:
    """Return the body: RFC 9457 problem details with the words that other protocols look for."""
    return {
        "error": error.message,
        "code": error.code,
        "type": "about:blank",
        "title": error.title,
        "status": error.status,
        "detail": error.message,
        "errors": [_cell(cell) for cell in error.cells],
        "request_id": request_id.get(),
        "error_code": error.code.upper(),
        "message": error.message,
    }


def as_domain_error(error: Exception) -> DomainError | None:
    if isinstance(error, DomainError):
        return error
    for kind, convert in CONVERSIONS:
        if isinstance(error, kind):
            return convert(error)
    return None


def headers(error: DomainError) -> dict[str, str]:
    found = {}
    if error.status == 401:
        reason = ', error="invalid_token"' if isinstance(error, InvalidKey) else ""
        found["WWW-Authenticate"] = f'Bearer realm="raisin"{reason}'
    if isinstance(error, MethodNotAllowed) and error.allowed:
        found["Allow"] = ", ".join(error.allowed)
    if error.retry_after is not None:
        found["Retry-After"] = str(error.retry_after)
    return found


def _cell(cell: CellError) -> dict[str, Any]:
    return {
        "row": cell.row,
        "field": cell.column,
        "code": cell.code,
        "message": cell.message,
        "value": cell.value,
    }


def saying(kind: type[DomainError], message: str) -> Callable[[Any], DomainError]:
    return lambda error: kind(message)


def repeating(kind: type[DomainError]) -> Callable[[Any], DomainError]:
    return lambda error: kind(str(error), cells=getattr(error, "cells", ()))


NO_ROUTE = "There is nothing at this address. Routes end without a slash; docs/api.md lists them."
NO_HOST = "The site does not answer under this host name; RAISIN_ALLOWED_HOSTS lists its names."
UNUSABLE_VALUE = "A value in the request is outside of what can be stored."
NO_DATABASE = "The database does not answer at the moment. Try again."

# The first match counts, so a subclass stands before its base.
CONVERSIONS: tuple[tuple[type[Exception], Callable[[Any], DomainError]], ...] = (
    (SchemaError, repeating(InvalidRows)),
    (DataError, repeating(InvalidData)),
    (ArtifactError, repeating(NoModel)),
    (Http404, saying(NotFound, NO_ROUTE)),
    (PermissionDenied, saying(NotAllowed, "This is not allowed.")),
    (RequestDataTooBig, saying(TooLarge, "The body is too large.")),
    (DisallowedHost, saying(InvalidRequest, NO_HOST)),
    (SuspiciousOperation, saying(InvalidRequest, "The request is malformed.")),
    (DatabaseDataError, saying(InvalidRequest, UNUSABLE_VALUE)),
    (OperationalError, saying(DatabaseUnavailable, NO_DATABASE)),
    (InterfaceError, saying(DatabaseUnavailable, NO_DATABASE)),
    (UnicodeError, saying(InvalidRequest, "The request holds text that is not UTF-8.")),
)
