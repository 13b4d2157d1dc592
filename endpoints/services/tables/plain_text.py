"""An uploaded text as plain UTF-8 lines: unpacked and decoded, a block at a time.

Lines that are no UTF-8 keep their bytes, if they are few. It knows no cells.
"""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from endpoints.errors import InvalidRequest
from endpoints.services.tables import foreign, headers
from endpoints.services.tables.headers import MOST_LINE_BYTES
from mlcore.alive import Alive

BLOCK = 1 << 17
"""Bytes at a time. Memory for larger blocks would go back to the system and be asked for again each time."""
MOST_UNPACKED = 4
"""Times the largest upload: what a compressed file may unpack to."""
MOST_RATIO = 500
"""Of unpacked to packed bytes, above `SMALL`: more is no table but a trap."""
SMALL = 16 << 20
MOST_ODD_LINES = 0.01  # of lines that are no UTF-8; with more the file has another encoding

_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NAMES = {
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "utf-32-le": "UTF-32",
    "utf-32-be": "UTF-32",
}
# Five bytes mean nothing in Windows-1252; they stay the control characters that they are elsewhere.
_WINDOWS = {
    byte: bytes([byte]).decode("cp1252", errors="replace").replace("\ufffd", chr(byte))
    for byte in range(0x80, 0xA0)
}


@dataclass(frozen=True)
class PlainText:
    """How a text was read: "utf-8", "utf-8-sig", "utf-16-le", "windows-1252" and the like."""

    encoding: str
    notes: tuple[str, ...] = ()


def write(upload: Path, target: Path, *, most_bytes: int, alive: Alive) -> PlainText:
    """Write the text to `target`; raises InvalidRequest for what is no text, too long or a trap."""
    with _opened(upload) as blocks:
        encoding, texts = _decoded(_bounded(blocks, most_bytes))
        with target.open("wb") as file:
            copying = _Copying(file)
            for block in texts:
                copying.write(block)
                alive()
            copying.end()
    notes = [f"Read as {_NAMES[encoding]}."] if encoding in _NAMES else []
    if copying.is_other_encoding or (copying.odd_lines and not headers.is_read_as_text(target)):
        _rewrite(target, alive)
        return PlainText("windows-1252", ("Read as Windows-1252, as it is no UTF-8.",))
    if copying.odd_lines:
        are = "line holds" if copying.odd_lines == 1 else "lines hold"
        notes.append(f"{copying.odd_lines:,} {are} bytes that are no UTF-8 text.")
    if copying.had_old_ends:
        notes.append("Its lines ended as on an old Macintosh (CR).")
    return PlainText(encoding, tuple(notes))


@contextmanager
def _opened(upload: Path) -> Iterator[Iterator[bytes]]:
    with upload.open("rb") as raw:
        head = raw.read(foreign.HEAD)
        raw.seek(0)
        if not head.startswith(foreign.GZIP):
            foreign.refuse(head)
            yield iter(lambda: raw.read(BLOCK), b"")
            return
        with gzip.GzipFile(fileobj=raw) as packed:
            yield _unpacked(packed, raw)


def _unpacked(packed: gzip.GzipFile, raw: BinaryIO) -> Iterator[bytes]:
    size = 0
    try:
        while block := packed.read(BLOCK):
            if not size:
                _refuse_inside(block)
            size += len(block)
            if size > SMALL and size > MOST_RATIO * raw.tell():
                raise InvalidRequest(
                    f"The file unpacks to more than {MOST_RATIO} times its size: it is refused."
                )
            yield block
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise InvalidRequest("The compressed file is damaged or cut off.") from None
    if not size:
        raise InvalidRequest("The compressed file holds nothing.")


def _refuse_inside(block: bytes) -> None:
    foreign.refuse(block[: foreign.HEAD])
    if block.startswith(foreign.GZIP):
        raise InvalidRequest("The file is compressed twice; compress it once.")
    if block.startswith(foreign.PARQUET):
        raise InvalidRequest("The file is a compressed Parquet file; send it unpacked.")


def _bounded(blocks: Iterator[bytes], most_bytes: int) -> Iterator[bytes]:
    size = 0
    for block in blocks:
        size += len(block)
        if size > most_bytes:
            raise InvalidRequest(
                f"The file holds more than {most_bytes / 1e6:,.0f} MB when it is unpacked."
            )
        yield block


def _decoded(blocks: Iterator[bytes]) -> tuple[str, Iterator[bytes]]:
    """Return the encoding, which the first bytes tell, and the text without its byte order mark."""
    first = next(blocks, b"")
    for mark, encoding in _BOMS:
        if first.startswith(mark):
            blocks = _followed(first[len(mark) :], blocks)
            return encoding, blocks if encoding == "utf-8-sig" else _recoded(blocks, encoding)
    return "utf-8", _followed(first, blocks)


def _followed(first: bytes, blocks: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from blocks


def _recoded(blocks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for block in blocks:
            yield decoder.decode(block).encode()
        yield decoder.decode(b"", final=True).encode()
    except UnicodeError:
        name = _NAMES[encoding]
        raise InvalidRequest(f"The file begins as {name} and goes on as something else.") from None


class _Copying:
    """Writes blocks of text, and keeps count of lines and of those that are no UTF-8."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.lines = self.odd_lines = 0
        self.had_old_ends = False
        self.rest = b""

    def write(self, block: bytes) -> None:
        if b"\0" in block:
            line = self.lines + block.count(b"\n", 0, block.index(b"\0")) + 1
            raise InvalidRequest(
                f"Line {line:,} holds a NUL byte: this is no text, or UTF-16 without its mark; "
                "save it as CSV in UTF-8."
            )
        if not self.lines and not self.rest and b"\n" not in block and b"\r" in block.rstrip(b"\r"):
            self.had_old_ends = True
        if self.had_old_ends:
            block = block.replace(b"\r", b"\n")
        block = self.rest + block
        end = block.rfind(b"\n") + 1
        self.rest = block[end:]
        self._refuse_long(block, end)
        self._put(block[:end])

    def end(self) -> None:
        self._put(self.rest)

    @property
    def is_other_encoding(self) -> bool:
        return self.odd_lines > MOST_ODD_LINES * self.lines

    def _refuse_long(self, block: bytes, end: int) -> None:
        first = block.find(b"\n")
        if len(self.rest) > MOST_LINE_BYTES or first > MOST_LINE_BYTES:
            line = self.lines + (1 if first > MOST_LINE_BYTES else block.count(b"\n", 0, end) + 1)
            raise InvalidRequest(
                f"Line {line:,} is longer than {MOST_LINE_BYTES >> 20} MiB: this is no table."
            )

    def _put(self, lines: bytes) -> None:
        if not lines.isascii():
            self._count_odd(lines)
        self.lines += lines.count(b"\n") + (bool(lines) and not lines.endswith(b"\n"))
        self.file.write(lines)

    def _count_odd(self, lines: bytes) -> None:
        try:
            lines.decode()
        except UnicodeDecodeError as error:
            at = lines.count(b"\n", 0, error.start)
            texts = lines.split(b"\n")[at:]
            self.odd_lines += sum(not headers.is_text(line) for line in texts)


def _rewrite(target: Path, alive: Alive) -> None:
    """Decode what is there as Windows-1252, in which every byte is a character."""
    draft = target.with_name(f"{target.name}.1252")
    with target.open("rb") as given, draft.open("wb") as file:
        while block := given.read(BLOCK):
            file.write(block.decode("latin-1").translate(_WINDOWS).encode())
            alive()
    draft.replace(target)
