"""A/B tests under load: units stay in their arms, and what is counted of an arm is what the log holds of it,
through a process that is killed and one that follows it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlcore.assignment import Split
from mlcore.sample_ratio import sample_ratio
from tests.live import ROW, LiveSite, copied_site
from tests.serving.kept import check_answers_are_kept
from tests.serving.load import PREDICT, Load, load

pytestmark = pytest.mark.process

UNITS = [f"user-{number}" for number in range(500)]
REFUSED = 5
START = """
from django.utils import timezone
from endpoints.models import Endpoint
from tests.endpoints.services.abtests import trial
endpoint = Endpoint.objects.get(slug="raisin")
challenger = endpoint.versions.exclude(status="production").order_by("number").last()
trial.running_test(endpoint, challenger, kind="{kind}", salt="live", share=3_000)
"""
LOGGED = """
    SELECT r.arm_id, a.name, r.unit, r.row_count, r.shadow, r.version_id, a.version_id AS tested
    FROM endpoints_predictionrequest r JOIN endpoints_abarm a ON a.id = r.arm_id
"""
COUNTED = """
    SELECT a.name, sum(t.requests) AS requests, sum(t.rows) AS row_count, sum(t.units) AS units,
        sum(t.errors) AS errors, sum(t.agreed) AS agreed, count(*) AS writers
    FROM endpoints_abtraffic t JOIN endpoints_abarm a ON a.id = t.arm_id GROUP BY a.name
"""


@pytest.fixture
def site(demo_as_made: LiveSite, tmp_path: Path) -> Iterator[LiveSite]:
    with copied_site(demo_as_made, tmp_path) as site:
        yield site


def begin(site: LiveSite, kind: str) -> None:
    done = site.manage("shell", "--no-imports", "-c", START.format(kind=kind))
    assert done.returncode == 0, done.stderr
    site.start("--skip-prepare")


def kill_and_start_anew(site: LiveSite) -> None:
    assert site.process is not None
    os.killpg(site.process.pid, signal.SIGKILL)
    site.process.wait()
    site.start("--skip-prepare")


def wait_for_more(running: Load) -> None:
    answered, deadline = len(running.received), time.monotonic() + 120
    while len(running.received) < answered + 1_500:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ask_for(site: LiveSite, units: list[str]) -> None:
    """Ask so that the schema refuses it, and for a version by its number, which is no part of the test."""
    for unit in units:
        assert site.post(PREDICT, {}, **{"X-Unit-ID": unit})[0] == 422
        assert site.post(f"{PREDICT}?version=1", ROW, **{"X-Unit-ID": unit})[0] == 200


def counted(site: LiveSite) -> dict[str, dict[str, Any]]:
    return {row.pop("name"): row for row in site.query(COUNTED)}


def test_a_split_test(site: LiveSite) -> None:
    begin(site, "split")
    with load(site, units=UNITS) as running:
        wait_for_more(running)
        kill_and_start_anew(site)
        wait_for_more(running)
    check_answers_are_kept(site, running.received)
    split = Split((7_000, 3_000))
    refused = [unit for unit in UNITS if split.arm("live", unit) == 1][:REFUSED]
    ask_for(site, refused)
    site.stop()  # by then all that was counted is written, errors too
    kept, found = site.query(LOGGED), counted(site)
    units: dict[str, set[str]] = {"control": set(), "challenger": set()}
    for row in kept:
        assert row["name"] == ("control", "challenger")[split.arm("live", row["unit"]) or 0]
        assert row["version_id"] == row["tested"]
        units[row["name"]].add(row["unit"])
    for name, facts in found.items():
        assert facts["requests"] == sum(row["name"] == name for row in kept)
        assert facts["units"] == len(units[name])
        assert facts["writers"] >= 2
    assert (found["control"]["errors"], found["challenger"]["errors"]) == (0, 0)
    shares = sample_ratio([len(units["control"]), len(units["challenger"])], [7_000, 3_000])
    assert shares.p_value > 0.001
    told = {got.answer["arm"] for got in running.received}
    assert told == {"control", "challenger"}


def test_a_shadow_test(site: LiveSite) -> None:
    begin(site, "shadow")
    with load(site) as running:
        wait_for_more(running)
        kill_and_start_anew(site)
        wait_for_more(running)
    check_answers_are_kept(site, running.received)
    kept, found = site.query(LOGGED), counted(site)
    assert {row["name"] for row in kept} == {"control"}
    assert len(kept) >= len(running.received)
    assert all('"probabilities":[' in row["shadow"] for row in kept)
    for facts in found.values():
        assert (facts["requests"], facts["errors"]) == (len(kept), 0)
    assert found["control"]["units"] == len(kept)
    assert 0.5 * len(kept) < found["challenger"]["agreed"] < len(kept)
    assert not any("arm" in got.answer for got in running.received)
