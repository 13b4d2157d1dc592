"""Lines of a CSV file as a spreadsheet may open them: no cell of theirs is run as a formula.

A cell could run that begins with = + - @, a tab or a carriage return, unless it is a number or ends there.
The server uses it at a download, so it needs the standard library alone. It holds a line at a time.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from functools import lru_cache

FORMULA_STARTS = (b"=", b"+", b"-", b"@", b"\t")
"""One of them stands in every text with a cell that could run, but for a carriage return within a line."""
_BOM = b"\xef\xbb\xbf"
_EXPONENT = "[eE][+-]?[0-9]+"


@lru_cache(maxsize=8)
def formula_in_line(delimiter: str) -> str:
    """What finds in a line a cell that could run, for `re` and for Polars."""
    bar = re.escape(delimiter)
    plain = _formula("=@\t".replace(delimiter, ""), ".,".replace(delimiter, ""), bar)
    quoted = _formula("=@\t", ".,", '"', or_else='""|$', pad=r" \r")
    return f'(?:^|{bar})(?:{plain}|"(?:{quoted}))'


def _formula(
    starts: str, marks: str, bar: str = "", *, or_else: str = "[^\\s\\S]", pad: str = r" \r\n"
) -> str:
    """What matches the beginning of a cell that could run; the cell ends at a `bar`, but not at `or_else`.

    It spells out where a number breaks off, since Polars knows no looking ahead.
    """

    def then(*known: str) -> str:
        return f"(?:[^{''.join(known)}{bar}]|{or_else})"

    whole = f"[0-9]+(?:[{marks}][0-9]+)*"
    broken = f"[{marks}][0-9]+"
    decimal = f"(?:{whole}[{marks}]?|{broken})"
    no_number = (
        f"[^0-9{marks}]|[{marks}][^0-9]|[{marks}]?$",
        f"{decimal}[eE](?:[^0-9+-]|[+-][^0-9]|[+-]?$)",
        f"{whole}{then('0-9eE', marks, pad)}",
        f"(?:{whole}[{marks}]|{broken}){then('0-9eE', pad)}",
        f"{decimal}{_EXPONENT}{then('0-9', pad)}",
        f"{decimal}(?:{_EXPONENT})?[{pad}]+{then(pad)}",
    )
    return f"[{starts}]|\r[{pad}]*{then(pad)}|[+-](?:{'|'.join(no_number)})"


_COULD_RUN = re.compile(_formula("=@\t", ".,").encode())


def holds_formula(text: bytes, delimiter: str) -> bool:
    """Whether a cell of these lines could run."""
    return b"".join(neutralised(io.BytesIO(text), delimiter)) != text


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
        self.bar = delimiter.encode()
        self.suspect = re.compile(formula_in_line(delimiter).encode())
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
                is_formula = _COULD_RUN.match(plain.removesuffix(self.bar))
                yield (b"'" if is_formula else b"") + plain
                continue
            self.is_open = not quoted["close"]
            is_formula = _COULD_RUN.match(quoted["inner"] + b"..." * self.is_open)
            yield b'"' + (b"'" if is_formula else b"") + quoted[0][1:]
            at, plain = self._to_bar(line, quoted.end())
            yield plain

    def _to_bar(self, line: bytes, at: int) -> tuple[int, bytes]:
        """Return where the next cell begins, and the text up to there."""
        end = line.find(self.bar, at)
        end = len(line) if end < 0 else end + len(self.bar)
        return end, line[at:end]
