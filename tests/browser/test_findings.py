"""What a training found out, in the states that the demo does not have: many classes, trees, no optimum."""

from __future__ import annotations

import csv
import random
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Open
from tests.browser.test_every_page import FEW_SIGHTS, SIGHTS, fits
from tests.live import LiveSite, live_site

KINDS = ("Kecimen", "Besni", "a grape whose name is longer than most columns are wide")
TRAININGS = {
    "grains": (),
    "trees": ("--solver", "random_forest", "--trees", "20"),
    "apart": ("--lambda", "0", "--columns", "size,apart"),
}
FINDINGS = {
    "many run": "/runs/{grains}/",
    "many version": "/endpoints/grains/versions/1/",
    "many prediction": "/endpoints/grains/predictions/{grains_request}/",
}
MORE_FINDINGS = {
    "many overview": "/endpoints/grains/",
    "many predictions": "/endpoints/grains/predictions/",
    "many try": "/endpoints/grains/try/",
    "many compare": "/runs/compare/?run={grains}&run={trees}",
    "trees run": "/runs/{trees}/",
    "trees prediction": "/endpoints/trees/predictions/{trees_request}/",
    "separable run": "/runs/{apart}/",
}
ASK = """
from django.utils import timezone
from django.db.models import F
from endpoints.models import Endpoint, AlgorithmVersion
from endpoints.services import serving
from endpoints.services.access import Caller
from endpoints.services.serving import Question
slugs = ("grains", "trees")
AlgorithmVersion.objects.filter(endpoint__slug__in=slugs).update(status="production")
Endpoint.objects.filter(slug__in=slugs).update(revision=F("revision") + 1)
for slug in slugs:
    endpoint = Endpoint.objects.get(slug=slug)
    row = {name: 1.0 for name in serving.load(endpoint.versions.get()).schema.names}
    question = Question(slug=slug, rows=[row], caller=Caller(system="tests"))
    serving.predict(question, clock=timezone.now)
"""


def write_grains(path: Path) -> None:
    """300 rows of three classes; `apart` tells them apart alone, and `twice` repeats `size`."""
    chance = random.Random(7)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        names = ("size", "twice", "apart", "a_column_" + "with_a_long_name_" * 4, "kind")
        writer.writerow(names)
        for number in range(300):
            place = number % 3
            size = chance.gauss(place, 1.0)
            cells = (size, size + chance.gauss(0, 0.01), 10 * place + chance.random())
            writer.writerow((*cells, chance.gauss(-place, 2.0), KINDS[place]))


def prepared(site: LiveSite) -> LiveSite:
    """Train each, register it, and ask it once."""
    data = site.home / "grains.csv"
    write_grains(data)
    for slug, settings in TRAININGS.items():
        columns = () if "--columns" in settings else ("--columns", columns_but_apart(data))
        site.demo[slug] = site.manage_json(
            "train", "--data", str(data), "--target", "kind", "--register",
            "--endpoint", slug, *columns, *settings,
        )["run_id"]  # fmt: skip
    done = site.manage("shell", "-c", ASK)
    assert done.returncode == 0, done.stderr
    for slug in ("grains", "trees"):
        (request,) = site.query(
            "SELECT CAST(r.id AS TEXT) AS id FROM endpoints_predictionrequest r "
            f"JOIN endpoints_endpoint e ON e.id = r.endpoint_id WHERE e.slug = '{slug}'"
        )
        site.demo[f"{slug}_request"] = uuid.UUID(request["id"])
    return site


def columns_but_apart(data: Path) -> str:
    with data.open(encoding="utf-8") as file:
        names = next(csv.reader(file))
    return ",".join(name for name in names if name not in {"apart", "kind"})


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSite]:
    with live_site(tmp_path_factory.mktemp("findings")) as site:
        site.demo = {}
        done = site.manage("prepare")
        assert done.returncode == 0, done.stderr
        prepared(site)
        site.start()
        yield site


@pytest.fixture(scope="module")
def inside(browser: Browser, site: LiveSite, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A stored session of the administrator at this site."""
    context = browser.new_context()
    context.new_page().goto(site.login_link())
    path = str(tmp_path_factory.mktemp("inside") / "state.json")
    context.storage_state(path=path)
    context.close()
    return path


@pytest.mark.parametrize(("theme", "width"), SIGHTS)
@pytest.mark.parametrize("name", FINDINGS)
def test_it_is_accessible(
    name: str, theme: str, width: int, site: LiveSite, look: Open, inside: str
) -> None:
    path = FINDINGS[name].format(**site.demo)
    visitor = look(site, path, theme=theme, width=width, state=inside)
    assert visitor.page.locator("h1").count() == 1
    assert visitor.axe() == []
    assert fits(visitor.page)


@pytest.mark.parametrize(("theme", "width"), FEW_SIGHTS)
@pytest.mark.parametrize("name", MORE_FINDINGS)
def test_the_other_pages_are_accessible(
    name: str, theme: str, width: int, site: LiveSite, open_site: Open, inside: str
) -> None:
    visitor = open_site(site, theme=theme, width=width, state=inside)
    page = visitor.go(MORE_FINDINGS[name].format(**site.demo))
    assert page.locator("h1").count() == 1
    assert visitor.axe() == []
    assert fits(page)


def test_every_chart_is_drawn_and_read_by_keyboard(
    site: LiveSite, open_site: Open, inside: str
) -> None:
    """Also a chart in a part that is opened later, and one on a log axis."""
    page = open_site(site, state=inside).go(FINDINGS["many run"].format(**site.demo))
    page.evaluate(
        "document.querySelectorAll('main details').forEach((part) => { part.open = true; })"
    )
    plots = page.locator(".chart-plot")
    expect(page.locator(".chart-plot canvas")).to_have_count(plots.count())
    plot = page.locator("#path .chart-plot").first
    plot.focus()
    plot.press("End")
    expect(page.locator("#path .chart-reader").first).to_contain_text("Log loss")
    expect(page.locator("#path .chart-reader").first).to_contain_text("One standard error less")


def test_the_links_at_the_top_lead_to_their_sections(
    site: LiveSite, open_site: Open, inside: str
) -> None:
    page = open_site(site, state=inside).go(FINDINGS["many run"].format(**site.demo))
    links = page.get_by_role("navigation", name="On this page").get_by_role("link")
    assert links.count() >= 4
    links.filter(has_text="Coefficients").click()
    expect(page.locator("#coefficients")).to_be_in_viewport()
