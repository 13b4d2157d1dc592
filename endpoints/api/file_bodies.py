"""Receives a file of any size, as a form or as the body itself: it goes straight to the disk under RAISIN_HOME.

The body itself says which it is: the first line of a form is its boundary, so no Content-Type is needed. This
knows nothing of what is in the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from django.conf import settings
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest, UnreadablePostError
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.request import Request

from endpoints.api import query
from endpoints.api.auth import ApiKeyAuthentication
from endpoints.api.base import JsonView
from endpoints.bodies import stream_of, too_large
from endpoints.errors import InvalidRequest, UnsupportedEncoding
from endpoints.forms_with_files import BEGIN, DAMAGED
from endpoints.large_bodies import Room
from endpoints.services import uploads

FILE = "file"
PIECE = 65_536
LONGEST_BEGINNING = 512
"""Bytes that tell a form: its boundary has 200 at most."""
EMPTY_FORM = re.compile(rb"\s*--[\x21-\x7e][\x20-\x7e]{0,199}--\s*")
REST_OF_THE_FORM = 2**20
UNPACKED_LATER = ("", "identity", "gzip", "x-gzip")
"""Whoever reads the file knows gzip by its content."""
MOST_AT_ONCE = 4
"""So many more wait for a moment; the rest of the server's 16 threads is for others, however slow these are."""
NO_LENGTH = "Nobody can tell whether a file without a Content-Length is whole: send it as a form, or say its length."
CUT_OFF = "The file did not come to its end; send it again."
NO_FILE = "There is no file: send it as the field “file” of a form (-F file=@table.csv) or as the body itself."

room = Room(MOST_AT_ONCE, most_waiting=MOST_AT_ONCE)


@dataclass(frozen=True)
class ReceivedFile:
    """`name` is what the form calls the file, "" where it is the body itself; `fields` stood beside it."""

    path: Path
    name: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


class SessionWithHeader(SessionAuthentication):
    """A person whose token comes in the header: to look for it in the body would read the file."""

    def enforce_csrf(self, request: Request) -> None:
        asked: Any = copy(request._request)
        if asked.method == "POST":
            asked.method = "PUT"  # for which the token is sought in the header alone
        super().enforce_csrf(asked)


class FileView(JsonView):
    """A view whose body may be a file."""

    def get_authenticators(self) -> list[BaseAuthentication]:
        return [ApiKeyAuthentication(), SessionWithHeader()]


@contextmanager
def received_file(request: Request, *, fields: Sequence[str]) -> Iterator[ReceivedFile]:
    """Give the file, which is gone afterwards unless somebody has moved it, and the fields of its form.

    Raises NoRoom, TooLarge, UnsupportedEncoding, or InvalidRequest for a damaged form and unknown fields.
    """
    limit = settings.RAISIN_MAX_FILE_BYTES
    _refuse_announced(request, limit)
    taken = room.enter(1)
    try:
        with TemporaryDirectory(prefix="received-", dir=uploads.home()) as folder:
            yield _received(request._request, Path(folder) / "file", limit, fields)
    finally:
        room.leave(taken)


def _refuse_announced(request: Request, limit: int) -> None:
    """Refuse by its headers what need not be read at all."""
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in UNPACKED_LATER:
        raise UnsupportedEncoding(f"“{encoding[:40]}” is not read; send gzip or the file as it is.")
    announced = request.headers.get("Content-Length", "")
    if announced.isdecimal() and int(announced) > limit + REST_OF_THE_FORM:
        raise too_large(limit)


def _received(request: HttpRequest, path: Path, limit: int, fields: Sequence[str]) -> ReceivedFile:
    body = _Body(stream_of(request), limit)
    announced = request.META.get("CONTENT_LENGTH") or ""
    try:
        look = body.look()
        if EMPTY_FORM.fullmatch(look):
            raise InvalidRequest(NO_FILE)
        beginning = BEGIN.match(look.lstrip(b"\r\n"))  # some clients begin a form with a line end
        if beginning is not None:
            found = _read_form(body, beginning[1], _ToDisk(path, limit), fields)
        elif look and not announced:
            # The server hands over what came from a sender who is gone as if it were all.
            raise InvalidRequest(NO_LENGTH)
        else:
            found = _write(body, path, limit)
    except UnreadablePostError:
        raise InvalidRequest(CUT_OFF) from None
    if announced.isdecimal() and body.size < int(announced):
        raise InvalidRequest(CUT_OFF)
    return found


class _Body:
    """A body that can be looked at before it is read; it is read no further than a form of a file may go."""

    def __init__(self, stream: IO[bytes], limit: int) -> None:
        self._stream, self._limit = stream, limit
        self._beginning = b""
        self.size = 0
        self.end = b""

    def look(self) -> bytes:
        """Return the beginning, which is read again afterwards."""
        while missing := LONGEST_BEGINNING - len(self._beginning):
            piece = self._stream.read(missing)
            self._beginning += piece
            if not piece:
                break
        return self._beginning

    def read(self, size: int = PIECE) -> bytes:
        piece = self._beginning or self._stream.read(size)
        self._beginning = b""
        self.size += len(piece)
        if self.size > self._limit + REST_OF_THE_FORM:
            raise too_large(self._limit)
        self.end = (self.end + piece)[-LONGEST_BEGINNING:]
        return piece


def _write(body: _Body, path: Path, limit: int) -> ReceivedFile:
    with path.open("wb") as target:
        while piece := body.read():
            if body.size > limit:
                raise too_large(limit)
            target.write(piece)
    if not body.size:
        raise InvalidRequest(NO_FILE)
    return ReceivedFile(path)


def _read_form(body: Any, boundary: bytes, file: _ToDisk, fields: Sequence[str]) -> ReceivedFile:
    """Read all of the form before anything in it is refused: the answer would not arrive otherwise."""
    meta = {
        "CONTENT_TYPE": f'multipart/form-data; boundary="{boundary.decode()}"',
        "CONTENT_LENGTH": 1,  # 0 would mean that nothing comes; how much does, only the body knows
    }
    with file:
        try:
            given, _ = MultiPartParser(meta, body, [file], "utf-8").parse()
        except MultiPartParserError:
            raise InvalidRequest(DAMAGED) from None
    if b"\r\n--" + boundary + b"--" not in b"\r\n" + body.end:
        raise InvalidRequest(DAMAGED)
    names = [name for name, values in given.lists() for _ in values]
    _refuse_fields([*names, *file.fields], fields)
    if FILE not in file.fields:
        raise InvalidRequest(NO_FILE)
    return ReceivedFile(file.path, file.name, {name: str(given[name]) for name in given})


def _refuse_fields(names: Sequence[str], known: Sequence[str]) -> None:
    query.refuse_unknown(names, (FILE, *known), what="field")
    for name in names:
        if names.count(name) > 1:
            raise InvalidRequest(f"The field “{name}” is sent twice; send one file at a time.")


class _ToDisk(FileUploadHandler):
    """Writes the file of a form; `fields` are all that came with a file, of which only one is written."""

    def __init__(self, path: Path, limit: int) -> None:
        super().__init__()
        self.path, self._limit = path, limit
        self.fields: list[str] = []
        self.name = ""

    def __enter__(self) -> None:
        self._target = self.path.open("wb")

    def __exit__(self, *error: object) -> None:
        self._target.close()

    def new_file(self, field_name: str, file_name: str, *args: Any, **kwargs: Any) -> None:
        super().new_file(field_name, file_name, *args, **kwargs)
        self.fields.append(field_name)
        if self._is_wanted:
            self.name = file_name

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if self._is_wanted:
            self._target.write(raw_data)
            if self._target.tell() > self._limit:
                raise too_large(self._limit)

    def file_complete(self, file_size: int) -> None:
        """Nothing is handed on: whoever asked knows where the file is."""

    @property
    def _is_wanted(self) -> bool:
        return self.fields == [FILE]
