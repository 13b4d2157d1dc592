"""The list of runs while some are under way: their rows move, and what somebody chose stays chosen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.test_every_page import fits
from tests.live import LiveSite, copied_site

PATIENCE = 60_000
MADE = """
from django.utils import timezone
from endpoints.models import Experiment, Run
for name in ("Slow", "Slower"):
    Run.objects.create(
        name=name, state="running", iterations=10, spec={"solver": "gd", "epochs": 3000}, solver="gd",
        experiment=Experiment.objects.first(), dataset_name="grains.csv", dataset_sha256="0" * 64,
        dataset_rows=900, started_at=timezone.now(),
    )
"""
MOVED = (
    "from endpoints.models import Run; Run.objects.filter(state='running').update(iterations=40)"
)
ENDED = "from endpoints.models import Run; Run.objects.filter(state='running').update(state='cancelled')"


def told(site: LiveSite, script: str) -> None:
    done = site.manage("shell", "-c", script)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def site(demo_as_made: LiveSite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSite]:
    with copied_site(demo_as_made, tmp_path_factory.mktemp("runs")) as site:
        told(site, MADE)
        site.start()
        yield site


def test_it_works(site: LiveSite, open_site: Open) -> None:
    visitor = open_site(site)
    visitor.log_in()
    page = visitor.go("/runs/")
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="Slow", exact=True))
    expect(row).to_contain_text("epoch 10 of 3,000")
    assert visitor.axe() == []
    page.get_by_label("Select Slow", exact=True).check()
    page.get_by_label("Select Slower", exact=True).check()
    page.get_by_role("link", name="Slower").focus()

    told(site, MOVED)
    expect(row).to_contain_text("epoch 40 of 3,000", timeout=PATIENCE)
    expect(page.get_by_label("Select Slow", exact=True)).to_be_checked()
    expect(page.get_by_role("link", name="Slower")).to_be_focused()
    expect(page.get_by_text("2 selected")).to_be_visible()
    assert visitor.axe() == []

    told(site, ENDED)
    expect(page.get_by_text("The runs on this page have ended.")).to_be_visible(timeout=PATIENCE)
    expect(row).to_contain_text("Cancelled")
    expect(page.locator("[data-live]")).to_have_count(0)
    expect(page.get_by_label("Select Slow", exact=True)).to_be_checked()
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("h1")).to_have_text("Compare 2 runs")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_is_narrow_and_accessible(theme: str, site: LiveSite, open_site: Open) -> None:
    visitor = open_site(site, theme=theme, width=360)
    visitor.log_in()
    page = visitor.go("/runs/")
    expect(page.get_by_text("2 runs are under way")).to_be_visible()
    assert visitor.axe() == []
    assert fits(page)
