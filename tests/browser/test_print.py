"""The model card and the decision summary on paper: A4, unfolded, without navigation."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.live import LiveSite

VERSION = "/endpoints/raisin/versions/1/"


def pages_of(pdf: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


def printed(page: Page) -> Page:
    page.emulate_media(media="print", color_scheme="dark")
    return page


def test_the_summary_is_one_page(demo_site: LiveSite, open_site: Open, logged_in: str) -> None:
    visitor = open_site(demo_site, state=logged_in)
    for number in (1, 2, 3):
        page = visitor.go(f"/endpoints/raisin/versions/{number}/summary/")
        assert pages_of(page.pdf(prefer_css_page_size=True)) == 1


def test_the_card_is_a_few_pages(demo_site: LiveSite, open_site: Open, logged_in: str) -> None:
    page = open_site(demo_site, state=logged_in).go(f"{VERSION}card/")
    assert 2 <= pages_of(page.pdf(prefer_css_page_size=True)) <= 6


def test_paper_is_white_and_has_no_navigation(
    demo_site: LiveSite, open_site: Open, logged_in: str
) -> None:
    page = printed(open_site(demo_site, state=logged_in, theme="dark").go(f"{VERSION}card/"))
    for name in ("Main", "Endpoint", "Breadcrumb", "On this page"):
        expect(page.locator(f'nav[aria-label="{name}"]').first).to_be_hidden()
    red, green, blue = re.findall(
        r"\d+", page.evaluate("getComputedStyle(document.querySelector('h1')).color")
    )[:3]
    assert max(int(red), int(green), int(blue)) < 60


def test_what_is_folded_is_printed(demo_site: LiveSite, open_site: Open, logged_in: str) -> None:
    page = open_site(demo_site, state=logged_in).go(f"{VERSION}card/")
    gate = page.locator(".timeline details li", has_text="Artefact reload").first
    expect(gate).to_be_hidden()
    printed(page)
    assert gate.bounding_box() is not None
    assert gate.evaluate("gate => gate.checkVisibility({contentVisibilityAuto: true})")
