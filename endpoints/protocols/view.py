"""What the plain views of the wire protocols share: the caller, one way to fail, and counted refusals.

They have no REST framework, no session and no CSRF token: a program calls with a key, or at a public
endpoint without one. `slug` is the view's argument that names the endpoint.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from endpoints import observation, problems
from endpoints.answers import as_response
from endpoints.errors import DomainError, MethodNotAllowed
from endpoints.services import callers
from endpoints.services.access import Caller

View = Callable[..., Any]
Wording = Callable[[DomainError], HttpResponse]
Failure = Callable[[Exception, str], HttpResponse]
"""Answers an error at the endpoint of this slug; one that is nobody's mistake but ours it raises again."""


def prediction(
    name: str, *, failure: Wording = problems.response
) -> Callable[[View], Callable[..., HttpResponse]]:
    """Make a view that predicts, as `protocol` does; requests that it refuses are counted."""

    def fail(error: Exception, slug: str) -> HttpResponse:
        known = problems.as_domain_error(error)
        if known is None:
            observation.crashed(slug, name)
            raise error
        response = failure(known)
        observation.refused(slug, name, known, status=response.status_code)
        return response

    return _decorator(("POST",), fail)


def protocol(
    *methods: str, failure: Wording = problems.response
) -> Callable[[View], Callable[..., HttpResponse]]:
    """Make a view of a function of (request, caller, **arguments) that returns what is to be JSON.

    Failure: how this protocol words an error.
    """

    def fail(error: Exception, slug: str) -> HttpResponse:
        known = problems.as_domain_error(error)
        if known is None:
            raise error
        return failure(known)

    return _decorator(methods, fail)


def _decorator(
    methods: tuple[str, ...], fail: Failure
) -> Callable[[View], Callable[..., HttpResponse]]:

    def decorate(view: View) -> Callable[..., HttpResponse]:
        @csrf_exempt
        @wraps(view)
        def answer(request: HttpRequest, **arguments: str) -> HttpResponse:
            try:
                _check_method(request, methods)
                caller = callers.by_header(
                    request.META.get("HTTP_AUTHORIZATION", ""), timezone.now()
                )
                return as_response(view(request, caller, **arguments))
            except Exception as error:
                return fail(error, arguments.get("slug", ""))

        return answer

    return decorate


def _check_method(request: HttpRequest, methods: tuple[str, ...]) -> None:
    method = "GET" if request.method == "HEAD" else request.method
    if method not in methods:
        raise MethodNotAllowed(
            f"{request.method} is not known here; use {' or '.join(methods)}.", allowed=methods
        )


__all__ = ["Caller", "prediction", "protocol"]
