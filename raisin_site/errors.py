"""What Django answers when no view does: JSON to programs, a page to people."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views import csrf, defaults

from endpoints import problems
from endpoints.api.errors import CSRF_HELP, as_domain_error
from endpoints.correlation import request_id
from endpoints.errors import CsrfFailed, DomainError, InternalError, InvalidRequest

# Programs ask here; /v1, /v2 and the rest belong to the protocols of other model servers.
FOR_PROGRAMS = (
    "api",
    "e",
    "v1",
    "v2",
    "invocations",
    "ping",
    "predict",
    "monitor",
    "features",
    "plot",
    "health",
    "version",
)
OUR_FAULT = "Something went wrong on the server. It is logged under the request id in this answer."


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, exception) or defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, exception) or defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, exception) or defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Render without the request: what the page shell asks for may be what failed."""
    answer = _answer(request, InternalError(OUR_FAULT))
    return answer or HttpResponse(
        render_to_string("500.html", {"request_id": request_id.get()}), status=500
    )


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    answer = _answer(request, CsrfFailed(f"{reason} {CSRF_HELP}"))
    return answer or csrf.csrf_failure(request, reason)


def _answer(request: HttpRequest, error: Exception) -> HttpResponse | None:
    if request.path_info.lstrip("/").partition("/")[0] in FOR_PROGRAMS:
        return problems.response(_known(error))
    return None


def _known(error: Exception) -> DomainError:
    return as_domain_error(error) or InvalidRequest("The request is malformed.")
