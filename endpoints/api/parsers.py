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
        return parse(_read(stream, parser_context["request"] if parser_context else None))


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


def _read(stream: IO[bytes], request: Request | None) -> bytes:
    """Ask the announced length first, then count: a header can lie."""
    limit = settings.RAISIN_MAX_BODY_BYTES
    headers = request.headers if request is not None else {}
    encoding = headers.get("Content-Encoding", "identity")
    if encoding.strip().lower() not in ("", "identity"):
        raise UnsupportedEncoding(f"Send the body as it is: “{encoding[:40]}” is not read.")
    announced = headers.get("Content-Length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise TooLarge(_limit_sentence(limit))
    body = stream.read(limit + 1)
    if len(body) > limit:
        raise TooLarge(_limit_sentence(limit))
    return body


def _limit_sentence(limit: int) -> str:
    return f"The body is larger than {limit:,} bytes. Send fewer rows at a time."


def _sentence(error: orjson.JSONDecodeError) -> str:
    if "UTF-8:" in error.msg:
        return "The body is not UTF-8 text."
    return f"Line {error.lineno}, column {error.colno}: {error.msg}."
