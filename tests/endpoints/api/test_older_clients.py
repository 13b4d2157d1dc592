"""The resources of the classic small model service: the fields that its clients know, and access as everywhere."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from endpoints.models import AlgorithmVersion, Endpoint, StatusChange
from endpoints.services import feedback
from endpoints.services.access import Caller
from tests.cast import (
    ROW,
    SCIENTIST,
    THEN,
    Status,
    an_endpoint,
    new_key,
    person,
    prediction,
    registered_version,
)
from tests.endpoints.api.client import problem_in, with_key

pytestmark = pytest.mark.django_db

API = "/api/v1"
LISTS = ("mlalgorithms", "mlalgorithmstatuses", "mlrequests", "abtests")


@pytest.fixture
def reader(dev: User) -> APIClient:
    return with_key(APIClient(), new_key(dev)[1])


@pytest.fixture
def scientist(dana: User) -> APIClient:
    """Somebody who may see inputs."""
    return with_key(APIClient(), new_key(dana)[1])


def listed(api: APIClient, what: str) -> list[dict[str, Any]]:
    results = api.get(f"{API}/{what}").json()["results"]
    for result in results:
        assert api.get(f"{API}/{what}/{result['id']}").json() == result
    return list(results)


def moved(version: AlgorithmVersion, verb: str, source: str, target: str, hours: int) -> None:
    """Record what a test does to a version; the tests themselves come later."""
    StatusChange.objects.create(
        version=version,
        verb=verb,
        from_status=source,
        to_status=target,
        actor_name="alex",
        reason="enough was seen",
        at=THEN + timedelta(days=1, hours=hours),
    )


def test_endpoints_have_an_id_and_an_owner(reader: APIClient, raisin: Endpoint) -> None:
    [endpoint] = reader.get(f"{API}/endpoints").json()["results"]
    assert {"id", "name", "owner", "created_at"} <= endpoint.keys()


def test_algorithms(reader: APIClient, raisin: Endpoint) -> None:
    second, first = listed(reader, "mlalgorithms")
    version = raisin.versions.get(number=1)
    assert first == {
        "id": version.pk,
        "name": version.run.name,
        "description": "",
        "version": "v1",
        "created_by": "dana",
        "created_at": "2026-11-02T09:00:00Z",
        "parent_endpoint": raisin.pk,
        "current_status": "production",
    }
    assert second["current_status"] == "staging"


def test_the_newest_status_of_an_algorithm_is_active(reader: APIClient, raisin: Endpoint) -> None:
    statuses = listed(reader, "mlalgorithmstatuses")
    assert {status["created_by"] for status in statuses} == {"dana"}
    active = {
        status["parent_mlalgorithm"]: status["status"] for status in statuses if status["active"]
    }
    numbers = dict(raisin.versions.values_list("pk", "number"))
    assert {numbers[pk]: status for pk, status in active.items()} == {1: "production", 2: "staging"}
    assert len(statuses) == 5


def test_requests(scientist: APIClient, raisin: Endpoint) -> None:
    answer = prediction(raisin)
    [logged] = listed(scientist, "mlrequests")
    assert logged["id"] == str(answer.request_id)
    assert json.loads(logged["input_data"]) == ROW
    full = json.loads(logged["full_response"])
    assert full["label"] == logged["response"] == "Besni"
    assert 0.5 < full["probability"] < 1
    assert logged["feedback"] is None
    assert logged["parent_mlalgorithm"] == raisin.versions.get(number=1).pk


def test_requests_of_many_rows_hold_lists(scientist: APIClient, raisin: Endpoint) -> None:
    request = feedback.find_request(
        str(prediction(raisin, rows=[ROW, ROW]).request_id), caller=Caller()
    )
    feedback.record(request=request, label="Besni", row=1, actor=Caller(), now=THEN)
    [logged] = listed(scientist, "mlrequests")
    assert json.loads(logged["input_data"]) == [ROW, ROW]
    assert json.loads(logged["response"]) == ["Besni", "Besni"]
    assert json.loads(logged["feedback"]) == [None, "Besni"]
    assert len(json.loads(logged["full_response"])) == 2


def test_requests_show_the_current_label(scientist: APIClient, raisin: Endpoint) -> None:
    request = feedback.find_request(str(prediction(raisin).request_id), caller=Caller())
    for label in ("Besni", "Kecimen"):
        feedback.record(request=request, label=label, row=0, actor=Caller(), now=THEN)
    [logged] = listed(scientist, "mlrequests")
    assert logged["feedback"] == "Kecimen"


@pytest.mark.parametrize("scopes", [["read"], ["read", "manage"]])
def test_inputs_are_hidden_from_who_may_not_see_them(
    api: APIClient, dev: User, raisin: Endpoint, scopes: list[str]
) -> None:
    prediction(raisin)
    [logged] = listed(with_key(api, new_key(dev, scopes=scopes)[1]), "mlrequests")
    assert logged["input_data"] is None
    assert "Area" not in json.dumps(logged)


def test_requests_stay_readable_without_the_artefact(
    scientist: APIClient, raisin: Endpoint
) -> None:
    prediction(raisin)
    raisin.versions.update(artifact_sha256="0" * 64)
    [logged] = listed(scientist, "mlrequests")
    assert json.loads(logged["input_data"]) == list(ROW.values())
    assert logged["response"] == "1"


def test_there_is_no_test_while_none_was_run(reader: APIClient, raisin: Endpoint) -> None:
    assert listed(reader, "abtests") == []


def test_a_test_that_runs(reader: APIClient, raisin: Endpoint) -> None:
    one, two = raisin.versions.order_by("number")
    moved(two, "start_test", Status.STAGING, Status.AB_TESTING, 0)
    [test] = listed(reader, "abtests")
    assert (test["parent_mlalgorithm_1"], test["parent_mlalgorithm_2"]) == (two.pk, one.pk)
    assert (test["created_by"], test["ended_at"], test["summary"]) == ("alex", None, "")


def test_tests_that_ended(reader: APIClient, raisin: Endpoint) -> None:
    two = raisin.versions.get(number=2)
    moved(two, "start_test", Status.STAGING, Status.AB_TESTING, 0)
    moved(two, "stop_test", Status.AB_TESTING, Status.STAGING, 1)
    moved(two, "start_test", Status.STAGING, Status.AB_TESTING, 2)
    moved(two, "promote", Status.AB_TESTING, Status.PRODUCTION, 3)
    second, first = listed(reader, "abtests")
    assert first["ended_at"] == "2026-11-03T10:00:00Z"
    assert first["summary"] == "v2 was stopped. enough was seen"
    assert second["summary"] == "v2 won and was promoted. enough was seen"


def test_a_test_without_a_production_version(reader: APIClient, db: None) -> None:
    version = registered_version(an_endpoint(), status=Status.STAGING)
    moved(version, "start_test", Status.STAGING, Status.AB_TESTING, 0)
    assert listed(reader, "abtests")[0]["parent_mlalgorithm_2"] is None


@pytest.mark.parametrize("what", LISTS)
def test_a_key_of_one_endpoint_sees_its_rows_alone(
    api: APIClient, dev: User, raisin: Endpoint, what: str
) -> None:
    other = an_endpoint("other")
    prediction(raisin)
    two = raisin.versions.get(number=2)
    moved(two, "start_test", Status.STAGING, Status.AB_TESTING, 0)
    everything = listed(with_key(api, new_key(dev)[1]), what)
    assert everything != []
    with_key(api, new_key(dev, endpoint=other)[1])
    assert listed(api, what) == []
    problem_in(api.get(f"{API}/{what}/{everything[0]['id']}"), 404, "not_found")


@pytest.mark.parametrize("what", LISTS)
def test_what_is_for_members_is_hidden_from_others(
    api: APIClient, raisin: Endpoint, what: str
) -> None:
    prediction(raisin)
    Endpoint.objects.update(members_only=True)
    api.force_login(person("kim", SCIENTIST))
    assert listed(api, what) == []


@pytest.mark.parametrize("what", LISTS)
def test_it_refuses_strangers(api: APIClient, raisin: Endpoint, what: str) -> None:
    problem_in(api.get(f"{API}/{what}"), 401, "not_authenticated")


@pytest.mark.parametrize("what", LISTS)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_they_are_read_only(scientist: APIClient, raisin: Endpoint, what: str, method: str) -> None:
    response = scientist.generic(method, f"{API}/{what}", b"{}")
    problem_in(response, 405, "method_not_allowed")


@pytest.mark.parametrize("what", LISTS)
def test_the_number_of_queries_does_not_grow(
    scientist: APIClient,
    raisin: Endpoint,
    what: str,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(3):
        prediction(raisin)
        version = registered_version(raisin, status=Status.STAGING)
        moved(version, "start_test", Status.STAGING, Status.AB_TESTING, number)
    path = f"{API}/{what}"
    scientist.get(path)  # the classifiers stay in memory from here on
    with django_assert_max_num_queries(9):
        assert len(scientist.get(path).json()["results"]) >= 3


def test_predictions_of_many_endpoints_are_one_list(reader: APIClient, raisin: Endpoint) -> None:
    """In the order of time, forth and back, whichever endpoint has how many."""
    other, quiet = an_endpoint("other"), an_endpoint("quiet")
    registered_version(other, status=Status.PRODUCTION)
    registered_version(quiet, status=Status.PRODUCTION)
    turns = [raisin, raisin, other, raisin, raisin, raisin, quiet, raisin, other]
    ids = [
        str(prediction(endpoint, now=THEN + timedelta(minutes=minute)).request_id)
        for minute, endpoint in enumerate(turns)
    ][::-1]
    pages, address = [], f"{API}/mlrequests?limit=2"
    while address:
        answer = reader.get(address).json()
        pages.append([result["id"] for result in answer["results"]])
        address, before = answer["next"], answer["previous"]
    assert pages == [ids[place : place + 2] for place in range(0, 9, 2)]
    for page in pages[-2::-1]:
        answer = reader.get(before).json()
        assert [result["id"] for result in answer["results"]] == page
        before = answer["previous"]
