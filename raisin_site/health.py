"""Liveness and readiness for whatever runs the process; answered before host checks and sessions.

A probe calls by pod address, which no list of allowed hosts knows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse

from endpoints.models import Endpoint
from endpoints.services import installation, serving

_all_migrated = False


class HealthMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info == "/healthz":
            return JsonResponse({"status": "OK"})
        if request.path_info == "/readyz":
            return _ready()
        return self.get_response(request)


def _ready() -> JsonResponse:
    checks = readiness()
    is_ready = all(check.ok for check in checks)
    body = {
        "status": "OK" if is_ready else "not ready",
        "checks": {check.name: check.message for check in checks},
    }
    return JsonResponse(body, status=200 if is_ready else 503)


@dataclass(frozen=True)
class Check:
    """One condition of readiness; the message says what to do where it does not hold."""

    name: str
    ok: bool
    message: str = "OK"


def readiness() -> list[Check]:
    """Check in the order in which one needs the other, and stop at the first that fails."""
    checks: list[Check] = []
    for check in (_database, _migrations, _models):
        checks.append(check())
        if not checks[-1].ok:
            break
    return checks


def _database() -> Check:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return Check("database", False, f"The database does not answer: {type(error).__name__}.")
    return Check("database", True)


def _migrations() -> Check:
    """While the code stays the same the plan cannot grow, so a clean answer is kept."""
    global _all_migrated  # noqa: PLW0603
    _all_migrated = _all_migrated or not installation.pending_migrations()
    if _all_migrated:
        return Check("migrations", True)
    return Check("migrations", False, "The database is behind the code: run `manage.py prepare`.")


def _models() -> Check:
    """One broken endpoint must not take all others out of service; none that loads must."""
    answering = Endpoint.objects.answering().count()
    if not answering:
        return Check("models", True, "No version is in production yet.")
    broken = serving.unloadable_production_models()
    if not broken:
        return Check("models", True)
    message = f"The production model does not load at: {', '.join(broken)}."
    return Check("models", len(broken) < answering, message)
