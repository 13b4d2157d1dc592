"""A whole A/B test on live traffic: 20,000 requests of 16 clients, labels in any order and three in ten missing.

The version in production is Newton's, its challenger a gradient descent that was stopped far too early, on the
real Raisin data. What clients were told, the log, the REST interface and the page must agree to the last count.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import threading
import urllib.request
from collections import Counter, deque
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dashboard import formats
from mlcore.assignment import Split
from mlcore.datasets import read_csv
from mlcore.sample_ratio import MISMATCH
from tests.live import LiveSite, copied_site
from tests.serving.load import CONNECTIONS, PREDICT

pytestmark = pytest.mark.process

REQUESTS, UNITS = 20_000, 4_000
LABELLED_SHARE = 0.7
LATE = 100
BODY = 2_000
"""Labels in one body."""
SALT = "live"
FEEDBACK = "/api/v1/endpoints/raisin/feedback"
HORIZON = 20_000
NAMES = ("control", "challenger")
PLAN = f"""
from django.contrib.auth.models import User
from django.utils import timezone
from endpoints.models import ABTest, Endpoint
from endpoints.services import keys, lifecycle
from endpoints.services.abtests import drafting
from endpoints.services.access import Caller
from endpoints.services.transitions import Decision

actor, now = Caller(system="tests"), timezone.now()
endpoint = Endpoint.objects.get(slug="raisin")
challenger = endpoint.versions.order_by("number").last()
lifecycle.stage(version=challenger, decision=Decision(actor=actor, now=now))
facts = {{"title": "Stopped too early", "kind": "split", "metric": "accuracy", "horizon": {HORIZON}}}
test = ABTest(endpoint=endpoint, challenger=challenger, **facts)
drafting.create(test, actor=actor, now=now)
ABTest.objects.filter(pk=test.pk).update(salt="{SALT}")  # so that every run divides the units alike
admin = User.objects.get(username="admin")
key = keys.create(user=admin, name="tests", scopes=["manage"], endpoint=None, now=now)[1]
print("made", test.pk, key)
"""
LOGGED = """
    SELECT a.name, r.unit, count(*) AS requests FROM endpoints_predictionrequest r
    JOIN endpoints_abarm a ON a.id = r.arm_id GROUP BY a.name, r.unit
"""
CELL = re.compile(r'<td class="num" data-label="([^"]+)">(.*?)</td>', re.DOTALL)


class Grain(NamedTuple):
    row: dict[str, float]
    label: str


class Asked(NamedTuple):
    """A request of a unit, the class that its grain has, and what came back."""

    unit: str
    label: str
    answer: dict[str, Any]

    @property
    def is_right(self) -> bool:
        return bool(self.answer["label"] == self.label)


class Trial(NamedTuple):
    """A site with a running test."""

    site: LiveSite
    pk: int
    key: str

    @property
    def address(self) -> str:
        return f"/api/v1/abtests/{self.pk}"

    def read(self) -> dict[str, Any]:
        status, found = self.site.get(self.address, Authorization=f"Bearer {self.key}")
        assert status == 200, found
        return found

    def change(self, verb: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.key}"}
        status, found = self.site.post(f"{self.address}/{verb}", body, **headers)
        assert status == 200, found
        return found


@pytest.fixture(scope="module")
def grains() -> list[Grain]:
    place = Path(os.environ.get("RAISIN_CSV", ""))
    if not place.is_file():
        pytest.skip("needs the real Raisin data: set RAISIN_CSV to its file")
    table = read_csv(place)
    names = table.header[:-1]
    return [
        Grain(dict(zip(names, map(float, row[:-1]), strict=True)), str(row[-1]))
        for row in table.rows
    ]


@pytest.fixture
def tested(grains: list[Grain], demo_as_made: LiveSite, tmp_path: Path) -> Iterator[Trial]:
    with copied_site(demo_as_made, tmp_path) as site:
        early = ("--solver", "gd", "--epochs", "1", "--endpoint", "raisin", "--register")
        site.manage_json("train", "--data", "raisin", *early)
        done = site.manage("shell", "--no-imports", "-c", PLAN)
        assert done.returncode == 0, done.stderr
        pk, key = done.stdout.split("made ")[1].split()
        site.start()
        tested = Trial(site, int(pk), key)
        tested.change("start", {})
        yield tested


def test_it_works(tested: Trial, grains: list[Grain]) -> None:
    site, chance = tested.site, random.Random(11)
    asked = ask(site, [(f"grower-{n % UNITS}", chance.choice(grains)) for n in range(REQUESTS)])
    check_assignment(site, asked)

    labelled = chance.sample(asked, round(LABELLED_SHARE * REQUESTS))
    assert label(site, labelled) == len(labelled)
    found = tested.read()
    check_counts(found["report"], asked, labelled)
    check_page(tested, found["report"])

    # It is less often right, and nearly never sure of anything.
    assert found["report"]["banner"] == "guardrail"
    broken = [each["code"] for each in found["report"]["guardrails"] if each["breached"]]
    assert broken == ["brier"]
    control, challenger = (found["report"][name] for name in NAMES)
    assert control["value"] > challenger["value"]

    stopped = tested.change("stop", {"conclusion": "a_wins", "reason": "B is not sure of anything"})
    assert (stopped["state"], stopped["conclusion"]) == ("stopped", "a_wins")
    assert stopped["kept"]["control"] == found["report"]["control"]
    done = {each.answer["request_id"] for each in labelled}
    late = [each for each in asked if each.answer["request_id"] not in done][:LATE]
    label(site, late)
    check_counts(tested.read()["report"], asked, labelled + late)
    assert tested.read()["kept"] == stopped["kept"]
    assert site.post(PREDICT, grains[0].row)[1]["version"] == control["version"]


def ask(site: LiveSite, questions: list[tuple[str, Grain]]) -> list[Asked]:
    """Ask all of it through some connections at once."""
    waiting, received = deque(questions), list[Asked]()

    def ask_on() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)
        while True:
            try:
                unit, grain = waiting.popleft()
            except IndexError:
                break
            connection.request("POST", PREDICT, json.dumps(grain.row), {"X-Unit-ID": unit})
            response = connection.getresponse()
            body = json.loads(response.read())
            assert response.status == 200, body
            received.append(Asked(unit, grain.label, body))
        connection.close()

    clients = [threading.Thread(target=ask_on) for _ in range(CONNECTIONS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert len(received) == len(questions)
    return received


def label(site: LiveSite, asked: list[Asked]) -> int:
    """Send the true classes in this order; return how many were new."""
    recorded = 0
    for start in range(0, len(asked), BODY):
        labels = [
            {"request_id": each.answer["request_id"], "label": each.label}
            for each in asked[start : start + BODY]
        ]
        status, told = site.post(FEEDBACK, {"feedback": labels})
        assert status == 200, told
        recorded += told["recorded"]
    return recorded


def check_assignment(site: LiveSite, asked: list[Asked]) -> None:
    """Each unit is in the arm that its name gives, in the answers and in the log, and in no other."""
    split = Split()
    arms = {f"grower-{n}": NAMES[split.arm(SALT, f"grower-{n}") or 0] for n in range(UNITS)}
    assert all(each.answer["arm"] == arms[each.unit] for each in asked)
    kept = site.query(LOGGED)
    assert {row["unit"]: row["name"] for row in kept} == arms
    assert len(kept) == UNITS
    assert sum(row["requests"] for row in kept) == REQUESTS


def check_counts(report: dict[str, Any], asked: list[Asked], labelled: list[Asked]) -> None:
    """The report counts what clients asked and what they were told was right."""
    requests = Counter(each.answer["arm"] for each in asked)
    labels = Counter(each.answer["arm"] for each in labelled)
    right = Counter(each.answer["arm"] for each in labelled if each.is_right)
    units = {each.unit: each.answer["arm"] for each in asked}
    for name in NAMES:
        found = report[name]
        assert (found["requests"], found["rows"], found["errors"]) == (requests[name],) * 2 + (0,)
        assert found["units"] == list(units.values()).count(name)
        assert found["labels"] == labels[name]
        assert found["value"] == pytest.approx(right[name] / labels[name], abs=1e-12)
        assert found["coverage"] == pytest.approx(labels[name] / requests[name], abs=1e-12)
    assert report["checks"]["sample_ratio_p"] > MISMATCH
    assert report["checks"]["coverage_p"] > MISMATCH
    assert report["labels"] == min(labels.values())


def check_page(tested: Trial, report: dict[str, Any]) -> None:
    """The page has the same numbers, as pages write them."""
    site = tested.site
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    browser.open(site.login_link(), timeout=20).close()
    with browser.open(f"{site.url}/tests/{tested.pk}/", timeout=20) as response:
        page = response.read().decode()
    cells = [(name, re.sub(r"<[^>]*>", "", value).strip()) for name, value in CELL.findall(page)]
    for place, name in enumerate(NAMES):
        found = report[name]
        for title, expected in {
            "Requests": f"{found['requests']:,}",
            "Units": f"{found['units']:,}",
            "Labels": f"{found['labels']:,}",
            "Labelled": formats.percent(found["coverage"]),
            "Share of units": formats.percent(found["seen_share"]),
        }.items():
            assert [value for cell, value in cells if cell == title][place] == expected
    values = {formats.percent(report[name]["value"]) for name in NAMES}
    cards = set(re.findall(r"<dd>(.*?)</dd>", page))
    assert values <= cards
    assert "breaks the limit of" in page
