"""How much an answer tells of cells that do not fit is the endpoint's choice."""

from __future__ import annotations

import pytest

from endpoints.errors import InvalidRows
from endpoints.models import Endpoint
from endpoints.services import serving
from endpoints.services.error_detail import GENERIC
from endpoints.services.serving import Question
from tests import cast

SECRET = "a secret"  # noqa: S105
ROW = cast.ROW | {"Area": SECRET, SECRET: 1}


def refusal(endpoint: Endpoint, detail: str) -> InvalidRows:
    Endpoint.objects.filter(pk=endpoint.pk).update(error_detail=detail)
    with pytest.raises(InvalidRows) as caught:
        question = Question(slug=endpoint.slug, rows=[ROW], caller=cast.SYSTEM)
        serving.predict(question, clock=lambda: cast.THEN)
    return caught.value


def told(error: InvalidRows) -> str:
    return f"{error.message} {error.cells}"


def test_it_works(raisin: Endpoint) -> None:
    error = refusal(raisin, "full")
    assert {cell.code for cell in error.cells} == {"wrong_type", "unknown_field"}
    assert SECRET in told(error)


def test_names_leaves_values_out(raisin: Endpoint) -> None:
    error = refusal(raisin, "names")
    assert {(cell.code, cell.column) for cell in error.cells} == {
        ("wrong_type", "Area"),
        ("unknown_field", None),
    }
    assert "column Area" in error.message or "Area" in told(error)
    assert SECRET not in told(error)


def test_generic_tells_neither(raisin: Endpoint) -> None:
    error = refusal(raisin, "generic")
    assert (error.message, error.cells) == (GENERIC, ())
