"""Gives REST views the body: JSON in UTF-8 within its size limit, whatever type or charset the client names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from endpoints.bodies import parse_json, read_body


class OrjsonParser(BaseParser):
    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        assert parser_context is not None  # noqa: S101 - the framework passes it
        return json_body(parser_context["request"])


def json_body(request: Request) -> Any:
    """Return the parsed body; the framework itself would take an empty one for an empty object."""
    return parse_json(read_body(request._request))
