"""One line for each request that the process answered, for whoever wants one; it never reads a body.

What a line holds must be safe to keep: no query strings, which may carry login tokens, no cookies, and of
a key only the part that its owner sees in lists.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import perf_counter
from typing import Any

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse

from endpoints.correlation import traceparent
from endpoints.services.keys import SHAPE

LONGEST = 200
PROBES = frozenset({"health", "ping", "ready"})
"""How the addresses end at which others ask whether a model answers; the site's own come before this."""

logger = logging.getLogger("raisin.access")


class AccessLogMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        if not settings.RAISIN_ACCESS_LOG:
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = perf_counter()
        response = self.get_response(request)
        if not _is_left_out(request):
            fields = _line(request, response, seconds=perf_counter() - started)
            summary = f"{fields['method']} {fields['path']} {fields['status']}"
            logger.info(summary, extra={"fields": fields})
        return response


def _is_left_out(request: HttpRequest) -> bool:
    path = request.path_info
    is_probe = request.method in ("GET", "HEAD") and path.rpartition("/")[2] in PROBES
    return is_probe or path.startswith(settings.STATIC_URL)


def _line(request: HttpRequest, response: HttpResponse, *, seconds: float) -> dict[str, Any]:
    trace = traceparent.get()
    return {
        "method": str(request.method)[:16],
        "path": request.path_info[:LONGEST],
        "status": response.status_code,
        "duration_ms": round(seconds * 1_000, 3),
        "bytes": None if response.streaming else len(response.content),
        "trace_id": trace.split("-")[1] if trace else None,
        "caller": _caller(request),
        "user_agent": request.META.get("HTTP_USER_AGENT", "")[:LONGEST],
    }


def _caller(request: HttpRequest) -> str | None:
    """Name who asked without asking the database: the key that was sent, or the person who is logged in.

    The key may be wrong; the status says so.
    """
    _, _, text = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    shape = SHAPE.fullmatch(text.strip())
    if shape is not None:
        return shape[1]
    person = getattr(request, "_cached_user", None)  # set where a view or a page has asked for it
    return person.get_username() or None if person is not None else None
