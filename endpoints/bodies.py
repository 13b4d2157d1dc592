"""Reads a request's body within its limit, and JSON out of it; it knows no REST framework and no schema."""

from __future__ import annotations

import re
import zlib
from typing import Any

import orjson
from django.conf import settings
from django.http import HttpRequest

from endpoints.errors import InvalidJson, InvalidRequest, NoRoom, TooLarge, UnsupportedEncoding
from endpoints.large_bodies import SMALL, reading, take, working

EMPTY = "The body is empty. Send a JSON object."
LARGEST_WITH_NAN = 262_144
"""Bytes. To look for NaN takes 20 times as long as to read the rest, so nobody may ask for much of it."""
NOT_A_NUMBER = re.compile(rb'("[^"\\]*+(?:\\.[^"\\]*+)*+"?+)|\bNaN\b', re.DOTALL)
"""A string, or the token. It never goes back: a string without an end is taken whole, or the search would
begin again at each quotation mark in it, and 200 kB of them would keep a processor busy for minutes."""
CONTAINERS_A_ROW = 100
"""Lists and objects; columns as TensorFlow writes them have one for each cell."""
_GZIP, _ZLIB, _RAW = 31, 15, -15
WINDOWS = {"gzip": (_GZIP,), "x-gzip": (_GZIP,), "deflate": (_ZLIB, _RAW)}
"""zlib's window sizes by the name of the encoding; some clients send deflate without its header."""


def read_body(request: HttpRequest) -> bytes:
    """Return the body, decompressed; raises TooLarge, NoRoom, UnsupportedEncoding or InvalidRequest.

    The announced length is asked first, then bytes are counted: a header can lie. Read once, the body
    stays with the request, where Django's own `body` finds it too. A large one waits for its turn.
    """
    limit = settings.RAISIN_MAX_BODY_BYTES
    encoding = request.META.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    windows = WINDOWS.get(encoding)
    if windows is None and encoding not in ("", "identity"):
        raise UnsupportedEncoding(f"“{encoding[:40]}” is not read; send gzip, deflate or neither.")
    body = _received(request, limit)
    if windows:
        body = _decompressed(body, windows, request)
    take(working, request, len(body))
    return body


def parse_json(body: bytes) -> Any:
    """Read JSON as RFC 8259 has it, but for NaN, which some clients write where a value is missing."""
    if not body:
        raise InvalidJson(EMPTY)
    if len(body) > SMALL:
        _refuse_many_containers(body)
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


def _refuse_many_containers(body: bytes) -> None:
    """Raises TooLarge. An empty list is two bytes in JSON and seventy in memory: count before making them."""
    most = max(CONTAINERS_A_ROW * settings.RAISIN_MAX_ROWS, 2 * settings.RAISIN_MAX_LABELS)
    if body.count(b"[") + body.count(b"{") > most:
        raise TooLarge(
            f"The body holds more than {most:,} lists and objects; that is the most here."
        )


def _received(request: HttpRequest, limit: int) -> bytes:
    """Return the body as it was sent; its announced length may make reading it needless."""
    announced = request.META.get("CONTENT_LENGTH") or ""
    length = int(announced) if announced.isdecimal() else None
    if length is not None and length > limit:
        raise too_large(limit)
    kept = vars(request)
    if "_body" not in kept:
        kept["_body"] = _read(request, length, limit)
    body: bytes = kept["_body"]
    if len(body) > limit:
        raise too_large(limit)
    return body


def _read(request: HttpRequest, length: int | None, limit: int) -> bytes:
    """Read one byte more than the limit at most; a length that is not known may turn out to be any."""
    stream = stream_of(request)
    first = stream.read(SMALL + 1) if length is None else b""
    wanted = limit if len(first) > SMALL else length or 0
    try:
        take(reading, request, wanted)
    except NoRoom:
        while stream.read(SMALL):  # the connection would break, and the answer with it
            pass
        raise
    return bytes(first + stream.read(limit + 1 - len(first)))


def stream_of(request: HttpRequest) -> Any:
    """Django takes a body without a Content-Length for an empty one; the server knows its end."""
    is_chunked = request.META.get("HTTP_TRANSFER_ENCODING", "").strip().lower() == "chunked"
    return request.META["wsgi.input"] if is_chunked else request


def _decompressed(body: bytes, windows: tuple[int, ...], request: HttpRequest) -> bytes:
    limit = settings.RAISIN_MAX_BODY_BYTES
    for window in windows:
        expander = zlib.decompressobj(window)
        try:
            expanded = expander.decompress(body, SMALL + 1)
            if len(expanded) > SMALL:
                take(reading, request, limit)
                expanded += expander.decompress(expander.unconsumed_tail, limit + 1)
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
