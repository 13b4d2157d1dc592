"""The fields that a JSON body may hold: each is read strictly and describes itself to the OpenAPI document.

It knows neither views nor what a field is used for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.utils.dateparse import parse_datetime

from endpoints.api import query
from endpoints.errors import InvalidRequest
from mlcore.errors import CellError, shown

# Tabs and line ends are text; the rest of the control characters is an accident or an attack.
ANY_TEXT = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
# Moments near the ends of the calendar overflow when a database brings them to its time zone.
EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2900, 1, 1, tzinfo=UTC)
MOMENT = "a date and time with its offset from UTC, such as 2026-11-02T09:00:00Z"
LARGEST_INTEGER = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class Field:
    """A subclass says in `accepts` which values it takes and in `wanted` how to tell a person."""

    name: str
    about: str
    required: bool = False
    nullable: bool = False

    def read_parameter(self, text: str) -> Any:
        return self.read(text, code="invalid_parameter")

    def accepts(self, value: Any) -> bool:
        raise NotImplementedError

    @property
    def wanted(self) -> str:
        raise NotImplementedError

    @property
    def shape(self) -> dict[str, Any]:
        """The JSON Schema of a value that is not null."""
        raise NotImplementedError

    def read(self, value: Any, *, code: str = "wrong_type") -> Any:
        """Return the value; raises InvalidRequest that says what it may be."""
        if value is None and self.nullable:
            return None
        if not self.accepts(value):
            message = f"{self.name} is {self.wanted}, not {shown(value)}."
            cell = CellError(code=code, message=message, column=self.name, value=shown(value))
            raise InvalidRequest(message, cells=[cell])
        return self.converted(value)

    def converted(self, value: Any) -> Any:
        return value

    @property
    def schema(self) -> dict[str, Any]:
        shape = self.shape
        if self.nullable:
            shape = {"anyOf": [shape, {"type": "null"}]}
        return shape | {"description": self.about}


@dataclass(frozen=True, kw_only=True)
class Text(Field):
    longest: int
    shortest: int = 0
    pattern: str = ANY_TEXT
    made_of: str = "without control characters"

    def accepts(self, value: Any) -> bool:
        is_text = isinstance(value, str) and re.fullmatch(self.pattern, value) is not None
        return is_text and self.shortest <= len(value) <= self.longest

    @property
    def wanted(self) -> str:
        return f"a text of {self.shortest} to {self.longest:,} characters {self.made_of}"

    @property
    def shape(self) -> dict[str, Any]:
        return {
            "type": "string",
            "pattern": self.pattern,
            "minLength": self.shortest,
            "maxLength": self.longest,
        }


@dataclass(frozen=True, kw_only=True)
class Texts(Field):
    """A list of texts, each once."""

    pattern: str
    longest: int
    most: int

    def accepts(self, value: Any) -> bool:
        return (
            isinstance(value, list)
            and len(value) <= self.most
            and all(isinstance(item, str) and self._fits(item) for item in value)
            and len(set(value)) == len(value)
        )

    def _fits(self, item: str) -> bool:
        return len(item) <= self.longest and re.fullmatch(self.pattern, item) is not None

    @property
    def wanted(self) -> str:
        return f"a list of at most {self.most} texts, each once"

    @property
    def shape(self) -> dict[str, Any]:
        item = {"type": "string", "pattern": self.pattern, "maxLength": self.longest}
        return {"type": "array", "items": item, "maxItems": self.most, "uniqueItems": True}


@dataclass(frozen=True, kw_only=True)
class Choice(Field):
    choices: Sequence[str]

    def accepts(self, value: Any) -> bool:
        return isinstance(value, str) and value in self.choices

    @property
    def wanted(self) -> str:
        return f"one of {', '.join(self.choices)}"

    @property
    def shape(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.choices)}


@dataclass(frozen=True, kw_only=True)
class Choices(Field):
    """A list of some of the choices."""

    choices: Sequence[str]

    def accepts(self, value: Any) -> bool:
        return (
            isinstance(value, list)
            and 1 <= len(value) <= len(self.choices)
            and all(isinstance(item, str) and item in self.choices for item in value)
            and len(set(value)) == len(value)
        )

    @property
    def wanted(self) -> str:
        return f"a list of some of {', '.join(self.choices)}, each once"

    @property
    def shape(self) -> dict[str, Any]:
        item = {"type": "string", "enum": list(self.choices)}
        return {"type": "array", "items": item, "minItems": 1, "uniqueItems": True}


@dataclass(frozen=True, kw_only=True)
class Flag(Field):
    def accepts(self, value: Any) -> bool:
        return isinstance(value, bool)

    @property
    def wanted(self) -> str:
        return "true or false"

    @property
    def shape(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True, kw_only=True)
class Integer(Field):
    least: int = 0
    most: int = LARGEST_INTEGER

    def accepts(self, value: Any) -> bool:
        is_whole = _finite(value) and value % 1 == 0  # JSON writes 7 and 7.0 for the same number
        return is_whole and self.least <= value <= self.most

    def converted(self, value: Any) -> int:
        return int(value)

    @property
    def wanted(self) -> str:
        most = f" to {self.most:,}" if self.most < LARGEST_INTEGER else ""
        return f"a whole number from {self.least}{most}{' or null' if self.nullable else ''}"

    @property
    def shape(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True, kw_only=True)
class Number(Field):
    least: float = 0.0
    most: float

    def accepts(self, value: Any) -> bool:
        return _finite(value) and self.least <= value <= self.most

    def converted(self, value: Any) -> float:
        return float(value)

    @property
    def wanted(self) -> str:
        return (
            f"a number from {self.least:g} to {self.most:,g}{' or null' if self.nullable else ''}"
        )

    @property
    def shape(self) -> dict[str, Any]:
        return {"type": "number", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True, kw_only=True)
class Moment(Field):
    def accepts(self, value: Any) -> bool:
        return isinstance(value, str) and moment(value) is not None

    def converted(self, value: Any) -> datetime | None:
        return moment(value)

    @property
    def wanted(self) -> str:
        return MOMENT

    @property
    def shape(self) -> dict[str, Any]:
        return {"type": "string", "format": "date-time"}


def moment(text: str) -> datetime | None:
    """Read a moment of the years 1900 to 2900; None without an offset: nobody knows when that was."""
    try:
        found = parse_datetime(text)
        known = found is not None and found.tzinfo is not None and EARLIEST <= found < LATEST
    except (ValueError, OverflowError):
        return None
    return found if known else None


def read_object(body: Any, fields: Sequence[Field]) -> dict[str, Any]:
    """Return the fields that were given; raises InvalidRequest that names every bad one."""
    if not isinstance(body, dict):
        raise InvalidRequest(f"The body is not a JSON object. {_known(fields)}")
    query.refuse_unknown(body, [field.name for field in fields], what="field")
    values: dict[str, Any] = {}
    problems: list[CellError] = []
    for field in fields:
        try:
            _read_into(values, field, body)
        except InvalidRequest as error:
            problems.extend(error.cells)
    if problems:
        raise InvalidRequest(problems[0].message, cells=problems)
    return values


def _read_into(values: dict[str, Any], field: Field, body: Mapping[str, Any]) -> None:
    if field.name in body:
        values[field.name] = field.read(body[field.name])
    elif field.required:
        message = f"{field.name} is missing: {field.wanted}."
        cell = CellError(code="missing_field", message=message, column=field.name)
        raise InvalidRequest(message, cells=[cell])


def _known(fields: Sequence[Field]) -> str:
    return f"Known fields: {', '.join(field.name for field in fields) or 'none'}."


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
