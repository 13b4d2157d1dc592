"""The approver's story in a real browser: log in by link, promote with a reason, see it, roll back in two clicks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Open, Watch
from tests.live import LiveSite
from tests.raisin_site.test_serve import PREDICT, ROW

REASON = "Better F1 on the new harvest"
REVIEW = "/endpoints/raisin/versions/3/review/?to=production"


def answering(site: LiveSite) -> int:
    return int(site.post(PREDICT, ROW)[1]["version"])


def promote(page: Page, site: LiveSite) -> None:
    page.goto(site.url + REVIEW)
    page.get_by_label("Reason").fill(REASON)
    page.get_by_role("button", name="Promote v3 to production").click()


def test_it_works(own_demo: LiveSite, open_site: Open) -> None:
    """Promote, see who did it and why, roll back; each time the next prediction follows."""
    visitor = open_site(own_demo)
    page = visitor.log_in()
    assert answering(own_demo) == 2
    page.get_by_role("main").get_by_role("link", name="Raisin", exact=True).first.click()
    page.get_by_role("navigation", name="Endpoint").get_by_role("link", name="Versions").click()
    page.get_by_role("link", name="v3", exact=True).first.click()
    page.get_by_role("link", name=re.compile("promotion")).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("v3")
    page.get_by_label("Reason").fill(REASON)
    page.get_by_role("button", name="Promote v3 to production").click()

    expect(page.get_by_role("status").first).to_contain_text("v3 is live since")
    assert answering(own_demo) == 3

    page.get_by_role("navigation", name="Endpoint").get_by_role("link", name="Versions").click()
    expect(page.locator("ol.timeline")).to_contain_text(REASON)
    expect(page.locator("ol.timeline")).to_contain_text("admin")

    page.goto(f"{own_demo.url}/endpoints/raisin/")
    page.get_by_role("link", name="Roll back to v2").first.click()
    page.get_by_role("button", name="Roll back to v2").click()
    expect(page.get_by_role("status").first).to_contain_text("v2 is live since")
    assert answering(own_demo) == 2


def test_a_missing_reason_is_refused_and_nothing_changes(
    own_demo: LiveSite, open_site: Open
) -> None:
    visitor = open_site(own_demo)
    visitor.watch.expected |= {400, 422}
    page = visitor.log_in()
    page.goto(own_demo.url + REVIEW)
    page.get_by_label("Reason").fill("   short   ")
    page.get_by_role("button", name="Promote v3 to production").click()
    expect(page.get_by_role("alert").first).to_contain_text("at least 10")
    assert answering(own_demo) == 2


def test_who_comes_second_is_told_by_whom(own_demo: LiveSite, open_site: Open) -> None:
    visitor = open_site(own_demo)
    visitor.watch.expected.add(409)
    page = visitor.log_in()
    page.goto(own_demo.url + REVIEW)
    other = page.context.new_page()
    promote(other, own_demo)
    other.goto(f"{own_demo.url}/endpoints/raisin/")
    other.get_by_role("link", name="Roll back to v2").first.click()
    other.get_by_role("button", name="Roll back to v2").click()
    page.get_by_label("Reason").fill(REASON)
    page.get_by_role("button", name="Promote v3 to production").click()
    expect(page.locator("main")).to_contain_text("admin")
    assert answering(own_demo) == 2


def test_it_works_with_the_keyboard_alone(own_demo: LiveSite, open_site: Open) -> None:
    visitor = open_site(own_demo)
    page = visitor.log_in()
    page.goto(own_demo.url + REVIEW)
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to content")
    tab_to(page, "textarea")
    page.keyboard.type(REASON)
    tab_to(page, "main button")
    expect(page.locator(":focus")).to_have_text("Promote v3 to production")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("v3 is live since")


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the focus is on such an element; it must be visible on the way."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("s => document.activeElement.matches(s)", selector):
            return
        assert page.evaluate("document.activeElement !== document.body"), "the focus was lost"
    raise AssertionError(f"no {selector} within 60 stops")


@pytest.fixture
def scriptless(browser: Browser, own_demo: LiveSite) -> Iterator[Page]:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    watch = Watch(own_demo.url)
    page.on("request", watch.on_request)
    page.on("response", watch.on_response)
    page.goto(own_demo.login_link())
    yield page
    context.close()
    assert watch.problems == []


def test_it_works_without_scripts(own_demo: LiveSite, scriptless: Page) -> None:
    promote(scriptless, own_demo)
    expect(scriptless.get_by_role("status").first).to_contain_text("v3 is live since")
    scriptless.get_by_role("link", name="Roll back to v2").first.click()
    scriptless.get_by_role("button", name="Roll back to v2").click()
    assert answering(own_demo) == 2


def test_the_admin_leads_to_the_same_review(own_demo: LiveSite, open_site: Open) -> None:
    visitor = open_site(own_demo)
    page = visitor.log_in()
    page.goto(f"{own_demo.url}/admin/endpoints/algorithmversion/?status__exact=staging")
    page.locator("input.action-select").first.check()
    page.locator("select[name=action]").select_option(label="Review promotion…")
    page.get_by_role("button", name="Run").or_(page.get_by_role("button", name="Go")).click()
    expect(page).to_have_url(re.compile(r"/versions/3/review/\?to=production&verb=promote$"))
    assert answering(own_demo) == 2


def test_no_page_of_the_admin_promotes_by_itself(
    demo_site: LiveSite, open_site: Open, logged_in: str
) -> None:
    page = open_site(demo_site, state=logged_in).go("/admin/endpoints/algorithmversion/1/change/")
    assert page.locator("[name=status], [name=threshold], [name=run]").count() == 0


def test_pictures_can_be_taken(
    demo_site: LiveSite, open_site: Open, logged_in: str, tmp_path: Path
) -> None:
    """The curves are drawn on a canvas, which only a real browser shows."""
    page = open_site(demo_site, state=logged_in).go(f"/runs/{demo_site.demo['runs'][0]}/")
    expect(page.locator(".uplot canvas").first).to_be_visible()
    picture = page.locator(".uplot").first.screenshot(path=tmp_path / "curve.png")
    assert len(picture) > 2_000
