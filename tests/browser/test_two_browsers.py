"""A scientist and approvers, each at a browser of their own: approving, rejecting, overruling; late and twice."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.live import LiveSite
from tests.raisin_site.test_serve import PREDICT, ROW

REASON = "As good as before, on newer rows"
CHANGES = """SELECT c.verb, c.actor_name FROM endpoints_statuschange c
    JOIN endpoints_algorithmversion v ON v.id = c.version_id
    WHERE v.number = %s AND c.verb IN ('promote', 'reject') ORDER BY c.id"""


def answering(site: LiveSite) -> int:
    return int(site.post(PREDICT, ROW)[1]["version"])


def decided(site: LiveSite, number: int) -> list[tuple[str, str]]:
    return [(row["verb"], row["actor_name"]) for row in site.query(CHANGES, [number])]


def version(number: int) -> str:
    return f"/endpoints/raisin/versions/{number}/"


def review(number: int) -> str:
    return f"{version(number)}review/?to=production&verb=promote"


def send(page: Page, button: str, reason: str = REASON) -> None:
    page.get_by_label("Reason").fill(reason)
    page.get_by_role("button", name=button).click()


def ask(open_site: Open, site: LiveSite, number: int) -> Page:
    scientist = open_site(site)
    scientist.sign_in("dana")
    page = scientist.go(version(number))
    page.get_by_role("link", name="Request promotion").click()
    page.get_by_label("Note to the approver").fill(REASON)
    page.get_by_role("button", name=f"Request promotion of v{number}").click()
    expect(page.get_by_role("status").first).to_contain_text("It waits for an approver.")
    expect(page.locator("#not-now-request")).to_have_text("dana has asked already.")
    assert scientist.axe() == []
    return page


def test_it_works(crew_site: LiveSite, open_site: Open) -> None:
    """dana asks; alex finds it on the home page and promotes; dana sees by whom."""
    asker = ask(open_site, crew_site, 6)
    approver = open_site(crew_site).sign_in("alex")
    approver.get_by_role("link", name="Review v6 of Raisin").click()
    expect(approver.locator("blockquote")).to_contain_text(REASON)
    send(approver, "Promote v6 to production", "The gates agree with dana")
    expect(approver.get_by_role("status").first).to_contain_text("v6 is live since")
    assert answering(crew_site) == 6
    asker.reload()
    expect(asker.locator("main")).to_contain_text("promoted by alex")
    expect(asker.locator("main")).to_contain_text("The gates agree with dana")


def test_an_approver_rejects_and_the_scientist_reads_why(
    crew_site: LiveSite, open_site: Open
) -> None:
    asker = ask(open_site, crew_site, 7)
    approver = open_site(crew_site).sign_in("alex")
    approver.get_by_role("link", name="Review v7 of Raisin").click()
    approver.get_by_role("link", name="Reject instead…").click()
    send(approver, "Reject v7", "Too few rows of the new harvest")
    expect(approver.get_by_role("status").first).to_contain_text("v7 is in testing since")
    asker.reload()
    expect(asker.locator("main")).to_contain_text("Too few rows of the new harvest")
    expect(asker.get_by_role("link", name="Request promotion")).to_be_visible()
    assert decided(crew_site, 7) == [("reject", "alex")]


def test_only_who_may_overrule_promotes_past_a_failed_gate(
    crew_site: LiveSite, open_site: Open
) -> None:
    reader = open_site(crew_site)
    reader.sign_in("alex")
    page = reader.go(review(12))
    button = page.get_by_role("button", name="Promote v12 to production")
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(page.get_by_role("checkbox")).to_have_count(0)

    visitor = open_site(crew_site)
    visitor.watch.expected.add(409)
    visitor.sign_in("ben")
    page = visitor.go(review(12))
    assert visitor.axe() == []
    send(page, "Promote v12 to production", "The harvest cannot wait for more rows")
    expect(page.get_by_role("alert").first).to_contain_text("Nothing was changed")
    expect(page.get_by_label("Reason")).to_have_value("The harvest cannot wait for more rows")
    page.get_by_role("checkbox", name=re.compile("although this gate failed")).check()
    page.get_by_role("button", name="Promote v12 to production").click()
    expect(page.get_by_role("status").first).to_contain_text("v12 is live since")
    page = visitor.go(version(12))
    expect(page.locator("main")).to_contain_text(
        "Promoted although a gate failed: Validation metric"
    )
    assert visitor.axe() == []


def test_a_stale_page_changes_nothing_and_keeps_the_words(
    crew_site: LiveSite, open_site: Open
) -> None:
    slow = open_site(crew_site)
    slow.watch.expected.add(409)
    slow.sign_in("alex")
    page = slow.go(review(9))
    quick = open_site(crew_site)
    quick.sign_in("ben")
    send(quick.go(review(10)), "Promote v10 to production")
    expect(quick.page.get_by_role("status").first).to_contain_text("v10 is live since")

    send(page, "Promote v9 to production")
    expect(page.get_by_role("alert").first).to_contain_text("Production became v10 at")
    expect(page.get_by_role("alert").first).to_contain_text("(ben) while you were reading")
    expect(page.get_by_label("Reason")).to_have_value(REASON)
    assert slow.axe() == []
    assert answering(crew_site) == 10
    page.get_by_role("button", name="Promote v9 to production").click()
    expect(page.get_by_role("status").first).to_contain_text("v9 is live since")
    assert decided(crew_site, 9) == [("promote", "alex")]


def test_a_double_click_and_the_back_button_decide_once(
    crew_site: LiveSite, open_site: Open
) -> None:
    visitor = open_site(crew_site)
    visitor.sign_in("alex")
    page = visitor.go(review(11))
    page.get_by_label("Reason").fill(REASON)
    page.get_by_role("button", name="Promote v11 to production").dblclick()
    expect(page.get_by_role("status").first).to_contain_text("v11 is live since")
    page.go_back()
    if page.get_by_role("button", name="Promote v11 to production").count():
        send(page, "Promote v11 to production")
        expect(page.get_by_role("status").first).to_contain_text("v11 is")
    else:
        expect(page.locator("main")).to_contain_text("Nothing to decide")
    assert decided(crew_site, 11) == [("promote", "alex")]
    assert answering(crew_site) == 11
