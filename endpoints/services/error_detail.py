"""How much an answer tells of the cells that do not fit: whoever owns an endpoint decides."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from endpoints.errors import InvalidRows
from endpoints.models import Endpoint
from endpoints.models.endpoint import ErrorDetail
from mlcore.errors import CellError, SchemaError

WITHOUT_VALUES = MappingProxyType(
    {
        "missing_field": "the field is missing",
        "missing_value": "a value is needed here",
        "not_finite": "the number is too large or not finite",
        "unknown_field": "there is no such field",
        "unknown_level": "the value is none of the known levels",
        "wrong_length": "the number of values is wrong",
        "wrong_type": "the value has the wrong type",
    }
)
GENERIC = "Some values do not fit the schema of this endpoint."


def reduced(error: SchemaError, endpoint: Endpoint) -> InvalidRows:
    """Return the error as the endpoint tells it."""
    if endpoint.error_detail == ErrorDetail.FULL:
        return InvalidRows(str(error), cells=error.cells)
    if endpoint.error_detail == ErrorDetail.GENERIC or not error.cells:
        return InvalidRows(GENERIC)
    cells = [_without_value(cell) for cell in error.cells]
    return InvalidRows(str(SchemaError.of(cells, place="row")), cells=cells)


def _without_value(cell: CellError) -> CellError:
    """An unknown field's name is the caller's own text, and stays out like a value."""
    column = None if cell.code == "unknown_field" else cell.column
    message = WITHOUT_VALUES.get(cell.code, "the value does not fit")
    return replace(cell, message=message, column=column, value=None)
