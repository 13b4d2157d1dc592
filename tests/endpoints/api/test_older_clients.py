"""The resources of the classic small model service: the fields that its clients know, and access as everywhere."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from endpoints.models import Endpoint
from endpoints.services import feedback
from endpoints.services.abtests import stopping
from endpoints.services.abtests.stopping import Stop
from endpoints.services.access import Caller
from tests.cast import (
    ROW,
    SCIENTIST,
    SYSTEM,
    THEN,
    Status,
    an_endpoint,
    new_key,
    person,
    prediction,
    registered_version,
)
from tests.endpoints.api.client import problem_in, with_key
from tests.endpoints.services.abtests import planned, trial

pytestmark = pytest.mark.django_db

API = "/api/v1"
LISTS = ("mlalgorithms", "mlalgorithmstatuses", "mlrequests", "abtests")
OF_A_TEST = (
    "id", "title", "created_by", "created_at", "ended_at", "summary", "parent_mlalgorithm_1",
    "parent_mlalgorithm_2",
)  # fmt: skip


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
    assert (logged["parent_abtest"], logged["arm"], logged["shadow_response"]) == (None, None, None)


def test_requests_of_a_split_test_tell_their_arm(scientist: APIClient, raisin: Endpoint) -> None:
    test = trial.running_test(raisin, raisin.versions.get(number=2), kind="split")
    for hours, unit in enumerate(("user-0", "user-1")):
        prediction(raisin, unit=unit, now=THEN + timedelta(hours=hours))
    second, first = listed(scientist, "mlrequests")
    assert [(one["parent_abtest"], one["arm"], one["unit_id"]) for one in (first, second)] == [
        (test.pk, "control", "user-0"),
        (test.pk, "challenger", "user-1"),
    ]


def test_requests_of_a_shadow_test_tell_both_answers(
    scientist: APIClient, raisin: Endpoint
) -> None:
    trial.running_test(raisin, raisin.versions.get(number=2))
    prediction(raisin, rows=[ROW, ROW])
    prediction(raisin, now=THEN + timedelta(hours=1))
    one, many = listed(scientist, "mlrequests")
    shadow, full = json.loads(one["shadow_response"]), json.loads(one["full_response"])
    assert (shadow["label"], shadow["status"], one["arm"]) == ("Besni", "OK", "control")
    assert shadow["probability"] != full["probability"]
    assert json.loads(many["shadow_response"]) == [shadow, shadow]


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
    assert older_fields(reader) == []


def older_fields(api: APIClient) -> list[dict[str, Any]]:
    """Return of each test what clients of the classic service know."""
    tests = api.get(f"{API}/abtests").json()["results"]
    for test in tests:
        one = api.get(f"{API}/abtests/{test['id']}").json()
        assert {name: one[name] for name in OF_A_TEST} == {name: test[name] for name in OF_A_TEST}
    return [{name: test[name] for name in OF_A_TEST} for test in tests]


def test_a_test_that_runs(reader: APIClient, raisin: Endpoint) -> None:
    one, two = raisin.versions.order_by("number")
    running = trial.running_test(raisin, two, created_at=THEN)
    assert older_fields(reader) == [
        {
            "id": running.pk,
            "title": "v1 or v2",
            "created_by": "dana",
            "created_at": "2026-11-02T09:00:00Z",
            "ended_at": None,
            "summary": "",
            "parent_mlalgorithm_1": one.pk,
            "parent_mlalgorithm_2": two.pk,
        }
    ]


def test_a_planned_test_is_against_the_version_in_production_now(
    reader: APIClient, raisin: Endpoint
) -> None:
    one, two = raisin.versions.order_by("number")
    planned.a_draft(raisin)
    [draft] = older_fields(reader)
    assert (draft["parent_mlalgorithm_1"], draft["parent_mlalgorithm_2"]) == (one.pk, two.pk)
    raisin.versions.filter(pk=one.pk).update(status=Status.ARCHIVED)
    [draft] = older_fields(reader)
    assert (draft["parent_mlalgorithm_1"], draft["parent_mlalgorithm_2"]) == (None, two.pk)


def test_a_test_that_ended(reader: APIClient, raisin: Endpoint) -> None:
    test = planned.a_test(raisin, kind="split")
    planned.labelled(test, **planned.B_BETTER)
    how = Stop(conclusion="b_wins", reason="enough was seen")
    stopping.stop(test, how, actor=SYSTEM, now=THEN + timedelta(days=1))
    [ended] = older_fields(reader)
    assert ended["ended_at"] == "2026-11-03T09:00:00Z"
    assert ended["summary"] == (
        "B wins. v1: accuracy 0.8000 of 500 labels, v2: accuracy 0.9600 of 500 labels. enough was seen"
    )


def test_a_test_that_ended_with_few_labels_tells_their_number_alone(
    reader: APIClient, raisin: Endpoint
) -> None:
    test = planned.a_test(raisin, kind="split")
    planned.labelled(test, a=(30, 0), b=(2, 28))
    how = Stop(conclusion="did_not_finish", reason="the vineyard is closed")
    stopping.stop(test, how, actor=SYSTEM, now=THEN + timedelta(days=1))
    [ended] = older_fields(reader)
    assert (
        ended["summary"] == "Did not finish. v1: 30 labels, v2: 30 labels. the vineyard is closed"
    )


def test_a_test_that_ended_without_a_report_tells_its_conclusion(
    reader: APIClient, raisin: Endpoint
) -> None:
    trial.stop(trial.running_test(raisin, raisin.versions.get(number=2)))
    assert older_fields(reader)[0]["summary"] == "Inconclusive."


@pytest.mark.parametrize("what", LISTS)
def test_a_key_of_one_endpoint_sees_its_rows_alone(
    api: APIClient, dev: User, raisin: Endpoint, what: str
) -> None:
    other = an_endpoint("other")
    prediction(raisin)
    planned.a_draft(raisin)
    everything = with_key(api, new_key(dev)[1]).get(f"{API}/{what}").json()["results"]
    assert everything != []
    with_key(api, new_key(dev, endpoint=other)[1])
    assert api.get(f"{API}/{what}").json()["results"] == []
    problem_in(api.get(f"{API}/{what}/{everything[0]['id']}"), 404, "not_found")


@pytest.mark.parametrize("what", LISTS)
def test_what_is_for_members_is_hidden_from_others(
    api: APIClient, raisin: Endpoint, what: str
) -> None:
    prediction(raisin)
    planned.a_draft(raisin)
    Endpoint.objects.update(members_only=True)
    api.force_login(person("kim", SCIENTIST))
    assert listed(api, what) == []


@pytest.mark.parametrize("what", LISTS)
def test_it_refuses_strangers(api: APIClient, raisin: Endpoint, what: str) -> None:
    problem_in(api.get(f"{API}/{what}"), 401, "not_authenticated")


@pytest.mark.parametrize("what", LISTS[:3])
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
        registered_version(raisin)
        planned.a_draft(raisin, title=f"plan {number}")
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
