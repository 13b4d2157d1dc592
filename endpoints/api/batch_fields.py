"""What may be said of a batch: in the address, in a form or as JSON, each read strictly.

It knows neither views nor services.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from endpoints.api import query
from endpoints.api.fields import Choice, Field, Flag, Integer, Text
from endpoints.bodies import parse_json
from endpoints.errors import InvalidJson, InvalidRequest

LONGEST_COLUMN = 500
MOST_COLUMNS = 5_000


@dataclass(frozen=True, kw_only=True)
class TextByName(Field):
    """An object whose values are texts."""

    def accepts(self, value: Any) -> bool:
        return (
            isinstance(value, dict)
            and len(value) <= MOST_COLUMNS
            and all(_is_column(name) and _is_column(column) for name, column in value.items())
        )

    @property
    def wanted(self) -> str:
        return (
            'an object such as {"Area": "area in px"}: for each feature the column with its values'
        )

    @property
    def shape(self) -> dict[str, Any]:
        column = {"type": "string", "maxLength": LONGEST_COLUMN}
        return {
            "type": "object",
            "additionalProperties": column,
            "maxProperties": MOST_COLUMNS,
            "examples": [{"Area": "area in px"}],
        }


def _is_column(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_COLUMN


MAPPING = TextByName(
    name="mapping", about="By feature the column that has its values, where names differ."
)
LABEL_COLUMN = Text(
    name="label_column", about="The column with the true labels, if any.", longest=LONGEST_COLUMN
)
LOG = Flag(name="log", about="Whether the rows enter the request log.")
STORE_LABELS = Flag(
    name="store_labels", about="Whether true labels are kept as feedback; needs the log."
)
HOW = (MAPPING, LABEL_COLUMN, LOG, STORE_LABELS)
WHICH = (
    Integer(name="version", about="The number of a version.", least=1, nullable=True),
    Choice(name="status", about="The newest version with this status.", choices=query.ANSWERING),
)


def _mapping(text: str) -> dict[str, str]:
    try:
        given = parse_json(text.encode())
    except InvalidJson as error:
        raise InvalidRequest(f"mapping is not JSON: {error.message}") from None
    found: dict[str, str] = MAPPING.read_parameter(given)
    return found


READERS: Mapping[str, Callable[[str], Any]] = MappingProxyType(
    {
        "endpoint": str,
        "version": query.version_number,
        "status": query.status,
        "mapping": _mapping,
        "label_column": LABEL_COLUMN.read_parameter,
        "log": lambda text: query.flag(text, name="log"),
        "store_labels": lambda text: query.flag(text, name="store_labels"),
    }
)
"""What stands beside a file, where everything is text."""


def read_texts(address: Mapping[str, str], form: Mapping[str, str]) -> dict[str, Any]:
    """Return what was said in the address and in the form; what stands in both must be the same."""
    said = {name: text for name, text in address.items() if name in READERS}
    for name, text in form.items():
        if said.get(name, text) != text:
            raise InvalidRequest(f"“{name}” is one thing in the address and another in the form.")
    return {name: READERS[name](text) for name, text in {**said, **form}.items()}
