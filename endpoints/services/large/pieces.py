"""Files divided into pieces that are read on their own; fixed by the data and a size, by nothing else.

A CSV file is cut at the ends of records, never inside a quoted cell; a Parquet file by rows. Workers
of a cluster import it: it knows no Django.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from endpoints.services.large.local_copies import here
from endpoints.services.large.places import Format, Source, read
from endpoints.services.tables.records import MOST_ROW_BYTES
from mlcore.delimiters import declared, delimiter_of
from mlcore.errors import DataError, listed

PIECE_BYTES = 16 * 2**20
"""Of a CSV file: as text cells a piece takes a few times as much memory."""
PIECE_ROWS = 2**17
"""Of a Parquet file."""

_HEAD_BYTES = 2**20
_QUOTE, _LINE_END = 34, 10

Map = Callable[..., Iterable[Any]]


@dataclass(frozen=True)
class Piece:
    """Part of a file: bytes of a CSV file, rows of a Parquet file. ``number`` counts in its file,
    ``head`` is all that stands before the first record of it."""

    url: str
    name: str
    format: Format
    number: int
    start: int
    stop: int
    header: tuple[str, ...]
    delimiter: str = ","
    head: bytes = b""


class Cut(NamedTuple):
    """A CSV file's head: its columns, and where the first record begins."""

    header: tuple[str, ...]
    delimiter: str
    start: int
    head: bytes


class Ends(NamedTuple):
    """Where records end: behind the first and the last line end outside quotes; and where the first
    one between them begins that is too long. -1 where there is none."""

    first: int = -1
    last: int = -1
    too_long: int = -1


class Scan(NamedTuple):
    """Of some bytes: how many quotes and lines, and where records end - were the bytes to begin
    outside quotes, and were they to begin inside."""

    quotes: int
    lines: int
    outside: Ends
    inside: Ends
    sha256: bytes


@dataclass(frozen=True)
class Layout:
    """All pieces in order, the columns that every file has, and the checksum of the contents. Nobody
    can learn from ``opaque`` columns."""

    pieces: tuple[Piece, ...]
    header: tuple[str, ...]
    sha256: str
    opaque: frozenset[str] = frozenset()

    @property
    def learnable(self) -> tuple[str, ...]:
        return tuple(name for name in self.header if name not in self.opaque)


def divide(
    sources: Sequence[Source],
    *,
    map_: Map = map,
    piece_bytes: int = PIECE_BYTES,
    piece_rows: int = PIECE_ROWS,
    alike: bool = False,
) -> Layout:
    """Find the pieces. DataError for files without rows or with other columns than the first; where they
    must be ``alike``, to be put together, also for other delimiters and kinds of columns."""
    if sources[0].format == "parquet":
        return _divide_parquet(sources, map_, piece_rows, alike=alike)
    cuts = [_head(source) for source in sources]
    for source, cut in zip(sources, cuts, strict=True):
        _same_columns(sources[0], cuts[0].header, source, cut.header)
    if alike:
        _same_delimiters(sources, cuts)
    ranges = [list(_ranges(source.size, piece_bytes)) for source in sources]
    urls = [source.url for source, places in zip(sources, ranges, strict=True) for _ in places]
    flat = [place for places in ranges for place in places]
    scans = iter(list(map_(scan, urls, flat)))
    pieces: list[Piece] = []
    digest = hashlib.sha256()
    for source, cut, places in zip(sources, cuts, ranges, strict=True):
        scanned = [next(scans) for _ in places]
        digest.update(b"".join(found.sha256 for found in scanned))
        pieces += _pieces(source, cut, places, scanned)
    if not pieces:
        raise DataError(f"{sources[0].name} has a header but no rows")
    return Layout(tuple(pieces), cuts[0].header, digest.hexdigest())


def _same_columns(
    first: Source, expected: tuple[str, ...], other: Source, found: tuple[str, ...]
) -> None:
    if found != expected:
        raise DataError(
            f"{other.name} has other columns than {first.name}: {listed(found, limit=5)} "
            f"instead of {listed(expected, limit=5)}"
        )


def _same_delimiters(sources: Sequence[Source], cuts: Sequence[Cut]) -> None:
    known = [pair for pair in zip(sources, cuts, strict=True) if pair[1].start < pair[0].size]
    for source, cut in known[1:]:
        first, expected = known[0]
        if cut.delimiter != expected.delimiter:
            raise _unlike(
                f"the cells of {source.name} are parted by {cut.delimiter!r}, "
                f"those of {first.name} by {expected.delimiter!r}"
            )


def _same_kinds(sources: Sequence[Source], found: Sequence[_Facts]) -> None:
    known = [pair for pair in zip(sources, found, strict=True) if pair[1].n_rows]
    for source, facts in known[1:]:
        first, expected = known[0]
        for name, kind in facts.kinds.items():
            if kind != expected.kinds[name]:
                raise _unlike(
                    f'column "{name}" is {kind} in {source.name}, '
                    f"but {expected.kinds[name]} in {first.name}"
                )


def _unlike(what: str) -> DataError:
    return DataError(f"{what}: their results fit into no single file; let them go to a folder")


def _ranges(size: int, step: int) -> Iterator[tuple[int, int]]:
    for start in range(0, size, step):
        yield start, min(start + step, size)


def scan(url: str, place: tuple[int, int]) -> Scan:
    """Look for quotes and line ends; a doubled quote inside a cell counts twice and changes nothing."""
    data = read(url, *place)
    digest = hashlib.sha256(data).digest()
    quotes = data.count(b'"')
    text = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero(text == _LINE_END)
    behind = ends + (place[0] + 1)
    if not quotes:
        return Scan(0, len(ends), _ends(behind), Ends(), digest)
    is_inside = np.searchsorted(np.flatnonzero(text == _QUOTE), ends) % 2 == 1
    outside, inside = _ends(behind[~is_inside]), _ends(behind[is_inside])
    return Scan(quotes, len(ends), outside, inside, digest)


def _ends(behind: NDArray[np.int64]) -> Ends:
    if not len(behind):
        return Ends()
    long = np.flatnonzero(np.diff(behind) > MOST_ROW_BYTES)[:1]
    return Ends(int(behind[0]), int(behind[-1]), int(behind[long[0]]) if len(long) else -1)


def _pieces(
    source: Source, cut: Cut, places: Sequence[tuple[int, int]], scans: Sequence[Scan]
) -> Iterator[Piece]:
    edges = _edges(source, cut, places, scans)
    for number, (start, stop) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        yield Piece(
            source.url,
            source.name,
            "csv",
            number,
            start,
            stop,
            cut.header,
            cut.delimiter,
            cut.head,
        )


def _edges(
    source: Source, cut: Cut, places: Sequence[tuple[int, int]], scans: Sequence[Scan]
) -> list[int]:
    """Where pieces begin and end. A quote that is open for long would make one piece of all that
    follows, so a record that is too long is refused."""
    edges, quotes, record = [cut.start], 0, cut.start
    for (start, stop), found in zip(places, scans, strict=True):
        ends = found.inside if quotes % 2 else found.outside
        quotes += found.quotes
        if ends.first - record > MOST_ROW_BYTES:
            raise _too_long(source, record, places, scans)
        if ends.too_long >= 0:
            raise _too_long(source, ends.too_long, places, scans)
        record = max(record, ends.last)
        if stop - record > MOST_ROW_BYTES:
            raise _too_long(source, record, places, scans)
        if start > 0 and ends.first > edges[-1]:
            edges.append(ends.first)
    if quotes % 2:
        line = _line(source, record, places, scans)
        raise DataError(f"{source.name}, line {line} opens a quote that is never closed")
    return edges if edges[-1] >= source.size else [*edges, source.size]


def _too_long(
    source: Source, record: int, places: Sequence[tuple[int, int]], scans: Sequence[Scan]
) -> DataError:
    place = f"{source.name}, line {_line(source, record, places, scans)}"
    limit = f"{MOST_ROW_BYTES >> 20} MiB"
    if b"\n" not in read(source.url, record, record + MOST_ROW_BYTES):
        return DataError(f"{place} is longer than {limit}: this is no table")
    return DataError(
        f'{place}: a quotation mark (") is opened and the row does not end within {limit}; '
        "put the cell in quotes and double the mark in it"
    )


def _line(
    source: Source, record: int, places: Sequence[tuple[int, int]], scans: Sequence[Scan]
) -> int:
    """The line of the file on which a record begins, which is where it opens its first quote."""
    before = [found.lines for (_, stop), found in zip(places, scans, strict=True) if stop <= record]
    start = places[len(before)][0] if len(before) < len(places) else record
    return sum(before) + read(source.url, start, record).count(b"\n") + 1


def line_ends(url: str, start: int, stop: int) -> int:
    steps = range(start, stop, PIECE_BYTES)
    return sum(read(url, at, min(at + PIECE_BYTES, stop)).count(b"\n") for at in steps)


def _head(source: Source) -> Cut:
    data = read(source.url, 0, min(source.size, _HEAD_BYTES))
    _refuse_foreign(source, data)
    skipped = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    while data[skipped : skipped + 1] in (b"\r", b"\n"):
        skipped += 1
    beginning = data[skipped:].decode(errors="replace")
    begin = skipped + declared(beginning)[1]  # which is ASCII
    end = _end_of_record(data, begin)
    if end == begin:
        raise DataError(f"{source.name} is empty; the first line must name the columns")
    if end == len(data) < source.size:
        raise DataError(f"the header of {source.name} does not end within {_HEAD_BYTES >> 20} MiB")
    try:
        text = data[begin:end].decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise DataError(f"the header of {source.name} is not UTF-8: {error.reason}") from error
    delimiter = delimiter_of(beginning)
    names = _names(source, text, delimiter)
    _check_names(source, names)
    return Cut(names, delimiter, end, data[skipped:end])


def _names(source: Source, text: str, delimiter: str) -> tuple[str, ...]:
    try:
        names, *rows = csv.reader(io.StringIO(text), delimiter=delimiter)
    except csv.Error as error:
        raise DataError(f"the header of {source.name} is not readable as CSV: {error}") from error
    if rows:
        # What the quotes hold together is more than the header: rows would be lost with it.
        raise DataError(f'the header of {source.name} has a quotation mark (") within a name')
    return tuple(name.strip() for name in names)


def _refuse_foreign(source: Source, data: bytes) -> None:
    kinds = ((b"\x1f\x8b", "gzip"), (b"PK\x03\x04", "zip"), (b"PAR1", "Parquet"))
    for magic, kind in kinds:
        if data.startswith(magic):
            raise DataError(f"{source.name} is a {kind} file under another name")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:4096]:
        raise DataError(f"{source.name} is not UTF-8 text but UTF-16 or none; save it as UTF-8")


def _end_of_record(data: bytes, start: int) -> int:
    """Just behind the first line end outside quotes, or the end."""
    is_quoted = False
    for position in range(start, len(data)):
        if data[position] == _QUOTE:
            is_quoted = not is_quoted
        elif data[position] == _LINE_END and not is_quoted:
            return position + 1
    return len(data)


def _check_names(source: Source, names: tuple[str, ...]) -> None:
    if repeated := sorted({name for name in names if name and names.count(name) > 1}):
        raise DataError(f"the header of {source.name} names a column twice: {listed(repeated)}")


class _Facts(NamedTuple):
    """Of a Parquet file: the kinds of its columns, which of them are opaque, its rows and its checksum."""

    kinds: Mapping[str, Any]
    opaque: frozenset[str]
    n_rows: int
    sha256: bytes


def _divide_parquet(
    sources: Sequence[Source], map_: Map, piece_rows: int, *, alike: bool
) -> Layout:
    found: list[_Facts] = list(map_(_parquet, sources))
    header = tuple(found[0].kinds)
    for source, facts in zip(sources, found, strict=True):
        _same_columns(sources[0], header, source, tuple(facts.kinds))
    if alike:
        _same_kinds(sources, found)
    pieces = [
        Piece(source.url, source.name, "parquet", number, start, stop, header)
        for source, facts in zip(sources, found, strict=True)
        for number, (start, stop) in enumerate(_ranges(facts.n_rows, piece_rows))
    ]
    if not pieces:
        raise DataError(f"{sources[0].name} has no rows")
    digest = hashlib.sha256(b"".join(facts.sha256 for facts in found))
    opaque = frozenset[str]().union(*(facts.opaque for facts in found))
    return Layout(tuple(pieces), header, digest.hexdigest(), opaque)


def _parquet(source: Source) -> _Facts:
    import polars as pl

    from endpoints.services.datasets.blocks import is_opaque

    try:
        with here(source.url) as path:
            frame = pl.scan_parquet(path, glob=False)
            kinds = dict(frame.collect_schema())
            n_rows = int(frame.select(pl.len()).collect().item())
            sha256 = _sha256(path, source.size)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{source.url} cannot be read as Parquet: {error}") from error
    opaque = frozenset(name for name, kind in kinds.items() if is_opaque(kind))
    return _Facts(kinds, opaque, n_rows, sha256)


def _sha256(path: str, size: int) -> bytes:
    digest = hashlib.sha256()
    for start, stop in _ranges(size, PIECE_BYTES):
        digest.update(read(path, start, stop))
    return digest.digest()
