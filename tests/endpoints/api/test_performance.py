"""What a version is worth, over REST."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from endpoints.models import (
    ABTest,
    AlgorithmVersion,
    DriftReport,
    Endpoint,
    Feedback,
    Status,
    StreamChange,
)
from endpoints.models.monitoring import Verdict
from endpoints.services.abtests import hiding
from endpoints.services.monitoring import label_stream
from endpoints.services.monitoring.windows import start_of
from mlcore.estimate import ASSUMPTIONS
from tests import cast
from tests.cast import new_key
from tests.endpoints.api.client import problem_in, with_key
from tests.endpoints.services.abtests import counted, trial
from tests.endpoints.services.labelled import items, logged, send

pytestmark = pytest.mark.django_db

PERFORMANCE = "/api/v1/endpoints/raisin/performance"
ESTIMATES = {"accuracy": {"value": 0.8, "standard_error": 0.02, "low": 0.74, "high": 0.86}}


@pytest.fixture
def reader(dev: User) -> APIClient:
    return with_key(APIClient(), new_key(dev)[1])


@pytest.fixture
def version(raisin: Endpoint) -> AlgorithmVersion:
    return raisin.versions.get(number=1)


def labelled(endpoint: Endpoint, *labels: str) -> None:
    """Predictions of one row five minutes ago, whose labels came two minutes later."""
    asked = timezone.now() - timedelta(minutes=5)
    send(items(logged(endpoint, len(labels), now=asked), *labels))
    Feedback.objects.update(created_at=asked + timedelta(minutes=2))


def test_it_works(reader: APIClient, raisin: Endpoint, version: AlgorithmVersion) -> None:
    labelled(raisin, *["Besni", "Kecimen"] * 2)
    label_stream.feed(raisin, timezone.now)
    today = start_of("day", timezone.now() - timedelta(minutes=5))
    DriftReport.objects.create(
        version=version, window="day", start=today, end=today + timedelta(days=1), n_rows=4,
        features=7, drifted=0, possible=0, verdict=Verdict.NO_DRIFT, estimates=ESTIMATES,
        computed_at=today,
    )  # fmt: skip
    answer = reader.get(f"{PERFORMANCE}?limit=3").json()
    assert (answer["endpoint"], answer["version"], answer["window"]) == ("raisin", 1, "day")
    assert answer["reference"]["rows"] > 100
    assert 0.7 < answer["reference"]["metrics"]["accuracy"] < 1
    assert answer["delay"] == {"labels": 4, "median_seconds": 120.0, "p90_seconds": 120.0}
    starts = [window["start"] for window in answer["windows"]]
    assert len(starts) == 3
    assert starts == sorted(starts, reverse=True)
    [window] = [window for window in answer["windows"] if window["rows"]]
    assert (window["rows"], window["labels"], window["coverage"]) == (4, 4, 1.0)
    assert window["realised"]["accuracy"]["value"] == 0.5
    assert window["realised"]["accuracy"]["low"] < 0.5 < window["realised"]["accuracy"]["high"]
    assert window["estimated"] == ESTIMATES
    assert answer["detectors"] == [
        {"detector": name, "labels": 4, "width": 4, "error_rate": 0.5}
        for name in ("adwin", "page_hinkley")
    ]
    assert answer["changes"] == []
    assert answer["assumptions"] == list(ASSUMPTIONS)


def test_changes_are_told(reader: APIClient, raisin: Endpoint, version: AlgorithmVersion) -> None:
    labelled(raisin, *["Besni"] * 400, *["Kecimen"] * 200)
    label_stream.feed(raisin, timezone.now)
    changes = reader.get(PERFORMANCE).json()["changes"]
    assert {change["detector"] for change in changes} == {"adwin", "page_hinkley"}
    stored = {(str(found.request_id), found.labels) for found in version.changes.all()}
    assert {(change["request_id"], change["labels"]) for change in changes} == stored
    [adwin] = [change for change in changes if change["detector"] == "adwin"][-1:]
    rates = {adwin["rate_before"], adwin["rate_after"]}
    assert rates == {0.0, 1.0}


def told(reader: APIClient, version: int) -> dict[str, Any]:
    answer: dict[str, Any] = reader.get(f"{PERFORMANCE}?version={version}").json()
    [window] = [window for window in answer["windows"] if window["labels"]]
    rates = {found["error_rate"] for found in answer["detectors"]}
    return {"note": answer["note"], "changes": len(answer["changes"]), "rates": rates} | window


def test_a_challenger_is_as_hidden_as_its_test(reader: APIClient, raisin: Endpoint) -> None:
    test = trial.running_test(
        raisin, raisin.versions.get(number=2), kind="split", minimum_labels=50
    )
    asked = timezone.now() - timedelta(minutes=5)
    arms = (counted.A, counted.B) * 4
    ids = counted.log(test, [counted.Asked((counted.Said(1),), arm, at=asked) for arm in arms])
    send(items(ids, "Besni", "Besni", "Besni", "Kecimen"))
    Feedback.objects.update(created_at=asked)
    label_stream.feed(raisin, timezone.now)
    for version in (test.control, test.challenger):
        StreamChange.objects.create(
            version=version, detector="adwin", found_at=asked, request_id=ids[1],
            predicted_at=asked, labels=4, rate_before=0.0, rate_after=0.5,
        )  # fmt: skip
    control, challenger = told(reader, 1), told(reader, 2)
    assert control["realised"]["accuracy"]["value"] == 1.0
    assert (control["note"], control["changes"], control["rates"]) == (None, 1, {0.0})
    assert (challenger["labels"], challenger["realised"]) == (4, None)
    assert (challenger["changes"], challenger["rates"]) == (0, {None})
    assert challenger["note"] == "hidden while its test has fewer than 50 labels per arm"
    ABTest.objects.update(started_at=timezone.now() + timedelta(days=7))
    assert told(reader, 2)["realised"]["accuracy"]["value"] == 0.5
    assert told(reader, 2)["changes"] == 1
    ABTest.objects.update(started_at=cast.THEN, minimum_labels=4)
    shown = told(reader, 2)
    assert shown["realised"]["accuracy"]["value"] == 0.5
    assert (shown["note"], shown["changes"], shown["rates"]) == (None, 1, {0.5})
    ABTest.objects.update(minimum_labels=50)
    trial.stop(test)
    assert told(reader, 2)["note"] is None


def test_units_that_repeat_hide_it_for_longer(raisin: Endpoint) -> None:
    test = trial.running_test(raisin, raisin.versions.get(number=2), kind="split", minimum_labels=2)
    named = [
        counted.Asked((counted.Said(1),), arm, unit=f"{arm}{number % 2}")
        for arm in (counted.A, counted.B)
        for number in range(4)
    ]
    send(items(counted.log(test, named), "Besni"))
    found = hiding.hidden(raisin.versions.get(number=2), timezone.now())
    assert found is not None
    assert found.note == "hidden while its test has fewer than 50 labelled units per arm"
    assert test.control is not None
    assert hiding.hidden(test.control, timezone.now()) is None


def test_without_a_test_no_query_is_needed(
    raisin: Endpoint, version: AlgorithmVersion, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        assert hiding.hidden(version, timezone.now()) is None
    AlgorithmVersion.objects.filter(number=2).update(status=Status.AB_TESTING)
    tested = raisin.versions.get(number=2)
    with django_assert_num_queries(1):
        assert hiding.hidden(tested, timezone.now()) is None


def test_what_nothing_tells_is_null(reader: APIClient, raisin: Endpoint) -> None:
    answer = reader.get(f"{PERFORMANCE}?version=v2&window=hour").json()
    assert (answer["version"], answer["delay"], answer["detectors"]) == (2, None, [])
    assert len(answer["windows"]) == 50
    told = {(w["rows"], w["labels"], w["coverage"], w["realised"]) for w in answer["windows"]}
    assert told == {(0, 0, None, None)}


@pytest.mark.parametrize("window", ["hour", "day", "week"])
def test_windows_follow_one_another(reader: APIClient, raisin: Endpoint, window: str) -> None:
    windows = reader.get(f"{PERFORMANCE}?window={window}&limit=4").json()["windows"]
    assert [w["start"] for w in windows[:-1]] == [w["end"] for w in windows[1:]]


def test_windows_by_count_have_no_labels(reader: APIClient, version: AlgorithmVersion) -> None:
    DriftReport.objects.create(
        version=version, window="rows", start=cast.THEN, end=cast.THEN, n_rows=9, features=7,
        drifted=0, possible=0, verdict=Verdict.NO_DRIFT, estimates=None, computed_at=cast.THEN,
    )  # fmt: skip
    [window] = reader.get(f"{PERFORMANCE}?window=rows").json()["windows"]
    assert (window["rows"], window["labels"], window["estimated"]) == (9, None, None)


@pytest.mark.parametrize(
    "asked", ["window=month", "limit=0", "limit=201", "version=x", "since=yesterday"]
)
def test_it_refuses_a_parameter(reader: APIClient, raisin: Endpoint, asked: str) -> None:
    problem_in(reader.get(f"{PERFORMANCE}?{asked}"), 400, "invalid_request")


def test_it_refuses_an_unknown_version(reader: APIClient, raisin: Endpoint) -> None:
    problem_in(reader.get(f"{PERFORMANCE}?version=99"), 404, "not_found")


def test_without_a_version_in_production_one_must_be_named(
    reader: APIClient, raisin: Endpoint
) -> None:
    empty = cast.an_endpoint("empty")
    cast.registered_version(empty)
    path = "/api/v1/endpoints/empty/performance"
    problem = problem_in(reader.get(path), 404, "not_found")
    assert "version=" in problem["detail"]
    assert reader.get(f"{path}?version=1").status_code == 200


def test_it_asks_for_a_key(api: APIClient, raisin: Endpoint) -> None:
    problem_in(api.get(PERFORMANCE), 401, "not_authenticated")
