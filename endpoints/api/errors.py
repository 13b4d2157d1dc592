"""Every exception under /api/ becomes one domain error, and every domain error one JSON shape."""

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
from django.http import Http404, HttpResponse
from rest_framework import exceptions as drf
from rest_framework.response import Response

from endpoints.correlation import request_id
from endpoints.errors import (
    DomainError,
    InvalidData,
    InvalidRequest,
    InvalidRows,
    NoModel,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    TooLarge,
)
from mlcore.errors import ArtifactError, CellError, DataError, SchemaError


class InvalidJson(DomainError):
    code = "invalid_json"
    title = "The body is not JSON"


class InvalidKey(DomainError):
    code = "invalid_key"
    status = 401
    title = "The API key does not work"


class CsrfFailed(DomainError):
    code = "csrf_failed"
    status = 403
    title = "The CSRF token is missing or wrong"


class MethodNotAllowed(DomainError):
    code = "method_not_allowed"
    status = 405
    title = "The route does not know this method"


class UnsupportedEncoding(DomainError):
    code = "unsupported_encoding"
    status = 415
    title = "The body is compressed"


class InternalError(DomainError):
    code = "internal_error"
    status = 500
    title = "Something went wrong on the server"


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer a known error; None leaves the rest to Django, which logs it and asks handler500."""
    known = as_domain_error(error)
    if known is None:
        return None
    return Response(problem(known), status=known.status, headers=_headers(known))


def problem_response(error: DomainError) -> HttpResponse:
    """Return the same answer where no REST view is in charge."""
    return HttpResponse(
        orjson.dumps(problem(error)),
        status=error.status,
        content_type="application/json",
        headers=_headers(error),
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


def _cell(cell: CellError) -> dict[str, Any]:
    return {
        "row": cell.row,
        "field": cell.column,
        "code": cell.code,
        "message": cell.message,
        "value": cell.value,
    }


def _headers(error: DomainError) -> dict[str, str]:
    if error.status != 401:
        return {}
    reason = ', error="invalid_token"' if isinstance(error, InvalidKey) else ""
    return {"WWW-Authenticate": f'Bearer realm="raisin"{reason}'}


def _not_validated(error: Any) -> DomainError:
    """Name each query parameter that a filter refused."""
    cells = [
        CellError(code=str(part.code), message=str(part), column=field)
        for field, parts in error.detail.items()
        for part in parts
    ]
    return InvalidRequest(f"{cells[0].column}: {cells[0].message}", cells=cells)


def _forbidden(error: Any) -> DomainError:
    text = str(error.detail)
    return CsrfFailed(f"{text} {CSRF_HELP}") if text.startswith("CSRF") else NotAllowed(text)


def _saying(kind: type[DomainError], message: str) -> Callable[[Any], DomainError]:
    return lambda error: kind(message)


def _repeating(kind: type[DomainError]) -> Callable[[Any], DomainError]:
    return lambda error: kind(str(error), cells=getattr(error, "cells", ()))


CSRF_HELP = "Send the cookie's token as X-CSRFToken, or call with an API key."
NO_ROUTE = "There is nothing at this address. Routes end without a slash; docs/api.md lists them."
NO_CALLER = "Log in, or send an API key as “Authorization: Bearer <key>”."
NO_HOST = "The site does not answer under this host name; RAISIN_ALLOWED_HOSTS lists its names."
UNUSABLE_VALUE = "A value in the request is outside of what can be stored."

# The first match counts, so a subclass stands before its base.
CONVERSIONS: tuple[tuple[type[Exception], Callable[[Any], DomainError]], ...] = (
    (SchemaError, _repeating(InvalidRows)),
    (DataError, _repeating(InvalidData)),
    (ArtifactError, _repeating(NoModel)),
    (drf.ValidationError, _not_validated),
    (drf.AuthenticationFailed, _repeating(InvalidKey)),
    (drf.NotAuthenticated, _saying(NotAuthenticated, NO_CALLER)),
    (drf.PermissionDenied, _forbidden),
    (drf.MethodNotAllowed, _repeating(MethodNotAllowed)),
    (Http404, _saying(NotFound, NO_ROUTE)),
    (PermissionDenied, _saying(NotAllowed, "This is not allowed.")),
    (RequestDataTooBig, _saying(TooLarge, "The body is too large.")),
    (DisallowedHost, _saying(InvalidRequest, NO_HOST)),
    (SuspiciousOperation, _saying(InvalidRequest, "The request is malformed.")),
    (DatabaseDataError, _saying(InvalidRequest, UNUSABLE_VALUE)),
    (UnicodeError, _saying(InvalidRequest, "The request holds text that is not UTF-8.")),
)
