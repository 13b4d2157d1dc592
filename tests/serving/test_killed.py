"""A server that is killed under load, again and again: what a client received is in the log, once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live import LiveSite, copied_site
from tests.serving.kept import check_answers_are_kept
from tests.serving.load import Load, load

pytestmark = pytest.mark.process

KILLS = 20


@pytest.fixture
def site(demo_as_made: LiveSite, tmp_path: Path) -> Iterator[LiveSite]:
    with copied_site(demo_as_made, tmp_path) as site:
        yield site


def kill(site: LiveSite) -> None:
    """The whole process group at once, as when a machine runs out of memory."""
    assert site.process is not None
    os.killpg(site.process.pid, signal.SIGKILL)
    site.process.wait()
    site.process = None


def wait_for_more(running: Load) -> None:
    """Wait until this process has answered some."""
    answered, deadline = len(running.received), time.monotonic() + 120
    while len(running.received) < answered + 50:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_it_works(site: LiveSite) -> None:
    with load(site) as running:
        for number in range(KILLS):
            site.start("--skip-prepare")
            wait_for_more(running)
            # Long enough for a checkpoint now and then, and never at the same moment of a commit.
            time.sleep(0.2 + 0.017 * number)
            kill(site)
    assert running.broken >= KILLS
    assert not running.refused
    check_answers_are_kept(site, running.received)
