"""The newcomer's first half hour as one story: link, training, comparison, promotion, a prediction, its label."""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Open
from tests.live import LiveSite

NAME = "My first run"
REASON = "My first model, to see how it is done"


def test_it_works(own_demo: LiveSite, open_site: Open) -> None:
    page = open_site(own_demo).page
    page.goto(own_demo.demo["login_url"])
    expect(checklist(page)).to_be_visible()
    expect(step(page, "Send a prediction")).to_contain_text("To do")

    version = train(own_demo)
    compare_with_another(page)
    stage_and_promote(page, version)

    page.goto(own_demo.url)
    answer = run_in_shell(step(page, "Send a prediction").locator("code"))
    assert answer["version"] == version

    page.reload()
    expect(step(page, "Send a prediction")).to_contain_text("Done")
    feedback = run_in_shell(step(page, "Send the true label").locator("code"))
    assert feedback["request_id"] == answer["request_id"]

    page.reload()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(checklist(page)).to_have_count(0)


def checklist(page: Page) -> Locator:
    return page.get_by_role("region", name="First steps")


def step(page: Page, title: str) -> Locator:
    return checklist(page).get_by_role("listitem").filter(has_text=title)


def train(site: LiveSite) -> int:
    data = os.environ.get("RAISIN_CSV") or "raisin"
    command = ["train", "--data", data, "--target", "Class", "--name", NAME]
    facts = site.manage_json(*command, "--endpoint", "raisin", "--lambda", "0.02", "--register")
    assert facts["converged"]
    return int(facts["version"])


def compare_with_another(page: Page) -> None:
    page.get_by_role("navigation").get_by_role("link", name="Runs").first.click()
    page.get_by_role("checkbox", name=f"Select {NAME}").check()
    page.get_by_role("checkbox", name=re.compile("^Select (?!My first run)")).first.check()
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("main")).to_contain_text(NAME)
    expect(page.locator("main")).to_contain_text("best")


def stage_and_promote(page: Page, version: int) -> None:
    """The way is the page of the run, its version, and twice the review."""
    page.get_by_role("main").get_by_role("link", name=NAME).first.click()
    page.get_by_role("link", name=f"Raisin v{version}").first.click()
    page.get_by_role("link", name="Stage", exact=True).click()
    page.get_by_role("button", name=f"Stage v{version}").click()
    expect(page.get_by_role("status").first).to_contain_text("in staging")
    page.get_by_role("link", name="Review promotion").first.click()
    page.get_by_label("Reason").fill(REASON)
    page.get_by_role("button", name=f"Promote v{version} to production").click()
    expect(page.get_by_role("status").first).to_contain_text(f"v{version} is live since")


def run_in_shell(shown: Locator) -> dict[str, Any]:
    """Run the command as it stands on the page: what is copied must work unchanged."""
    command = shown.inner_text()
    assert command.startswith("curl ")
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert isinstance(answer, dict)
    assert "code" not in answer, answer
    return answer
