"""In a shadow test the challenger scores what the control answers, and nobody outside can tell."""

from __future__ import annotations

import logging
import re
from types import SimpleNamespace
from typing import Any

import pytest
from rest_framework.test import APIClient

from endpoints.errors import InvalidRows
from endpoints.models import ABTest, AlgorithmVersion, Endpoint, PredictionRequest, RollUp
from endpoints.models.roll_up import Span
from endpoints.services import scoring
from endpoints.services.abtests import shadows
from endpoints.services.serving import Answer, load
from mlcore.errors import CellError, SchemaError
from tests import cast
from tests.endpoints.services.abtests import trial
from tests.endpoints.services.abtests.trial import traffic

OTHER = cast.ROW | {
    "Area": 40_000.0,
    "MajorAxisLength": 260.0,
    "ConvexArea": 41_000.0,
    "Perimeter": 760.0,
}
ID = re.compile(rb"[0-9a-f]{8}-[0-9a-f-]{27}")
MISFIT = SchemaError.of([CellError(code="unknown_level", message="never seen", row=0)], place="row")
TENSOR = {"name": "rows", "datatype": "FP64", "shape": [1, 7], "data": [*cast.ROW.values()]}
ROUTES = (
    ("/api/v1/raisin/predict", cast.ROW),
    ("/api/v1/raisin/predict?explain=1", {"rows": [cast.ROW, OTHER]}),
    ("/e/raisin/invocations", {"dataframe_records": [cast.ROW]}),
    ("/v2/models/raisin/infer", {"inputs": [TENSOR]}),
    ("/v1/models/raisin:predict", {"instances": [cast.ROW]}),
)


@pytest.fixture
def challenger(raisin: Endpoint) -> AlgorithmVersion:
    return raisin.versions.get(number=2)


@pytest.fixture
def shadow(raisin: Endpoint, challenger: AlgorithmVersion) -> ABTest:
    return trial.running_test(raisin, challenger)


def logged(answer: Answer) -> PredictionRequest:
    return PredictionRequest.objects.get(pk=answer.request_id)


def breaks(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Let the challenger fail, and it alone."""

    def score(*_: object) -> Any:
        raise error

    monkeypatch.setattr(shadows, "scoring", SimpleNamespace(score=score))


@pytest.mark.parametrize("rows", [[cast.ROW], [cast.ROW, OTHER, cast.ROW]])
def test_it_works(
    rows: list[dict[str, float]], raisin: Endpoint, challenger: AlgorithmVersion, shadow: ABTest
) -> None:
    answer = cast.prediction(raisin, rows=rows, unit="user-1")
    expected = scoring.score(load(challenger), rows)
    assert answer.version.number == 1
    assert logged(answer).arm_id == trial.arms(shadow)["control"].pk
    assert logged(answer).shadow == {
        "version": 2,
        "predictions": expected.predictions,
        "probabilities": [row[1] for row in expected.probabilities],
    }
    assert [row[1] for row in expected.probabilities] != logged(answer).probabilities
    same = {"requests": 1, "rows": len(rows), "errors": 0, "timed": 1}
    assert traffic(shadow) == {
        "control": same | {"units": 1, "agreed": 0},
        "challenger": same | {"units": 0, "agreed": len(rows)},
    }


def test_disagreement_is_counted_by_row(
    raisin: Endpoint, challenger: AlgorithmVersion, shadow: ABTest
) -> None:
    assert cast.prediction(raisin, rows=[cast.ROW, OTHER]).predictions == [1, 0]
    AlgorithmVersion.objects.filter(pk=challenger.pk).update(threshold=0.0)
    answer = cast.prediction(raisin, rows=[cast.ROW, OTHER])
    assert logged(answer).shadow["predictions"] == [1, 1]
    assert traffic(shadow)["challenger"]["agreed"] == 2 + 1


@pytest.mark.parametrize(("route", "body"), ROUTES)
def test_answers_are_the_same_to_the_byte(
    route: str, body: dict[str, Any], raisin: Endpoint, challenger: AlgorithmVersion, api: APIClient
) -> None:
    without = api.post(route, body, format="json")
    test = trial.running_test(raisin, challenger)
    during = api.post(route, body, format="json")
    assert (without.status_code, during.status_code) == (200, 200)
    assert ID.sub(b"", during.content) == ID.sub(b"", without.content)
    assert b"abtest" not in during.content
    assert traffic(test)["challenger"]["requests"] == 1


@pytest.mark.parametrize("error", [MISFIT, ValueError("a fault of ours")])
def test_a_challenger_that_fails_harms_nobody(
    error: Exception, raisin: Endpoint, shadow: ABTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = cast.prediction(raisin)
    breaks(monkeypatch, error)
    answer = cast.prediction(raisin)
    assert (answer.probabilities, answer.labels) == (before.probabilities, before.labels)
    assert (logged(answer).shadow, logged(answer).arm_id) == ({}, logged(before).arm_id)
    found = traffic(shadow)
    assert (found["control"]["requests"], found["control"]["errors"]) == (2, 0)
    assert (found["challenger"]["requests"], found["challenger"]["errors"]) == (1, 1)


def test_a_fault_of_the_challenger_is_logged(
    raisin: Endpoint,
    shadow: ABTest,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    breaks(monkeypatch, ValueError("a fault of ours"))
    with caplog.at_level(logging.ERROR):
        cast.prediction(raisin)
    assert "could not score what was answered" in caplog.text
    assert "a fault of ours" in caplog.text


def test_what_the_control_refuses_is_no_error_of_either(raisin: Endpoint, shadow: ABTest) -> None:
    """The challenger is not asked, so there would be nothing to compare with."""
    with pytest.raises(InvalidRows):
        cast.prediction(raisin, rows=[{}])
    cast.prediction(raisin)
    assert {arm["errors"] for arm in traffic(shadow).values()} == {0}


def test_the_shadow_is_no_request_of_its_version(raisin: Endpoint, shadow: ABTest) -> None:
    cast.prediction(raisin)
    hours = RollUp.objects.filter(endpoint=raisin, seconds=Span.HOUR)
    assert [(row.number, row.requests) for row in hours] == [(1, 1)]


def test_the_challenger_has_a_time_of_its_own(
    raisin: Endpoint, shadow: ABTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nine seconds went by while it scored."""
    clock = iter([0, 9_000_000_000])
    monkeypatch.setattr(shadows, "perf_counter_ns", lambda: next(clock))
    cast.prediction(raisin)
    found = trial.latencies(shadow)
    assert found["challenger"] == {"60": 1}
    assert found["control"] != found["challenger"]
