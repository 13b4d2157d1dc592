"""The drift page: what moved, by how much, what it does to the answers, and where the rows are."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from endpoints.models import DriftReport, Endpoint, Monitor
from endpoints.services import feedback
from endpoints.services.access import Caller
from endpoints.services.monitoring.tick import tick
from tests.dashboard.conftest import Browse
from tests.dashboard.pages import assert_clean, text_of
from tests.endpoints.services.abtests import counted, trial
from tests.endpoints.services.labelled import items, send
from tests.endpoints.services.monitoring import traffic

PAGE = "/endpoints/raisin/drift/"
ROWS = 60


@pytest.fixture
def watched(raisin: Endpoint) -> Endpoint:
    """Two windows of sixty rows, the newer one with areas half as large again."""
    Monitor.objects.create(endpoint=raisin, window_rows=ROWS)
    rows = traffic.training_rows(2 * ROWS)
    rows = rows[:ROWS] + traffic.shifted(rows[ROWS:])
    since = timezone.now() - timedelta(minutes=10)
    moments = traffic.every(traffic.SECOND, 2 * ROWS, since=since)
    traffic.log(raisin, traffic.one_by_one(rows), moments)
    tick(raisin, timezone.now)
    return raisin


def test_it_works(watched: Endpoint, eve: User, browse: Browse) -> None:
    response = browse(eve).get(PAGE)
    said = text_of(response)
    assert "1 of 7 features has drifted in 60 rows: Area." in said
    features = response.context["drift"].features
    assert [row.name for row in features][0] == "Area"
    assert features[0].column.verdict == "drift"
    assert "Limit (0.1)" in said
    assert_clean(response)


def test_its_numbers_are_those_of_rest(watched: Endpoint, eve: User, browse: Browse) -> None:
    client = browse(eve)
    shown = {row.name: row.column.effect for row in client.get(PAGE).context["drift"].features}
    told = client.get("/api/v1/endpoints/raisin/drift?window=rows").json()["results"][0]
    effects = {found["name"]: found["effect"] for found in told["features"]}
    assert {name: effects[name] for name in shown} == shown


def test_a_link_leads_to_the_rows_behind_a_report(
    watched: Endpoint, eve: User, browse: Browse
) -> None:
    client = browse(eve)
    query = client.get(PAGE).context["drift"].query
    asked = parse_qs(urlsplit(f"?{query}").query)
    assert asked["version"] == ["1"]
    found = client.get(f"/endpoints/raisin/predictions/?{query}")
    assert len(found.context["rows"]) == 50  # a page of sixty
    older = DriftReport.objects.get(window="rows", drifted=0)
    before = client.get(PAGE, {"start": older.start.isoformat()}).context["drift"]
    assert before.report == older
    assert "None of 7 features has drifted in 60 rows." in before.sentence


def test_the_windows_before_are_a_click_away(watched: Endpoint, eve: User, browse: Browse) -> None:
    client = browse(eve)
    response = client.get(PAGE)
    assert [point.drifted for point in response.context["points"]] == [1, 0]
    start = response.context["points"][1].start
    assert client.get(PAGE, {"start": start.isoformat()}).context["drift"].report.drifted == 0


def test_labels_stand_beside_the_estimate(watched: Endpoint, eve: User, browse: Browse) -> None:
    now = timezone.now()
    for request in watched.requests.all()[:20]:
        feedback.record(
            request=request, label=request.label, row=0, actor=Caller(system="tests"), now=now
        )
    response = browse(eve).get(PAGE, {"window": "day"})
    told = response.context["performance"]
    assert (told.labels, told.rows) == (20, 120)
    assert told.table[0].realised.value == 1.0
    assert 0.5 < told.table[0].estimated["value"] < 1.0
    assert "20 labels for 120 rows 16.7 %" in text_of(response)
    assert "covariate shift" in text_of(response)
    f1 = browse(eve).get(PAGE, {"window": "day", "metric": "f1"})
    assert f1.context["performance"].metric == "f1"
    assert_clean(f1)


def test_a_challenger_is_as_hidden_as_its_test(raisin: Endpoint, eve: User, browse: Browse) -> None:
    test = trial.running_test(
        raisin, raisin.versions.get(number=2), kind="split", minimum_labels=50
    )
    asked = counted.Asked((counted.Said(1),), counted.B, at=timezone.now())
    send(items(counted.log(test, [asked] * 4), "Besni"))
    client, day = browse(eve), {"window": "day", "version": "2"}
    response = client.get(PAGE, day)
    [row] = response.context["performance"].table
    assert (row.labels, row.realised) == (4, None)
    assert "are hidden while its test has fewer than 50 labels per arm." in text_of(response)
    assert "100 %" not in text_of(response).partition("Window by window")[2]
    assert_clean(response)
    overview = client.get("/endpoints/raisin/", {"period": "30d"})
    assert ">hidden</span>" in overview.content.decode()
    trial.stop(test)
    assert ">hidden</span>" not in client.get("/endpoints/raisin/").content.decode()
    shown = client.get(PAGE, day)
    assert shown.context["performance"].table[0].realised.value == 1.0
    assert "hidden while" not in text_of(shown)


def test_nothing_was_looked_at_yet(raisin: Endpoint, eve: User, browse: Browse) -> None:
    response = browse(eve).get(PAGE)
    assert "No live rows of v1 have been looked at" in text_of(response)
    assert_clean(response)


def test_few_rows_get_no_verdict(raisin: Endpoint, eve: User, browse: Browse) -> None:
    since = timezone.now() - timedelta(minutes=10)
    moments = traffic.every(traffic.SECOND, 9, since=since)
    traffic.log(raisin, traffic.one_by_one(traffic.training_rows(9)), moments)
    tick(raisin, timezone.now)
    said = text_of(browse(eve).get(PAGE))
    assert "There are too few rows for a verdict: 9 rows in this window." in said


def test_who_may_looks_now(raisin: Endpoint, dana: User, ana: User, browse: Browse) -> None:
    since = timezone.now() - timedelta(minutes=10)
    moments = traffic.every(traffic.SECOND, ROWS, since=since)
    traffic.log(raisin, traffic.one_by_one(traffic.training_rows(ROWS)), moments)
    assert browse(ana).post(PAGE).status_code == 403
    assert not DriftReport.objects.exists()
    assert "Look now" not in text_of(browse(ana).get(PAGE))
    response = browse(dana).post(PAGE, follow=True)
    assert "Looked at 60 new rows." in text_of(response)
    assert "Nothing is new." in text_of(browse(dana).post(PAGE, follow=True))


def test_an_unknown_version_is_not_found(raisin: Endpoint, eve: User, browse: Browse) -> None:
    assert browse(eve).get(PAGE, {"version": "9"}).status_code == 404
    for version in ("x", "9" * 5_000, "-1"):
        assert browse(eve).get(PAGE, {"version": version}).status_code == 404
    for start in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-11-02", "x"):
        assert browse(eve).get(PAGE, {"start": start}).status_code == 200
    assert browse(eve).get(PAGE, {"window": "moon", "start": "then"}).status_code == 200
