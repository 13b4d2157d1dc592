"""MLflow's ScoringServerClient against an endpoint, which looks to it like a server of its own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.clients.conftest import Served
from tests.clients.native import close
from tests.clients.prepared import FRUITS
from tests.clients.running import run_script

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def found(served: Served) -> dict[str, Any]:
    """The script pings before all else, and ends there if nobody answers."""
    return run_script("ask_mlflow.py", served.given)


@pytest.mark.parametrize("form", ["frame", "other_order", "named_index", "array", "records"])
def test_it_works(form: str, found: dict[str, Any], served: Served) -> None:
    native = served.native()
    assert found[form]["predictions"] == native.labels(served.rows)
    assert found[form]["probabilities"] == close(native.probabilities(served.rows))


def test_probabilities_are_asked_for_as_of_a_scikit_learn_model(
    found: dict[str, Any], served: Served
) -> None:
    positive = [row[1] for row in found["predict_proba"]["predictions"]]
    assert positive == close(served.native().probabilities(served.rows))


def test_a_frame_may_hold_texts(found: dict[str, Any], served: Served) -> None:
    expected = served.native("orchard").probabilities(FRUITS)
    assert found["fruits"]["probabilities"] == close(expected)


def test_nan_in_a_frame_is_a_missing_value(found: dict[str, Any], served: Served) -> None:
    gap = [fruit | {"Weight": None} for fruit in FRUITS]
    expected = served.native("orchard").probabilities(gap)
    assert found["gap"]["probabilities"] == close(expected)


def test_it_tells_a_version(found: dict[str, Any]) -> None:
    assert found["version"].strip().strip('"')


def test_an_unknown_endpoint_does_not_answer_a_ping(found: dict[str, Any]) -> None:
    assert found["unknown_ping"] == "ping failed (error code 404)"


def refusal(text: str) -> dict[str, Any]:
    """The body of the refusal, out of the sentence that the client makes of it."""
    body = json.loads(text.partition("response: ")[2].removesuffix(")"))
    assert isinstance(body, dict)
    return body


def test_it_refuses_a_frame_without_a_column(found: dict[str, Any]) -> None:
    body = refusal(found["a_column_less"])
    assert body["error_code"]
    assert "column Area" in body["message"]


def test_it_refuses_what_is_not_public(found: dict[str, Any]) -> None:
    assert "error code 401" in found["not_public"]
    assert "key" in refusal(found["not_public"])["message"]
