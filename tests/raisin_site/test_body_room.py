"""Room for a large body is given back when its request ends, however it ends."""

from __future__ import annotations

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from endpoints.bodies import read_body
from endpoints.large_bodies import SMALL, working
from raisin_site.body_room import BodyRoomMiddleware

BODY = b" " * (SMALL + 1)


def request() -> HttpRequest:
    return RequestFactory().post("/", BODY, content_type="text/plain")


def test_it_works() -> None:
    before, within = working.free, []

    def view(request: HttpRequest) -> HttpResponse:
        assert read_body(request) == read_body(request) == BODY
        within.append(working.free)
        return HttpResponse()

    BodyRoomMiddleware(view)(request())
    assert within == [before - len(BODY)]
    assert working.free == before


def test_a_view_that_fails_gives_its_room_back() -> None:
    before = working.free

    def view(request: HttpRequest) -> HttpResponse:
        read_body(request)
        raise ValueError

    with pytest.raises(ValueError):
        BodyRoomMiddleware(view)(request())
    assert working.free == before
