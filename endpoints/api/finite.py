"""Finds NaN and Infinity in a JSON body, which its grammar does not have, to name the field that holds one.

It knows neither views nor what a field is used for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from endpoints.api.fields import Field, Integer, Number
from endpoints.bodies import LARGEST_WITH_NAN
from endpoints.errors import InvalidRequest
from mlcore.errors import CellError

MISSING = "NaN"
"""Some clients write it where a value is missing, and a field may take that."""
_MARKS = (b"NaN", b"Infinity")
_PLACES = re.compile(
    rb'"(?P<name>\w{1,64}+)"\s*+:\s*+(?P<value>[-+]?(?:NaN|Infinity)\b)'
    rb'|"[^"\\]*+(?:\\.[^"\\]*+)*+"?+',
    re.DOTALL,
)
"""A name with one of them, or any other string, which is taken whole: it may hold what looks like it."""


def refuse_not_finite(body: bytes, fields: Sequence[Field]) -> None:
    """Raises InvalidRequest that names every field of a number that is none."""
    if len(body) > LARGEST_WITH_NAN or not any(mark in body for mark in _MARKS):
        return
    numbers = {field.name: field for field in fields if isinstance(field, Integer | Number)}
    cells = [
        CellError(
            code="not_finite", message=_sentence(numbers[name], value), column=name, value=value
        )
        for name, value in _found(body)
        if name in numbers and not (numbers[name].nullable and value == MISSING)
    ]
    if cells:
        raise InvalidRequest(cells[0].message, cells=cells)


def _found(body: bytes) -> Iterator[tuple[str, str]]:
    for place in _PLACES.finditer(body):
        if place["name"] is not None:
            yield place["name"].decode("ascii"), place["value"].decode("ascii")


def _sentence(field: Field, value: str) -> str:
    return f"{field.name} must be a finite number, not {value}: {field.wanted}."
