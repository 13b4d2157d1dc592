"""Promotions and rollbacks while clients ask: no request fails, and each answer is its version's own."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mlcore import artifact
from tests.live import LiveSite, copied_site
from tests.serving.kept import check_answers_are_kept, logged
from tests.serving.load import load

pytestmark = pytest.mark.process

CHANGES = 500
SWITCHES_SEEN = 100
BACK_AND_FORTH = f"""
import time
from django.utils import timezone
from endpoints.models import Endpoint
from endpoints.services import gates, lifecycle
from endpoints.services.access import Caller
from endpoints.services.transitions import Decision

def decision():
    return Decision(actor=Caller(system="tests"), now=timezone.now(), reason="back and forth")

# The gates take most of the time of a promotion, judge what the clients send, and change nothing that answers.
gates.evaluate = lambda *_, **__: []
endpoint = Endpoint.objects.get(slug="raisin")
for _ in range({CHANGES // 2}):
    lifecycle.promote(version=endpoint.versions.get(number=3), decision=decision())
    time.sleep(0.01)
    lifecycle.roll_back(endpoint=endpoint, decision=decision())
    lifecycle.restore(version=endpoint.versions.get(number=3), decision=decision())
    lifecycle.stage(version=endpoint.versions.get(number=3), decision=decision())
"""


@pytest.fixture
def site(demo_as_made: LiveSite, tmp_path: Path) -> Iterator[LiveSite]:
    with copied_site(demo_as_made, tmp_path) as site:
        # The server shall notice nearly every change, and not one a second.
        with (site.home / "raisin.env").open("a") as settings:
            settings.write("RAISIN_REFRESH_SECONDS=0.01\n")
        site.start()
        yield site


def test_it_works(site: LiveSite) -> None:
    with load(site) as running:
        done = site.manage("shell", "--no-imports", "-c", BACK_AND_FORTH)
    assert done.returncode == 0, done.stderr
    assert (running.broken, dict(running.refused)) == (0, {})
    answered_by = {got.answer["version"] for got in running.received}
    assert answered_by == {2, 3}
    check_answers_are_kept(site, running.received)
    check_answers_are_their_versions_own(site)
    in_order = [row["number"] for _, row in sorted(logged(site).items())]
    assert sum(np.diff(in_order) != 0) > SWITCHES_SEEN


def check_answers_are_their_versions_own(site: LiveSite) -> None:
    """The log holds all that is needed to repeat an answer."""
    by_version = defaultdict(list)
    for row in logged(site).values():
        by_version[row["number"]].append(row)
    paths = site.query("SELECT number, artifact_path FROM endpoints_algorithmversion")
    folders = {row["number"]: site.home / row["artifact_path"] for row in paths}
    for number, rows in by_version.items():
        inputs = np.array([json.loads(row["inputs"])[0] for row in rows])
        expected = artifact.load(folders[number]).positive_probabilities(inputs)
        found = [json.loads(row["probabilities"])[0] for row in rows]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
