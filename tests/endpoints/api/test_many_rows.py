"""Many rows in one request: lists in the order of the rows, each row as if it were alone."""

from __future__ import annotations

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from endpoints.models import Endpoint, PredictionRequest
from tests.cast import ROW
from tests.endpoints.api.client import PREDICT, post, problem_in

pytestmark = pytest.mark.django_db

ROWS = [ROW | {"Area": area} for area in (30_000, 87_524, 180_000)]


def test_it_works(api: APIClient, raisin: Endpoint) -> None:
    answer = post(api, PREDICT, {"rows": ROWS}).json()
    assert answer["status"] == "OK"
    assert (answer["endpoint"], answer["version"], answer["threshold"]) == ("raisin", 1, 0.5)
    assert {len(answer[name]) for name in ("predictions", "labels", "probabilities", "logits")} == {
        3
    }
    assert not {"prediction", "label", "probability", "logit"} & set(answer)


def test_each_row_is_answered_as_if_it_were_alone(api: APIClient, raisin: Endpoint) -> None:
    many = post(api, PREDICT, {"rows": ROWS}).json()
    alone = [post(api, PREDICT, row).json() for row in ROWS]
    assert many["probabilities"] == [answer["probability"] for answer in alone]
    assert many["labels"] == [answer["label"] for answer in alone]


def test_objects_and_lists_may_be_mixed(api: APIClient, raisin: Endpoint) -> None:
    mixed = [ROWS[0], list(ROWS[1].values())]
    expected = post(api, PREDICT, {"rows": ROWS[:2]}).json()["probabilities"]
    assert post(api, PREDICT, {"features": mixed}).json()["probabilities"] == expected


def test_it_records_one_request_with_all_rows(api: APIClient, raisin: Endpoint) -> None:
    answer = post(api, PREDICT, {"rows": ROWS}).json()
    logged = PredictionRequest.objects.get()
    assert str(logged.pk) == answer["request_id"]
    assert logged.row_count == 3
    assert logged.probabilities == answer["probabilities"]
    assert logged.probability is None


def test_it_refuses_bad_cells_and_names_each(api: APIClient, raisin: Endpoint) -> None:
    rows = [ROW, ROW | {"Area": "big"}, {k: v for k, v in ROW.items() if k != "Extent"}]
    problem = problem_in(post(api, PREDICT, {"rows": rows}), 422, "invalid_rows")
    places = [(part["row"], part["field"], part["code"]) for part in problem["errors"]]
    assert places == [(1, "Area", "wrong_type"), (2, "Extent", "missing_field")]
    assert not PredictionRequest.objects.exists()


def test_it_refuses_an_unknown_column_and_names_the_nearest(
    api: APIClient, raisin: Endpoint
) -> None:
    row = {("area" if key == "Area" else key): value for key, value in ROW.items()}
    problem = problem_in(post(api, PREDICT, {"rows": [ROW, row]}), 422, "invalid_rows")
    [unknown] = [part for part in problem["errors"] if part["code"] == "unknown_field"]
    assert unknown["field"] == "area"
    assert 'did you mean "Area"?' in unknown["message"]
    assert "Perimeter" in unknown["message"]


def test_it_refuses_too_many_rows(api: APIClient, raisin: Endpoint, settings: Settings) -> None:
    settings.RAISIN_MAX_ROWS = 2
    assert post(api, PREDICT, {"rows": ROWS[:2]}).status_code == 200
    problem = problem_in(post(api, PREDICT, {"rows": ROWS}), 413, "too_large")
    assert "3 rows" in problem["error"]


@pytest.mark.parametrize("body", [{"rows": []}, {"features": []}])
def test_it_refuses_no_rows(api: APIClient, raisin: Endpoint, body: object) -> None:
    problem_in(post(api, PREDICT, body), 422, "invalid_rows")
