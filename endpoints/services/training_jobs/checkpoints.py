"""How far a gradient descent has come, in a file from which the next worker goes on; for workers alone.

A file says of what training it is, and is taken only whole: one of another dataset, spec or release, one
that is torn, or one that does not fit the rows counts as none, and the training begins anew.
"""

from __future__ import annotations

import hashlib
import io
import logging
import math
from array import array
from collections.abc import Callable
from dataclasses import fields
from operator import attrgetter
from pathlib import Path
from time import monotonic

import numpy as np
import polars as pl

from endpoints.models import Dataset, Run
from endpoints.services.datasets import tables
from endpoints.services.training_jobs import checkpoint_files, specs
from mlcore.canonical import compact
from mlcore.errors import DataError
from mlcore.files import read_file, replace_file
from mlcore.history import Descent, Iteration
from mlcore.run_training import versions

logger = logging.getLogger("raisin.work")

SHORTEST, LONGEST = 0.25, 4.0
"""Seconds between two checkpoints of a worker: twice as many each time."""
MOST_OF_THE_TIME = 0.05
"""Share of a training that its checkpoints may take: the dearer they are, the rarer."""
LARGEST = 2**28
FORMAT = 1
NAMES = tuple(field.name for field in fields(Iteration))
_numbers = attrgetter(*NAMES)

Told = Callable[[int], None]


def identity(run: Run, dataset: Dataset, *, in_memory: bool) -> str:
    """The checksum of all that decides over the coefficients."""
    facts = {
        "format": FORMAT,
        "run": run.pk,
        "dataset": dataset.sha256,
        "spec": specs.with_columns(run.spec, dataset.columns),
        "in_memory": in_memory,
        "versions": versions() | {"polars": pl.__version__},
    }
    return hashlib.sha256(compact(facts).encode()).hexdigest()


class Checkpoint:
    """The file of one training. As the listener of a descent it is written now and then.

    That is after a worker's first epoch and the last one, and in between where it costs little. `told` hears
    of each epoch that has become safe, and what it raises ends the training.
    """

    def __init__(self, file: Path, identity: str, *, epochs: int, told: Told) -> None:
        self._file, self._identity = file, identity
        self._epochs, self._told = epochs, told
        self._rows = array("d")
        self._next, self._pause = -math.inf, SHORTEST

    def read(self) -> Descent | None:
        """Return where an earlier worker came to, None where no file says so."""
        try:
            digest, _, content = read_file(self._file, largest=LARGEST).partition(b"\n")
        except OSError:
            return None
        if digest != self._digest(content):
            logger.warning("%s is not of this training, or damaged: it begins anew", self._file)
            return None
        descent = decoded(content)
        self._add(descent)
        return descent

    def begin_anew(self, why: str) -> None:
        """Forget what was read: it does not fit."""
        logger.warning("%s: %s: it begins anew", self._file, why)
        self._rows = array("d")

    def __call__(self, descent: Descent) -> None:
        if descent.epoch < self._epochs and monotonic() < self._next:
            return
        began = monotonic()
        is_safe = self._write(descent)
        ended = monotonic()
        self._next = ended + max(self._pause, (ended - began) / MOST_OF_THE_TIME)
        self._pause = min(2 * self._pause, LONGEST)
        if is_safe:
            self._told(descent.epoch)

    def _write(self, descent: Descent) -> bool:
        """A full disk is no reason to end a training that may well come to its end."""
        self._add(descent)
        content = encoded(descent, self._rows)
        try:
            replace_file(self._file, self._digest(content) + b"\n" + content)
        except DataError as error:
            logger.warning("no checkpoint: %s", error)
            return False
        return True

    def _add(self, descent: Descent) -> None:
        """Take the epochs that are new: a long history must not be looked through each time."""
        for row in descent.history[len(self._rows) // len(NAMES) :]:
            self._rows.extend(math.nan if value is None else value for value in _numbers(row))

    def _digest(self, content: bytes) -> bytes:
        return hashlib.sha256(self._identity.encode() + content).hexdigest().encode()


def of(run: Run, dataset: Dataset, *, told: Told) -> Checkpoint:
    return Checkpoint(
        checkpoint_files.file(run),
        identity(run, dataset, in_memory=tables.fits_into_memory(dataset)),
        epochs=run.spec.get("epochs", 0),
        told=told,
    )


def encoded(descent: Descent, rows: array[float]) -> bytes:
    """The descent as an npz; `rows` has its history, NaN for what the first row does not know."""
    first = _numbers(descent.history[0])
    buffer = io.BytesIO()
    np.savez(
        buffer,
        point=descent.point,
        theta=descent.theta,
        t=descent.t,
        rows=np.frombuffer(rows).reshape(-1, len(NAMES)),
        known=np.array([value is not None for value in first]),
    )
    return buffer.getvalue()


def decoded(content: bytes) -> Descent:
    with np.load(io.BytesIO(content), allow_pickle=False) as found:
        rows, known = found["rows"].tolist(), found["known"].tolist()
        history = tuple(_iteration(row, known) for row in rows)
        return Descent(found["point"], found["theta"], float(found["t"]), history)


def _iteration(row: list[float], known: list[bool]) -> Iteration:
    number, *values = (
        value if is_known else None for value, is_known in zip(row, known, strict=True)
    )
    return Iteration(int(number or 0), *values)  # type: ignore[arg-type]
