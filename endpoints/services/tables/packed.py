"""Packed files of this machine, or text in UTF-16 or UTF-32, as plain ones for as long as somebody reads them.

It knows no cells; Parquet and what is plain stay where they are.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from endpoints.errors import InvalidRequest
from endpoints.services.large import scratch
from endpoints.services.tables import foreign, plain_text
from mlcore.alive import nothing

_STARTS = (foreign.GZIP, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)


@contextmanager
def plain(files: Sequence[str], *, home: Path, most_bytes: int) -> Iterator[list[str]]:
    """Give the same names, but for such files those of plain copies in a folder of our own below `home`.

    A copy is called as its file is, without .gz. Raises InvalidRequest for what is damaged, unpacks to more
    than `most_bytes`, or is no text.
    """
    if not any(map(_is_packed, files)):
        yield list(files)
        return
    with scratch.folder(home) as folder:
        yield [
            _copy(file, folder / str(number), most_bytes) if _is_packed(file) else file
            for number, file in enumerate(files)
        ]


def name_of(file: str) -> str:
    return Path(file).name.removesuffix(".gz")


def _is_packed(file: str) -> bool:
    path = Path(file)
    if not path.is_file():
        return False
    with path.open("rb") as opened:
        return opened.read(4).startswith(_STARTS)


def _copy(file: str, folder: Path, most_bytes: int) -> str:
    folder.mkdir()
    target = folder / name_of(file)
    try:
        plain_text.write(Path(file), target, most_bytes=most_bytes, alive=nothing)
    except InvalidRequest as error:
        raise InvalidRequest(f"{Path(file).name}: {error.message}") from error
    return str(target)
