"""The whole way of an alarm: larger grains come, it is noticed, told once, and over when they stop.

A real server is asked, and a real worker tells a real receiver; needs the real Raisin data.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlcore.datasets import read_csv
from tests.endpoints.services.receiver import Receiver, running
from tests.live import LiveSite, copied_site

pytestmark = pytest.mark.process

REQUESTS = 1_000
TALLER = 1.1
LENGTHS = {"MajorAxisLength", "MinorAxisLength", "Perimeter"}
AREAS = {"Area", "ConvexArea"}
SETTLED_SECONDS = 3.1
"""A tick leaves requests that are younger than 3 seconds for the next one."""
LISTENER = """
from django.utils import timezone
from endpoints.models import Webhook
from endpoints.services import webhooks
from endpoints.services.access import Caller
secret = webhooks.create(Webhook(name="chat", url="{url}"), actor=Caller(system="tests"), now=timezone.now())
print("secret", secret)
"""
WATCH_FROM_NOW = """
from endpoints.models import DriftReport
DriftReport.objects.all().delete()
"""

READER = """
from django.contrib.auth.models import User
from django.utils import timezone
from endpoints.services import keys
facts = {"name": "tests", "scopes": ["read"], "endpoint": None, "now": timezone.now()}
print("key", keys.create(user=User.objects.get(username="admin"), **facts)[1])
"""

Grain = dict[str, Any]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running() as receiver:
        yield receiver


@pytest.fixture
def site(demo_as_made: LiveSite, tmp_path: Path) -> Iterator[LiveSite]:
    if not Path(os.environ.get("RAISIN_CSV", "")).is_file():
        pytest.skip("needs the real Raisin data: set RAISIN_CSV to its file")
    with copied_site(demo_as_made, tmp_path) as site:
        site.demo = {"api_key": shell(site, READER).split("key ")[1].strip()}
        with (site.home / "raisin.env").open("a") as settings:
            settings.write("RAISIN_WEBHOOK_PRIVATE_NETWORKS=true\n")
        site.start()
        yield site


@pytest.fixture
def grains() -> list[Grain]:
    """Each with its class."""
    table = read_csv(Path(os.environ["RAISIN_CSV"]))
    names = table.header
    return [dict(zip(names, row, strict=True)) for row in table.rows]


def test_larger_grains_are_noticed_told_and_over(
    site: LiveSite, receiver: Receiver, grains: list[Grain]
) -> None:
    secret = shell(site, LISTENER.format(url=receiver.url)).split("secret ")[1].strip()
    tick(site)  # the demo's own story
    shell(site, WATCH_FROM_NOW)
    chance = random.Random(5)

    normal = ask(site, chance.choices(grains, k=REQUESTS))
    first = newest_window(site)
    assert (first["verdict"], first["rows"], first["drifted"]) == ("no_drift", REQUESTS, [])
    assert alerts(site) == []

    larger = ask(site, [taller(grain) for grain in chance.choices(grains, k=REQUESTS)])
    second = newest_window(site)
    assert second["verdict"] == "drift"
    assert set(second["drifted"]) == LENGTHS | AREAS
    assert second["estimates"]["accuracy"]["value"] < first["estimates"]["accuracy"]["value"]
    before = this_week(site)  # nothing of these grains is known yet
    tick(site)
    assert [alert["state"] for alert in alerts(site)] == ["firing"]
    assert [message["type"] for message in told(site, receiver, secret)] == ["alert.firing"]

    label(site, normal + larger)
    after = this_week(site)
    assert after["labels"] == before["labels"] + 2 * REQUESTS
    assert after["realised"]["accuracy"] != before["realised"]["accuracy"]
    ask(site, chance.choices(grains, k=REQUESTS))
    assert newest_window(site)["verdict"] == "no_drift"
    assert [alert["state"] for alert in alerts(site)] == ["resolved"]
    said = [message["type"] for message in told(site, receiver, secret)]
    assert said == ["alert.firing", "alert.resolved"]


def taller(grain: Grain) -> Grain:
    """The same shape, 10 % larger."""
    factors = dict.fromkeys(LENGTHS, TALLER) | dict.fromkeys(AREAS, TALLER**2)
    return {
        name: value if name == "Class" else float(value) * factors.get(name, 1.0)
        for name, value in grain.items()
    }


def ask(site: LiveSite, grains: list[Grain]) -> list[tuple[str, str]]:
    """One request a grain; returns request ids with the true classes."""
    line = http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)
    asked = []
    for grain in grains:
        row = {name: float(value) for name, value in grain.items() if name != "Class"}
        line.request("POST", "/api/v1/raisin/predict", json.dumps(row))
        answer = json.load(line.getresponse())
        asked.append((answer["request_id"], grain["Class"]))
    line.close()
    time.sleep(SETTLED_SECONDS)
    tick(site)
    return asked


def tick(site: LiveSite) -> None:
    site.manage_json("tick")


def shell(site: LiveSite, code: str) -> str:
    done = site.manage("shell", "-c", code)
    assert done.returncode == 0, done.stderr
    return done.stdout


def read(site: LiveSite, path: str) -> Any:
    status, answer = site.get(path, Authorization=f"Bearer {site.demo['api_key']}")
    assert status == 200, answer
    return answer


def newest_window(site: LiveSite) -> dict[str, Any]:
    [report] = read(site, "/api/v1/endpoints/raisin/drift?window=rows&limit=1")["results"]
    return dict(report)


def this_week(site: LiveSite) -> dict[str, Any]:
    """The newest week's labels and metrics; the demo has some of its own."""
    [week] = read(site, "/api/v1/endpoints/raisin/performance?window=week&limit=1")["windows"]
    return dict(week)


def alerts(site: LiveSite) -> list[dict[str, Any]]:
    return list(read(site, "/api/v1/alerts?endpoint=raisin")["results"])


def label(site: LiveSite, asked: list[tuple[str, str]]) -> None:
    body = {"feedback": [{"request_id": key, "label": name} for key, name in asked]}
    status, answer = site.post("/api/v1/feedback", body)
    assert (status, answer["recorded"]) == (200, len(asked)), answer


def told(site: LiveSite, receiver: Receiver, secret: str) -> list[dict[str, Any]]:
    """What the receiver has been told, once the worker has done what is due; each is signed."""
    site.manage_json("work", "--once")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    messages = []
    for headers, body in zip(receiver.got, receiver.bodies, strict=True):
        place = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode()
        signature = base64.b64encode(hmac.digest(key, place + body, hashlib.sha256)).decode()
        assert headers["webhook-signature"] == f"v1,{signature}"
        messages.append(json.loads(body))
    return messages
