"""What the REST framework raises, answered in the one JSON shape of all routes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rest_framework import exceptions as drf
from rest_framework.response import Response

from endpoints import problems
from endpoints.errors import (
    CsrfFailed,
    DomainError,
    InvalidKey,
    InvalidRequest,
    MethodNotAllowed,
    NotAllowed,
    NotAuthenticated,
)
from endpoints.problems import repeating, saying
from mlcore.errors import CellError


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer a known error; None leaves the rest to Django, which logs it and asks handler500."""
    known = as_domain_error(error)
    if known is None:
        return None
    return Response(problems.problem(known), status=known.status, headers=problems.headers(known))


def as_domain_error(error: Exception) -> DomainError | None:
    for kind, convert in CONVERSIONS:
        if isinstance(error, kind):
            return convert(error)
    return problems.as_domain_error(error)


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


CSRF_HELP = "Send the cookie's token as X-CSRFToken, or call with an API key."
NO_CALLER = "Log in, or send an API key as “Authorization: Bearer <key>”."

# The first match counts, so a subclass stands before its base.
CONVERSIONS: tuple[tuple[type[Exception], Callable[[Any], DomainError]], ...] = (
    (drf.ValidationError, _not_validated),
    (drf.AuthenticationFailed, repeating(InvalidKey)),
    (drf.NotAuthenticated, saying(NotAuthenticated, NO_CALLER)),
    (drf.PermissionDenied, _forbidden),
    (drf.MethodNotAllowed, lambda error: MethodNotAllowed(str(error))),
)
