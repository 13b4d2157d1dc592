"""Who a request is for: named in a header, the query or the body, by every protocol, in one way."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import RequestFactory
from rest_framework.test import APIClient

from endpoints.errors import InvalidRequest
from endpoints.models import Endpoint, PredictionRequest
from endpoints.rows import part_unit
from endpoints.units import unit_of
from tests.cast import ROW
from tests.endpoints.api.client import post, problem_in
from tests.endpoints.services.abtests import trial

PREDICT = "/api/v1/raisin/predict"
CELLS = list(ROW.values())
TENSOR = {"name": "rows", "datatype": "FP64", "shape": [1, 7], "data": CELLS}
TABLE = {"columns": list(ROW), "data": [CELLS]}
ROUTES = (
    (PREDICT, ROW),
    ("/api/v1/raisin/explain", ROW),
    ("/v2/models/raisin/infer", {"inputs": [TENSOR]}),
    ("/e/raisin/invocations", {"dataframe_split": TABLE}),
    ("/v1/models/raisin:predict", {"instances": [ROW]}),
    ("/v1/models/raisin:explain", {"instances": [ROW]}),
    ("/predict", ROW),
)
USABLE = ("u", "user-7", "7", "a@b.example", "~!", "x" * 128)
UNUSABLE = ("x" * 129, "two words", "grün", "tab\tbed", "nul\x00")


@pytest.fixture
def at_root(settings: Any) -> None:
    settings.RAISIN_ROOT_ENDPOINT = "raisin"


def logged() -> PredictionRequest:
    return PredictionRequest.objects.get()


@pytest.mark.parametrize(("route", "body"), ROUTES)
def test_it_works(
    route: str, body: dict[str, Any], raisin: Endpoint, api: APIClient, at_root: None
) -> None:
    assert post(api, route, body, x_unit_id="user-7").status_code == 200
    assert logged().unit == "user-7"


@pytest.mark.parametrize(("route", "body"), ROUTES)
def test_it_refuses_a_header_that_cannot_be_kept(
    route: str, body: dict[str, Any], raisin: Endpoint, api: APIClient, at_root: None
) -> None:
    answer = post(api, route, body, x_unit_id="two words")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert "X-Unit-ID has 1 to 128 visible ASCII characters" in answer.json()["message"]
    assert not PredictionRequest.objects.exists()


@pytest.mark.parametrize("route", [PREDICT, "/api/v1/raisin/explain", "/predict"])
@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("?unit_id=user-7", ROW),
        ("", {"rows": [ROW], "unit_id": "user-7"}),
        ("", {"rows": ROW, "unit_id": "user-7"}),
        ("", {"features": CELLS, "unit_id": "user-7"}),
        ("", {"unit_id": "user-7", "features": ROW}),
        ("?unit_id=user-7", {"rows": [ROW], "unit_id": "user-7"}),
        ("?unit_id=user-7", {"rows": [ROW], "unit_id": None}),
        ("?unit_id=user-7", {"rows": [ROW], "unit_id": ""}),
    ],
)
def test_native_bodies_and_queries_may_name_it(
    route: str, query: str, body: dict[str, Any], raisin: Endpoint, api: APIClient, at_root: None
) -> None:
    answer = post(api, route + query, body)
    assert answer.status_code == 200, answer.json()
    assert (logged().unit, logged().row_count) == ("user-7", 1)


@pytest.mark.parametrize(
    ("query", "unit", "field"),
    [
        ("?unit_id=two%20words", None, "unit_id"),
        *[("", unit, "unit_id") for unit in (1.5, True, [], {})],
    ],
)
def test_it_refuses_what_is_no_name(
    query: str, unit: object, field: str, raisin: Endpoint, api: APIClient
) -> None:
    problem = problem_in(
        post(api, PREDICT + query, {"rows": [ROW], "unit_id": unit}), 400, "invalid_request"
    )
    [part] = problem["errors"]
    assert (part["field"], part["code"]) == (field, "invalid_parameter")


def test_it_refuses_two_units(raisin: Endpoint, api: APIClient) -> None:
    body = {"rows": [ROW], "unit_id": "user-8"}
    problem = problem_in(post(api, PREDICT, body, x_unit_id="user-7"), 400, "invalid_request")
    assert "user-7" in problem["message"]
    assert "user-8" in problem["message"]


def test_who_may_not_ask_learns_nothing_of_it(raisin: Endpoint, api: APIClient) -> None:
    Endpoint.objects.update(public_predictions=False)
    assert post(api, PREDICT, ROW, x_unit_id="two words").status_code == 401


def test_in_a_row_it_is_a_column(raisin: Endpoint, api: APIClient) -> None:
    problem = problem_in(post(api, PREDICT, ROW | {"unit_id": "user-7"}), 422, "invalid_rows")
    assert problem["errors"][0]["field"] == "unit_id"


@pytest.mark.parametrize("given", USABLE)
def test_a_usable_name_is_kept_as_it_is(given: str) -> None:
    request = RequestFactory().post("/", headers={"X-Unit-ID": given})
    assert unit_of(request) == unit_of(request, given, None, "") == given


@pytest.mark.parametrize("given", UNUSABLE)
def test_an_unusable_one_is_refused_wherever_it_stands(given: str) -> None:
    factory = RequestFactory()
    with pytest.raises(InvalidRequest, match=r"^X-Unit-ID has 1 to 128"):
        unit_of(factory.post("/", headers={"X-Unit-ID": given}))
    with pytest.raises(InvalidRequest, match=r"^unit_id has 1 to 128"):
        unit_of(factory.post("/"), given)


def test_a_number_is_a_name(raisin: Endpoint, api: APIClient) -> None:
    assert post(api, PREDICT, {"rows": [ROW], "unit_id": 7}, x_unit_id="7").status_code == 200
    assert logged().unit == "7"


def test_none_is_named() -> None:
    assert unit_of(RequestFactory().post("/"), None, "") == ""


@pytest.mark.parametrize(("route", "body"), ROUTES)
def test_a_header_without_text_is_refused(
    route: str, body: dict[str, Any], raisin: Endpoint, api: APIClient, at_root: None
) -> None:
    """A server that cannot read the text of a header hands it on without."""
    answer = post(api, route, body, x_unit_id="")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert "X-Unit-ID has 1 to 128 visible ASCII characters" in answer.json()["message"]
    assert not PredictionRequest.objects.exists()


@pytest.mark.parametrize("given", ["user-1,user-2", "user-1,user-1", "user-1,", ","])
def test_a_header_with_a_comma_may_be_two(given: str) -> None:
    factory = RequestFactory()
    with pytest.raises(InvalidRequest, match=r"^X-Unit-ID .* and no spaces or commas, not"):
        unit_of(factory.post("/", headers={"X-Unit-ID": given}))
    assert unit_of(factory.post("/"), given) == given


@pytest.mark.parametrize("given", ["unit_id=user-7&unit_id=user-8", "unit_id=user-7&unit_id="])
def test_a_query_names_one_unit(given: str, raisin: Endpoint, api: APIClient) -> None:
    problem = problem_in(post(api, f"{PREDICT}?{given}", ROW), 400, "invalid_request")
    assert problem["message"] == "unit_id is in the query more than once."
    assert problem["errors"][0]["field"] == "unit_id"
    assert not PredictionRequest.objects.exists()


@pytest.mark.parametrize(
    "row", [{"unit_id": "u"}, {"rows": 1.5, "unit_id": 2}, {"a": [1], "unit_id": 2}, [1, 2]]
)
def test_only_beside_wrapped_rows_it_is_no_column(row: object) -> None:
    assert part_unit(row) == (row, None)


@pytest.mark.parametrize("query", ["", "?status=ab_testing"])
def test_a_split_test_answers_by_unit_and_says_so(
    query: str, raisin: Endpoint, api: APIClient
) -> None:
    test = trial.running_test(raisin, raisin.versions.get(number=2), kind="split")
    answers = [
        post(api, PREDICT + query, {"rows": [ROW], "unit_id": f"user-{number}"}).json()
        for number in (0, 1, 0, 1)
    ]
    assert [answer["version"] for answer in answers] == [1, 2, 1, 2]
    assert [answer["arm"] for answer in answers] == ["control", "challenger"] * 2
    assert {answer["abtest"] for answer in answers} == {test.pk}


def test_who_names_a_version_hears_of_no_test(raisin: Endpoint, api: APIClient) -> None:
    trial.running_test(raisin, raisin.versions.get(number=2), kind="split")
    answer = post(api, PREDICT + "?version=2", ROW, x_unit_id="user-0").json()
    assert answer["version"] == 2
    assert "abtest" not in answer
    assert "arm" not in answer


@pytest.mark.parametrize(("route", "body"), ROUTES[2:])
def test_every_protocol_is_answered_by_the_units_arm(
    route: str, body: dict[str, Any], raisin: Endpoint, api: APIClient, at_root: None
) -> None:
    test = trial.running_test(raisin, raisin.versions.get(number=2), kind="split")
    assert post(api, route, body, x_unit_id="user-1").status_code == 200
    assert logged().version.number == 2
    assert logged().arm_id == trial.arms(test)["challenger"].pk
