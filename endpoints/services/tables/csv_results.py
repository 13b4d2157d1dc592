"""Writes the rows of a section with their answers behind them, and the errors; it scores nothing.

Every row keeps its bytes and its line end, but for one whose cells are not those of the header (`shape`).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import polars as pl

from endpoints.services.tables import answering
from endpoints.services.tables.cells import Fault, sentence
from endpoints.services.tables.csv_sections import Scored
from endpoints.services.tables.neutral import FORMULA_STARTS, formula_in_line
from endpoints.services.tables.plans import Chunk, ScoringPlan
from endpoints.services.tables.records import PLACEHOLDER
from endpoints.services.tables.shape import shaped, shaped_bytes


def chunk_of(plan: ScoringPlan, scored: Scored) -> Chunk:
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


def _results(plan: ScoringPlan, scored: Scored) -> bytes:
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
    if not scored.line_end:
        lines = _with_returns(lines, text)
    buffer = io.BytesIO()
    pl.DataFrame(lines).write_csv(
        buffer, include_header=False, quote_style="never", line_terminator=scored.line_end or "\n"
    )
    written = buffer.getvalue()
    if not text.endswith(b"\n"):
        written = written.removesuffix(b"\n")
        if not text.endswith(b"\r"):
            written = written.removesuffix(b"\r")
    return _with_originals(written, _shaped_originals(plan, scored))


def _shaped_lines(plan: ScoringPlan, scored: Scored) -> pl.Series:
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


def _shaped_originals(plan: ScoringPlan, scored: Scored) -> list[bytes]:
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


def _probabilities(plan: ScoringPlan, scored: Scored, n: int) -> Iterator[pl.Series]:
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


def _labelled(plan: ScoringPlan, scored: Scored, n: int) -> pl.Series:
    """What stands behind the probabilities up to the error: the label and the version."""
    bar, classes = plan.reading.delimiter, plan.classifier.classes
    texts = [f"{bar}{quoted(name, bar)}{bar}{plan.version}{bar}" for name in (*classes, "")]
    places = np.full(n, len(classes), dtype=np.uint32)
    places[scored.good] = scored.answered.decided.predictions
    return pl.Series(texts).gather(places)


def _sentences(bar: str, scored: Scored, n: int) -> pl.Series:
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


def _holds_formulas(plan: ScoringPlan, scored: Scored) -> bool:
    """Whether some cell of the rows could run in a spreadsheet."""
    if not _has_formula_starts(scored):
        return False
    pattern = formula_in_line(plan.reading.delimiter)
    hidden = [row.decode("latin-1") for row in scored.section.originals()]
    found = (
        rows.str.contains(pattern).any()
        for rows in (scored.lines, pl.Series(hidden, dtype=pl.String))
    )
    return any(found)


def _has_formula_starts(scored: Scored) -> bool:
    if scored.section.hidden or not scored.line_end:
        return True
    return any(start in scored.text for start in FORMULA_STARTS)


def quoted(text: str, bar: str) -> str:
    """The text as a cell."""
    if bar not in text and '"' not in text and "\n" not in text and "\r" not in text:
        return text
    doubled = text.replace('"', '""')
    return f'"{doubled}"'
