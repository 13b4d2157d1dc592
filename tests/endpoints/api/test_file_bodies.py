"""A file as a form or as the body itself: to the disk as it is, within its limit, or refused in words."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from django.contrib.auth.models import User
from django.http import UnreadablePostError
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.request import Request

from endpoints.api import file_bodies
from endpoints.api.file_bodies import SessionWithHeader, received_file
from endpoints.errors import (
    DomainError,
    InvalidRequest,
    NoRoom,
    TooLarge,
    UnsupportedEncoding,
)
from endpoints.large_bodies import Room
from endpoints.services import uploads

TABLE = b"Area,Perimeter\r\n87524,1184.04\r\n"
BOUNDARY = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
KNOWN = ("endpoint", "log")


def part(name: str, content: bytes, *, file: str | None = None, head: str = "") -> bytes:
    named = f'; filename="{file}"' if file is not None else ""
    lines = f'Content-Disposition: form-data; name="{name}"{named}\r\n{head}\r\n'
    return f"--{BOUNDARY}\r\n{lines}".encode() + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


class Slow(io.BytesIO):
    """A connection that hands over a few bytes at a time, whatever is asked for."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(7 if size is None or size < 0 else min(size, 7))


def request_with(body: bytes, stream: io.BytesIO | None = None, **meta: Any) -> Request:
    """As `FileView` hands it over: whatever type was announced, it is JSON by now."""
    if stream is not None:
        meta["wsgi.input"] = stream
    return Request(RequestFactory().post("/", body, content_type="application/json", **meta))


def chunked(body: bytes) -> Request:
    """Without a Content-Length; the server knows where it ends."""
    request = request_with(body, Slow(body), HTTP_TRANSFER_ENCODING="chunked")
    del request.META["CONTENT_LENGTH"]
    return request


def received(request: Request) -> tuple[bytes, str, dict[str, str]]:
    with received_file(request, fields=KNOWN) as file:
        return file.path.read_bytes(), file.name, dict(file.fields)


def refusal(body: bytes, kind: type[DomainError] = InvalidRequest, **meta: Any) -> str:
    with pytest.raises(kind) as caught:
        received(request_with(body, **meta))
    return caught.value.message


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    before = set(uploads.home().iterdir())
    yield
    assert set(uploads.home().iterdir()) == before


def test_the_body_itself_is_the_file() -> None:
    assert received(request_with(TABLE)) == (TABLE, "", {})


def test_a_form_has_the_file_its_name_and_fields() -> None:
    body = form(
        part("endpoint", b"raisin"), part("file", TABLE, file="märz.csv"), part("log", b"0")
    )
    assert received(request_with(body)) == (TABLE, "märz.csv", {"endpoint": "raisin", "log": "0"})


def test_a_form_may_begin_with_a_line_end() -> None:
    assert received(request_with(b"\r\n" + form(part("file", TABLE, file="a.csv"))))[0] == TABLE


def test_a_form_whose_length_nobody_knows_has_an_end() -> None:
    body = form(part("file", TABLE, file="a.csv"))
    assert received(chunked(body))[0] == TABLE
    with pytest.raises(InvalidRequest, match="it is cut off"):
        received(chunked(body[:-6]))


def test_a_file_whose_length_nobody_knows_has_none() -> None:
    """Its sender may be gone in the middle of it."""
    with pytest.raises(InvalidRequest, match="without a Content-Length"):
        received(chunked(TABLE))


@hypothesis.settings(max_examples=30)
@given(content=st.binary(min_size=1, max_size=3_000), edge=st.integers(0, 140))
def test_a_file_stays_as_it_is(content: bytes, edge: int) -> None:
    """Also where the pieces that the parser reads end within a boundary."""
    content = content + b"x" * (65_536 - len(content) - edge) + f"\r\n--{BOUNDARY[:-1]}".encode()
    assert received(request_with(form(part("file", content, file="a.csv"))))[0] == content
    assert received(request_with(content))[0] == content


def test_the_file_lies_where_it_can_be_moved_from_in_one_step(tmp_path: Path) -> None:
    with received_file(request_with(TABLE), fields=KNOWN) as file:
        kept = uploads.home() / "kept"
        file.path.rename(kept)
    assert kept.read_bytes() == TABLE
    kept.unlink()


@pytest.mark.parametrize("name", ["../../etc/passwd", "C:\\temp\\a.csv", "a\x00b.csv"])
def test_the_name_of_a_file_leads_nowhere(name: str) -> None:
    found = received(request_with(form(part("file", TABLE, file=name))))[1]
    assert not {"/", "\\", "\x00"} & set(found)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "There is no file"),
        (form(), "There is no file"),
        (form(part("endpoint", b"raisin")), "There is no file"),
        (form(part("file", b"a,b", file="")), "There is no file"),
        (form(part("file", b"a,b")), "There is no file"),
        (form(part("data", TABLE, file="a.csv")), "'data' is not a field here. Known: "),
        (form(part("file", TABLE, file="a"), part("logs", b"1")), 'did you mean "log"?'),
        (form(part("file", TABLE, file="a"), part("file", TABLE, file="b")), "sent twice"),
        (form(part("file", TABLE, file="a"), part("file", b"x")), "sent twice"),
        (form(part("log", b"1"), part("log", b"1")), "sent twice"),
        (part("file", TABLE, file="a.csv"), "it is cut off"),
        (form(part("file", TABLE, file="a.csv"))[:-6], "it is cut off"),
        (
            form(part("file", b"=", file="a", head="Content-Transfer-Encoding: base64\r\n")),
            "The form cannot be read",
        ),
    ],
)
def test_it_refuses(body: bytes, words: str) -> None:
    assert words in refusal(body)


def test_it_refuses_a_file_that_did_not_come_to_its_end() -> None:
    request = request_with(TABLE, io.BytesIO(TABLE), CONTENT_LENGTH=str(len(TABLE) + 1))
    with pytest.raises(InvalidRequest, match="did not come to its end"):
        received(request)


def test_it_refuses_a_file_whose_sender_has_gone() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise UnreadablePostError("connection reset")

    with pytest.raises(InvalidRequest, match="did not come to its end"):
        received(request_with(TABLE, Broken()))


LARGE = [
    request_with(TABLE),
    request_with(form(part("file", TABLE, file="a.csv"))),
    chunked(form(part("file", TABLE, file="a.csv"))),
]


@pytest.mark.parametrize("large", LARGE, ids=["body", "form", "chunked form"])
def test_it_refuses_a_file_above_the_limit(large: Request, settings: Any) -> None:
    settings.RAISIN_MAX_FILE_BYTES = len(TABLE) - 1
    with pytest.raises(TooLarge, match=f"larger than {len(TABLE) - 1} bytes"):
        received(large)


def test_a_file_may_be_as_large_as_the_limit(settings: Any) -> None:
    settings.RAISIN_MAX_FILE_BYTES = len(TABLE)
    for body in (TABLE, form(part("file", TABLE, file="a.csv"))):
        assert received(request_with(body))[0] == TABLE


def test_it_refuses_what_is_announced_as_too_large_unread(settings: Any) -> None:
    settings.RAISIN_MAX_FILE_BYTES = 100
    size = 100 + file_bodies.REST_OF_THE_FORM + 1
    request = request_with(TABLE, CONTENT_LENGTH=str(size))
    with pytest.raises(TooLarge):
        received(request)
    assert request.META["wsgi.input"].read(5) == TABLE[:5]


def test_a_form_around_no_end_of_nothing_is_too_large(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the file is held against its limit; the rest of a form has one of its own."""
    monkeypatch.setattr(file_bodies, "REST_OF_THE_FORM", 1_000)
    settings.RAISIN_MAX_FILE_BYTES = 100
    rest = part("other", b"x" * 2_000, file="b.csv")
    with pytest.raises(TooLarge):
        received(chunked(form(part("file", TABLE, file="a.csv"), rest)))


@pytest.mark.parametrize("encoding", ["", "identity", "gzip"])
def test_a_packed_file_stays_packed(encoding: str) -> None:
    assert received(request_with(TABLE, HTTP_CONTENT_ENCODING=encoding))[0] == TABLE


def test_it_refuses_another_packing() -> None:
    words = refusal(TABLE, UnsupportedEncoding, HTTP_CONTENT_ENCODING="br")
    assert "“br” is not read" in words


def test_it_refuses_one_sender_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_bodies, "room", Room(1, most_waiting=0))
    with received_file(request_with(TABLE), fields=KNOWN), pytest.raises(NoRoom):
        received(request_with(TABLE))
    assert received(request_with(TABLE))[0] == TABLE


@pytest.mark.django_db
@pytest.mark.parametrize(("token", "is_let_in"), [("a" * 32, True), ("b" * 32, False)])
def test_a_person_sends_the_token_in_the_header(token: str, dana: User, is_let_in: bool) -> None:
    """The file is not read to look for it there."""
    request = request_with(TABLE, HTTP_X_CSRFTOKEN=token, HTTP_COOKIE=f"csrftoken={'a' * 32}")
    request._request.user = dana
    try:
        found = SessionWithHeader().authenticate(request)
    except Exception as error:
        assert not is_let_in and "CSRF" in str(error)
    else:
        assert is_let_in and found is not None and found[0] == dana
    assert received(request)[0] == TABLE
