"""Takes files that a browser sends straight to the disk under RAISIN_HOME, and not too large ones."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, TemporaryFileUploadHandler
from django.http import HttpRequest

from dashboard.formats import filesize
from endpoints.errors import TooLarge
from endpoints.services import uploads

REST_OF_THE_FORM = 2**20


class Received(UploadedFile):
    """A file in a folder of its own, which goes with it when it is closed."""

    def __init__(self, *about: Any) -> None:
        self._folder = TemporaryDirectory(prefix="received-", dir=uploads.home())
        self.path = Path(self._folder.name) / "bundle.zip"
        super().__init__(self.path.open("w+b"), *about)

    def temporary_file_path(self) -> str:
        return str(self.path)

    def close(self) -> None:
        super().close()
        self._folder.cleanup()


class SpoolingHandler(TemporaryFileUploadHandler):
    """Django's own handler would write to /tmp, which is memory in many containers."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        FileUploadHandler.new_file(self, *args, **kwargs)
        about = self.file_name, self.content_type, 0, self.charset, self.content_type_extra
        self.file: Any = Received(*about)


def accept(request: HttpRequest, *, most: int) -> None:
    """Say where the files of this request go, before anybody reads it; TooLarge leaves it unread."""
    announced = int(request.META.get("CONTENT_LENGTH") or 0)
    if announced > most + REST_OF_THE_FORM:
        size, limit = filesize(announced), filesize(most)
        raise TooLarge(f"This is {size}; {limit} is the most here.")
    request.upload_handlers = [SpoolingHandler(request)]
