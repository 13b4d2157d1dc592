"""Files to score in Chromium: upload, leave, come back, download; by keyboard, without scripts, in every state."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.conftest import Open
from tests.browser.test_every_page import FEW_SIGHTS, SIGHTS, fits
from tests.live import ROOT, ROW, LiveSite, copied_site

PREPARE = """
import json
from django.contrib.auth.models import Group, User
from endpoints.models import Endpoint
from tests.dashboard.batch_jobs import STATES, a_job, crowded
ana = User.objects.create_user("ana", password="ana")
ana.groups.add(Group.objects.get(name="analyst"))
User.objects.create_user("anton", password="anton").groups.add(Group.objects.get(name="analyst"))
endpoint = Endpoint.objects.get()
jobs = {state: a_job(endpoint, ana, state).pk for state in STATES}
for state in ("ready", "needs_attention"):
    jobs[f"crowded {state}"] = a_job(endpoint, ana, state, **crowded(state)).pk
print(json.dumps(jobs))
"""
SEEN = ("needs_attention", "ready", "scoring", "done", "crowded ready")
SHORT = ("uploaded", "failed", "expired", "crowded needs_attention")
SECONDS = 120_000


@pytest.fixture(scope="module")
def site(demo_as_made: LiveSite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSite]:
    """The demo with two analysts, and a job of ana's in every state."""
    with copied_site(demo_as_made, tmp_path_factory.mktemp("batches")) as site:
        prepared = site.manage("shell", "-c", PREPARE)
        assert prepared.returncode == 0, prepared.stderr
        site.demo["jobs"] = json.loads(prepared.stdout.splitlines()[-1])
        site.start()
        yield site


@pytest.fixture
def worker(site: LiveSite) -> Iterator[None]:
    command = [sys.executable, "manage.py", "work"]
    with (site.home / "worker.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=site.environment, stdout=log, stderr=log)
    yield
    process.terminate()
    assert process.wait(timeout=15) == 0


def stored(browser: Browser, site: LiveSite, name: str, folder: Path) -> str:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{site.url}/login/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(name)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site.url}/")
    path = str(folder / f"{name}.json")
    context.storage_state(path=path)
    context.close()
    return path


@pytest.fixture(scope="module")
def ana(browser: Browser, site: LiveSite, tmp_path_factory: pytest.TempPathFactory) -> str:
    return stored(browser, site, "ana", tmp_path_factory.mktemp("ana"))


@pytest.fixture(scope="module")
def anton(browser: Browser, site: LiveSite, tmp_path_factory: pytest.TempPathFactory) -> str:
    return stored(browser, site, "anton", tmp_path_factory.mktemp("anton"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Three rows, the second without a number where one is due; a column is called otherwise."""
    names = ["id", *ROW, "Class"]
    names[1] = "area_px"
    cells = [str(value) for value in ROW.values()]
    rows = [["a", *cells, "Besni"], ["b", "twelve", *cells[1:], "Besni"], ["c", *cells, "Kecimen"]]
    path = tmp_path / "grains.csv"
    path.write_text("\n".join(",".join(row) for row in [names, *rows]) + "\n")
    return path


def downloaded(page: Page, name: str) -> list[str]:
    with page.expect_download() as waiting:
        page.get_by_role("link", name=name).first.click()
    return Path(waiting.value.path()).read_text().splitlines()


def test_it_works(site: LiveSite, open_site: Open, anton: str, worker: None, file: Path) -> None:
    """Upload, answer, leave, come back, download."""
    visitor = open_site(site, state=anton)
    page = visitor.go("/batch/")
    expect(page.get_by_role("heading", name="No files yet")).to_be_visible()
    page.get_by_label("File:").set_input_files(file)
    expect(page.locator(".dropzone-title")).to_contain_text("grains.csv")
    page.get_by_role("button", name="Upload and check").click()
    expect(page.get_by_role("button", name="Score 3 rows")).to_be_visible(timeout=SECONDS)
    expect(page.get_by_label("Area", exact=True)).to_have_value("area_px")
    assert visitor.axe() == []
    page.get_by_role("button", name="Score 3 rows").click()
    visitor.go("/runs/")
    visitor.go("/batch/").get_by_role("link", name="grains.csv", exact=True).click()
    expect(page.get_by_role("link", name="Download results.csv")).to_be_visible(timeout=SECONDS)
    header, first, second, third = downloaded(page, "Download results.csv")
    assert header.endswith("Class,probability,label,version,error")
    assert first.startswith("a,87524")
    assert second.startswith("b,twelve,")
    assert second.endswith("expected a number, got 'twelve'\"")
    assert third.startswith("c,")
    assert downloaded(page, "Download errors.csv")[1].startswith("2,area_px,twelve,")

    visitor.go("/batch/").get_by_role("link", name="Use a file from before").click()
    page.get_by_role("radio", name=re.compile("^grains.csv 3 rows")).check()
    page.get_by_label("Version").select_option(label="v3, staging")
    assert visitor.axe() == []
    page.get_by_role("button", name="Check and score").click()
    expect(page.get_by_role("link", name="Download results.csv")).to_be_visible(timeout=SECONDS)
    assert downloaded(page, "Download results.csv")[1].endswith(",3,")


def test_it_is_done_with_the_keyboard_alone(
    site: LiveSite, open_site: Open, anton: str, worker: None, file: Path
) -> None:
    page = open_site(site, state=anton).go("/batch/")
    tab_to(page, "input[type=file]")
    outline = page.locator(".dropzone").evaluate("zone => getComputedStyle(zone).outlineWidth")
    assert outline == "2px"
    with page.expect_file_chooser() as choosing:
        page.keyboard.press("Space")
    choosing.value.set_files(file)
    tab_to(page, "button:has-text('Upload and check')")
    page.keyboard.press("Enter")
    button = page.get_by_role("button", name="Score 3 rows")
    expect(button).to_be_visible(timeout=SECONDS)
    tab_to(page, "button:has-text('Score 3 rows')")
    page.keyboard.press("Enter")
    link = page.get_by_role("link", name="Download results.csv")
    expect(link).to_be_visible(timeout=SECONDS)
    tab_to(page, "a:has-text('Download results.csv')")
    with page.expect_download() as waiting:
        page.keyboard.press("Enter")
    assert waiting.value.suggested_filename == "grains-v2.csv"


def tab_to(page: Page, selector: str, most: int = 30) -> None:
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", plain(selector)):
            text = re.search(r"has-text\('(.*)'\)", selector)
            if text is None or text[1] in page.locator(":focus").inner_text():
                return
    raise AssertionError(f"{selector} is not reached within {most} stops")


def plain(selector: str) -> str:
    return re.sub(r":has-text\(.*\)", "", selector)


def test_it_is_done_without_scripts(
    site: LiveSite, open_site: Open, anton: str, worker: None, file: Path
) -> None:
    page = open_site(site, state=anton, scripts=False).go("/batch/")
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Upload and check").click()
    refresh_until(page, "Score 3 rows")
    page.get_by_role("button", name="Score 3 rows").click()
    refresh_until(page, "Download results.csv")
    assert len(downloaded(page, "Download results.csv")) == 4


def refresh_until(page: Page, words: str) -> None:
    for _ in range(60):
        if page.get_by_text(words).count():
            return
        page.wait_for_timeout(250)
        page.get_by_role("link", name="Refresh").click()
    raise AssertionError(f"{words} does not come: {page.locator('main').inner_text()}")


def test_a_refusal_is_shown_in_place_and_heard(
    site: LiveSite, open_site: Open, anton: str, tmp_path: Path
) -> None:
    visitor = open_site(site, state=anton)
    visitor.watch.expected.add(422)
    page = visitor.go("/batch/")
    sheet, empty = tmp_path / "grains.xlsx", tmp_path / "empty.csv"
    sheet.write_bytes(b"PK")
    empty.write_bytes(b"")
    page.get_by_label("File:").set_input_files(empty)
    expect(page.locator("[data-upload-problem]")).to_have_text("The selected file is empty.")
    page.get_by_label("File:").set_input_files(sheet)
    page.get_by_role("button", name="Upload and check").click()
    summary = page.get_by_role("alert").filter(has_text="The file was not taken")
    expect(summary).to_contain_text("must be a CSV or a Parquet file")
    expect(summary).to_be_focused()
    assert visitor.axe() == []
    # The page is whole again: another file may be sent from it.
    page.get_by_label("File:").set_input_files(sheet)
    expect(page.locator(".dropzone-title")).to_contain_text("grains.xlsx")


def test_every_tenth_of_a_job_is_said_once(site: LiveSite, open_site: Open, ana: str) -> None:
    page = open_site(site, state=ana).go(f"/batch/{site.demo['jobs']['scoring']}/")
    line = page.locator("[data-announce]")
    expect(line).to_contain_text("50 %")
    page.evaluate(
        """() => { window.said = [];
        new MutationObserver(() => window.said.push(document.querySelector('[data-announce]').textContent))
          .observe(document.querySelector('[data-announce]'), {childList: true}); }"""
    )
    for percent in (53, 57, 61, 64, 78):
        show_percent(page, percent)
    assert [words.split(" ")[0] for words in page.evaluate("window.said")] == ["61", "78"]


def show_percent(page: Page, percent: int) -> None:
    """Let the next look at the job find it at this per cent."""

    def answer(route: Route) -> None:
        found = route.fetch()
        body = found.text().replace("50 %", f"{percent} %")
        body = body.replace('data-step="50"', f'data-step="{percent // 10 * 10}"')
        route.fulfill(response=found, body=body)

    page.route("**/*seen=scoring", answer)
    page.get_by_role("link", name="Refresh").click()
    expect(page.locator(".batch-figures")).to_contain_text(f"{percent} %")
    page.unroute("**/*seen=scoring")


@pytest.mark.parametrize(("theme", "width"), SIGHTS)
@pytest.mark.parametrize("state", ["", *SEEN])
def test_it_is_accessible(
    state: str, theme: str, width: int, site: LiveSite, look: Open, ana: str
) -> None:
    path = f"/batch/{site.demo['jobs'][state]}/" if state else "/batch/"
    visitor = look(site, path, theme=theme, width=width, state=ana)
    assert visitor.page.locator("h1").count() == 1
    assert visitor.axe() == []
    assert fits(visitor.page)


@pytest.mark.parametrize(("theme", "width"), FEW_SIGHTS)
@pytest.mark.parametrize("where", [*SHORT, "ready/cancel", "done/delete", "earlier"])
def test_a_short_page_is_accessible(
    where: str, theme: str, width: int, site: LiveSite, look: Open, ana: str
) -> None:
    state, _, page = where.partition("/")
    path = f"/batch/{site.demo['jobs'].get(state, state)}/" + (f"{page}/" if page else "")
    visitor = look(site, path, theme=theme, width=width, state=ana)
    assert visitor.axe() == []
    assert fits(visitor.page)


def test_nothing_overflows_on_the_narrowest_screen(
    site: LiveSite, open_site: Open, ana: str
) -> None:
    visitor = open_site(site, width=320, state=ana)
    for state in ("", *SEEN):
        page = visitor.go(f"/batch/{site.demo['jobs'][state]}/" if state else "/batch/")
        assert fits(page), state
