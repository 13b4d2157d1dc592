"""Whatever JSON comes as a body: never a 500, never HTML, and answered means logged."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from endpoints.models import Endpoint, PredictionRequest
from tests.cast import ROW
from tests.endpoints.api.client import PREDICT, post, problem_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("remembered")]

LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(87_524)
KEYS = st.sampled_from([*ROW, "features", "rows"]) | st.text()
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=20
)
NEARLY_A_ROW = st.fixed_dictionaries({name: st.just(ROW[name]) | LEAVES for name in ROW})
BODIES = (
    ANYTHING
    | NEARLY_A_ROW
    | st.fixed_dictionaries({"features": ANYTHING})
    | st.fixed_dictionaries({"rows": st.lists(NEARLY_A_ROW | ANYTHING, max_size=5)})
)
quickly = settings(
    deadline=None,
    max_examples=100,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@quickly
@given(body=BODIES)
def test_predict_never_fails(api: APIClient, raisin: Endpoint, body: Any) -> None:
    logged = PredictionRequest.objects.count()
    response = post(api, PREDICT, json.dumps(body).encode())
    if response.status_code == 200:
        assert PredictionRequest.objects.count() == logged + 1
        return
    assert 400 <= response.status_code < 500
    problem_in(response, response.status_code, response.json()["code"])
    assert PredictionRequest.objects.count() == logged


@quickly
@given(body=ANYTHING | st.fixed_dictionaries({"label": ANYTHING}, optional={"row": ANYTHING}))
def test_feedback_never_fails(api: APIClient, raisin: Endpoint, body: Any) -> None:
    logged = PredictionRequest.objects.first()
    request_id = logged.pk if logged else post(api, PREDICT, ROW).json()["request_id"]
    response = post(api, f"/api/v1/requests/{request_id}/feedback", json.dumps(body).encode())
    if response.status_code not in (200, 201):
        assert 400 <= response.status_code < 500
        problem_in(response, response.status_code, response.json()["code"])


@quickly
@given(name=st.sampled_from(["status", "version", "explain"]) | st.text(), value=st.text())
def test_any_query_never_fails(api: APIClient, raisin: Endpoint, name: str, value: str) -> None:
    response = api.generic("POST", PREDICT, json.dumps(ROW), QUERY_STRING=urlencode({name: value}))
    if response.status_code != 200:
        assert 400 <= response.status_code < 500
        problem_in(response, response.status_code, response.json()["code"])
