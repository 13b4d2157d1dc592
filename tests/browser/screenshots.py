"""Takes pictures of the demo's pages: `python -m tests.browser.screenshots FOLDER [PAGE ...]`.

All pages are taken in full, with those of `test_findings.py`. Pages that are named are cut to the
window: `endpoint` makes the picture of the README, docs/screenshots/endpoint.png.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.browser.conftest import FLAGS
from tests.browser.test_every_page import PAGES, SIGHTS, filled
from tests.browser.test_findings import FINDINGS, MORE_FINDINGS, prepared
from tests.live import LiveSite, free_port

ADDED = FINDINGS | MORE_FINDINGS


def address(name: str, site: LiveSite) -> str:
    return ADDED[name].format(**site.demo) if name in ADDED else filled(PAGES[name], site)


def take(browser: Browser, site: LiveSite, folder: Path, wanted: list[str]) -> None:
    for theme, width in SIGHTS:
        context = browser.new_context(
            color_scheme=theme,  # type: ignore[arg-type]
            viewport={"width": width, "height": 800},
            device_scale_factor=1,
            reduced_motion="reduce",
        )
        page = context.new_page()
        page.goto(site.login_link())
        for name in wanted or (*PAGES, *ADDED):
            page.goto(site.url + address(name, site))
            page.wait_for_load_state("networkidle")
            page.screenshot(
                path=folder / f"{name} {theme} {width}.png".replace(" ", "-"), full_page=not wanted
            )
        context.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("pages", nargs="*", metavar="PAGE")
    options = parser.parse_args()
    folder, wanted = options.folder, options.pages
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        site = LiveSite(Path(home), free_port())
        site.demo = site.manage_json("demo")
        if not wanted or set(wanted) & set(ADDED):
            prepared(site)
        site.start()
        try:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=FLAGS
            )
            take(browser, site, folder, wanted)
        finally:
            site.stop()


if __name__ == "__main__":
    main()
