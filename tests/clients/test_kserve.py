"""KServe's InferenceRESTClient against the server, over both of its protocols."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.conftest import Served
from tests.clients.native import close
from tests.clients.running import run_script

Found = Any
"""What a script found, in its own nested names."""

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def found(served: Served) -> Found:
    return run_script("ask_kserve.py", served.given)


@pytest.fixture(scope="module")
def v2(found: Found) -> Found:
    return found["v2"]


@pytest.fixture(scope="module")
def v1(found: Found) -> Found:
    return found["v1"]


def positive(facts: Found) -> list[float]:
    return [row[1] for row in facts["predict_proba"]]


@pytest.mark.parametrize("form", ["json", "binary"])
def test_it_works_over_version_2(form: str, v2: Found, served: Served) -> None:
    assert positive(v2[form]) == close(served.native().probabilities(served.rows))
    assert v2[form]["id"] == "grain-17"


def test_the_server_and_the_model_are_ready(v2: Found, v1: Found) -> None:
    """The older protocol asks `/` whether the server lives, and that is a page here."""
    assert (v2["live"], v2["ready"], v2["model_ready"]) == (True, True, True)
    assert v1["model_ready"] is True


def test_what_is_not_there_is_not_ready(v2: Found) -> None:
    assert v2["unknown_ready"] is False


@pytest.mark.parametrize("form", ["rows", "lists"])
def test_it_works_over_version_1(form: str, v1: Found, served: Served) -> None:
    native = served.native()
    assert v1[form]["predictions"] == native.labels(served.rows)
    assert v1[form]["probabilities"] == close(native.probabilities(served.rows))


def test_it_explains_over_version_1(v1: Found, served: Served) -> None:
    _, answer = served.native().answer(served.rows, "?explain=1")
    explained = v1["explained"]["explanations"]
    assert len(explained) == len(served.rows)
    for ours, expected in zip(explained, answer["contributions"], strict=True):
        assert ours["contributions"] == close(expected)


def test_a_key_opens_what_is_not_public(v1: Found, v2: Found, served: Served) -> None:
    expected = close(served.native("cellar").probabilities(served.rows))
    assert positive(v2["with_key"]) == expected
    assert v1["with_key"]["probabilities"] == expected


def test_it_refuses_in_words(v1: Found, v2: Found) -> None:
    """The client shows our words only where the content type is exactly application/json."""
    assert v2["unknown"].startswith("There is no endpoint “nobody”")
    assert v1["wrong"].startswith("row 0, column Area: expected a number")
    assert "key" in v1["without_key"].partition("401")[0]
    assert "key" in v2["without_key"].partition("401")[0]
