"""The shapes that a body to predict on may have, brought to one: a list of rows.

It knows no schema. What a row holds is the schema's business, so this asks only who wraps whom.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings

from endpoints.errors import InvalidRequest, InvalidRows, TooLarge
from endpoints.services.scoring import Row
from endpoints.units import NAME
from mlcore.errors import CellError

WRAPPERS = ("features", "rows")
SHAPES = 'Send an object such as {"Area": 87524, ...} or {"rows": [{"Area": 87524, ...}]}.'


def rows_of(body: Any) -> list[Row]:
    """Return the rows; raises InvalidRequest (no object), InvalidRows (no row) or TooLarge."""
    if not isinstance(body, dict):
        raise InvalidRequest(f"The body is not a JSON object. {SHAPES}")
    rows = _unwrapped(body)
    if not rows:
        cell = CellError(code="missing_value", message="there is no row")
        raise InvalidRows(f"The request holds no row. {SHAPES}", cells=[cell])
    refuse_too_many(len(rows))
    return rows


def part_unit(body: Any) -> tuple[Any, object]:
    """Return the body without the unit beside its rows, and the unit: None where there is none.

    In a row without a wrapper such a key is a column.
    """
    if isinstance(body, dict) and NAME in body and len(body) == 2:
        (wrapper,) = body.keys() - {NAME}
        if wrapper in WRAPPERS and isinstance(body[wrapper], dict | list):
            return {wrapper: body[wrapper]}, body[NAME]
    return body, None


def refuse_too_many(count: int) -> None:
    """Raises TooLarge. Asked before the rows are looked at, which may take longer than to score them."""
    most = settings.RAISIN_MAX_ROWS
    if count > most:
        raise TooLarge(f"The request holds {count:,} rows; {most:,} is the most at a time.")


def _unwrapped(body: dict[str, Any]) -> list[Any]:
    """Take the wrapper off. No cell is an object or a list, so a column named "rows" is safe."""
    if len(body) != 1:
        return [body]
    [(key, value)] = body.items()
    if key not in WRAPPERS or not isinstance(value, dict | list):
        return [body]
    if isinstance(value, dict):
        return [value]
    return value if key == "rows" or _holds_rows(value) else [value]


def _holds_rows(values: list[Any]) -> bool:
    """Tell many rows, or none at all, from the cells of a single one."""
    return not values or any(isinstance(value, dict | list) for value in values)
