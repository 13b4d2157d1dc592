"""Files behind addresses as files here, for a reader that wants to look anywhere in them; no contents.

Workers of a cluster import it: it knows no Django.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from tempfile import gettempdir
from uuid import uuid4

from endpoints.services.large import scratch
from endpoints.services.large.places import is_remote, reached

MOST_KEPT = 2
"""Copies that nobody reads are kept for whoever reads the next piece of the same file."""

_lock = threading.RLock()
_copies: dict[tuple[str, str], _Copy] = {}
"""By address and state of the file, the one that was read last at the end."""


class _Copy:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.readers = 0


@contextmanager
def here(url: str) -> Iterator[str]:
    """The path of a file: a file at an address is copied once in a process, as long as it stays the same.

    Polars would read such a file whole into memory, and again for each piece of it. DataError where it
    cannot be reached.
    """
    if not is_remote(url):
        yield url
        return
    with _lock:
        copy = _copied(url)
        copy.readers += 1
    try:
        yield str(copy.path)
    finally:
        with _lock:
            copy.readers -= 1
            _drop_the_oldest()


def _copied(url: str) -> _Copy:
    with reached(url) as (system, path):
        system.invalidate_cache(system._parent(path))
        key = url, str(system.ukey(path))
        copy = _copies.pop(key, None)
        if copy is None:
            copy = _Copy(_folder() / uuid4().hex)
            system.get_file(path, str(copy.path))
    _copies[key] = copy
    return copy


def _drop_the_oldest() -> None:
    unused = [key for key, copy in _copies.items() if not copy.readers]
    for key in unused[: max(len(unused) - MOST_KEPT, 0)]:
        _copies.pop(key).path.unlink()


@cache
def _folder() -> Path:
    """It goes when the process ends; what a killed one left goes when the next one begins."""
    held = ExitStack()
    atexit.register(held.close)
    return held.enter_context(scratch.folder(Path(gettempdir(), f"raisin-copies-{os.getuid()}")))
