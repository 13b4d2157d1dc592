"""The API walkthrough against a real server: what it shows is what the site answers and records."""

from __future__ import annotations

from uuid import UUID

import pytest

from tests.live import ROW, LiveSite
from tests.notebooks.executed import Executed, execute

pytestmark = pytest.mark.process

READ = """
alive ready features facts grain answer explained total
feedback status_again repeated scaled many first mistake
"""
NEW_KEY = """
from django.utils import timezone
from endpoints.services import keys, people
facts = {"scopes": ["read"], "endpoint": None, "user": people.first_admin()}
print("key:", keys.create(name="notebook", now=timezone.now(), **facts)[1])
"""


@pytest.fixture(scope="module")
def key(demo_site: LiveSite) -> str:
    done = demo_site.manage("shell", "-c", NEW_KEY)
    assert done.returncode == 0, done.stderr
    return done.stdout.partition("key:")[2].strip()


@pytest.fixture(scope="module")
def walk(demo_site: LiveSite, key: str) -> Executed:
    environment = {"RAISIN_URL": demo_site.url, "RAISIN_KEY": key}
    return execute("api_walkthrough", read=READ, environment=environment)


def test_it_works(walk: Executed) -> None:
    """Every cell ran, none warned or printed, and both figures were drawn."""
    assert walk.streams() == []
    assert walk.figures() == ["explain-plot", "many-plot"]


def test_the_server_is_up(walk: Executed) -> None:
    assert walk.values["alive"] == [200, {"status": "OK"}]
    assert walk.values["ready"][0] == 200


def test_the_refusal_names_the_features(walk: Executed) -> None:
    assert walk.values["features"] == list(ROW)


def test_a_key_opens_the_version(walk: Executed, demo_site: LiveSite, key: str) -> None:
    facts, number = walk.values["facts"], demo_site.demo["production"]
    _, version = demo_site.get(
        f"/api/v1/endpoints/raisin/versions/{number}", Authorization=f"Bearer {key}"
    )
    assert (facts["version"], facts["status"]) == (number, "production")
    assert facts["features"] == list(ROW)
    assert facts["validation accuracy"] == version["metrics"]["validation"]["accuracy"]
    assert ("SYNTHETIC" in facts["data"]) is demo_site.demo["synthetic"]


def test_without_a_key_it_runs_too_and_says_what_is_missing(demo_site: LiveSite) -> None:
    walk = execute("api_walkthrough", read=READ, environment={"RAISIN_URL": demo_site.url})
    assert walk.figures() == ["explain-plot", "many-plot"]
    assert set(walk.values["facts"]) == {"refused", "to do"}
    assert walk.values["feedback"]["outcome"] == "recorded"


def test_the_prediction_is_the_server_s(walk: Executed, demo_site: LiveSite) -> None:
    _, answer = demo_site.post("/api/v1/raisin/predict", ROW)
    assert walk.values["grain"] == ROW
    assert walk.values["answer"]["probability"] == answer["probability"]


def test_the_contributions_add_up_to_the_logit(walk: Executed) -> None:
    explained = walk.values["explained"]
    assert list(explained["contributions"]) == list(ROW)
    assert walk.values["total"] == pytest.approx(explained["logit"], abs=1e-12)
    assert explained["logit"] == walk.values["answer"]["logit"]


def test_the_label_is_recorded_once(walk: Executed, demo_site: LiveSite) -> None:
    assert walk.values["feedback"]["outcome"] == "recorded"
    assert (walk.values["status_again"], walk.values["repeated"]["outcome"]) == (200, "unchanged")
    kept = demo_site.query(
        "SELECT label FROM endpoints_feedback WHERE request_id = %s",
        [UUID(walk.values["answer"]["request_id"])],
    )
    assert kept == [{"label": "Kecimen"}]


def test_many_rows_are_answered_as_each_alone(walk: Executed, demo_site: LiveSite) -> None:
    scaled, many, first = (walk.values[name] for name in ("scaled", "many", "first"))
    assert len(many["probabilities"]) == len(first["probabilities"]) == len(scaled) == 41
    assert scaled[15] == pytest.approx(ROW)
    for position in (0, 40):
        _, alone = demo_site.post("/api/v1/raisin/predict", scaled[position])
        assert many["probabilities"][position] == alone["probability"]


def test_version_one_has_not_converged(walk: Executed) -> None:
    assert (walk.values["first"]["version"], walk.values["first"]["converged"]) == (1, False)
    assert walk.values["many"]["converged"] is True


def test_the_mistake_is_explained(walk: Executed) -> None:
    mistake = walk.values["mistake"]
    assert (mistake["status"], mistake["code"]) == (422, "invalid_rows")
    assert "column Area" in mistake["error"]
