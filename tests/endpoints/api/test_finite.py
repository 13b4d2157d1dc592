"""NaN and Infinity in the body of a setting: the answer names the field and says what it takes."""

from __future__ import annotations

import time

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from endpoints.api.fields import Integer, Number, Text
from endpoints.api.finite import refuse_not_finite
from endpoints.bodies import LARGEST_WITH_NAN
from endpoints.errors import InvalidRequest
from endpoints.models import AlertRule, Endpoint, Monitor
from tests import pace
from tests.endpoints.api.client import post, problem_in, send

FIELDS = (
    Number(name="effect", about="", most=1.0),
    Integer(name="rows", about=""),
    Integer(name="seen", about="", nullable=True),
    Text(name="note", about="", longest=100),
)


@pytest.mark.django_db
@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("name", ["window_rows", "min_rows", "alpha", "effect"])
def test_it_works(api: APIClient, raisin: Endpoint, alex: User, name: str, value: str) -> None:
    api.force_authenticate(alex)
    body = f'{{"{name}": {value}}}'.encode()
    refused = send(api, "PATCH", "/api/v1/endpoints/raisin/monitor", body)
    problem = problem_in(refused, 400, "invalid_request")
    assert problem["error"].startswith(f"{name} must be a finite number, not {value}: a ")
    [part] = problem["errors"]
    assert (part["field"], part["code"]) == (name, "not_finite")
    assert not Monitor.objects.exists()


@pytest.mark.django_db
def test_the_limit_of_a_rule_is_named_too(api: APIClient, raisin: Endpoint, alex: User) -> None:
    api.force_authenticate(alex)
    body = b'{"name": "x", "metric": "drift_score", "comparator": "above", "limit": NaN}'
    refused = post(api, "/api/v1/endpoints/raisin/alert-rules", body)
    assert (
        "limit must be a finite number, not NaN"
        in problem_in(refused, 400, "invalid_request")["error"]
    )
    assert not AlertRule.objects.exists()


def test_every_field_is_named() -> None:
    with pytest.raises(InvalidRequest) as refused:
        refuse_not_finite(b'{"effect":NaN, "rows" :\n-Infinity, "note": "x"}', FIELDS)
    assert [cell.column for cell in refused.value.cells] == ["effect", "rows"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"note": "NaN", "effect": 0.5}',
        b'{"note": "\\"effect\\": NaN"}',
        b'{"note": NaN}',
        b'{"seen": NaN}',
        b'{"effect": NaNny}',
        b'{"other": Infinity}',
        b"NaN",
        b'{"effect": NaN}' + b" " * LARGEST_WITH_NAN,
    ],
)
def test_other_bodies_are_left_to_the_reader_of_json(body: bytes) -> None:
    refuse_not_finite(body, FIELDS)


@pytest.mark.parametrize("part", [b'"', b'"a":', b'"a" ', b'\\"', b" ", b'"a'])
def test_no_body_keeps_it_busy(part: bytes) -> None:
    body = part * (LARGEST_WITH_NAN // len(part) - 1) + b"NaN"
    began = time.process_time()
    refuse_not_finite(body, FIELDS)
    assert time.process_time() - began < pace.seconds(1.0)
