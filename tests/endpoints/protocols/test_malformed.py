"""Bodies that nobody should send: each is refused as JSON below 500, tells no values back and is not logged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from endpoints.models import Endpoint, PredictionRequest
from tests.cast import ROW
from tests.endpoints.api import malformed
from tests.endpoints.protocols.asking import send

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("remembered")]

ROUTES = ("/e/raisin/invocations", "/v1/models/raisin:predict")
KEYS = ("dataframe_split", "dataframe_records", "instances", "inputs")
FINE_HERE = ("wrapper: {'instances'", "wrapper: {'inputs'")
VALUES = (
    None, True, 0, 1.5, "", "x", [], {}, [[]], [{}], [None], ["x"], [True], [[[1]]], [[1], {}],
    [ROW, None], [ROW, [1]], [ROW, {}], {"data": None}, {"data": 1}, {"data": [[]]}, {"data": [1]},
    {"columns": None, "data": [None]}, {"columns": [], "data": [[]]}, {"columns": [[]], "data": [[1]]},
    {"columns": [None], "data": [[1]]}, {"columns": {"a": 1}, "data": [[1]]}, {"columns": 1, "data": []},
    {"columns": [0, True], "data": [[1, 2]]}, {"columns": ["Area"] * 2, "data": [[1, 2]]},
    {"Area": []}, {"Area": [1], "Extent": []}, {"Area": {"a": 1}}, {"Area": [[1, 2]]}, {"": [1]},
    [list(ROW.values())[:6]], [[*ROW.values(), 1]], [[None] * 7], [["1"] * 7], [[1e151] * 7],
)  # fmt: skip
CSV = (
    b"", b"\n", b"\x00", b"\xff\xfe", b"Area", b"Area\n", b",,,", b",,,,,,", b"1,2,3,4,5,6", b"1,2,3,4,5,6,7,8",
    b"1,2,3,4,5,6,x", b"1,2,3,4,5,6,inf", b"1,2,3,4,5,6,1e999", b"1,2,3,4,5,6,nan", b'"', b'"a"b,c', b"a;b\n1;2",
    b"a" * 200_000, b"," * 500_000, b"x," * 300_000 + b"\n", b"1\n" * 300_000,
    b"\n".join([b",".join([b"1"] * 7)] * 1_001),
)  # fmt: skip


def bodies() -> Iterator[tuple[bytes, dict[str, str]]]:
    for name, body, headers in malformed.cases():
        if name.startswith(FINE_HERE):
            continue
        yield body, headers
    for key in KEYS:
        for value in VALUES:
            yield json.dumps({key: value}).encode(), {}


def refusal(client: Client, path: str, body: bytes, headers: dict[str, str]) -> str:
    """Return what is wrong with the answer, "" for nothing."""
    others = dict(headers)
    kind = others.pop("Content-Type", "application/json")
    answer = send(client, path, body, kind, **others)
    if not 400 <= answer.status_code < 500 or answer["Content-Type"] != "application/json":
        return f"{body[:60]!r}: {answer.status_code} {answer['Content-Type']}"
    found: dict[str, Any] = answer.json()
    return "" if found["error"] and len(answer.content) < 50_000 else f"{body[:60]!r}: {found}"


@pytest.mark.parametrize("path", ROUTES)
def test_it_refuses_malformed_json(client: Client, raisin: Endpoint, path: str) -> None:
    found = [refusal(client, path, body, headers) for body, headers in bodies()]
    assert list(filter(None, found)) == []
    assert not PredictionRequest.objects.exists()


@pytest.mark.parametrize("body", CSV, ids=lambda body: repr(body[:20]))
def test_it_refuses_malformed_csv(client: Client, raisin: Endpoint, body: bytes) -> None:
    headers = {"Content-Type": "text/csv"}
    assert refusal(client, ROUTES[0], body, headers) == ""
    assert not PredictionRequest.objects.exists()
