"""Scores a CSV file section by section: its header, how many rows it has, the first of them, all of them.

`csv_sections` reads and answers a section, `csv_results` writes it.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterator

import numpy as np

from endpoints.services.tables.cells import RowReader, sentence
from endpoints.services.tables.csv_results import chunk_of, quoted
from endpoints.services.tables.csv_sections import Scored, score
from endpoints.services.tables.neutral import holds_formula
from endpoints.services.tables.plans import Chunk, Position, Preview, ScoringPlan
from endpoints.services.tables.records import PLACEHOLDER, Section, sections
from mlcore.alive import Alive

CHUNK_BYTES = 1 << 20
"""Enough that calls into Polars cost little beside the rows, and all copies of a section fit into a cache."""
_BLANK = re.compile(rb"^\r?\n", re.MULTILINE)


def header(plan: ScoringPlan) -> bytes:
    """The header line as it is, and the names of the answers behind it."""
    own = plan.reading.header_bytes
    line_end = b"\r\n" if own.endswith(b"\r\n") else b"\n"
    bar = plan.reading.delimiter
    names = "".join(bar + quoted(name, bar) for name in plan.answers)
    mark = b"" if plan.reading.encoding == "utf-8" else BOM_UTF8  # spreadsheets go by it
    return mark + own.removesuffix(line_end) + names.encode() + line_end


def writes_formulas(plan: ScoringPlan) -> bool:
    """Whether a cell of the header could run in a spreadsheet, or a name that stands in labels and errors."""
    bar = plan.reading.delimiter
    names = (*plan.reading.columns, *plan.classifier.classes)
    lines = "".join(f"{quoted(name, bar)}\n" for name in names)
    return holds_formula(header(plan), bar) or holds_formula(lines.encode(), bar)


def count_rows(plan: ScoringPlan, alive: Alive) -> int:
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
        return _previews(plan, score(plan, section, 0), n)
    return []


def chunks(plan: ScoringPlan, position: Position, chunk_bytes: int) -> Iterator[Chunk]:
    row = position.row
    for section in _sections(plan, Position(*position), chunk_bytes):
        chunk = chunk_of(plan, score(plan, section, row))
        yield chunk
        row = chunk.end.row


def _sections(plan: ScoringPlan, position: Position, chunk_bytes: int) -> Iterator[Section]:
    with plan.source.open("rb") as file:
        yield from sections(
            file, position.offset, chunk_bytes=chunk_bytes, delimiter=plan.reading.delimiter
        )


def _previews(plan: ScoringPlan, scored: Scored, n: int) -> list[Preview]:
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
