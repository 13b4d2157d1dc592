"""Reads a JSON body within its size limit; UTF-8 only, whatever charset the client names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

import orjson
from django.conf import settings
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from endpoints.api.errors import InvalidJson, UnsupportedEncoding
from endpoints.errors import TooLarge

EMPTY = "The body is empty. Send a JSON object, with its Content-Length."


class OrjsonParser(BaseParser):
    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        return parse(read_within(stream, parser_context["request"] if parser_context else None))


def json_body(request: Request) -> Any:
    """Return the parsed body; without this question an empty one would pass for an empty object."""
    if request.stream is None:
        raise InvalidJson(EMPTY)
    return request.data


def parse(body: bytes) -> Any:
    if not body:
        raise InvalidJson(EMPTY)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidJson(_sentence(error)) from None


def read_within(stream: IO[bytes], request: Request | None) -> bytes:
    """Read a JSON body whole. Ask the announced length first, then count: a header can lie."""
    limit = settings.RAISIN_MAX_BODY_BYTES
    if request is not None:
        refuse_announced(request, limit)
    body = stream.read(limit + 1)
    if len(body) > limit:
        raise too_large(limit)
    return body


def refuse_announced(request: Request, limit: int) -> None:
    """Refuse by its headers what need not be read at all."""
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding.strip().lower() not in ("", "identity"):
        raise UnsupportedEncoding(f"Send the body as it is: “{encoding[:40]}” is not read.")
    announced = request.headers.get("Content-Length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise too_large(limit)


def too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit:,} bytes; that is the most here.")


def _sentence(error: orjson.JSONDecodeError) -> str:
    if "UTF-8:" in error.msg:
        return "The body is not UTF-8 text."
    return f"Line {error.lineno}, column {error.colno}: {error.msg}."
