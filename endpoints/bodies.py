"""Reads a request's body within its limit, and JSON out of it; it knows no REST framework and no schema."""

from __future__ import annotations

import re
import zlib
from typing import Any

import orjson
from django.conf import settings
from django.http import HttpRequest

from endpoints.errors import InvalidJson, InvalidRequest, TooLarge, UnsupportedEncoding

EMPTY = "The body is empty. Send a JSON object."
LARGEST_WITH_NAN = 262_144
"""Bytes. To look for NaN takes 20 times as long as to read the rest, so nobody may ask for much of it."""
NOT_A_NUMBER = re.compile(rb'("[^"\\]*+(?:\\.[^"\\]*+)*+"?+)|\bNaN\b', re.DOTALL)
"""A string, or the token. It never goes back: a string without an end is taken whole, or the search would
begin again at each quotation mark in it, and 200 kB of them would keep a processor busy for minutes."""
_GZIP, _ZLIB, _RAW = 31, 15, -15
WINDOWS = {"gzip": (_GZIP,), "x-gzip": (_GZIP,), "deflate": (_ZLIB, _RAW)}
"""zlib's window sizes by the name of the encoding; some clients send deflate without its header."""


def read_body(request: HttpRequest) -> bytes:
    """Return the body, decompressed; raises TooLarge, UnsupportedEncoding or InvalidRequest.

    The announced length is asked first, then bytes are counted: a header can lie. Read once, the body
    stays with the request, where Django's own `body` finds it too.
    """
    limit = settings.RAISIN_MAX_BODY_BYTES
    encoding = request.META.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    windows = WINDOWS.get(encoding)
    if windows is None and encoding not in ("", "identity"):
        raise UnsupportedEncoding(f"“{encoding[:40]}” is not read; send gzip, deflate or neither.")
    announced = request.META.get("CONTENT_LENGTH") or ""
    if announced.isdecimal() and int(announced) > limit:
        raise too_large(limit)
    kept = vars(request)
    if "_body" not in kept:
        kept["_body"] = bytes(_stream(request).read(limit + 1))
    body: bytes = kept["_body"]
    if len(body) > limit:
        raise too_large(limit)
    return _decompressed(body, windows, limit) if windows else body


def parse_json(body: bytes) -> Any:
    """Read JSON as RFC 8259 has it, but for NaN, which some clients write where a value is missing."""
    if not body:
        raise InvalidJson(EMPTY)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if b"NaN" not in body or len(body) > LARGEST_WITH_NAN:
            raise InvalidJson(_sentence(error)) from None
    try:
        return orjson.loads(NOT_A_NUMBER.sub(lambda found: found[1] or b"null", body))
    except orjson.JSONDecodeError as error:
        raise InvalidJson(_sentence(error)) from None


def too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit:,} bytes; that is the most here.")


def _stream(request: HttpRequest) -> Any:
    """Django takes a body without a Content-Length for an empty one; the server knows its end."""
    is_chunked = request.META.get("HTTP_TRANSFER_ENCODING", "").strip().lower() == "chunked"
    return request.META["wsgi.input"] if is_chunked else request


def _decompressed(body: bytes, windows: tuple[int, ...], limit: int) -> bytes:
    for window in windows:
        expander = zlib.decompressobj(window)
        try:
            expanded = expander.decompress(body, limit + 1)
        except zlib.error:
            continue
        if len(expanded) > limit:
            raise too_large(limit)
        if expander.eof and not expander.unused_data:
            return expanded
    raise InvalidRequest(
        "The body is not what its Content-Encoding says: it cannot be decompressed."
    )


def _sentence(error: orjson.JSONDecodeError) -> str:
    if "UTF-8:" in error.msg:
        return "The body is not UTF-8 text."
    return f"Line {error.lineno}, column {error.colno}: {error.msg}."
