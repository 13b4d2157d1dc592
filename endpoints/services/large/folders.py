"""Folders that take files by name once they are complete: on a disk, or at an address. It knows no contents.

Workers of a cluster import it: it knows no Django.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol
from uuid import uuid4

from endpoints.services.large.places import reached


class Folder(Protocol):
    """``draft`` gives a file on this machine's disk, which is in the folder once it is filled."""

    def has(self, name: str) -> bool: ...

    def read(self, name: str) -> bytes: ...

    def draft(self, name: str) -> AbstractContextManager[Path]: ...


@dataclass(frozen=True)
class LocalFolder:
    path: Path

    def has(self, name: str) -> bool:
        return (self.path / name).exists()

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def draft(self, name: str) -> AbstractContextManager[Path]:
        return draft_of(self.path / name)


@dataclass(frozen=True)
class RemoteFolder:
    """Behind a URL of fsspec. Object stores show a file when all of it is there."""

    url: str

    def has(self, name: str) -> bool:
        with self._reached(name) as (system, path):
            return bool(system.exists(path))

    def read(self, name: str) -> bytes:
        with self._reached(name) as (system, path):
            return bytes(system.cat_file(path))

    @contextmanager
    def draft(self, name: str) -> Iterator[Path]:
        with TemporaryDirectory(prefix="raisin-") as here:
            draft = Path(here) / name
            yield draft
            with self._reached(name) as (system, path):
                system.put_file(str(draft), path)

    def is_used(self) -> bool:
        with self._reached() as (system, path):
            return bool(system.exists(path) and system.find(path))

    @contextmanager
    def _reached(self, name: str = "") -> Iterator[tuple[Any, str]]:
        with reached(f"{self.url}/{name}".rstrip("/")) as (system, path):
            system.invalidate_cache()  # others write there too
            yield system, path


def put(folder: Folder, name: str, content: Iterable[bytes]) -> None:
    with folder.draft(name) as draft:
        fill(draft, content)


@contextmanager
def draft_of(place: Path) -> Iterator[Path]:
    """A file beside the place that takes it when it is complete and on the disk."""
    draft = place.with_name(f".{place.name}.{uuid4().hex}")
    try:
        yield draft
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(place)
    finally:
        draft.unlink(missing_ok=True)


def fill(place: Path, content: Iterable[bytes]) -> None:
    with place.open("wb") as file:
        for part in content:
            file.write(part)
