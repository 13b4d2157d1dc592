"""What a person takes away from a batch, piece by piece from the disk: results, errors, a template to fill in.

It runs in the server, so it knows the standard library's CSV alone.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from endpoints.errors import Conflict, Gone
from endpoints.models import AlgorithmVersion, BatchJob
from endpoints.models.batch import BatchState
from endpoints.models.dataset import FileFormat
from endpoints.services import snapshots
from endpoints.services.batches import folders
from endpoints.services.response_curve import typical_row
from endpoints.services.tables.neutral import neutralised

BLOCK = 64 * 1024


def results(job: BatchJob) -> Iterator[bytes]:
    """The rows with their answers, so that a spreadsheet runs nothing in them. Raises Conflict or Gone."""
    file = _opened(job, folders.results(job))
    if job.format == FileFormat.PARQUET or not job.report["formulas"]:
        return _blocks(file)
    return _together(_neutral(file, job.reading["delimiter"]))


def results_as_is(job: BatchJob) -> Iterator[bytes]:
    """The same, every cell as it was sent."""
    return _blocks(_opened(job, folders.results(job)))


def size_as_is(job: BatchJob) -> int:
    with _opened(job, folders.results(job)) as file:
        return os.fstat(file.fileno()).st_size


def errors(job: BatchJob) -> Iterator[bytes]:
    """A CSV of the rows without an answer; values are neutralised, since they are cells too."""
    return _together(_neutral(_opened(job, folders.errors(job)), ","))


def template(version: AlgorithmVersion) -> bytes:
    """A header and one typical row, as the version's data had them in training. Raises NoModel."""
    row = typical_row(snapshots.load(version))
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(row)
    writer.writerow("" if value is None else value for value in row.values())
    return file.getvalue().encode()


def _opened(job: BatchJob, path: Path) -> BinaryIO:
    """Open a file at once: deleted from now on, it is still read to its end."""
    if job.state == BatchState.EXPIRED:
        raise Gone("The files of this job are not kept any more.")
    if job.state != BatchState.DONE:
        raise Conflict(f"This job is {job.get_state_display().lower()}: it has no results.")
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise Gone("The files of this job are not there any more.") from None


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while block := file.read(BLOCK):
            yield block


def _neutral(file: BinaryIO, delimiter: str) -> Iterator[bytes]:
    with file:
        yield from neutralised(file, delimiter)


def _together(lines: Iterable[bytes]) -> Iterator[bytes]:
    """A line alone would cost the server more to send than to read."""
    waiting: list[bytes] = []
    size = 0
    for line in lines:
        waiting.append(line)
        size += len(line)
        if size >= BLOCK:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)
