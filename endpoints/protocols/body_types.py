"""Which format a body to score is in: its Content-Type says so, or else its first character does.

It reads neither format.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from endpoints.csv_rows import HEADERS, Header
from endpoints.errors import UnsupportedType

Format = Literal["json", "csv"]

FORMATS: dict[str, Format | None] = {
    "application/json": "json",
    "text/csv": "csv",
    "": None,
    "application/x-www-form-urlencoded": None,  # what curl says when nobody tells it
}
KNOWN = "application/json and text/csv"


class BodyType(NamedTuple):
    format: Format
    header: Header = "guess"


def body_type(content_type: str, body: bytes) -> BodyType:
    """Return the format, and what is known of a CSV's header; raises UnsupportedType."""
    name, *parameters = (part.strip() for part in content_type.split(";"))
    if name.lower() not in FORMATS:
        raise UnsupportedType(f"The type “{name[:80]}” is not read here; send {KNOWN}.")
    found = FORMATS[name.lower()] or _sniffed(body)
    header: Header = "guess"
    for parameter in filter(None, parameters):
        key, _, value = parameter.lower().replace('"', "").partition("=")
        if (key, found) == ("header", "csv") and value in HEADERS:
            header = value
        elif (key, value) not in (("charset", "utf-8"), ("charset", "utf8")):
            raise UnsupportedType(f"The parameter “{parameter[:80]}” of the type is not read here.")
    return BodyType(found, header)


def _sniffed(body: bytes) -> Format:
    """No header of a CSV begins like an object or a list."""
    return "json" if body.lstrip()[:1] in (b"{", b"[", b"") else "csv"
