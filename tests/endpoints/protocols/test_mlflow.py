"""MLflow's scoring protocol: every form of a table is answered as the native route answers it."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from endpoints.models import Endpoint, PredictionRequest
from mlcore.version import __version__
from tests import cast
from tests.cast import ROW
from tests.endpoints import grains
from tests.endpoints.protocols.asking import LISTS, ROWS, native, problem, send

pytestmark = pytest.mark.django_db

PATH = "/e/raisin/invocations"
NAMES = list(ROW)
FORMS: dict[str, Any] = {
    "dataframe_split": {"columns": NAMES, "index": [7, 8], "data": LISTS},
    "dataframe_records": ROWS,
    "instances": ROWS,
    "inputs": {name: [row[name] for row in ROWS] for name in NAMES},
}


def as_csv(rows: list[list[float]], header: list[str] | None = None) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    if header:
        writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def probabilities(response: HttpResponse) -> list[float]:
    assert response.status_code == 200, response.content
    return list(response.json()["probabilities"])


def test_it_works(client: Client, raisin: Endpoint) -> None:
    answer = send(client, PATH, {"dataframe_records": ROWS})
    assert answer["Content-Type"] == "application/json"
    body, expected = answer.json(), native(client)
    assert body["predictions"] == expected["labels"]
    assert body["probabilities"] == expected["probabilities"]
    assert body["classes"] == ["Kecimen", "Besni"]
    assert (body["endpoint"], body["model_version"]) == ("raisin", "1")


@pytest.mark.parametrize("form", FORMS)
def test_every_json_form_gives_the_same_digits(client: Client, raisin: Endpoint, form: str) -> None:
    answer = send(client, PATH, {form: FORMS[form]})
    assert probabilities(answer) == native(client)["probabilities"]


@pytest.mark.parametrize("header", [None, NAMES])
def test_csv_gives_the_same_digits(
    client: Client, raisin: Endpoint, header: list[str] | None
) -> None:
    answer = send(client, PATH, as_csv(LISTS, header), "text/csv")
    assert probabilities(answer) == native(client)["probabilities"]


def test_columns_are_matched_by_name(client: Client, raisin: Endpoint) -> None:
    backwards = [row[::-1] for row in LISTS]
    expected = native(client)["probabilities"]
    split = {"columns": NAMES[::-1], "data": backwards}
    assert probabilities(send(client, PATH, {"dataframe_split": split})) == expected
    text = as_csv(backwards, NAMES[::-1])
    assert probabilities(send(client, PATH, text, "text/csv")) == expected


@pytest.mark.parametrize("content_type", ["", "application/x-www-form-urlencoded"])
def test_without_a_type_the_body_speaks_for_itself(
    client: Client, raisin: Endpoint, content_type: str
) -> None:
    expected = native(client)["probabilities"]
    assert probabilities(send(client, PATH, {"instances": ROWS}, content_type)) == expected
    assert probabilities(send(client, PATH, as_csv(LISTS, NAMES), content_type)) == expected


@pytest.mark.parametrize(
    "content_type",
    [
        "text/csv; charset=utf-8",
        'text/csv;charset="UTF-8"',
        "Text/CSV; header=absent",
        "text/csv; charset=utf-8; header=absent",
    ],
)
def test_a_type_may_have_parameters(client: Client, raisin: Endpoint, content_type: str) -> None:
    answer = send(client, PATH, as_csv(LISTS), content_type)
    assert probabilities(answer) == native(client)["probabilities"]


def test_nan_is_a_missing_value(client: Client, db: None) -> None:
    """Here the endpoint fills it, since its training rows had holes."""
    endpoint = cast.an_endpoint("holes")
    cast.registered_version(endpoint, status="production", run=grains.run(holed()))
    rows = b'{"dataframe_records": [{"Area": NaN, %s}]}' % rest()
    filled = send(client, "/e/holes/invocations", rows).json()
    assert filled["imputed"] == [["Area"]]
    text = as_csv([["", *list(ROW.values())[1:]]], NAMES)  # type: ignore[list-item]
    answer = send(client, "/e/holes/invocations", text, "text/csv")
    assert answer.json()["probabilities"] == filled["probabilities"]


def holed() -> Any:
    """The grains of three classes, some without an area."""
    table = grains.three_classes()
    rows = tuple(
        ("", *row[1:]) if number % 9 == 0 else row for number, row in enumerate(table.rows)
    )
    return type(table)(**{**vars(table), "rows": rows, "sha256": "4" * 64})


def rest() -> bytes:
    return ", ".join(f'"{name}": {value}' for name, value in list(ROW.items())[1:]).encode()


def test_probabilities_can_be_the_predictions(client: Client, raisin: Endpoint) -> None:
    body = {"instances": ROWS, "params": {"predict_method": "predict_proba"}}
    found = send(client, PATH, body).json()["predictions"]
    assert [row[1] for row in found] == native(client)["probabilities"]
    assert [sum(row) for row in found] == pytest.approx([1.0, 1.0])


def test_of_three_classes_the_probabilities_have_names(client: Client, db: None) -> None:
    grains.endpoint()
    answer = send(client, "/e/grains/invocations", {"instances": ROWS}).json()
    expected = native(client, "grains")
    assert answer["predictions"] == expected["labels"]
    assert answer["probabilities"] == expected["probabilities"]


def test_it_records_the_protocol(client: Client, raisin: Endpoint) -> None:
    answer = send(client, PATH, {"instances": ROWS}).json()
    logged = PredictionRequest.objects.get(pk=answer["request_id"])
    assert (logged.protocol, logged.row_count) == ("mlflow", 2)


@pytest.mark.parametrize("route", ["ping", "health"])
def test_it_is_alive_while_a_model_answers(client: Client, raisin: Endpoint, route: str) -> None:
    answer = client.get(f"/e/raisin/{route}")
    assert (answer.status_code, answer.content) == (200, b"\n")
    assert client.head(f"/e/raisin/{route}").status_code == 200
    assert client.get(f"/e/sultana/{route}").status_code == 404


def test_it_is_not_alive_while_nothing_would_be_answered(client: Client, raisin: Endpoint) -> None:
    Endpoint.objects.update(paused_at=cast.THEN)
    body = problem(client.get("/e/raisin/ping"), 503, "no_model")
    assert body["error_code"] == "TEMPORARILY_UNAVAILABLE"


def test_it_tells_the_version_of_the_server(client: Client, raisin: Endpoint) -> None:
    assert client.get("/e/raisin/version").content.decode() == __version__


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"1",
        b'"1"',
        b"[1]",
        b"[" * 100_000,
        {},
        {"instances": ROWS, "inputs": ROWS},
        {"dataframe_split": [1]},
        {"rows": ROWS},
        {"instances": ROWS, "params": {"temperature": 1}},
        {"instances": ROWS, "params": {"predict_method": "transform"}},
        {"instances": ROWS, "params": [1]},
    ],
)
def test_it_refuses_other_bodies(client: Client, raisin: Endpoint, body: Any) -> None:
    answer = send(client, PATH, body)
    assert answer.status_code == 400
    assert answer.json()["error_code"] == "BAD_REQUEST"


def test_it_says_what_a_body_may_be(client: Client, raisin: Endpoint) -> None:
    body = problem(send(client, PATH, [1]), 400, "invalid_request")
    assert "a JSON object with exactly one of dataframe_split" in body["message"]


def test_it_refuses_rows_that_do_not_fit_cell_by_cell(client: Client, raisin: Endpoint) -> None:
    wrong = [ROW, ROW | {"Area": "wide"}]
    body = problem(send(client, PATH, {"instances": wrong}), 400, "invalid_rows")
    assert body["error_code"] == "INVALID_PARAMETER_VALUE"
    assert [(cell["row"], cell["field"]) for cell in body["errors"]] == [(1, "Area")]


def test_it_refuses_a_csv_of_other_columns(client: Client, raisin: Endpoint) -> None:
    text = as_csv(LISTS, ["Aera", *NAMES[1:]])
    body = problem(send(client, PATH, text, "text/csv"), 400, "invalid_rows")
    assert {cell["field"] for cell in body["errors"]} == {"Area", "Aera"}


def test_a_csv_error_tells_no_more_than_the_endpoint_allows(
    client: Client, raisin: Endpoint
) -> None:
    Endpoint.objects.update(error_detail="generic")
    text = as_csv(LISTS, ["Aera", *NAMES[1:]])
    body = problem(send(client, PATH, text, "text/csv"), 400, "invalid_rows")
    assert "Area" not in str(body)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/vnd.apache.parquet",
        "application/json; something=something",
        "application/json; charset=latin-1",
        "application/json; header=absent",
        "text/csv; header=maybe",
        "multipart/form-data; boundary=x",
    ],
)
def test_it_refuses_other_types(client: Client, raisin: Endpoint, content_type: str) -> None:
    problem(send(client, PATH, {"instances": ROWS}, content_type), 415, "unsupported_type")


def test_it_refuses_too_many_rows(client: Client, raisin: Endpoint, settings: Any) -> None:
    settings.RAISIN_MAX_ROWS = 1
    problem(send(client, PATH, {"instances": ROWS}), 413, "too_large")


def test_it_refuses_a_query(client: Client, raisin: Endpoint) -> None:
    problem(send(client, f"{PATH}?version=1", {"instances": ROWS}), 400, "invalid_request")


def test_it_refuses_another_method(client: Client, raisin: Endpoint) -> None:
    problem(client.get(PATH), 405, "method_not_allowed")


@pytest.mark.parametrize("path", [PATH, "/e/sultana/invocations"])
def test_it_tells_strangers_nothing(client: Client, raisin: Endpoint, path: str) -> None:
    """Not even what is wrong with the body."""
    Endpoint.objects.update(public_predictions=False)
    body = send(client, path, b"{").json()
    expected = {PATH: (401, "UNAUTHENTICATED")}.get(path, (404, "RESOURCE_DOES_NOT_EXIST"))
    assert (body["status"], body["error_code"]) == expected


def test_a_key_opens_what_is_not_public(client: Client, raisin: Endpoint, dev_key: str) -> None:
    Endpoint.objects.update(public_predictions=False)
    header = {"Authorization": f"Bearer {dev_key}"}
    assert send(client, PATH, {"instances": ROWS}, **header).status_code == 200
    wrong = send(client, PATH, {"instances": ROWS}, Authorization="Bearer rsn_nobody.x")
    assert problem(wrong, 401, "invalid_key")["error_code"] == "UNAUTHENTICATED"
