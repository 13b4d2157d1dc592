"""Folders and files that one process has for itself: whoever holds the lock file beside, until the process ends.

The system opens a lock when its process ends, however that is.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from uuid import uuid4


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Hold a lock file, which goes in the end. Raises BlockingIOError where another process holds it."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with lock.open("ab") as file:
            flock(file, LOCK_EX | LOCK_NB)
            # Whoever had it may have removed it between the two calls: then it keeps nobody out.
            if not _is_still(lock, file.fileno()):
                continue
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)
            return


@contextmanager
def folder(home: Path) -> Iterator[Path]:
    """A folder of our own below this one; those of processes that were killed go first."""
    clear(home)
    with ExitStack() as held:
        own = _new(home, held)
        own.mkdir()
        try:
            yield own
        finally:
            shutil.rmtree(own, ignore_errors=True)


def _new(home: Path, held: ExitStack) -> Path:
    """A name that is ours; another process that clears may hold the lock of one in the moment it is made."""
    while True:
        own = home / uuid4().hex
        with suppress(BlockingIOError):
            held.enter_context(alone(own.with_suffix(".lock")))
            return own


def clear(home: Path) -> None:
    """Remove what killed processes left below this folder, which need not be there."""
    for lock in home.glob("*.lock"):
        with suppress(BlockingIOError, FileNotFoundError), lock.open("rb") as left_over:
            flock(left_over, LOCK_EX | LOCK_NB)
            shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
            lock.unlink()


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
