"""The one file of a run that grows in place: points are appended whole and synced in time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from mlcore.errors import DataError
from mlcore.run_folder import MetricPoint, metric_line

SYNC_EVERY = timedelta(seconds=1)


class MetricLog:
    """Unbuffered: what was appended is with the system, whatever becomes of the process.

    A sync comes with each append that is a second or more after the last sync; those before it
    are what a power cut may cost.
    """

    def __init__(self, path: Path, now: datetime) -> None:
        self._path = path
        self._file = path.open("ab", buffering=0)
        self._synced_at = now

    def append(self, points: Sequence[MetricPoint], now: datetime) -> None:
        """Append all of the points or, on a DataError, none."""
        self._write("".join(map(metric_line, points)).encode())
        # A clock that was set back would otherwise put off the next sync for as long.
        if not timedelta(0) <= now - self._synced_at < SYNC_EVERY:
            self.sync()
            self._synced_at = now

    def sync(self) -> None:
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()

    def _write(self, lines: bytes) -> None:
        """Write in one piece; a disk that is full leaves no half line for the next to follow."""
        end = self._file.seek(0, os.SEEK_END)
        try:
            written = self._file.write(lines)
        except OSError as error:
            written, reason = 0, error.strerror
        else:
            reason = "the disk is full"
        if written != len(lines):
            self._file.truncate(end)
            raise DataError(f"cannot write {self._path}: {reason}")
