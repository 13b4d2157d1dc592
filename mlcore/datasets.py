"""Tables from files, and the Raisin data itself; knows nothing of kinds, targets or models."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from mlcore.errors import DataError
from mlcore.synthetic import HEADER, synthetic_raisin
from mlcore.table import Table, canonical_csv
from mlcore.textformats import parse_csv, read_arff

__all__ = [
    "RAISIN_CITATION",
    "RAISIN_SHA256",
    "RAISIN_SOURCES",
    "fetch",
    "raisin",
    "read_arff",
    "read_csv",
    "synthetic_raisin",
]

RAISIN_CITATION = (
    "Cinar I., Koklu M., Tasdemir S. (2020). Classification of Raisin Grains Using Machine Vision "
    "and Artificial Intelligence Methods. Gazi Journal of Engineering Sciences 6(3), 200-209. "
    "doi:10.30855/gmbd.2020.03.03. UCI Machine Learning Repository, data set 850, CC BY 4.0."
)
RAISIN_SHA256 = "47d7b6ae8b3b89d2349f3794a446e0196b3f9f140917920280273ded3f44dc83"
"""Of the canonical table: the header of ``synthetic.HEADER``, values as published, LF."""

RAISIN_SOURCES = (
    "https://archive.ics.uci.edu/static/public/850/raisin.zip",
    "https://archive.ics.uci.edu/ml/machine-learning-databases/00617/Raisin_Dataset.zip",
)

_SECONDS = 5.0  # two sources, so 10 seconds at most before the stand-in takes over
_LARGEST = 16 * 2**20


def read_csv(path: Path | str, *, name: str | None = None) -> Table:
    """A table from a UTF-8 CSV file; see ``textformats.parse_csv`` for what is accepted.

    Raises DataError, naming lines and columns, for everything else.

    >>> from tempfile import mkdtemp
    >>> path = Path(mkdtemp()) / "grains.csv"
    >>> _ = path.write_text("Area,Class\\n3,Besni\\n4,Kecimen\\n")
    >>> read_csv(path).rows
    (('3', 'Besni'), ('4', 'Kecimen'))
    """
    path = Path(path)
    return parse_csv(_bytes_of(path), name=name or path.name)


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error


def fetch(url: str) -> bytes:
    """The body behind an https address, in at most 5 seconds in all; OSError otherwise.

    Socket timeouts bound each read, and name resolution has none: the wait happens on a thread
    of its own, which is left behind when time is up.
    """
    from queue import Empty, SimpleQueue
    from threading import Thread

    done: SimpleQueue[bytes | OSError] = SimpleQueue()
    Thread(target=lambda: done.put(_body(url)), daemon=True).start()
    try:
        result = done.get(timeout=_SECONDS)
    except Empty:
        raise TimeoutError(f"no answer from {url} in {_SECONDS:.0f} seconds") from None
    if isinstance(result, OSError):
        raise result
    return result


def _body(url: str) -> bytes | OSError:
    # Imported here: the serving process never downloads and should not pay for it.
    from http.client import HTTPException
    from urllib.request import urlopen

    try:
        with urlopen(url, timeout=_SECONDS) as response:  # noqa: S310 - only RAISIN_SOURCES
            return bytes(response.read(_LARGEST))
    except OSError as error:
        return error
    except (HTTPException, ValueError) as error:
        return OSError(f"{url}: {error}")


def raisin(
    *, given: Path | None, cache: Path, download: Callable[[str], bytes] | None = fetch
) -> Table:
    """The Raisin table: the given file, else the cache, else a download, else the stand-in.

    Whatever is found must have the published content (``RAISIN_SHA256``): a given file with
    another content is a DataError, a cached or downloaded one is passed over. A download is
    kept in ``cache``/raisin.csv. ``download`` None stays offline. Check ``synthetic``.

    >>> raisin(given=None, cache=Path("nowhere"), download=None).synthetic
    True
    """
    if given is not None:
        return _given(given)
    found = _cached(cache)
    if found is None and download is not None:
        found = _downloaded(cache, download)
    return found or synthetic_raisin()


def _given(path: Path) -> Table:
    data = _bytes_of(path)
    found = hashlib.sha256(data).hexdigest()
    if found != RAISIN_SHA256:
        raise DataError(
            f"{path} is not the Raisin data set: its SHA-256 is {found}, not {RAISIN_SHA256}; "
            "train on it as a table of your own instead"
        )
    return parse_csv(data, name="raisin")


def _cached(cache: Path) -> Table | None:
    with suppress(OSError):
        return _genuine((cache / "raisin.csv").read_bytes())
    return None


def _genuine(data: bytes) -> Table | None:
    if hashlib.sha256(data).hexdigest() != RAISIN_SHA256:
        return None
    return parse_csv(data, name="raisin")


def _downloaded(cache: Path, download: Callable[[str], bytes]) -> Table | None:
    for url in RAISIN_SOURCES:
        with suppress(OSError):
            for data in _canonical_tables(download(url)):
                if table := _genuine(data):
                    _keep(cache, data)
                    return table
    return None


def _canonical_tables(archive: bytes) -> Iterator[bytes]:
    """Every ARFF table inside the archive, in canonical form; nothing if it is no archive."""
    for text in _arff_texts(archive, depth=2):
        with suppress(DataError):
            table = read_arff(text)
            if table.header == HEADER:
                yield canonical_csv(HEADER, table.rows)


def _arff_texts(archive: bytes, *, depth: int) -> Iterator[str]:
    import io
    import zipfile
    import zlib

    damaged = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
    with suppress(*damaged), zipfile.ZipFile(io.BytesIO(archive)) as members:
        for info in members.infolist():
            suffix = Path(info.filename).suffix.lower()
            if info.file_size > _LARGEST or suffix not in (".arff", ".zip"):
                continue
            content = members.read(info)
            if suffix == ".arff":
                yield content.decode("utf-8", errors="replace")
            elif depth:
                yield from _arff_texts(content, depth=depth - 1)


def _keep(cache: Path, data: bytes) -> None:
    """Write the cache in one step. A cache that cannot be written is only slower next time."""
    temporary = cache / f".raisin.csv.{os.getpid()}"
    with suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        temporary.replace(cache / "raisin.csv")
