"""Lines of a CSV file as a spreadsheet may open them: no cell of theirs is run as a formula.

The server uses it at a download, so it needs the standard library alone. It holds a line at a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_STARTS = (b"=", b"+", b"-", b"@", b"\t", b"\r")
_NUMBER = re.compile(rb"[+-]?(?:\d+(?:[.,]\d+)*[.,]?|[.,]\d+)(?:[eE][+-]?\d+)?")
_BOM = b"\xef\xbb\xbf"


def neutralised(lines: Iterator[bytes], delimiter: str) -> Iterator[bytes]:
    """Put an apostrophe before every cell that begins as a formula does and is no number.

    A line that begins within a quoted cell goes on with it.
    """
    cells = _Cells(delimiter)
    is_first = True
    for line in lines:
        start = line[: len(_BOM)] if is_first and line.startswith(_BOM) else b""
        is_first = False
        yield start + cells.safe(line[len(start) :])


class _Cells:
    """Takes lines apart into cells; remembers from one to the next whether a quote is open."""

    def __init__(self, delimiter: str) -> None:
        bar = re.escape(delimiter.encode())
        self.bar = delimiter.encode()
        self.suspect = re.compile(rb'(?:^|%s)"?(?:[=+\-@\t]|\r(?!\n))' % bar)
        self.quoted = re.compile(rb'"(?P<inner>[^"]*+(?:""[^"]*+)*+)(?P<close>"?)')
        self.inner = re.compile(rb'[^"]*+(?:""[^"]*+)*+(?P<close>"?)')
        self.is_open = False

    def safe(self, line: bytes) -> bytes:
        if not self.is_open and not self.suspect.search(line):
            self.is_open = b'"' in line and self._ends_open(line)
            return line
        return b"".join(self._parts(line))

    def _ends_open(self, line: bytes) -> bool:
        _ = b"".join(self._parts(line))
        return self.is_open

    def _parts(self, line: bytes) -> Iterator[bytes]:
        at = 0
        if self.is_open:
            rest = self.inner.match(line)
            at = rest.end() if rest is not None else 0
            self.is_open = rest is None or not rest["close"]
            yield line[:at]
            at, plain = self._to_bar(line, at)
            yield plain
        while at < len(line):
            quoted = self.quoted.match(line, at)
            if quoted is None:
                at, plain = self._to_bar(line, at)
                is_formula = _could_run(plain.removesuffix(self.bar))
                yield (b"'" if is_formula else b"") + plain
                continue
            self.is_open = not quoted["close"]
            is_formula = _could_run(quoted["inner"] + b"..." * self.is_open)
            yield b'"' + (b"'" if is_formula else b"") + quoted[0][1:]
            at, plain = self._to_bar(line, quoted.end())
            yield plain

    def _to_bar(self, line: bytes, at: int) -> tuple[int, bytes]:
        """Return where the next cell begins, and the text up to there."""
        end = line.find(self.bar, at)
        end = len(line) if end < 0 else end + len(self.bar)
        return end, line[at:end]


def _could_run(cell: bytes) -> bool:
    """`cell` may have its line end behind it."""
    if not cell.startswith(_STARTS):
        return False
    text = cell.rstrip(b"\r\n ")
    return bool(text) and _NUMBER.fullmatch(text) is None
