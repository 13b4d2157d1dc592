"""A bandit in a real browser: planned, started, fed with labels until B gets most of the units, stopped."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import Open, Visitor
from tests.browser.test_abtest import PEOPLE, ask, enter, label
from tests.browser.test_every_page import FEW_SIGHTS, fits
from tests.browser.test_review_by_keyboard import decide, tab_to, walk_to
from tests.live import LiveSite

REASON = "B is right more often in each phase"


def assert_sound(visitor: Visitor) -> None:
    """In both themes, one of them on a narrow screen."""
    page = visitor.page
    was = page.viewport_size
    for theme, width in FEW_SIGHTS:
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 800})
        assert visitor.axe() == []
        assert fits(page)
    page.emulate_media(color_scheme="light")
    if was:
        page.set_viewport_size(was)


def choose_bandit(page: Page) -> None:
    """Arrow keys move within a group of choices."""
    tab_to(page, "kind")
    for _ in range(2):  # shadow, split, bandit
        page.keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name=re.compile("^Bandit"))).to_be_checked()


def test_it_works(own_demo: LiveSite, open_site: Open) -> None:
    """With the keyboard alone, but for the traffic and its labels."""
    made = own_demo.manage("shell", "-c", PEOPLE)
    assert made.returncode == 0, made.stderr
    scientist = open_site(own_demo)
    page = scientist.sign_in("dana")
    scientist.go("/endpoints/raisin/tests/new/")
    choose_bandit(page)
    walk_to(page, "floor")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("12.5")
    walk_to(page, "horizon")
    page.keyboard.type("4000")
    assert_sound(scientist)
    walk_to(page, "Keep the plan")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("The plan is kept.")
    expect(page.locator("main")).to_contain_text("the other keeps 12.5 %")
    address = page.url.removeprefix(own_demo.url).partition("#")[0]  # the skip link was here

    approver = open_site(own_demo)
    page = approver.sign_in("alex")
    approver.go(address)
    enter(approver, "Start…")
    enter(approver, "Start the test")
    expect(page.get_by_role("status").first).to_contain_text("The test is running since")
    label(own_demo, ask(own_demo))
    ticked = own_demo.manage("tick")
    assert ticked.returncode == 0, ticked.stderr
    ask(own_demo, 100)

    approver.go(address)
    shares = page.get_by_role("region", name="Shares of B by phase")
    expect(shares.get_by_role("row")).to_have_count(3)  # with the header
    expect(page.locator(".live-body")).to_contain_text("It serves mostly B: 87.5 % of the units")
    expect(shares.get_by_role("row").nth(1)).to_contain_text("87.5 %")
    expect(shares.get_by_role("row").nth(2)).to_contain_text("50.0 %")
    assert_sound(approver)

    enter(approver, "Stop…")
    assert_sound(approver)
    expect(page.get_by_role("radio", name="B wins")).to_be_checked()
    decide(page, REASON, "Stop the test")
    expect(page.locator("h1")).to_contain_text("Promote v3 to production?")
    approver.go(address)
    expect(page.locator("main")).to_contain_text("Stopped: B wins")
    expect(page.locator("main")).to_contain_text(REASON)
    assert_sound(approver)
    approver.go("/endpoints/raisin/tests/")
    assert_sound(approver)
