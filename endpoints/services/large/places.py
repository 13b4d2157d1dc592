"""Files here and behind URLs of fsspec (s3://, gs://, memory://): found, read and written; no contents.

Workers of a cluster import it: it knows no Django.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from mlcore.errors import DataError

Format = Literal["csv", "parquet"]

FORMATS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_PACKED = ".gz"


@dataclass(frozen=True)
class Source:
    """One file: a path or a URL, with its size in bytes; ``label`` is what people call it."""

    url: str
    size: int
    format: Format
    label: str = ""

    @property
    def name(self) -> str:
        return self.label or self.url.rstrip("/").rpartition("/")[2]


def is_remote(url: str) -> bool:
    return "://" in url


@contextmanager
def reached(url: str) -> Iterator[tuple[Any, str]]:
    """The file system of a URL and the path in it; DataError for whatever goes wrong there."""
    system, path = _filesystem(url)
    try:
        yield system, path
    except Exception as error:  # each kind of file system has exceptions of its own
        raise DataError(f"{url} cannot be reached: {error}") from error


def _filesystem(url: str) -> tuple[Any, str]:
    try:
        fsspec = import_module("fsspec")
        system, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise DataError(
            f"{url} is reached through fsspec: pip install fsspec, and what it needs for this kind of "
            f"address ({error})"
        ) from error
    except ValueError as error:
        raise DataError(f"{url} cannot be reached: {error}") from error
    return system, path


def find(patterns: Iterable[str | Path]) -> tuple[Source, ...]:
    """The files that paths, folders and patterns name, each once; DataError where one names none."""
    found: dict[str, Source] = {}
    for pattern in patterns:
        sources = list(_matching(str(pattern)))
        if not sources:
            raise DataError(f"there is no file {pattern}")
        for source in sources:
            found.setdefault(_place_of(source.url), source)
    sources = list(found.values())
    if len({source.format for source in sources}) > 1:
        raise DataError("CSV and Parquet files cannot be mixed in one data set")
    return tuple(sources)


def _place_of(url: str) -> str:
    """The same for all links to a file."""
    return url if is_remote(url) else str(Path(url).resolve())


def _matching(pattern: str) -> Iterator[Source]:
    if is_remote(pattern):
        yield from _remote(pattern)
        return
    path = Path(pattern)
    if path.is_dir():
        files = sorted(p for p in path.iterdir() if p.is_file() and _is_table(p.name))
    elif path.is_file():
        files = [path]
    else:
        files = sorted(Path(p) for p in glob.glob(pattern, recursive=True) if Path(p).is_file())  # noqa: PTH207
    for file in files:
        yield _source(str(file.absolute()), file.stat().st_size)


def _remote(pattern: str) -> list[Source]:
    cache = "".join(pattern.rpartition("::")[:2])  # as in simplecache::s3://bucket/*.csv
    with reached(pattern) as (system, path):
        if system.isdir(path):
            names = [name for name in system.ls(path, detail=False) if _is_table(name)]
        else:
            names = [path] if system.isfile(path) else system.glob(path)
        sizes = {
            cache + system.unstrip_protocol(name): system.size(name)
            for name in sorted(names)
            if system.isfile(name)
        }
    return [_source(url, size) for url, size in sizes.items()]


def _is_table(name: str) -> bool:
    """Of a file in a folder; a packed one counts, for it is refused."""
    return _suffix(name.lower().removesuffix(_PACKED)) in FORMATS


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 - a URL is no path


def _source(url: str, size: int) -> Source:
    if _suffix(url) == _PACKED:
        raise DataError(f"{url} is packed, and cannot be divided: unpack it, or write Parquet")
    return Source(url, size, FORMATS.get(_suffix(url), "csv"))


def read(url: str, start: int, stop: int) -> bytes:
    """Some bytes of a file, of which there is the first."""
    if start >= stop:
        return b""
    if is_remote(url):
        with reached(url) as (system, path):
            return bytes(system.cat_file(path, start=start, end=stop))
    with Path(url).open("rb") as file:
        file.seek(start)
        return file.read(stop - start)
