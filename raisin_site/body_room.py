"""Ends a request's stay in the room for large bodies; it reads no body."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from endpoints import large_bodies


class BodyRoomMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        large_bodies.begin(request)
        try:
            return self.get_response(request)
        finally:
            large_bodies.end(request)
