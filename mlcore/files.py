"""Files as bundles and tracked runs need them: read with bounds, replaced as a whole; knows no formats."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mlcore.errors import DataError

_MIB = 2**20


def read_file(path: Path, *, largest: int) -> bytes:
    """The content of a regular file of at most ``largest`` bytes; OSError for anything else.

    Links are not followed, pipes are not waited for.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > largest:
            size = f"{largest // _MIB} MiB" if largest >= _MIB else f"{largest} bytes"
            raise OSError(errno.EINVAL, f"it is not a regular file of at most {size}")
        return file.read(largest)


def replace_file(path: Path, content: bytes) -> None:
    """Readers see the old file or the new one, also after a power cut; never half of it.

    DataError where it cannot be written.
    """
    with _replacing(path) as draft:
        draft.write_bytes(content)


def copy_file(source: Path, path: Path) -> None:
    """Like ``replace_file`` with the content of another file, of any size."""
    import shutil  # its archive formats are 3 ms of import for a function that few runs need

    with _replacing(path) as draft:
        shutil.copyfile(source, draft)


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A draft beside the file, which is synced and takes its place if all went well."""
    draft = path.with_name(f".{path.name}.draft")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        sync(draft)
        draft.replace(path)
        sync(path.parent)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error}") from error
    finally:
        with suppress(OSError):
            draft.unlink()


def sync(path: Path) -> None:
    """Make a file's content, or the names in a folder, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
