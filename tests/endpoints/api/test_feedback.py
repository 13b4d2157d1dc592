"""True labels: recorded once, corrected with history, refused where they make no sense."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from rest_framework.test import APIClient

from endpoints.models import Endpoint, Feedback
from tests.cast import ROW, Status, an_endpoint, new_key, prediction, registered_version
from tests.endpoints.api.client import post, problem_in, with_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def request_id(raisin: Endpoint) -> str:
    return str(prediction(raisin).request_id)


def send(api: APIClient, request_id: str, body: Any) -> HttpResponse:
    return post(api, f"/api/v1/requests/{request_id}/feedback", body)


def labels() -> list[tuple[str, bool]]:
    return list(Feedback.objects.order_by("pk").values_list("label", "current"))


def test_it_works(api: APIClient, request_id: str) -> None:
    response = send(api, request_id, {"label": "Besni"})
    assert response.status_code == 201
    answer = response.json()
    assert answer.pop("correct") in (True, False)
    assert answer == {
        "status": "OK",
        "request_id": request_id,
        "row": 0,
        "label": "Besni",
        "outcome": "recorded",
    }


def test_it_says_whether_the_prediction_was_right(api: APIClient, raisin: Endpoint) -> None:
    answered = prediction(raisin)
    assert send(api, str(answered.request_id), {"label": answered.rows[0].label}).json()["correct"]


@pytest.mark.parametrize(("index", "name"), [(0, "Kecimen"), (1, "Besni")])
def test_a_number_means_the_index_of_a_class(
    api: APIClient, request_id: str, index: int, name: str
) -> None:
    assert send(api, request_id, {"label": index}).json()["label"] == name


def test_the_same_label_twice_changes_nothing(api: APIClient, request_id: str) -> None:
    send(api, request_id, {"label": "Besni"})
    response = send(api, request_id, {"label": "Besni"})
    assert (response.status_code, response.json()["outcome"]) == (200, "unchanged")
    assert labels() == [("Besni", True)]


def test_it_records_a_correction_and_keeps_the_first(api: APIClient, request_id: str) -> None:
    first = send(api, request_id, {"label": "Besni"}).json()
    response = send(api, request_id, {"label": "Kecimen"})
    assert (response.status_code, response.json()["outcome"]) == (201, "corrected")
    assert response.json()["correct"] is not first["correct"]
    assert labels() == [("Besni", False), ("Kecimen", True)]


def test_it_records_each_row_of_many(api: APIClient, raisin: Endpoint) -> None:
    request_id = str(prediction(raisin, rows=[ROW, ROW | {"Area": 1}]).request_id)
    for row in (0, 1):
        assert send(api, request_id, {"label": "Besni", "row": row}).json()["row"] == row
    assert Feedback.objects.filter(current=True).count() == 2


def test_the_address_may_end_in_the_row(api: APIClient, raisin: Endpoint) -> None:
    request_id = str(prediction(raisin, rows=[ROW] * 3).request_id)
    answer = send(api, f"{request_id}:2", {"label": "Besni"}).json()
    assert (answer["request_id"], answer["row"]) == (request_id, 2)
    again = send(api, f"{request_id}:2", {"label": "Besni", "row": 2}).json()
    assert again["outcome"] == "unchanged"
    assert Feedback.objects.get().row == 2


@pytest.mark.parametrize("row", ["", "-1", "x", "1:1", "1.0", "3", "9" * 10])
def test_it_refuses_an_address_without_such_a_row(
    api: APIClient, request_id: str, row: str
) -> None:
    problem_in(send(api, f"{request_id}:{row}", {"label": "Besni"}), 400, "invalid_request")


def test_it_refuses_two_rows_for_one_label(api: APIClient, raisin: Endpoint) -> None:
    request_id = str(prediction(raisin, rows=[ROW] * 3).request_id)
    problem = problem_in(
        send(api, f"{request_id}:2", {"label": "Besni", "row": 1}), 400, "invalid_request"
    )
    assert problem["errors"][0]["field"] == "row"
    assert labels() == []


def test_it_records_who_sent_it(api: APIClient, request_id: str, dev_key: str) -> None:
    send(with_key(api, dev_key), request_id, {"label": "Besni"})
    assert Feedback.objects.get().actor_name == "key tests of dev"


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        "Besni",
        None,
        {"label": None},
        {"label": True},
        {"label": 1.0},
        {"label": ["Besni"]},
        {"label": "besni"},
        {"label": ""},
        {"label": "Sultana\u0000"},
        {"label": 2},
        {"label": -1},
        {"label": 2**63},
        {"label": "Besni", "row": 1},
        {"label": "Besni", "row": -1},
        {"label": "Besni", "row": 2**63},
        {"label": "Besni", "row": "0"},
        {"label": "Besni", "row": True},
        {"label": "Besni", "row": None},
        {"label": "Besni", "rows": 0},
    ],
)
def test_it_refuses_what_is_no_label(api: APIClient, request_id: str, body: Any) -> None:
    problem_in(send(api, request_id, body), 400, "invalid_request")
    assert labels() == []


def test_it_names_only_some_of_many_unknown_fields(api: APIClient, request_id: str) -> None:
    body = {f"field {number}": number for number in range(10_000)}
    problem = problem_in(send(api, request_id, body), 400, "invalid_request")
    assert len(problem["errors"]) == 20


@pytest.mark.parametrize("unknown", [str(uuid.UUID(int=7)), uuid.UUID(int=7).hex])
def test_it_refuses_an_unknown_request(api: APIClient, raisin: Endpoint, unknown: str) -> None:
    problem_in(send(api, unknown, {"label": "Besni"}), 404, "not_found")


@pytest.mark.parametrize("unreadable", ["7", "not-an-id", "%00", "0" * 33, "é"])
def test_it_refuses_what_is_no_request_id(
    api: APIClient, raisin: Endpoint, unreadable: str
) -> None:
    problem_in(send(api, unreadable, {"label": "Besni"}), 400, "invalid_request")


def test_a_request_at_a_foreign_endpoint_looks_unknown(
    api: APIClient, request_id: str, dev: User
) -> None:
    other = an_endpoint("sultana")
    with_key(api, new_key(dev, endpoint=other)[1])
    foreign = problem_in(send(api, request_id, {"label": "Besni"}), 404, "not_found")
    unknown = problem_in(send(api, str(uuid.uuid4()), {"label": "Besni"}), 404, "not_found")
    assert foreign["error"] == unknown["error"]


def test_it_refuses_strangers_where_the_endpoint_is_private(api: APIClient, db: None) -> None:
    private = an_endpoint("private", public=False)
    registered_version(private, status=Status.PRODUCTION)
    problem_in(
        send(api, str(prediction(private).request_id), {"label": 1}), 401, "not_authenticated"
    )
