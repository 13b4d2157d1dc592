"""Request, review, approve and roll back with the keyboard alone; with scripts and without."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Open
from tests.live import LiveSite

MOST_STOPS = 45


def tab_to(page: Page, words: str) -> None:
    """Press Tab until what has the focus says this: by way of the skip link, if the page offers it."""
    page.keyboard.press("Tab")
    if is_on(page, "Skip to content"):
        page.keyboard.press("Enter")
    if not is_on(page, words):
        walk_to(page, words)


def walk_to(page: Page, words: str) -> None:
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        if is_on(page, words):
            expect(page.locator(":focus")).to_be_in_viewport()
            return
    raise AssertionError(f"“{words}” is not within {MOST_STOPS} stops")


def is_on(page: Page, words: str) -> bool:
    focused = page.locator(":focus")
    if not focused.count():
        return False
    return words in (" ".join(focused.inner_text().split()), name_of(focused))


def name_of(focused: Locator) -> str:
    return focused.get_attribute("name") or ""


def decide(page: Page, reason: str, button: str) -> None:
    tab_to(page, "reason")
    page.keyboard.type(reason)
    walk_to(page, button)
    page.keyboard.press("Enter")


@pytest.mark.parametrize(("scripts", "number"), [(True, 4), (False, 5)])
def test_it_works(scripts: bool, number: int, crew_site: LiveSite, open_site: Open) -> None:
    scientist = open_site(crew_site, scripts=scripts)
    page = scientist.sign_in("dana")
    scientist.go(f"/endpoints/raisin/versions/{number}/")
    tab_to(page, "Request promotion")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text(f"Request promotion of v{number}?")
    decide(page, "As good as before, on newer rows", f"Request promotion of v{number}")
    expect(page.get_by_text("You asked at").first).to_contain_text(f"the promotion of v{number}")

    page = open_site(crew_site, scripts=scripts).sign_in("alex")
    tab_to(page, f"Review v{number} of Raisin")
    page.keyboard.press("Enter")
    expect(page.locator("blockquote")).to_contain_text("As good as before, on newer rows")
    decide(page, "The gates agree with dana", f"Promote v{number} to production")
    expect(page.get_by_text(f"v{number} is live since").first).to_be_visible()

    back = page.get_by_role("link", name=re.compile("^Roll back to")).first.inner_text()
    tab_to(page, back)
    page.keyboard.press("Enter")
    tab_to(page, back)
    page.keyboard.press("Enter")
    expect(
        page.get_by_text(f"{back.removeprefix('Roll back to ')} is live since").first
    ).to_be_visible()
