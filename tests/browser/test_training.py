"""Train in the browser: bring a file, watch the loss, leave and come back, register; by keys and without scripts."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from mlcore.datasets import synthetic_raisin
from mlcore.table import canonical_csv
from tests.browser.conftest import Open
from tests.browser.test_every_page import fits
from tests.browser.test_review_by_keyboard import tab_to, walk_to
from tests.live import LiveSite, copied_site

PATIENCE = 120_000
"""Milliseconds for what a worker does, which others may keep waiting."""
EPOCHS = 10_000
EPOCH = re.compile(r"epoch ([\d,]+) of")


@pytest.fixture(scope="module")
def working_site(
    demo_as_made: LiveSite, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveSite]:
    """The demo with a worker beside its server."""
    with copied_site(demo_as_made, tmp_path_factory.mktemp("training")) as site:
        site.start("--with-worker")
        yield site


@pytest.fixture(scope="module")
def admin(
    browser: Browser, working_site: LiveSite, tmp_path_factory: pytest.TempPathFactory
) -> str:
    context = browser.new_context()
    context.new_page().goto(working_site.login_link())
    path = str(tmp_path_factory.mktemp("state") / "state.json")
    context.storage_state(path=path)
    context.close()
    return path


@pytest.fixture
def grains(tmp_path: Path) -> Path:
    """A file that takes gradient descent some seconds: every grain twenty times."""
    table = synthetic_raisin()
    path = tmp_path / "grains.csv"
    path.write_bytes(canonical_csv(table.header, table.rows * 20))
    return path


def bring(page: Page, file: Path) -> None:
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Upload").click()


def epoch(page: Page) -> int:
    """Return how far the page says it is; a run that is done is as far as can be."""
    said = page.locator("main").inner_text()
    found = EPOCH.search(said)
    if found is None:
        assert "Finished" in said
        return EPOCHS
    return int(found[1].replace(",", ""))


def assert_goes_on(page: Page, first: int) -> None:
    """However fast the machine is: a page opened between two reports still shows the earlier one."""
    deadline = time.monotonic() + PATIENCE / 1000
    while epoch(page) <= first:
        assert time.monotonic() < deadline
        page.wait_for_timeout(50)


def open_settings(page: Page) -> None:
    page.get_by_text("More settings").click()
    page.get_by_label("Solver").select_option("gd")
    page.get_by_label("Learning rate").fill("0.001")


def assert_sound(visitor: object) -> None:
    """In both themes."""
    page: Page = visitor.page  # type: ignore[attr-defined]
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        assert visitor.axe() == []  # type: ignore[attr-defined]
    assert fits(page)


def test_it_works(working_site: LiveSite, open_site: Open, admin: str, grains: Path) -> None:
    """Nobody loads a page anew: what happens shows itself."""
    visitor = open_site(working_site, state=admin)
    page = visitor.go("/train/")
    assert_sound(visitor)
    bring(page, grains)
    expect(page.get_by_role("heading", name="Columns")).to_be_visible(timeout=PATIENCE)
    assert_sound(visitor)

    page.get_by_role("link", name="Train on this").click()
    assert_sound(visitor)
    open_settings(page)
    assert_sound(visitor)
    page.get_by_label("Epochs").fill(str(EPOCHS))
    page.get_by_label("Name of the run").fill("Watched")
    page.get_by_role("button", name="Start training").click()

    expect(page.locator(".live-body canvas")).to_be_visible(timeout=PATIENCE)
    expect(page.locator("#run-state")).to_contain_text("Running")
    first = epoch(page)
    assert_sound(visitor)
    page.get_by_role("link", name="Runs", exact=True).first.click()
    page.get_by_role("link", name="Watched").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Watched")
    assert_goes_on(page, first)

    expect(page.locator("#run-state")).to_contain_text("Finished", timeout=PATIENCE)
    page.get_by_role("button", name="Register as version").click()
    expect(page.get_by_role("status").first).to_contain_text("is registered, in testing")


def test_the_target_brings_its_classes_and_columns(
    working_site: LiveSite, open_site: Open, admin: str, tmp_path: Path
) -> None:
    file = tmp_path / "origins.csv"
    rows = [f"{place},{'ns'[place % 2]},{'xyz'[place % 3]}" for place in range(60)]
    file.write_text("\n".join(["Area,Origin,Shape", *rows]), encoding="utf-8")
    page = open_site(working_site, state=admin).go("/train/")
    bring(page, file)
    expect(page.get_by_role("heading", name="Columns")).to_be_visible(timeout=PATIENCE)
    page.get_by_text("Levels", exact=False).first.click()
    levels = page.get_by_role("list", name="Levels of Area")
    levels.focus()
    expect(levels).to_be_focused()  # so that keys scroll it
    page.get_by_role("link", name="Train on this").click()
    expect(page.locator("#question")).to_contain_text("3 classes")
    page.get_by_label("Target").select_option("Origin")
    expect(page.get_by_label("Positive class")).to_have_value("n")
    expect(page.get_by_role("checkbox", name=re.compile("^Shape"))).to_be_checked()
    expect(page.get_by_role("checkbox", name=re.compile("^Origin"))).to_have_count(0)


def test_a_training_is_cancelled(
    working_site: LiveSite, open_site: Open, admin: str, grains: Path
) -> None:
    visitor = open_site(working_site, state=admin, width=360)
    page = visitor.go("/train/")
    bring(page, grains)
    page.get_by_role("link", name="Train on this").click(timeout=PATIENCE)
    open_settings(page)
    page.get_by_label("Epochs").fill("10000")
    page.get_by_role("button", name="Start training").click()
    expect(page.locator(".live-body canvas")).to_be_visible(timeout=PATIENCE)
    assert_sound(visitor)
    page.get_by_role("link", name="Cancel…").click()
    assert_sound(visitor)
    page.get_by_role("button", name="Cancel the training").click()
    expect(page.get_by_text("This run was cancelled.")).to_be_visible(timeout=PATIENCE)
    assert_sound(visitor)
    page.get_by_role("link", name="Change settings").click()
    expect(page.get_by_label("Epochs")).to_have_value("10000")


@pytest.mark.parametrize("scripts", [True, False])
def test_a_broken_file_says_where_by_keys_alone(
    scripts: bool, working_site: LiveSite, open_site: Open, admin: str, tmp_path: Path
) -> None:
    file = tmp_path / "broken.csv"
    rows = [f"{place * 7 % 31},{'ab'[place % 2]}" for place in range(60 + scripts)]
    rows[8] = "many,a"
    file.write_text("\n".join(["Area,Class", *rows]), encoding="utf-8")
    visitor = open_site(working_site, state=admin, scripts=scripts)
    page = visitor.go("/train/")
    tab_to(page, "file")
    page.locator(":focus").set_input_files(file)
    walk_to(page, "Upload")
    page.keyboard.press("Enter")
    expect(page.locator("#dataset-state")).to_be_visible()
    wait_for(page, "Ready", scripts=scripts)
    tab_to(page, "Train on this")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("Train on broken.csv")
    tab_to(page, "Start training")
    page.keyboard.press("Enter")
    expect(page.locator("#run-state")).to_be_visible()
    wait_for(page, "Failed", scripts=scripts)
    table = page.get_by_role("region", name="Bad cells")
    expect(table).to_contain_text(re.compile(r"10\s*Area.*expected a number, got 'many'"))
    if scripts:
        assert_sound(visitor)


def wait_for(page: Page, state: str, *, scripts: bool) -> None:
    """A page with scripts refreshes itself; without them it has a link for that."""
    place = page.locator("#run-state, #dataset-state")
    for _ in range(0 if scripts else 100):
        if state in place.inner_text():
            return
        page.get_by_role("link", name="Refresh").click()
        page.wait_for_timeout(500)
    expect(place).to_contain_text(state, timeout=PATIENCE)


def test_without_scripts_a_target_shows_its_classes(
    working_site: LiveSite, open_site: Open, admin: str, tmp_path: Path
) -> None:
    file = tmp_path / "plain.csv"
    rows = [f"{place},{'ns'[place % 2]},{'xyz'[place % 3]},1" for place in range(60)]
    file.write_text("\n".join(["Area,Origin,Shape,One", *rows]), encoding="utf-8")
    page = open_site(working_site, state=admin, scripts=False).go("/train/")
    bring(page, file)
    wait_for(page, "Ready", scripts=False)
    page.get_by_role("link", name="Train on this").click()
    page.get_by_label("Target").select_option("Origin")
    page.get_by_role("button", name="Show its classes and columns").click()
    expect(page.get_by_label("Positive class")).to_have_value("n")
    page.get_by_role("button", name="Start training").click()
    wait_for(page, "Finished", scripts=False)
    expect(page.get_by_role("button", name="Register as version")).to_be_visible()
