"""Receives a body that is either JSON or a bundle; a bundle goes to a file, since memory is dear here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from django.conf import settings
from rest_framework.request import Request

from endpoints.bodies import EMPTY, parse_json, too_large
from endpoints.errors import InvalidJson, InvalidRequest, UnsupportedEncoding
from endpoints.services import uploads

ZIP_STARTS, FORM_STARTS = b"PK", b"--"
PIECE = 65_536
NO_FORM = "Send the bundle as the body itself, not in a form: curl --data-binary @model.zip."


@contextmanager
def received(request: Request) -> Iterator[Any]:
    """Give the path of the received bundle, or the JSON value; no JSON text starts like a bundle."""
    if request.stream is None:
        raise InvalidJson(EMPTY)
    _refuse_announced(request)
    head = request.stream.read(len(ZIP_STARTS))
    if head == FORM_STARTS:
        raise InvalidRequest(NO_FORM)
    if head != ZIP_STARTS:
        yield parse_json(head + _rest(request.stream))
        return
    with TemporaryDirectory(prefix="received-", dir=uploads.home()) as folder:
        file = Path(folder) / "bundle.zip"
        _write(head, request.stream, file)
        yield file


def _refuse_announced(request: Request) -> None:
    """Refuse by its headers what need not be read at all."""
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding.strip().lower() not in ("", "identity"):
        raise UnsupportedEncoding(f"Send the body as it is: “{encoding[:40]}” is not read here.")
    announced = request.headers.get("Content-Length", "")
    if announced.isdecimal() and int(announced) > settings.RAISIN_MAX_UPLOAD_BYTES:
        raise too_large(settings.RAISIN_MAX_UPLOAD_BYTES)


def _rest(stream: IO[bytes]) -> bytes:
    limit = settings.RAISIN_MAX_BODY_BYTES
    rest = stream.read(limit + 1)
    if len(rest) > limit:
        raise too_large(limit)
    return rest


def _write(head: bytes, rest: IO[bytes], file: Path) -> None:
    limit, size = settings.RAISIN_MAX_UPLOAD_BYTES, len(head)
    with file.open("wb") as target:
        target.write(head)
        while piece := rest.read(PIECE):
            size += len(piece)
            if size > limit:
                raise too_large(limit)
            target.write(piece)
