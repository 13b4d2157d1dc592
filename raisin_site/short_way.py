"""The short way to a prediction: past Django's handler, its signals and the middleware of the pages.

They take longer than the prediction. The views are the same as on the long way, which a request with a
cookie takes, since a person may be behind it, and every request for another address. It knows no view.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache, reduce
from typing import Any

from django.core.exceptions import MiddlewareNotUsed
from django.core.handlers.exception import response_for_exception
from django.core.handlers.wsgi import WSGIRequest
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, ResolverMatch, get_resolver

from raisin_site.access_log import AccessLogMiddleware
from raisin_site.body_room import BodyRoomMiddleware
from raisin_site.middleware import RequestIdMiddleware

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
GetResponse = Callable[[HttpRequest], HttpResponse]
MIDDLEWARE: tuple[Callable[[GetResponse], GetResponse], ...] = (
    RequestIdMiddleware,
    AccessLogMiddleware,
    BodyRoomMiddleware,
)
ROUTES = "endpoints.serving_urls"
LONGEST_PATH = 200
"""Paths are remembered, and whoever likes may send long ones."""


def with_short_way(application: Application) -> Application:
    """Answer what can take the short way; hand the rest to the application."""
    view: GetResponse = _respond
    handle = reduce(_inside, reversed(MIDDLEWARE), view)
    resolve = lru_cache(1_024)(_resolver())  # programs ask at few addresses, again and again

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace")
        is_short = not environ.get("HTTP_COOKIE") and len(path) <= LONGEST_PATH
        match = resolve(path) if is_short else None
        if match is None:
            return application(environ, start_response)
        request = WSGIRequest(environ)
        request.resolver_match = match
        response = handle(request)
        start_response(f"{response.status_code} {response.reason_phrase}", [*response.items()])
        return [response.content]

    return answer


def _inside(
    get_response: GetResponse, middleware: Callable[[GetResponse], GetResponse]
) -> GetResponse:
    try:
        return middleware(get_response)
    except MiddlewareNotUsed:
        return get_response


def _resolver() -> Callable[[str], ResolverMatch | None]:
    routes = get_resolver(ROUTES)

    def resolve(path: str) -> ResolverMatch | None:
        try:
            return routes.resolve(path)
        except Resolver404:
            return None

    return resolve


def _respond(request: HttpRequest) -> HttpResponse:
    """Call the view, as Django's handler would: whatever fails becomes an answer."""
    match = request.resolver_match
    assert match is not None  # noqa: S101 - it is why the request is here
    try:
        request.get_host()  # raises where the site does not answer under this name
        response: HttpResponse = match.func(request, *match.args, **match.kwargs)
        if hasattr(response, "render"):
            response.render()
    except Exception as error:
        response = response_for_exception(request, error)
    finally:
        if not connection.in_atomic_block:  # as within a test
            connection.close_if_unusable_or_obsolete()
    response.headers["Content-Length"] = str(len(response.content))
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
