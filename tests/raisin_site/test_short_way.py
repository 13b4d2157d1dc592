"""Requests for predictions pass the pages' machinery by; who may be a person takes the long way."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.test import RequestFactory

from endpoints.models import Endpoint, PredictionRequest
from endpoints.services import serving
from raisin_site.short_way import with_short_way
from tests import cast

PREDICT = "/api/v1/raisin/predict"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@dataclass
class Answer:
    """What the server was given to send."""

    status: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


LONG_WAY = b"by the long way"


def long_way(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [LONG_WAY]


application = with_short_way(long_way)


def ask(path: str = PREDICT, body: object = cast.ROW, **headers: str) -> Answer:
    answer = Answer()

    def start_response(status: str, found: list[tuple[str, str]]) -> None:
        answer.status, answer.headers = status, dict(found)

    request = RequestFactory().post(path, body, content_type="application/json", headers=headers)
    answer.body = b"".join(application(request.environ, start_response))
    return answer


def test_it_works(raisin: Endpoint) -> None:
    answer = ask()
    assert answer.status == "200 OK"
    assert answer.json["label"] in ("Besni", "Kecimen")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Content-Length"] == str(len(answer.body))
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        PREDICT,
        "/api/v1/raisin/explain",
        "/v2/models/raisin/infer",
        "/e/raisin/invocations",
        "/v1/models/raisin:predict",
    ],
)
def test_all_routes_to_a_prediction_take_it(raisin: Endpoint, path: str) -> None:
    assert ask(path, body={}).body != LONG_WAY


@pytest.mark.parametrize("path", ["/login/", "/api/v1/endpoints", "/api/v1/raisin/predict/", "/x"])
def test_everything_else_takes_the_long_way(path: str) -> None:
    assert ask(path).body == LONG_WAY


def test_a_person_takes_the_long_way() -> None:
    assert ask(cookie="sessionid=abc").body == LONG_WAY


def test_it_answers_under_its_own_names_alone(raisin: Endpoint) -> None:
    answer = ask(host="elsewhere.example")
    assert answer.status == "400 Bad Request"
    assert answer.json["error"].startswith("The site does not answer under this host name")


def test_it_carries_the_ids_of_the_request(raisin: Endpoint) -> None:
    answer = ask(x_request_id="mine", traceparent=TRACE)
    assert (answer.headers["X-Request-ID"], answer.headers["traceparent"]) == ("mine", TRACE)
    logged = PredictionRequest.objects.get()
    assert (logged.correlation_id, logged.traceparent) == ("mine", TRACE)
    assert "traceparent" not in ask(traceparent="no trace").headers


@pytest.mark.parametrize("path", [PREDICT, "/v2/models/raisin/infer"])
def test_a_fault_of_ours_is_logged_and_answered_in_json(
    raisin: Endpoint, path: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr(serving, "served", fail)
    monkeypatch.setattr(serving, "predict", fail)
    body = {"inputs": [{"name": "x", "shape": [1, 7], "datatype": "FP64", "data": [1.0] * 7}]}
    answer = ask(path, body)
    assert answer.status == "500 Internal Server Error"
    assert answer.json["code"] == "internal_error"
    assert answer.json["request_id"] == answer.headers["X-Request-ID"]
    assert b"secret" not in answer.body
    assert "ZeroDivisionError" in caplog.text
