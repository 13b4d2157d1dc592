"""POST /feedback: many labels at once, as JSON or CSV, for all endpoints or for one."""

from __future__ import annotations

import gzip
import json
import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from rest_framework.test import APIClient

from endpoints.models import Endpoint, Feedback, Status
from tests.cast import ROW, an_endpoint, new_key, prediction, registered_version
from tests.endpoints.api.client import post, problem_in, with_key

pytestmark = pytest.mark.django_db
ALL = "/api/v1/feedback"
UNKNOWN = str(uuid.UUID(int=7))


@pytest.fixture
def request_id(raisin: Endpoint) -> str:
    """A request of three rows."""
    return str(prediction(raisin, rows=[ROW] * 3).request_id)


def counts(response: HttpResponse) -> dict[str, int]:
    """Return what is not 0; without problems."""
    assert response.status_code == 200, response.content
    answer = response.json().items()
    return {name: count for name, count in answer if name != "errors" and count}


def errors(response: HttpResponse) -> list[tuple[int, str]]:
    found = response.json()["errors"]
    assert all(error["message"] for error in found)
    return [(error.get("item", error.get("line")), error["code"]) for error in found]


def current() -> list[tuple[int, str]]:
    found = Feedback.objects.filter(current=True).order_by("row")
    return list(found.values_list("row", "label"))


def test_it_works(api: APIClient, request_id: str) -> None:
    body = {
        "feedback": [
            {"request_id": request_id, "row": 0, "label": "Besni"},
            {"prediction_id": f"{request_id}:2", "label": 0},
        ]
    }
    response = post(api, ALL, body)
    assert response.json() == {
        "received": 2,
        "matched": 2,
        "recorded": 2,
        "corrected": 0,
        "duplicate": 0,
        "unknown": 0,
        "invalid": 0,
        "errors": [],
    }
    assert current() == [(0, "Besni"), (2, "Kecimen")]


def test_sending_it_twice_is_harmless(api: APIClient, request_id: str) -> None:
    body = {"feedback": [{"request_id": request_id, "label": "Besni"}]}
    post(api, ALL, body)
    assert counts(post(api, ALL, body)) == {"received": 1, "matched": 1, "duplicate": 1}


@pytest.mark.parametrize(
    "place",
    [
        {"request_id": "{id}"},
        {"request_id": "{id}", "row": 0},
        {"request_id": "{id}:0"},
        {"prediction_id": "{id}"},
        {"prediction_id": "{id}:0", "row": 0},
    ],
)
def test_a_row_can_be_named_in_these_ways(
    api: APIClient, request_id: str, place: dict[str, Any]
) -> None:
    named = {key: request_id + str(value)[4:] if value != 0 else 0 for key, value in place.items()}
    counted = counts(post(api, ALL, [named | {"label": "Besni"}]))
    assert counted == {"received": 1, "matched": 1, "recorded": 1}


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        (None, "wrong_type"),
        ([], "wrong_type"),
        ("Besni", "wrong_type"),
        ({}, "missing_field"),
        ({"label": "Besni"}, "missing_field"),
        ({"request_id": "{id}"}, "missing_field"),
        ({"request_id": "{id}", "prediction_id": "{id}", "label": "Besni"}, "missing_field"),
        ({"request_id": "{id}", "label": "Besni", "Row": 0}, "unknown_field"),
        ({"request_id": "{id}", "label": None}, "wrong_type"),
        ({"request_id": "{id}", "label": True}, "wrong_type"),
        ({"request_id": "{id}", "label": ["Besni"]}, "wrong_type"),
        ({"request_id": "{id}", "label": "Sultana"}, "invalid_label"),
        ({"request_id": "{id}", "label": ""}, "invalid_label"),
        ({"request_id": "{id}", "label": 2}, "invalid_label"),
        ({"request_id": "{id}", "label": 1e300}, "invalid_label"),
        ({"request_id": 7, "label": "Besni"}, "invalid_id"),
        ({"request_id": "7", "label": "Besni"}, "invalid_id"),
        ({"request_id": "{id}:", "label": "Besni"}, "invalid_id"),
        ({"request_id": "{id}:-1", "label": "Besni"}, "invalid_id"),
        ({"request_id": "{id}:1:1", "label": "Besni"}, "invalid_id"),
        ({"request_id": "{id}:3", "label": "Besni"}, "invalid_row"),
        ({"request_id": "{id}", "label": "Besni", "row": "0"}, "invalid_row"),
        ({"request_id": "{id}", "label": "Besni", "row": None}, "invalid_row"),
        ({"request_id": "{id}", "label": "Besni", "row": True}, "invalid_row"),
        ({"request_id": "{id}", "label": "Besni", "row": -1}, "invalid_row"),
        ({"request_id": "{id}", "label": "Besni", "row": 2**63}, "invalid_row"),
        ({"prediction_id": "{id}:1", "label": "Besni", "row": 0}, "invalid_row"),
    ],
)
def test_it_names_what_is_wrong_and_stores_the_rest(
    api: APIClient, request_id: str, entry: Any, code: str
) -> None:
    wrong = json.loads(json.dumps(entry).replace("{id}", request_id))
    body = {"feedback": [{"prediction_id": f"{request_id}:0", "label": "Besni"}, wrong]}
    response = post(api, ALL, body)
    assert counts(response) == {"received": 2, "matched": 1, "recorded": 1, "invalid": 1}
    assert errors(response) == [(1, code)]
    assert current() == [(0, "Besni")]


def test_unknown_requests_are_counted_and_are_no_error(api: APIClient, request_id: str) -> None:
    response = post(api, ALL, [{"request_id": UNKNOWN, "label": "whatever"}])
    assert counts(response) == {"received": 1, "unknown": 1}
    assert errors(response) == []


def test_nothing_to_label_is_fine(api: APIClient, raisin: Endpoint) -> None:
    assert counts(post(api, ALL, {"feedback": []})) == {}
    assert counts(post(api, ALL, b"prediction_id,label\n")) == {}


@pytest.mark.parametrize(
    "csv",
    [
        "prediction_id,label\n{id}:0,Besni\n{id}:2,Kecimen\n",
        "label,prediction_id\r\nBesni,{id}:0\r\nKecimen,{id}:2",
        "request_id,row,label\n{id},0,Besni\n\n{id},2,Kecimen\n",
        '\ufeffrequest_id , row , label\n{id}, 0, Besni\n"{id}",2,"Kecimen"\n',
        "request_id,label\n{id},Besni\n{id}:2,Kecimen\n",
        "request_id;row;label\r\n{id};0;Besni\r\n{id};2;Kecimen\r\n",
        "prediction_id\tlabel\n{id}:0\tBesni\n{id}:2\tKecimen\n",
        "sep=;\r\nprediction_id;label\r\n{id}:0;Besni\r\n{id}:2;Kecimen\r\n",
        "\r\nprediction_id,label\r\n{id}:0,Besni\r\n{id}:2,Kecimen\r\n",
    ],
)
def test_it_reads_csv(api: APIClient, request_id: str, csv: str) -> None:
    response = post(api, ALL, csv.replace("{id}", request_id).encode())
    assert counts(response) == {"received": 2, "matched": 2, "recorded": 2}
    assert current() == [(0, "Besni"), (2, "Kecimen")]


def test_it_names_wrong_lines_of_csv(api: APIClient, request_id: str) -> None:
    lines = ["request_id,row,label", "{id},0,Besni", "{id},x,Besni", "{id},1", "", "{id},1,Sultana",
             "{id},2,", "7,0,Besni"]  # fmt: skip
    response = post(api, ALL, "\n".join(lines).replace("{id}", request_id).encode())
    assert counts(response) == {"received": 6, "matched": 1, "recorded": 1, "invalid": 5}
    assert errors(response) == [
        (3, "invalid_row"),
        (4, "wrong_type"),
        (6, "invalid_label"),
        (7, "invalid_label"),
        (8, "invalid_id"),
    ]
    assert {"line", "code", "message"} == set(response.json()["errors"][0])


def test_it_counts_a_line_that_declares_the_delimiter(api: APIClient, request_id: str) -> None:
    body = f"sep=;\nprediction_id;label\n{request_id}:0;Sultana\n"
    assert errors(post(api, ALL, body.encode())) == [(3, "invalid_label")]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_request"),
        (b" \n", "invalid_request"),
        (b"{", "invalid_json"),
        (b"[1,", "invalid_json"),
        (b"{}", "invalid_request"),
        (b'{"feedback": {}}', "invalid_request"),
        (b'{"feedback": [], "more": 1}', "invalid_request"),
        (b'{"request_id": "x", "label": 1}', "invalid_request"),
        (b"null", "invalid_request"),
        (b'"text"', "invalid_request"),
        (b"label\nBesni", "invalid_request"),
        (b"prediction_id,request_id,label\n", "invalid_request"),
        (b"request_id,label,label\n", "invalid_request"),
        (b"request_id,row,label,note\n", "invalid_request"),
        (b'prediction_id,label\n"open', "invalid_request"),
        (b"prediction_id,label\n\xff,Besni", "invalid_request"),
    ],
)
def test_it_refuses_what_is_no_list(
    api: APIClient, raisin: Endpoint, body: bytes, code: str
) -> None:
    problem_in(post(api, ALL, body), 400, code)


def test_it_refuses_more_than_the_most(api: APIClient, request_id: str, settings: Any) -> None:
    settings.RAISIN_MAX_LABELS = 2
    label = {"request_id": request_id, "label": "Besni"}
    assert counts(post(api, ALL, [label] * 2))["received"] == 2
    problem_in(post(api, ALL, [label] * 3), 413, "too_large")
    csv = "request_id,label\n" + f"{request_id},Besni\n" * 3
    problem_in(post(api, ALL, csv.encode()), 413, "too_large")


def test_it_refuses_a_body_that_is_too_long(
    api: APIClient, raisin: Endpoint, settings: Any
) -> None:
    settings.RAISIN_MAX_BODY_BYTES = 50
    problem_in(post(api, ALL, b"prediction_id,label\n" + b"x" * 50), 413, "too_large")


def test_it_reads_a_compressed_body(api: APIClient, request_id: str) -> None:
    body = gzip.compress(f"request_id,label\n{request_id},Besni".encode())
    response = post(api, ALL, body, **{"Content-Encoding": "gzip"})
    assert counts(response) == {"received": 1, "matched": 1, "recorded": 1}


def test_it_records_who_sent_them(api: APIClient, request_id: str, dev_key: str) -> None:
    post(with_key(api, dev_key), ALL, [{"request_id": request_id, "label": "Besni"}])
    assert Feedback.objects.get().actor_name == "key tests of dev"


def test_at_one_endpoint_others_are_unknown(api: APIClient, request_id: str, dev: User) -> None:
    sultana = an_endpoint("sultana", public=False)
    registered_version(sultana, status=Status.PRODUCTION)
    elsewhere = str(prediction(sultana).request_id)
    here = f"/api/v1/endpoints/{sultana.slug}/feedback"
    body = [{"request_id": key, "label": "Besni"} for key in (request_id, elsewhere)]
    problem_in(post(api, here, body), 401, "not_authenticated")
    with_key(api, new_key(dev)[1])
    assert counts(post(api, here, body)) == {
        "received": 2, "matched": 1, "recorded": 1, "unknown": 1,
    }  # fmt: skip


def test_a_foreign_request_looks_unknown(api: APIClient, request_id: str, dev: User) -> None:
    with_key(api, new_key(dev, endpoint=an_endpoint("sultana"))[1])
    foreign = post(api, ALL, [{"request_id": request_id, "label": "Besni"}])
    unknown = post(api, ALL, [{"request_id": UNKNOWN, "label": "Besni"}])
    assert foreign.json() == unknown.json()
    assert not Feedback.objects.exists()


def test_it_refuses_strangers_where_nothing_is_public(api: APIClient, db: None) -> None:
    an_endpoint("private", public=False)
    problem_in(post(api, ALL, []), 401, "not_authenticated")


def test_it_refuses_a_parameter(api: APIClient, raisin: Endpoint) -> None:
    problem_in(post(api, f"{ALL}?dry=1", []), 400, "invalid_request")
