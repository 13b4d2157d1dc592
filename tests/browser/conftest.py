"""A real Chromium on a real server process; every page is watched for errors and foreign requests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Page,
    Playwright,
    Request,
    Response,
    expect,
    sync_playwright,
)

from tests.live import LiveSite, copied_site

# Milliseconds that a page has to become what is expected of it: a busy machine is no failure.
expect.set_options(timeout=30_000)

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    path = (
        os.environ.get("RAISIN_CHROMIUM")
        or _without_windows()
        or shutil.which("chromium")
        or shutil.which("google-chrome")
    )
    if path is None:
        if os.environ.get("RAISIN_TEST_STRICT"):
            pytest.fail("RAISIN_TEST_STRICT is set and there is no Chromium.")
        pytest.skip("No Chromium: install it, or name one with RAISIN_CHROMIUM.")
    return path


def _without_windows() -> str | None:
    """The same browser without what draws windows, for a third less processor time."""
    return shutil.which("chromium-headless-shell", path="/usr/lib/chromium")


@pytest.fixture(scope="session")
def playwright(chromium_path: str) -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def browser(playwright: Playwright, chromium_path: str) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=chromium_path, args=FLAGS)
    yield browser
    browser.close()


@dataclass
class Watch:
    """What must not happen on any page."""

    host: str
    problems: list[str] = field(default_factory=list)
    expected: set[int] = field(default_factory=set)
    is_paused: bool = False

    def on_console(self, message: ConsoleMessage) -> None:
        is_status = "Failed to load resource" in message.text and self.expected
        if message.type in {"error", "warning"} and not is_status and not self.is_paused:
            self.problems.append(f"console {message.type}: {message.text}")

    def on_error(self, error: Exception) -> None:
        self.problems.append(f"script error: {error}")

    def on_request(self, request: Request) -> None:
        if not request.url.startswith((self.host, "blob:", "about:")):
            self.problems.append(f"foreign request: {request.url}")

    def on_response(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self.expected:
            self.problems.append(f"{response.status}: {response.url}")


@dataclass
class Visitor:
    """One browser window with its watch."""

    page: Page
    watch: Watch
    site: LiveSite

    def go(self, path: str) -> Page:
        self.page.goto(self.site.url + path)
        return self.page

    def log_in(self) -> Page:
        self.page.goto(self.site.login_link())
        return self.page

    def sign_in(self, name: str) -> Page:
        """Log in as one of the crew, with the keyboard alone."""
        page = self.page
        page.goto(self.site.url + "/login/")
        page.get_by_label("Username").focus()
        page.keyboard.type(name)
        page.keyboard.press("Tab")
        page.keyboard.type(name)
        page.keyboard.press("Enter")
        page.wait_for_url(self.site.url + "/")
        return page

    def axe(self) -> list[str]:
        """Return what axe finds on the present page, one line a violation and place."""
        if not self.page.evaluate("() => 'axe' in window"):
            self.page.evaluate(AXE)
        self.watch.is_paused = True  # axe itself sets inline styles, which the policy refuses
        found = self.page.evaluate(
            """() => axe.run(document, {resultTypes: ['violations'], runOnly: {type: 'tag', values: ['wcag2a',
               'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}}).then(
               result => result.violations.flatMap(rule => rule.nodes.map(node =>
               `${rule.id}: ${node.target} (${node.failureSummary})`)))"""
        )
        self.watch.is_paused = False
        return [str(line) for line in found]


Open = Callable[..., Visitor]


def new_visitor(browser: Browser, site: LiveSite, **settings: Any) -> Visitor:
    """A window of its own, watched; close its context."""
    page = browser.new_context(reduced_motion="reduce", **settings).new_page()
    watch = Watch(site.url)
    page.on("console", watch.on_console)
    page.on("pageerror", watch.on_error)
    page.on("request", watch.on_request)
    page.on("response", watch.on_response)
    return Visitor(page, watch, site)


@pytest.fixture
def open_site(browser: Browser) -> Iterator[Open]:
    """Open windows on a site; at the end, whatever went wrong in any of them fails the test."""
    visitors = []

    def open_window(
        site: LiveSite,
        *,
        theme: str = "light",
        width: int = 1280,
        state: str | None = None,
        scripts: bool = True,
    ) -> Visitor:
        visitor = new_visitor(
            browser,
            site,
            java_script_enabled=scripts,
            color_scheme=theme,
            viewport={"width": width, "height": 800},
            storage_state=state,
        )
        visitors.append(visitor)
        return visitor

    yield open_window
    for visitor in visitors:
        visitor.page.context.close()
    assert [problem for visitor in visitors for problem in visitor.watch.problems] == []


@pytest.fixture(scope="module")
def windows(browser: Browser) -> Iterator[dict[tuple[str, int, str], Visitor]]:
    """The windows that `look` has opened, by site, width and session."""
    opened: dict[tuple[str, int, str], Visitor] = {}
    yield opened
    for visitor in opened.values():
        visitor.page.context.close()


@pytest.fixture
def look(browser: Browser, windows: dict[tuple[str, int, str], Visitor]) -> Iterator[Open]:
    """Show a page that is only looked at: what it did not change, the next look finds as it was.

    A page that the window shows already changes its theme in place, as it does for a person whose
    system does at dusk. Whatever went wrong since it was loaded fails the test.
    """
    shown = []

    def show(site: LiveSite, path: str, *, theme: str, width: int, state: str) -> Visitor:
        key = (site.url, width, state)
        if key not in windows:
            viewport = {"width": width, "height": 800}
            windows[key] = new_visitor(browser, site, viewport=viewport, storage_state=state)
        visitor = windows[key]
        shown.append(visitor)
        visitor.page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        if visitor.page.url != site.url + path:
            visitor.watch.problems.clear()
            visitor.go(path)
        return visitor

    yield show
    assert [problem for visitor in shown for problem in visitor.watch.problems] == []


@pytest.fixture(scope="session")
def logged_in(
    browser: Browser, demo_site: LiveSite, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """A stored session of the administrator, so that each test need not log in again."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(demo_site.login_link())
    path = str(tmp_path_factory.mktemp("state") / "state.json")
    context.storage_state(path=path)
    context.close()
    return path


# What the demo does not have: a key to revoke, somebody without a single permission, and alerts.
PREPARE = """
from django.contrib.auth.models import User
from django.utils import timezone
from endpoints.services import keys, people
User.objects.create_user("eve", is_staff=True)
keys.create(name="to revoke", scopes=["read"], endpoint=None, user=people.first_admin(), now=timezone.now())

from endpoints.models import Alert, AlertRule, AlgorithmVersion
from endpoints.services import mails
now = timezone.now()
rule = AlertRule.objects.get()
def alert(state, **facts):
    return Alert.objects.create(
        rule=rule, version=AlgorithmVersion.objects.get(number=2), state=state, value=2, limit=1,
        window_start=now, pending_at=now, **facts,
    )
alert("resolved", fired_at=now, resolved_at=now, acknowledged_at=now, acknowledged_by="alex", note="a camera")
firing = alert("firing", fired_at=now, told_at=now)
mails.written("ana@example.org", subject="x", text="x", now=now, alert=firing).save(force_insert=True)
"""


@pytest.fixture(scope="session")
def furnished_site(demo_site: LiveSite) -> LiveSite:
    done = demo_site.manage("shell", "-c", PREPARE)
    assert done.returncode == 0, done.stderr
    (key,) = demo_site.query("SELECT id FROM endpoints_apikey WHERE name = 'to revoke'")
    demo_site.demo["key"] = key["id"]
    (alert,) = demo_site.query("SELECT id FROM endpoints_alert WHERE state = 'firing'")
    demo_site.demo["alert"] = alert["id"]
    return demo_site


CREW = """
from django.contrib.auth.models import Group, Permission, User
from django.utils import timezone
from endpoints.models import Endpoint
from endpoints.services import catalog, lifecycle
from endpoints.services.access import Caller
from endpoints.services.training import TrainingJob, run_training
from endpoints.services.transitions import Decision
from mlcore.training import TrainingSpec

for name, role in (("dana", "scientist"), ("alex", "approver"), ("ben", "approver")):
    User.objects.create_user(name, password=name).groups.add(Group.objects.get(name=role))
overrule = Permission.objects.get(codename="override_gates")
User.objects.get(username="ben").user_permissions.add(overrule)

endpoint, demo = Endpoint.objects.get(), Caller(system="demo")
good = endpoint.versions.get(number=2).run
poor_spec = TrainingSpec(target="Class", positive="Besni", lambda_=3.0)
job = TrainingJob(table=catalog.raisin_table(), spec=poor_spec, experiment="raisin", actor=demo)
poor = run_training(job, clock=timezone.now).run
for run in [good] * 8 + [poor]:
    lifecycle.register(run=run, endpoint=endpoint, actor=demo, now=timezone.now())
for version in endpoint.versions.filter(number__gt=8):
    lifecycle.stage(version=version, decision=Decision(actor=demo, now=timezone.now()))
"""


@pytest.fixture(scope="session")
def crew_site(
    demo_as_made: LiveSite, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveSite]:
    """The demo with people whose passwords are their names: dana trains, alex approves, ben may overrule.

    Beside v2 in production there are v4 to v8 in testing and v9 to v11 staged, all as good as v2; v12 is
    staged and fails a gate. Each story takes versions of its own.
    """
    with copied_site(demo_as_made, tmp_path_factory.mktemp("crew")) as site:
        prepared = site.manage("shell", "-c", CREW)
        assert prepared.returncode == 0, prepared.stderr
        site.start()
        yield site
