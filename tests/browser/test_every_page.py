"""Every page, in both themes and at two widths: axe finds nothing, nothing overflows, no foreign request."""

from __future__ import annotations

import uuid

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Open
from tests.live import LiveSite

BASE = "/endpoints/raisin/"
PAGES = {
    "home": "/",
    "endpoint": BASE,
    "endpoint month": f"{BASE}?period=30d",
    "versions": f"{BASE}versions/",
    "versions narrowed": f"{BASE}versions/?status=all&what=promote",
    "version": f"{BASE}versions/2/",
    "version unconverged": f"{BASE}versions/1/",
    "card": f"{BASE}versions/3/card/",
    "card frozen": f"{BASE}versions/1/card/",
    "card edit": f"{BASE}versions/3/card/edit/",
    "summary": f"{BASE}versions/3/summary/",
    "review promotion": f"{BASE}versions/3/review/?to=production",
    "review rollback": f"{BASE}versions/1/review/?to=production",
    "review reject": f"{BASE}versions/3/review/?to=testing&verb=reject",
    "review archive": f"{BASE}versions/3/review/?to=archived",
    "predictions": f"{BASE}predictions/",
    "predictions none": f"{BASE}predictions/?probability_min=0.5&probability_max=0.5",
    "prediction": f"{BASE}predictions/{{prediction}}/",
    "try": f"{BASE}try/",
    "drift": f"{BASE}drift/",
    "drift by day": f"{BASE}drift/?window=day",
    "rules of alerts": f"{BASE}alerts/",
    "alerts": "/alerts/",
    "alert": "/alerts/{alert}/",
    "runs": "/runs/",
    "runs none": "/runs/?q=nothing-is-called-so",
    "run": "/runs/{newton}/",
    "run unconverged": "/runs/{gd}/",
    "register": "/runs/{newton}/register/",
    "compare": "/runs/compare/?run={gd}&run={newton}&run={tuned}",
    "compare too few": "/runs/compare/",
    "account": "/account/",
    "password": "/account/password/",
}
# Pages of a few sentences, on the shell that the others show in all sights.
SHORT_PAGES = {
    "train": "/train/",
    "datasets": "/datasets/",
    "review done": f"{BASE}versions/2/review/?to=production",
    "revoke key": "/account/keys/{key}/revoke/",
    "no such page": "/no-such-page/",
    "no such endpoint": "/endpoints/no-such-endpoint/",
}
SIGHTS = [("light", 1280), ("dark", 1280), ("light", 360), ("dark", 360)]
FEW_SIGHTS = [("light", 1280), ("dark", 360)]


@pytest.fixture
def site(furnished_site: LiveSite) -> LiveSite:
    return furnished_site


def filled(path: str, site: LiveSite) -> str:
    gd, newton, tuned = site.demo["runs"]
    (request,) = site.query(
        "SELECT CAST(id AS TEXT) AS id FROM endpoints_predictionrequest "
        "WHERE row_count = 1 ORDER BY created_at LIMIT 1"
    )
    prediction = uuid.UUID(request["id"])
    made = {name: site.demo.get(name) for name in ("key", "alert")}
    return path.format(gd=gd, newton=newton, tuned=tuned, prediction=prediction, **made)


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


@pytest.mark.parametrize(("theme", "width"), SIGHTS)
@pytest.mark.parametrize("name", PAGES)
def test_it_is_accessible(
    name: str, theme: str, width: int, site: LiveSite, look: Open, logged_in: str
) -> None:
    path = filled(PAGES[name], site)
    visitor = look(site, path, theme=theme, width=width, state=logged_in)
    assert visitor.page.locator("h1").count() == 1
    assert visitor.axe() == []
    assert fits(visitor.page)


@pytest.mark.parametrize(("theme", "width"), FEW_SIGHTS)
@pytest.mark.parametrize("name", SHORT_PAGES)
def test_a_short_page_is_accessible(
    name: str, theme: str, width: int, site: LiveSite, open_site: Open, logged_in: str
) -> None:
    visitor = open_site(site, theme=theme, width=width, state=logged_in)
    visitor.watch.expected.add(404)
    page = visitor.go(filled(SHORT_PAGES[name], site))
    assert page.locator("h1").count() == 1
    assert visitor.axe() == []
    assert fits(page)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/login/", "/login/?link=invalid", "/no-such-page/"])
def test_pages_for_strangers_are_accessible(
    path: str, theme: str, demo_site: LiveSite, open_site: Open
) -> None:
    visitor = open_site(demo_site, theme=theme)
    visitor.watch.expected.add(404)
    visitor.go(path)
    assert visitor.axe() == []


@pytest.fixture(scope="module")
def logged_in_as_eve(
    browser: Browser, furnished_site: LiveSite, tmp_path_factory: pytest.TempPathFactory
) -> str:
    context = browser.new_context()
    context.new_page().goto(furnished_site.manage_json("login_link", "eve")["login_url"])
    path = str(tmp_path_factory.mktemp("eve") / "state.json")
    context.storage_state(path=path)
    context.close()
    return path


@pytest.mark.parametrize(("theme", "width"), FEW_SIGHTS)
def test_pages_that_are_not_allowed_are_accessible(
    theme: str, width: int, site: LiveSite, open_site: Open, logged_in_as_eve: str
) -> None:
    """The pages say so in a page of their own, the admin in that of the whole site."""
    visitor = open_site(site, theme=theme, width=width, state=logged_in_as_eve)
    visitor.watch.expected.add(403)
    for path in ["/runs/{newton}/register/", "/admin/endpoints/run/"]:
        page = visitor.go(filled(path, site))
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
        assert visitor.axe() == []
        assert fits(page)


def test_the_page_after_too_many_passwords_is_accessible(
    demo_site: LiveSite, open_site: Open
) -> None:
    """The lock is of this name from this address, so it is in nobody else's way."""
    visitor = open_site(demo_site)
    visitor.watch.expected.add(429)
    page = visitor.go("/login/")
    for _ in range(10):
        page.locator("input[name=username]").fill("nobody-is-called-so")
        page.locator("input[name=password]").fill("wrong")
        page.locator("input[name=password]").press("Enter")
        page.wait_for_load_state()
    expect(page.get_by_role("heading", level=1)).to_have_text("Too many failed attempts")
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        assert visitor.axe() == []
