"""Scores the sections of a CSV file: most rows together by Polars, the odd ones one by one.

Every row keeps its bytes and its line end, but for one whose cells are not those of the header (`shape`);
the answers stand behind it. A row is taken one by one where a cell is missing, no number or no known
level, where its length is wrong or where it holds line ends: `cells` says what such a row means, and
nothing here decides it otherwise.
"""

from __future__ import annotations

import csv
import io
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from endpoints.services.tables import answering
from endpoints.services.tables.answering import Values
from endpoints.services.tables.cells import Fault, ReadRow, RowReader, refused, sentence
from endpoints.services.tables.plans import Answered, Chunk, Position, Preview, ScoringPlan
from endpoints.services.tables.records import PLACEHOLDER, Section, sections
from endpoints.services.tables.shape import shaped, shaped_bytes
from mlcore.arrays import LIMIT, IntArray
from mlcore.schema import Column

CHUNK_BYTES = 4 << 20
_QUOTED = '"[^"]*(?:""[^"]*)*"'
_BLANK = re.compile(rb"^\r?\n", re.MULTILINE)
_FORMULA_STARTS = (b"=", b"+", b"-", b"@", b"\t")


def header(plan: ScoringPlan) -> bytes:
    """The header line as it is, and the names of the answers behind it."""
    own = plan.reading.header_bytes
    line_end = b"\r\n" if own.endswith(b"\r\n") else b"\n"
    bar = plan.reading.delimiter
    names = "".join(bar + quoted(name, bar) for name in plan.answers)
    mark = b"" if plan.reading.encoding == "utf-8" else BOM_UTF8  # spreadsheets go by it
    return mark + own.removesuffix(line_end) + names.encode() + line_end


def count_rows(plan: ScoringPlan, alive: Callable[[], None]) -> int:
    rows = 0
    for section in _sections(plan, plan.start, CHUNK_BYTES):
        rows += _n_rows(section.text)
        alive()
    return rows


def _n_rows(text: bytes) -> int:
    lines = int(np.count_nonzero(np.frombuffer(text, dtype=np.uint8) == ord("\n")))
    lines += not text.endswith(b"\n") and text.rpartition(b"\n")[2] != b"\r"
    has_blank = text.startswith((b"\n", b"\r\n")) or b"\n\n" in text or b"\n\r\n" in text
    return lines - (len(_BLANK.findall(text)) if has_blank else 0)


def first_rows(plan: ScoringPlan, n: int) -> list[Preview]:
    for section in _sections(plan, plan.start, 64 << 10):
        return _previews(plan, _score(plan, section, 0), n)
    return []


def chunks(plan: ScoringPlan, position: Position, chunk_bytes: int) -> Iterator[Chunk]:
    row = position.row
    for section in _sections(plan, Position(*position), chunk_bytes):
        chunk = _chunk(plan, _score(plan, section, row))
        yield chunk
        row = chunk.end.row


def _sections(plan: ScoringPlan, position: Position, chunk_bytes: int) -> Iterator[Section]:
    with plan.source.open("rb") as file:
        yield from sections(
            file, position.offset, chunk_bytes=chunk_bytes, delimiter=plan.reading.delimiter
        )


@dataclass(frozen=True)
class _Scored:
    """A section with its answers. `lines` has an entry for each line of its text, null where it is blank;
    `good` are the lines that were scored, `read` those that were read one by one."""

    section: Section
    text: bytes
    lines: pl.Series
    numbers: IntArray
    good: IntArray
    read: Mapping[int, ReadRow]
    answered: Answered
    end: Position

    @cached_property
    def faults(self) -> dict[int, Sequence[Fault]]:
        """Of the bad rows, by their number in the file."""
        return {int(self.numbers[at]): row.faults for at, row in self.read.items() if row.faults}


def _score(plan: ScoringPlan, section: Section, before: int) -> _Scored:
    text = section.text
    lines = _lines(text)
    is_row = lines.is_not_null().to_numpy()
    table = _table(plan, text)
    values, fits = _features(plan, table)
    if not (fits.all() and _are_parted_alike(plan, table, text)):
        fits &= is_row & _has_all_cells(plan, lines, text)
    labels = None if plan.label_place is None else _texts(table[str(plan.label_place)])
    read = _read_one_by_one(plan, section, lines, np.flatnonzero(is_row & ~fits))
    for line, row in read.items():
        if not row.faults:
            _put(plan, values, line, row)
            fits[line] = True
            if labels is not None:
                labels[line] = row.label
    good, numbers = np.flatnonzero(fits), before + np.cumsum(is_row)
    answered = answering.answer(plan, values, good, numbers, read, labels)
    end = Position(section.end, before + int(is_row.sum()))
    return _Scored(section, text, lines, numbers, good, read, answered, end)


def _lines(text: bytes) -> pl.Series:
    lines = pl.read_lines(text).to_series()
    is_blank = lines.str.len_bytes() == 0
    return lines.set(is_blank, None) if is_blank.any() else lines


def _table(plan: ScoringPlan, text: bytes) -> pl.DataFrame:
    """Read the columns that are needed, by their numbers; a cell that does not fit is null.

    A line in front of it tells Polars the width, and keeps it from what it does at the start of a file.
    """
    width, bar, kinds = len(plan.reading.columns), plan.reading.delimiter, _kinds(plan)
    table = pl.read_csv(
        bar.encode() * (width - 1) + b"-\n" + text,
        separator=bar,
        quote_char='"' if b'"' in text else None,
        has_header=False,
        schema={str(place): kinds.get(place, pl.String) for place in range(width)},
        columns=sorted(kinds),
        ignore_errors=True,
        truncate_ragged_lines=True,
    )
    return table[1:]


def _kinds(plan: ScoringPlan) -> dict[int, type[pl.DataType]]:
    """A column that is more than a number to somebody is read as text."""
    kinds: dict[int, type[pl.DataType]] = {}
    for place, column in zip(plan.places, plan.classifier.schema.columns, strict=True):
        is_text = column.kind != "number" or kinds.get(place) == pl.String
        kinds[place] = pl.String if is_text else pl.Float64
    if plan.label_place is not None:
        kinds[plan.label_place] = pl.String
    return kinds


def _features(plan: ScoringPlan, table: pl.DataFrame) -> tuple[Values, NDArray[np.bool_]]:
    """Return the cells by feature, and in which rows all of them are what the schema wants."""
    values: Values = {}
    fits = np.ones(len(table), dtype=np.bool_)
    for place, column in zip(plan.places, plan.classifier.schema.columns, strict=True):
        values[column.name], fitting = typed(column, table[str(place)])
        fits &= fitting
    return values, fits


def typed(column: Column, cells: pl.Series) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the cells of a feature, and which are what it wants; the others mean nothing."""
    if column.kind == "number":
        numbers = cells.cast(pl.Float64, strict=False).to_numpy()
        return numbers, np.abs(numbers) <= LIMIT  # NaN is none, and no more is null
    texts = cells.str.strip_chars()
    return texts.to_numpy(), texts.is_in(column.levels).fill_null(value=False).to_numpy()


def _texts(cells: pl.Series) -> list[str]:
    texts: list[str] = cells.fill_null("").str.strip_chars().to_list()
    return texts


def _are_parted_alike(plan: ScoringPlan, table: pl.DataFrame, text: bytes) -> bool:
    """Say whether it is plain that all lines have all their cells: none lacks the last one, and there are
    not too many in all."""
    last = len(plan.reading.columns) - 1
    if (
        str(last) not in table.columns
        or b'"' in text
        or b"\r" in text
        or table[str(last)].has_nulls()
    ):
        return False
    bar = ord(plan.reading.delimiter)
    found = np.count_nonzero(np.frombuffer(text, dtype=np.uint8) == bar)
    return bool(found == last * len(table))


def _has_all_cells(plan: ScoringPlan, lines: pl.Series, text: bytes) -> NDArray[np.bool_]:
    bar = plan.reading.delimiter
    found = lines.str.count_matches(bar, literal=True)
    if b'"' in text:
        quoted = lines.str.contains('"', literal=True).arg_true()
        outside = lines.gather(quoted).str.replace_all(_QUOTED, "")
        found = found.scatter(quoted, outside.str.count_matches(bar, literal=True))
    fits = found == len(plan.reading.columns) - 1
    if b"\r" in text and text.count(b"\r") > text.count(b"\r\n"):
        fits &= ~lines.str.contains("\r", literal=True)
    has_all: NDArray[np.bool_] = fits.fill_null(value=False).to_numpy()
    return has_all


def _read_one_by_one(
    plan: ScoringPlan, section: Section, lines: pl.Series, odd: IntArray
) -> dict[int, ReadRow]:
    reader, hidden = RowReader(plan), iter(section.hidden)
    read: dict[int, ReadRow] = {}
    for line, text in zip(odd.tolist(), lines.gather(odd).to_list(), strict=True):
        if text != PLACEHOLDER.decode():
            read[line] = reader.read(text)
            continue
        row = next(hidden)
        data = section.data[row.start : row.end]
        read[line] = refused(row.fault, data, plan) if row.fault else reader.read(data.decode())
    return read


def _put(plan: ScoringPlan, values: Values, line: int, row: ReadRow) -> None:
    for name, cell in zip(plan.classifier.schema.names, row.cells, strict=True):
        if not values[name].flags.writeable:
            values[name] = values[name].copy()
        values[name][line] = cell


def _chunk(plan: ScoringPlan, scored: _Scored) -> Chunk:
    n_rows = len(scored.good) + len(scored.faults)
    formulas = _holds_formulas(plan, scored)
    return Chunk(
        end=scored.end,
        results=_results(plan, scored),
        errors=error_lines(scored.faults),
        n_rows=n_rows,
        n_bad=len(scored.faults),
        answered=scored.answered,
        tally=answering.tally(scored.answered, scored.faults, formulas=formulas),
    )


def _results(plan: ScoringPlan, scored: _Scored) -> bytes:
    n, bar, text = len(scored.lines), plan.reading.delimiter, scored.text
    if not n:
        return b""
    parts: list[pl.Series | pl.Expr] = [_shaped_lines(plan, scored)]
    for texts in _probabilities(plan, scored, n):
        parts += [pl.lit(bar), texts]
    parts.append(_labelled(plan, scored, n))
    if scored.faults:
        parts.append(_sentences(bar, scored, n))
    lines = pl.select(pl.concat_str(parts)).to_series()
    line_end = _line_end(text)
    if not line_end:
        lines = _with_returns(lines, text)
    buffer = io.BytesIO()
    pl.DataFrame(lines).write_csv(
        buffer, include_header=False, quote_style="never", line_terminator=line_end or "\n"
    )
    written = buffer.getvalue()
    if not text.endswith(b"\n"):
        written = written.removesuffix(b"\n")
        if not text.endswith(b"\r"):
            written = written.removesuffix(b"\r")
    return _with_originals(written, _shaped_originals(plan, scored))


def _shaped_lines(plan: ScoringPlan, scored: _Scored) -> pl.Series:
    odd = [line for line, row in scored.read.items() if not row.has_shape]
    if not odd:
        return scored.lines
    width, bar = len(plan.reading.columns), plan.reading.delimiter
    texts = [
        text
        if text == PLACEHOLDER.decode()
        else shaped(text, n_cells=scored.read[line].n_cells, width=width, bar=bar)
        for line, text in zip(odd, scored.lines.gather(odd).to_list(), strict=True)
    ]
    return scored.lines.clone().scatter(odd, texts)


def _shaped_originals(plan: ScoringPlan, scored: _Scored) -> list[bytes]:
    """What stands for the placeholders, one after another."""
    originals = scored.section.originals()
    if not originals:
        return []
    width, bar = len(plan.reading.columns), plan.reading.delimiter
    hidden = (scored.lines == PLACEHOLDER.decode()).arg_true().to_list()
    rows = [scored.read[line] for line in hidden]
    return [
        original
        if row.has_shape
        else shaped_bytes(original, n_cells=row.n_cells, width=width, bar=bar)
        for original, row in zip(originals, rows, strict=True)
    ]


def _line_end(text: bytes) -> str:
    """Return how every line ends, or "" if they differ."""
    if b"\r" not in text:
        return "\n"
    pairs = text.count(b"\r\n")
    return "\r\n" if pairs == text.count(b"\r") == text.count(b"\n") else ""


def _probabilities(plan: ScoringPlan, scored: _Scored, n: int) -> Iterator[pl.Series]:
    """The text of each: the shortest that is read as the same number."""
    p = scored.answered.decided.probabilities
    shown = [p[:, 1]] if plan.classifier.is_binary else list(p.T)
    for numbers in shown:
        texts = pl.Series(numbers).cast(pl.String)
        if len(numbers) < n:
            places = np.full(n, len(numbers), dtype=np.uint32)
            places[scored.good] = np.arange(len(numbers))
            texts = texts.extend(pl.Series([""])).gather(places)
        yield texts


def _labelled(plan: ScoringPlan, scored: _Scored, n: int) -> pl.Series:
    """What stands behind the probabilities up to the error: the label and the version."""
    bar, classes = plan.reading.delimiter, plan.classifier.classes
    texts = [f"{bar}{quoted(name, bar)}{bar}{plan.version}{bar}" for name in (*classes, "")]
    places = np.full(n, len(classes), dtype=np.uint32)
    places[scored.good] = scored.answered.decided.predictions
    return pl.Series(texts).gather(places)


def _sentences(bar: str, scored: _Scored, n: int) -> pl.Series:
    places = np.zeros(n, dtype=np.uint32)
    bad = {line: row for line, row in scored.read.items() if row.faults}
    places[list(bad)] = np.arange(1, len(bad) + 1)
    texts = ["", *(quoted(sentence(row.faults), bar) for row in bad.values())]
    return pl.Series(texts).gather(places)


def _with_returns(lines: pl.Series, text: bytes) -> pl.Series:
    """Keep the line ends of a text that has some of either kind."""
    ends = np.flatnonzero(np.frombuffer(text + b"\n", dtype=np.uint8) == ord("\n"))[: len(lines)]
    padded = np.frombuffer(b"\n" + text, dtype=np.uint8)
    returns = (padded[ends] == ord("\r")).astype(np.uint32)
    return lines.fill_null("") + pl.Series(["", "\r"]).gather(returns)


def _with_originals(written: bytes, originals: Sequence[bytes]) -> bytes:
    if not originals:
        return written
    parts = written.split(PLACEHOLDER)
    pairs = zip(originals, parts[1:], strict=True)
    return b"".join([parts[0], *(piece for pair in pairs for piece in pair)])


def error_lines(faults: Mapping[int, Sequence[Fault]]) -> bytes:
    if not faults:
        return b""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows(
        (row, fault.column, fault.value, fault.problem)
        for row, found in faults.items()
        for fault in found
    )
    return text.getvalue().encode()


def _holds_formulas(plan: ScoringPlan, scored: _Scored) -> bool:
    """Whether some cell begins as a formula does; a number is none."""
    if not any(start in scored.text for start in _FORMULA_STARTS) and not scored.section.hidden:
        return False
    bar = re.escape(plan.reading.delimiter)
    number = r"[0-9.]*(?:[eE][+-]?[0-9]+)?"
    sign = rf'[+-](?:{number}[^0-9.eE{bar}"\r]|[eE])'
    pattern = rf'(?:^|{bar})"?(?:[=@\t\r]|{sign})'
    if scored.lines.str.contains(pattern).any():
        return True
    return any(re.search(pattern.encode(), row) for row in scored.section.originals())


def _previews(plan: ScoringPlan, scored: _Scored, n: int) -> list[Preview]:
    reader, labels = RowReader(plan), scored.answered.labels
    places = {line: place for place, line in enumerate(scored.good.tolist())}
    hidden = iter(scored.section.originals())
    found: list[Preview] = []
    for line, text in enumerate(scored.lines.to_list()):
        if text is None:
            continue
        if len(found) == n:
            break
        whole = text if text != PLACEHOLDER.decode() else next(hidden).decode(errors="replace")
        if line in places:
            p = float(scored.answered.headlines[places[line]])
            found.append(Preview(reader.split(whole), p, labels[places[line]], ""))
        else:
            cells = whole.split(plan.reading.delimiter)
            found.append(Preview(cells, None, "", sentence(scored.read[line].faults)))
    return found


def quoted(text: str, bar: str) -> str:
    """The text as a cell."""
    if bar not in text and '"' not in text and "\n" not in text and "\r" not in text:
        return text
    doubled = text.replace('"', '""')
    return f'"{doubled}"'
