"""Every page, in both themes and at two widths: axe finds nothing, nothing overflows, no foreign request."""

from __future__ import annotations

import sqlite3
import uuid

import pytest

from tests.browser.conftest import Open
from tests.live import LiveSite

BASE = "/endpoints/raisin/"
PAGES = {
    "home": "/",
    "endpoint": BASE,
    "endpoint month": f"{BASE}?period=30d",
    "versions": f"{BASE}versions/",
    "version": f"{BASE}versions/2/",
    "version unconverged": f"{BASE}versions/1/",
    "review promotion": f"{BASE}versions/3/review/?to=production",
    "review archive": f"{BASE}versions/3/review/?to=archived",
    "predictions": f"{BASE}predictions/",
    "predictions none": f"{BASE}predictions/?probability_min=0.5&probability_max=0.5",
    "prediction": f"{BASE}predictions/{{prediction}}/",
    "try": f"{BASE}try/",
    "runs": "/runs/",
    "runs none": "/runs/?q=nothing-is-called-so",
    "run": "/runs/{newton}/",
    "run unconverged": "/runs/{gd}/",
    "compare": "/runs/compare/?run={gd}&run={newton}&run={tuned}",
    "compare too few": "/runs/compare/",
    "account": "/account/",
    "password": "/account/password/",
    "admin": "/admin/",
    "admin versions": "/admin/endpoints/algorithmversion/",
    "admin endpoint form": "/admin/endpoints/endpoint/1/change/",
    "admin requests": "/admin/endpoints/predictionrequest/",
    "admin audit": "/admin/endpoints/statuschange/",
}
SIGHTS = [("light", 1280), ("dark", 1280), ("light", 360), ("dark", 360)]


def filled(path: str, site: LiveSite) -> str:
    gd, newton, tuned = site.demo["runs"]
    with sqlite3.connect(f"file:{site.home / 'raisin.sqlite3'}?mode=ro", uri=True) as connection:
        (prediction,) = connection.execute(
            "SELECT id FROM endpoints_predictionrequest WHERE row_count = 1 LIMIT 1"
        ).fetchone()
    return path.format(gd=gd, newton=newton, tuned=tuned, prediction=uuid.UUID(prediction))


@pytest.mark.parametrize(("theme", "width"), SIGHTS)
@pytest.mark.parametrize("name", PAGES)
def test_it_is_accessible(
    name: str, theme: str, width: int, demo_site: LiveSite, open_site: Open, logged_in: str
) -> None:
    visitor = open_site(demo_site, theme=theme, width=width, state=logged_in)
    page = visitor.go(filled(PAGES[name], demo_site))
    assert page.locator("h1").count() == 1
    assert visitor.axe() == []
    if not name.startswith("admin"):
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/login/", "/login/?link=invalid", "/no-such-page/"])
def test_pages_for_strangers_are_accessible(
    path: str, theme: str, demo_site: LiveSite, open_site: Open
) -> None:
    visitor = open_site(demo_site, theme=theme)
    visitor.watch.expected.add(404)
    visitor.go(path)
    assert visitor.axe() == []
