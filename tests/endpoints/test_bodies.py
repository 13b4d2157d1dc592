"""Bodies are read within their limit, compressed or not; JSON is read strictly, but for NaN."""

from __future__ import annotations

import gzip
import io
import json
import math
import random
import time
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpRequest
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from endpoints import bodies, large_bodies
from endpoints.bodies import LARGEST_WITH_NAN, parse_json, read_body
from endpoints.errors import InvalidJson, InvalidRequest, NoRoom, TooLarge, UnsupportedEncoding
from endpoints.large_bodies import SMALL, Room
from tests import pace

LIMIT = 1_000


@pytest.fixture(autouse=True)
def limited(settings: Any) -> None:
    settings.RAISIN_MAX_BODY_BYTES = LIMIT


def request(body: bytes, encoding: str = "") -> HttpRequest:
    headers = {"Content-Encoding": encoding} if encoding else {}
    return RequestFactory().post("/", body, content_type="text/plain", headers=headers)


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


def test_it_works() -> None:
    body = b'{"Area": 1}'
    assert read_body(request(body)) == body
    for encoding, packed in (
        ("gzip", gzip.compress(body)),
        ("x-gzip", gzip.compress(body)),
        ("GZIP", gzip.compress(body)),
        ("deflate", zlib.compress(body)),
        ("deflate", raw_deflate(body)),
        ("identity", body),
    ):
        assert read_body(request(packed, encoding)) == body


def test_it_takes_as_much_as_is_allowed_and_no_byte_more() -> None:
    assert len(read_body(request(b"x" * LIMIT))) == LIMIT
    with pytest.raises(TooLarge, match=r"larger than 1,000 bytes"):
        read_body(request(b"x" * (LIMIT + 1)))


def test_it_counts_where_the_header_lies() -> None:
    asked = request(b"x" * (LIMIT + 1))
    asked.META["CONTENT_LENGTH"] = "5"
    with pytest.raises(TooLarge):
        read_body(asked)


def test_it_can_be_asked_again() -> None:
    asked = request(gzip.compress(b"{}"), "gzip")
    assert read_body(asked) == read_body(asked) == b"{}"


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_small_body_that_unpacks_to_a_huge_one_is_refused(encoding: str) -> None:
    huge = b"0" * 500_000
    packed = gzip.compress(huge) if encoding == "gzip" else zlib.compress(huge)
    assert len(packed) <= LIMIT
    with pytest.raises(TooLarge):
        read_body(request(packed, encoding))


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "x" * 500])
def test_it_refuses_an_encoding_that_it_does_not_read(encoding: str) -> None:
    with pytest.raises(UnsupportedEncoding):
        read_body(request(b"x", encoding))


@pytest.mark.parametrize(
    "packed",
    [b"", b"not packed", gzip.compress(b"{}")[:-3], gzip.compress(b"{}") + b"more"],
    ids=["nothing", "plain", "cut", "with more behind it"],
)
def test_it_refuses_what_is_not_packed_as_it_says(packed: bytes) -> None:
    with pytest.raises(InvalidRequest, match="cannot be decompressed"):
        read_body(request(packed, "gzip"))


@pytest.mark.parametrize("size", [SMALL - 1, SMALL, SMALL + 1, SMALL + 2, 10 * SMALL])
@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, raw_deflate])
def test_a_body_is_unpacked_whole(settings: Any, size: int, pack: Callable[[bytes], bytes]) -> None:
    settings.RAISIN_MAX_BODY_BYTES = size
    for body in (b"0" * size, random.Random(size).randbytes(size)):
        asked = request(b"", "gzip" if pack is gzip.compress else "deflate")
        asked._body = pack(body)
        settings.RAISIN_MAX_BODY_BYTES = max(size, len(asked._body))
        assert read_body(asked) == body


@pytest.fixture
def full_room(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Room:
    settings.RAISIN_MAX_BODY_BYTES = 4 * SMALL
    room = Room(2 * SMALL, most_waiting=0)
    room.enter(2 * SMALL)
    monkeypatch.setattr(bodies, "reading", room)
    return room


def begun(asked: HttpRequest) -> HttpRequest:
    large_bodies.begin(asked)
    return asked


def test_a_large_body_without_room_is_refused_and_read_to_its_end(full_room: Room) -> None:
    asked = begun(request(b"x" * (SMALL + 1)))
    with pytest.raises(NoRoom):
        read_body(asked)
    assert asked.read() == b""
    assert "_body" not in vars(asked)


def test_a_small_body_is_read_though_there_is_no_room(full_room: Room) -> None:
    assert len(read_body(begun(request(b"x" * SMALL)))) == SMALL


def test_a_small_body_that_unpacks_to_a_large_one_needs_room(full_room: Room) -> None:
    with pytest.raises(NoRoom):
        read_body(begun(request(gzip.compress(b"0" * (SMALL + 1)), "gzip")))
    assert read_body(begun(request(gzip.compress(b"0" * SMALL), "gzip"))) == b"0" * SMALL


def test_a_body_of_unknown_length_needs_room_once_it_is_large(full_room: Room) -> None:
    def chunked(body: bytes) -> HttpRequest:
        asked = begun(request(b""))
        asked.META |= {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}
        asked.META["wsgi.input"] = io.BytesIO(body)
        return asked

    assert read_body(chunked(b"x" * SMALL)) == b"x" * SMALL
    with pytest.raises(NoRoom):
        read_body(chunked(b"x" * (SMALL + 1)))
    full_room.leave(2 * SMALL)
    assert read_body(chunked(b"x" * 2 * SMALL)) == b"x" * 2 * SMALL


@pytest.mark.parametrize("container", [b"[]", b"{}"])
def test_more_lists_and_objects_than_anybody_needs_are_not_made(
    settings: Any, container: bytes
) -> None:
    settings.RAISIN_MAX_ROWS = settings.RAISIN_MAX_LABELS = 200
    most = bodies.CONTAINERS_A_ROW * 200
    assert len(parse_json(b"[" + b",".join([container] * (most - 1)) + b"]")) == most - 1
    with pytest.raises(TooLarge, match=r"more than 20,000 lists and objects"):
        parse_json(b"[" + b",".join([container] * most) + b"]")


def test_nan_is_a_missing_value() -> None:
    assert parse_json(b'{"a": NaN, "b": [1, NaN], "c": "NaN", "d": "a \\"NaN\\" b"}') == {
        "a": None,
        "b": [1, None],
        "c": "NaN",
        "d": 'a "NaN" b',
    }


def test_a_large_body_has_null_instead() -> None:
    body = b"[NaN" + b" " * (LARGEST_WITH_NAN - 5) + b"]"
    assert parse_json(body) == [None]
    with pytest.raises(InvalidJson):
        parse_json(body + b" ")


@pytest.mark.parametrize(
    "body",
    [
        b'"' + b'\\"' * 100_000 + b"NaN",
        b'{"a": "' + b"\\" * 200_001 + b"NaN",
        b'"a' * 100_000 + b"NaN",
        b"[" + b"NaN " * 60_000,
    ],
    ids=["escaped quotes", "backslashes", "quotes", "tokens"],
)
def test_it_looks_for_nan_in_time_that_grows_with_the_body(body: bytes) -> None:
    started = time.process_time()
    with pytest.raises(InvalidJson):
        parse_json(body)
    assert time.process_time() - started < pace.seconds(0.5)


@given(st.recursive(st.none() | st.floats() | st.text(), st.lists, max_leaves=20))
def test_it_reads_what_python_writes_with_nan_as_null(value: Any) -> None:
    def expected(part: Any) -> Any:
        if isinstance(part, list):
            return [expected(item) for item in part]
        return None if isinstance(part, float) and math.isnan(part) else part

    def is_endless(part: Any) -> bool:
        if isinstance(part, list):
            return any(map(is_endless, part))
        return isinstance(part, float) and math.isinf(part)

    text = json.dumps(value).encode()
    if is_endless(value):
        with pytest.raises(InvalidJson):
            parse_json(text)
    else:
        assert parse_json(text) == expected(value)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b'{"a": Infinity}',
        b'{"a": -Infinity, "b": NaN}',
        b'{"a": 1e999}',
        b'"\\ud800"',
        b"[" * 100_000,
        b"[NaN," * 100_000,
        b"NaNs",
        b"{'a': 1}",
    ],
)
def test_it_refuses_what_is_not_json(body: bytes) -> None:
    with pytest.raises(InvalidJson):
        parse_json(body)
