"""Which bodies wrap rows and which are a row themselves."""

from __future__ import annotations

from typing import Any

import pytest

from endpoints.rows import rows_of


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        ({"a": 1, "b": 2}, [{"a": 1, "b": 2}]),
        ({"features": {"a": 1}}, [{"a": 1}]),
        ({"features": [1, 2]}, [[1, 2]]),
        ({"features": [[1, 2], [3, 4]]}, [[1, 2], [3, 4]]),
        ({"rows": [{"a": 1}, [2]]}, [{"a": 1}, [2]]),
    ],
)
def test_it_works(body: Any, rows: list[Any]) -> None:
    assert rows_of(body) == rows


@pytest.mark.parametrize(
    "row", [{"features": 1.5}, {"rows": "many"}, {"rows": None}, {"rows": [1], "features": 2}]
)
def test_a_column_may_be_named_like_a_wrapper(row: dict[str, Any]) -> None:
    assert rows_of(row) == [row]
