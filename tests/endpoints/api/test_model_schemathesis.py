"""Schemathesis over the document of one model: whatever fits it is answered as it says, the rest is refused."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.generation import GenerationMode

from raisin_site.wsgi import application
from tests.endpoints.api.test_schemathesis import one_connection  # noqa: F401  a fixture
from tests.endpoints.protocols import berries

pytestmark = pytest.mark.django_db

FITS, DOES_NOT = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
CASES = [
    *((name, FITS) for name in ("predict", "explain", "features", "plot")),
    *((name, DOES_NOT) for name in ("predict", "explain", "plot")),
]


@pytest.fixture
def described(one_connection: None) -> Any:  # noqa: F811
    """The document of a model with a category and a number that may be missing."""
    berries.endpoint()
    return schemathesis.openapi.from_wsgi("/api/v1/berries/openapi.json", application)


@pytest.mark.parametrize(("name", "mode"), CASES)
def test_the_document_holds(described: Any, name: str, mode: GenerationMode) -> None:
    operation = described.find_operation_by_id(name)

    @settings(
        max_examples=20,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def holds(case: Any) -> None:
        case.call_and_validate()

    holds()
