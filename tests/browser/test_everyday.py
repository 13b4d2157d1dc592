"""What people do every day: try a row, label it, compare runs, make a key, change the theme."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.live import LiveSite
from tests.raisin_site.test_serve import PREDICT, ROW


def test_an_analyst_tries_a_row_and_reads_why(
    demo_site: LiveSite, open_site: Open, logged_in: str
) -> None:
    page = open_site(demo_site, state=logged_in).go("/endpoints/raisin/try/")
    page.get_by_label(re.compile("^Area")).fill("87524")
    page.get_by_role("button", name="Score").click()
    expect(page).to_have_url(re.compile(r"/predictions/[0-9a-f-]{36}/"))
    expect(page.locator("main")).to_contain_text("Perimeter")


def test_a_wrong_value_is_named_at_its_field(
    demo_site: LiveSite, open_site: Open, logged_in: str
) -> None:
    visitor = open_site(demo_site, state=logged_in)
    visitor.watch.expected |= {400, 422}
    page = visitor.go("/endpoints/raisin/try/")
    page.get_by_label(re.compile("^Area")).fill("")
    page.locator("form").evaluate_all("forms => forms.forEach(form => form.noValidate = true)")
    page.get_by_role("button", name="Score").click()
    expect(page.get_by_role("alert").first).to_contain_text("Area")


def test_a_prediction_over_rest_can_be_labelled_on_its_page(
    demo_site: LiveSite, open_site: Open, logged_in: str
) -> None:
    answer = demo_site.post(PREDICT, ROW)[1]
    page = open_site(demo_site, state=logged_in).go(
        f"/endpoints/raisin/predictions/{answer['request_id']}/"
    )
    page.get_by_role("radio", name="Kecimen").check()
    page.get_by_role("button", name="Save the label").click()
    expect(page.get_by_role("status").first).to_contain_text("Kecimen")
    again = demo_site.post(
        f"/api/v1/requests/{answer['request_id']}/feedback", {"label": "Kecimen"}
    )
    assert again[1]["outcome"] == "unchanged"


def test_runs_are_chosen_and_compared(demo_site: LiveSite, open_site: Open, logged_in: str) -> None:
    page = open_site(demo_site, state=logged_in).go("/runs/")
    boxes = page.locator("input[name=run]")
    boxes.nth(0).check()
    boxes.nth(1).check()
    page.get_by_role("button", name="Compare").click()
    expect(page).to_have_url(re.compile(r"/runs/compare/\?.*run=.*run="))
    expect(page.locator("main")).to_contain_text("best")


def test_the_theme_stays(demo_site: LiveSite, open_site: Open, logged_in: str) -> None:
    page = open_site(demo_site, state=logged_in).go("/account/")
    page.get_by_role("main").get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.goto(f"{demo_site.url}/runs/")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_a_key_is_shown_once_and_works(
    demo_site: LiveSite, open_site: Open, logged_in: str
) -> None:
    page = open_site(demo_site, state=logged_in).go("/account/")
    page.get_by_label("Name").fill("ci job")
    page.get_by_role("checkbox", name=re.compile("^read")).check()
    page.get_by_role("button", name=re.compile("Create")).click()
    secret = re.search(r"rsn_\w{8}_\w{32,}", page.locator("main").inner_text())
    assert secret is not None
    assert demo_site.get("/api/v1/endpoints")[0] == 401
    key = {"Authorization": f"Bearer {secret.group()}"}
    assert demo_site.get("/api/v1/endpoints", **key)[0] == 200
    page.reload()
    assert secret.group() not in page.locator("main").inner_text()


def test_a_used_link_explains_itself(demo_site: LiveSite, open_site: Open) -> None:
    visitor = open_site(demo_site)
    link = demo_site.login_link()
    visitor.page.goto(link)
    visitor.page.context.clear_cookies()
    visitor.page.goto(link)
    expect(visitor.page.locator("main")).to_contain_text("login_link")
