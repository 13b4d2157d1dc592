"""Finds where the rows of a CSV file begin and end, in pieces of bounded size; it reads no cell's meaning.

A row is a line, or several where a quoted cell holds line ends. The rule depends on nothing before
the row, so wherever a piece ends, the rows are the same.
"""

from __future__ import annotations

import csv
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO, NamedTuple

MOST_ROW_BYTES = 1 << 20
"""Of a row whose cells hold line ends: a quote that is open for longer was never closed."""
FEW_LINES = 16
"""After a quote that was read on for more lines in vain, these are read one by one: all the work that a
file of broken quotes can make is this many times its size."""
MOST_LINES = 1 << 16
"""Of a section, about; so short rows make short sections."""
_SAMPLE = 1 << 16  # bytes that tell how long lines are
PLACEHOLDER = b"\0"  # no file has it: reading.prepare refuses it

UNDECODABLE = "the row holds bytes that are no UTF-8 text"
BROKEN_QUOTE = 'a quotation mark (") is opened and not closed before the next delimiter or the end'


class Hidden(NamedTuple):
    """A row that is read by itself: bytes `start` to `end` of the section, without its line end."""

    start: int
    end: int
    fault: str = ""


@dataclass(frozen=True)
class Section:
    """Whole rows of a file from the byte `start`. All but the hidden ones are well-formed lines of UTF-8."""

    start: int
    data: bytes
    hidden: tuple[Hidden, ...] = ()

    @property
    def end(self) -> int:
        return self.start + len(self.data)

    @property
    def text(self) -> bytes:
        """The rows with one line for each: a placeholder where a row is hidden."""
        if not self.hidden:
            return self.data
        parts, at = [], 0
        for row in self.hidden:
            parts += [self.data[at : row.start], PLACEHOLDER]
            at = row.end
        return b"".join([*parts, self.data[at:]])

    def originals(self) -> list[bytes]:
        return [self.data[row.start : row.end] for row in self.hidden]


def sections(file: BinaryIO, start: int, *, chunk_bytes: int, delimiter: str) -> Iterator[Section]:
    """Give the rows from a byte on where one begins, in pieces a little longer than `chunk_bytes`."""
    while True:
        file.seek(start)
        data = _few_lines(file.read(chunk_bytes))
        if not data:
            return
        file.seek(start + len(data))
        data += file.readline()
        section = _section(start, data, file.readline, delimiter)
        yield section
        start = section.end


def _few_lines(data: bytes) -> bytes:
    """As much of it as holds about `MOST_LINES`: each row costs memory of its own where it is bad."""
    lines = data.count(b"\n", 0, _SAMPLE)
    return data[: MOST_LINES * _SAMPLE // lines] if lines else data


def _section(start: int, data: bytes, more: Callable[[], bytes], delimiter: str) -> Section:
    quoted: list[Hidden] = []
    if b'"' in data:
        splitting = _Splitting(data, more, delimiter)
        quoted, data = splitting.hidden(), splitting.whole_rows()
    if data.isascii():
        return Section(start, data, tuple(quoted))
    return Section(start, data, tuple(_merged(quoted, _undecodable(data))))


def _merged(quoted: list[Hidden], undecodable: Iterator[Hidden]) -> Iterator[Hidden]:
    """Both in order; of a row with quotes one entry is left, with what is wrong with its bytes."""
    spoilt = {row.start: row for row in undecodable}
    starts = list(spoilt)
    for row in quoted:
        within = starts[bisect_left(starts, row.start) : bisect_left(starts, row.end)]
        for start in within:
            del spoilt[start]
        fault = UNDECODABLE if within and not row.fault else row.fault
        spoilt[row.start] = Hidden(row.start, row.end, fault)
    yield from sorted(spoilt.values())


def _undecodable(data: bytes) -> Iterator[Hidden]:
    """Name the lines that are no UTF-8; the text between two of them is decoded once."""
    view, at = memoryview(data), 0
    while at < len(data):
        try:
            str(view[at:], "utf-8")
        except UnicodeDecodeError as error:
            place = at + error.start
            begin, end = data.rfind(b"\n", 0, place) + 1, data.find(b"\n", place)
            end = len(data) if end < 0 else end
            yield Hidden(begin, _without_line_end(data, begin, end), UNDECODABLE)
            at = end + 1
        else:
            return


class _NotClosed(Exception):
    pass


class _Splitting:
    """One pass over the lines of a section that have quotes; `more` gives the lines that follow it.

    A line at which no row is open and that has no quote is a row.
    """

    def __init__(self, data: bytes, more: Callable[[], bytes], delimiter: str) -> None:
        self.data = bytearray(data)
        self.more, self.delimiter = more, delimiter
        self.is_whole = well_formed(delimiter).fullmatch
        self.own = len(data)
        self.alone_until = 0
        self.end = self.own

    def hidden(self) -> list[Hidden]:
        """The rows that are more than one line, or whose quotes do not surround whole cells."""
        found: list[Hidden] = []
        at = 0
        while (quote := self.data.find(b'"', at)) >= 0:
            begin = self.data.rfind(b"\n", 0, quote) + 1
            if begin >= max(self.own, self.alone_until):
                break
            at, row = self._row(begin)
            if row is not None:
                found.append(row)
        self.end = max(self.own, self.alone_until, at)
        return found

    def whole_rows(self) -> bytes:
        return bytes(self.data[: self.end])

    def _row(self, begin: int) -> tuple[int, Hidden | None]:
        """Return where the next row begins, and this one if something is odd about it."""
        next_line = self._next(begin)
        end = _without_line_end(self.data, begin, next_line)
        if self.is_whole(self.data, begin, end):
            return next_line, None
        last = self._read_on(begin)
        if last is None:
            return next_line, Hidden(begin, end, BROKEN_QUOTE)
        return last, Hidden(begin, _without_line_end(self.data, begin, last))

    def _next(self, begin: int) -> int:
        return self.data.find(b"\n", begin) + 1 or len(self.data)

    def _read_on(self, begin: int) -> int | None:
        """Return where the row that begins here ends, None if a quote in it is not closed."""
        seen = [begin]
        feed = (line.decode("latin-1") for line in self._from(begin, seen))
        try:
            next(csv.reader(feed, delimiter=self.delimiter, strict=True))
        except (csv.Error, _NotClosed, StopIteration):
            if len(seen) > FEW_LINES:
                self.alone_until = max(self.alone_until, seen[-1])
            return None
        return seen[-1]

    def _from(self, begin: int, seen: list[int]) -> Iterator[bytearray]:
        """The lines from a place on, as far as a row may go; `seen` gets the end of each."""
        at = begin
        while at - begin <= MOST_ROW_BYTES and not (begin < self.alone_until and at > begin):
            if at == len(self.data):
                self.data += self.more()
            if at == len(self.data):
                return
            line, at = self.data[at : self._next(at)], self._next(at)
            seen.append(at)
            yield line
        raise _NotClosed


@lru_cache(maxsize=8)
def well_formed(delimiter: str) -> re.Pattern[bytes]:
    """What matches a line whose quotes all surround whole cells, so that the row ends with it."""
    bar = re.escape(delimiter)
    cell = rf'(?:"[^"]*+(?:""[^"]*+)*+"|[^"\r{bar}]*+)'
    return re.compile(rf"{cell}(?:{bar}{cell})*+".encode())


def _without_line_end(data: bytes | bytearray, begin: int, end: int) -> int:
    """Return where a row's text ends that reaches to `end`, its line end included or not."""
    end -= data.endswith(b"\n", begin, end)
    return end - data.endswith(b"\r", begin, end)
