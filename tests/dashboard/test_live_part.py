"""The traffic of an endpoint refreshes itself: the same address answers a fragment to htmx."""

from __future__ import annotations

from django.contrib.auth.models import User

from tests.dashboard.conftest import Browse, Site

PAGE = "/endpoints/raisin/"


def test_it_works(site: Site, ana: User, browse: Browse) -> None:
    part = browse(ana).get(PAGE, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert "Requests" in part


def test_the_page_asks_for_it_and_can_be_paused(site: Site, ana: User, browse: Browse) -> None:
    page = browse(ana).get(f"{PAGE}?period=7d").content.decode()
    assert 'data-live="15"' in page
    assert f'hx-get="{PAGE}?period=7d"' in page
    assert "Pause updates" in page
