"""Writes the results of chunks to disk so that a killed worker, or two at once, leave the same bytes.

Every worker writes the same bytes at the same place, so one that was thought dead does no harm.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from endpoints.models import BatchJob
from endpoints.models.dataset import FileFormat
from endpoints.services.batches import folders
from endpoints.services.tables import scoring
from mlcore.alive import Alive
from mlcore.files import sync


class Output(Protocol):
    def holds(self, place: int) -> bool:
        """Whether all is there that was written before this place: a restored backup may hold less."""

    def write(self, content: bytes, place: int) -> int:
        """Make it durable; return where what follows goes."""

    def finish(self, place: int, alive: Alive) -> None:
        """End the file here; what `alive` raises meanwhile ends that."""


class InPlace:
    """One file, whose parts lie one behind the other."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def holds(self, place: int) -> bool:
        return os.fstat(self._descriptor).st_size >= place

    def write(self, content: bytes, place: int) -> int:
        if not content:
            return place
        view = memoryview(content)
        while view:
            written = os.pwrite(self._descriptor, view, place)
            place, view = place + written, view[written:]
        os.fsync(self._descriptor)
        return place

    def finish(self, place: int, alive: Alive) -> None:
        """What a chunk of another release left behind the end goes."""
        os.ftruncate(self._descriptor, place)
        os.fsync(self._descriptor)


class InParts:
    """A Parquet file cannot be written in pieces: its parts are joined at the end. A place is a number."""

    def __init__(self, folder: Path, target: Path) -> None:
        self._folder, self._target = folder, target
        folder.mkdir(exist_ok=True)

    def holds(self, place: int) -> bool:
        return all(self._part(number).exists() for number in range(place))

    def write(self, content: bytes, place: int) -> int:
        if not content:
            return place
        draft = self._draft()
        draft.write_bytes(content)
        sync(draft)
        draft.replace(self._part(place))
        sync(self._folder)
        return place + 1

    def finish(self, place: int, alive: Alive) -> None:
        draft = self._draft()
        try:
            scoring.join([self._part(number) for number in range(place)], draft, alive)
            sync(draft)
            draft.replace(self._target)
        finally:
            draft.unlink(missing_ok=True)
        sync(self._target.parent)

    def _draft(self) -> Path:
        """A name of its own: two workers may be at it."""
        return self._folder / f"draft-{secrets.token_hex(8)}"

    def _part(self, number: int) -> Path:
        return self._folder / f"{number:08}.parquet"


@contextmanager
def opened(job: BatchJob) -> Iterator[tuple[Output, Output]]:
    """The results and the errors of a job, which may be half written."""
    with ExitStack() as stack:
        errors = InPlace(_descriptor(folders.errors(job), stack))
        results: Output
        if job.format == FileFormat.PARQUET:
            results = InParts(folders.parts(job), folders.results(job))
        else:
            results = InPlace(_descriptor(folders.results(job), stack))
        sync(folders.folder(job))  # a cursor must not outlive the names of what it counts
        yield results, errors


def _descriptor(path: Path, stack: ExitStack) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    stack.callback(os.close, descriptor)
    return descriptor
