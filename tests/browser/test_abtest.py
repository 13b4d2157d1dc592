"""Test B against A in a real browser: plan, start, ask and label over REST, decide, promote; every page of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Open, Visitor
from tests.browser.test_every_page import SIGHTS, fits
from tests.browser.test_review_by_keyboard import decide, tab_to, walk_to
from tests.live import ROW, LiveSite, copied_site

PREDICT, LABEL = "/api/v1/raisin/predict", "/api/v1/endpoints/raisin/feedback"
REQUESTS = 400
# So many of a hundred answers of each arm are called right by the labels.
RIGHT = {"control": 70, "challenger": 95}
OTHER = {"Besni": "Kecimen", "Kecimen": "Besni"}

PEOPLE = """
from django.contrib.auth.models import Group, User
for name, role in (("dana", "scientist"), ("alex", "approver")):
    User.objects.create_user(name, password=name).groups.add(Group.objects.get(name=role))
"""
TESTS = """
from django.utils import timezone
from endpoints.models import ABTest, Endpoint
from endpoints.services.abtests import drafting, starting
from endpoints.services.access import Caller

endpoint, actor, now = Endpoint.objects.get(), Caller(system="dana"), timezone.now()
def draft(title, kind):
    test = ABTest(
        endpoint=endpoint, title=title, kind=kind, challenger=endpoint.versions.get(number=3),
        metric="accuracy", horizon=4000, margin=0.01, latency_limit_ms=50.0,
    )
    return drafting.create(test, actor=actor, now=now)
draft("Shadow of the autumn", "shadow")
starting.start(draft("A long question about the autumn harvest " * 4, "split"), actor=actor, now=now)
"""


def started(site: LiveSite, script: str) -> LiveSite:
    prepared = site.manage("shell", "-c", script)
    assert prepared.returncode == 0, prepared.stderr
    site.start()
    return site


def ask(site: LiveSite, requests: int = REQUESTS) -> list[dict[str, Any]]:
    """Ask for as many units as requests; return the answers."""
    answers = [
        site.post(PREDICT, {"features": ROW, "unit_id": f"user-{k}"}) for k in range(requests)
    ]
    assert {status for status, _ in answers} == {200}
    return [answer for _, answer in answers]


def label(site: LiveSite, answers: list[dict[str, Any]]) -> None:
    """Send true labels that make B the better one."""
    seen = dict.fromkeys(RIGHT, 0)
    labels = []
    for answer in answers:
        arm = answer["arm"]
        seen[arm] += 1
        is_right = seen[arm] % 100 < RIGHT[arm]
        said = answer["label"]
        labels.append(
            {"request_id": answer["request_id"], "label": said if is_right else OTHER[said]}
        )
    status, told = site.post(LABEL, {"feedback": labels})
    assert status == 200, told


def enter(visitor: Visitor, words: str) -> None:
    tab_to(visitor.page, words)
    with visitor.page.expect_navigation():
        visitor.page.keyboard.press("Enter")
    assert visitor.axe() == []


def test_it_works(own_demo: LiveSite, open_site: Open) -> None:
    """With the keyboard alone: dana plans, alex starts, stops and promotes what the labels say."""
    made = own_demo.manage("shell", "-c", PEOPLE)
    assert made.returncode == 0, made.stderr
    scientist = open_site(own_demo)
    page = scientist.sign_in("dana")
    scientist.go("/endpoints/raisin/tests/")
    enter(scientist, "Plan a test")
    tab_to(page, "kind")
    page.keyboard.press("ArrowDown")
    walk_to(page, "horizon")
    page.keyboard.type("2000")
    walk_to(page, "Show sample size")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.get_by_role("radio", name=re.compile("^Split"))).to_be_checked()
    expect(page.locator("main")).to_contain_text("labels a day")
    enter(scientist, "Keep the plan")
    expect(page.get_by_role("status").first).to_contain_text("The plan is kept.")
    address = page.url.removeprefix(own_demo.url).partition("#")[0]  # the skip link was here

    approver = open_site(own_demo)
    page = approver.sign_in("alex")
    approver.go(address)
    enter(approver, "Start…")
    enter(approver, "Start the test")
    expect(page.get_by_role("status").first).to_contain_text("The test is running since")
    answers = ask(own_demo)
    assert {answer["arm"] for answer in answers} == {"control", "challenger"}
    approver.go(address)
    expect(page.locator(".live-body")).to_contain_text("Keep running")
    label(own_demo, answers)
    approver.go(address)
    expect(page.locator(".live-body")).to_contain_text("B is better: ready to decide")

    enter(approver, "Stop…")
    decide(page, "25 points better by the labels", "Stop the test")
    expect(page.locator("h1")).to_contain_text("Promote v3 to production?")
    assert approver.axe() == []
    decide(page, "It won its test with live traffic", "Promote v3 to production")
    expect(page.get_by_text("v3 is live since").first).to_be_visible()
    approver.go(address)
    expect(page.locator("main")).to_contain_text("Stopped: B wins")
    assert approver.axe() == []
    assert own_demo.post(PREDICT, ROW)[1]["version"] == 3


@pytest.fixture(scope="module")
def tested_site(
    demo_as_made: LiveSite, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveSite]:
    """A running split test that is decided, and a draft."""
    with copied_site(demo_as_made, tmp_path_factory.mktemp("tested")) as site:
        started(site, TESTS)
        label(site, ask(site))
        rows = site.query("SELECT id, state FROM endpoints_abtest")
        site.demo["tests"] = {row["state"]: row["id"] for row in rows}
        yield site


@pytest.fixture(scope="module")
def admin(browser: Browser, tested_site: LiveSite, tmp_path_factory: pytest.TempPathFactory) -> str:
    context = browser.new_context()
    context.new_page().goto(tested_site.login_link())
    path = str(tmp_path_factory.mktemp("admin") / "state.json")
    context.storage_state(path=path)
    context.close()
    return path


PAGES = {
    "all": "/endpoints/raisin/tests/",
    "new": "/endpoints/raisin/tests/new/",
    "running": "/tests/{running}/",
    "stop": "/tests/{running}/stop/",
    "share": "/tests/{running}/share/",
    "draft": "/tests/{draft}/",
    "edit": "/tests/{draft}/edit/",
    "start": "/tests/{draft}/start/",
    "delete": "/tests/{draft}/delete/",
    "version": "/endpoints/raisin/versions/3/",
    "overview": "/endpoints/raisin/",
    "home": "/",
}


@pytest.mark.parametrize(("theme", "width"), SIGHTS)
@pytest.mark.parametrize("name", PAGES)
def test_it_is_accessible(
    name: str, theme: str, width: int, tested_site: LiveSite, look: Open, admin: str
) -> None:
    path = PAGES[name].format(**tested_site.demo["tests"])
    visitor = look(tested_site, path, theme=theme, width=width, state=admin)
    assert visitor.page.locator("h1").count() == 1
    visitor.page.locator("main details").evaluate_all("all => all.forEach(one => one.open = true)")
    assert visitor.axe() == []
    assert fits(visitor.page)


def test_it_works_without_scripts(tested_site: LiveSite, open_site: Open, admin: str) -> None:
    """The sample size comes from a button, and the result is there at once."""
    visitor = open_site(tested_site, scripts=False, state=admin)
    page = visitor.go("/endpoints/raisin/tests/new/")
    page.get_by_label("Smallest difference to find").fill("0.1")
    page.get_by_role("button", name="Show sample size").click()
    expect(page.locator("main")).to_contain_text("to find 10\u00a0pp")
    page = visitor.go(f"/tests/{tested_site.demo['tests']['running']}/")
    expect(page.locator("main")).to_contain_text("B is better: ready to decide")
    expect(page.get_by_role("img", name=re.compile("^Difference")).first).to_be_visible()
