"""What a solver may not be told."""

from __future__ import annotations

from typing import Any

import pytest

from mlcore import DataError, GradientDescentSettings, NewtonSettings


@pytest.mark.parametrize(
    ("settings", "name", "value"),
    [
        *((NewtonSettings, "lambda_", value) for value in (-1.0, float("inf"), None, "0.1")),
        *((NewtonSettings, "tolerance", value) for value in (0.0, float("nan"), None, "1")),
        *((NewtonSettings, "max_iterations", value) for value in (0, 1.5, None, "5")),
        *((GradientDescentSettings, "lr", value) for value in (0.0, None, "fast")),
        *((GradientDescentSettings, "epochs", value) for value in (0, 2.5, None)),
        (GradientDescentSettings, "momentum", None),
        (GradientDescentSettings, "lambda_", None),
    ],
)
def test_it_refuses_what_means_nothing_by_name(settings: Any, name: str, value: Any) -> None:
    with pytest.raises(DataError, match=f"{name} must be"):
        settings(**{name: value})
