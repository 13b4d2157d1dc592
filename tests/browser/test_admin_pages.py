"""Every page of the admin that we have made our own: no accessibility finding, in light and dark."""

from __future__ import annotations

import pytest
from django.contrib import admin
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.test_every_page import FEW_SIGHTS, filled
from tests.live import LiveSite

ADMIN_PAGES = {
    "admin": "/admin/",
    "admin endpoint form": "/admin/endpoints/endpoint/1/change/",
    "admin version": "/admin/endpoints/algorithmversion/2/change/",
    "admin run": "/admin/endpoints/run/{newton}/change/",
    "admin alert rule": "/admin/endpoints/alertrule/1/change/",
}


@pytest.fixture
def site(furnished_site: LiveSite) -> LiveSite:
    return furnished_site


@pytest.mark.parametrize(("theme", "width"), FEW_SIGHTS)
@pytest.mark.parametrize("name", ADMIN_PAGES)
def test_a_page_of_the_admin_is_accessible(
    name: str, theme: str, width: int, site: LiveSite, open_site: Open, logged_in: str
) -> None:
    visitor = open_site(site, theme=theme, width=width, state=logged_in)
    visitor.go(filled(ADMIN_PAGES[name], site))
    assert visitor.axe() == []


@pytest.mark.parametrize(("theme", "width"), FEW_SIGHTS)
def test_every_list_of_the_admin_is_accessible(
    theme: str, width: int, site: LiveSite, open_site: Open, logged_in: str
) -> None:
    visitor = open_site(site, theme=theme, width=width, state=logged_in)
    found = {}
    for model in admin.site._registry:
        path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        expect(visitor.go(path).locator("#changelist")).to_be_visible()
        found[path] = visitor.axe()
    assert len(found) > 10
    assert {path: lines for path, lines in found.items() if lines} == {}
