"""A decision summary as a Markdown file; names in it are text and never markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from django.utils import timezone

from dashboard.presenters.summary import Summary
from dashboard.presenters.summary_grids import Grid

SPECIAL = re.compile(r"([\\`*_\[\]<>|~&#])")
NOTE = "This page gives no recommendation: whoever decides weighs cost and consequence."


def of(summary: Summary) -> str:
    return "\n".join(_lines(summary)).rstrip() + "\n"


def text(plain: str) -> str:
    """The text on one line, with every character escaped that Markdown or HTML might read."""
    line = " ".join(str(plain).replace("\u00a0", " ").split())
    return SPECIAL.sub(r"\\\1", line)


def _lines(summary: Summary) -> Iterator[str]:
    made_at = timezone.localtime(summary.made_at)
    yield f"# {text(summary.title)}: decision summary"
    yield ""
    if summary.question:
        yield from (text(summary.question), "")
    yield from (f"**{text(summary.headline)}**", "")
    for sentence in summary.meaning:
        yield text(sentence)
    yield ""
    if summary.purpose:
        yield from _paragraph("What it is for", [summary.purpose])
    if summary.figures:
        rows = [(f.name, f.value, f.interval or "–", f.meaning) for f in summary.figures]
        yield from _table(("Key figure", "Value", "95 % interval", "In words"), rows)
    yield from _paragraph("Against production", summary.comparison)
    if summary.sensitivity:
        yield from _grid(summary.sensitivity)
    yield from _list("What this rests on", summary.assumptions)
    yield from _list("What may go wrong", summary.risks or ("Nothing that was looked for.",))
    yield from _table(("Fact", ""), summary.facts)
    yield f"Made {made_at.day} {made_at:%b %Y, %H:%M %Z}. {NOTE}"


def _paragraph(title: str, sentences: Iterable[str]) -> Iterator[str]:
    yield from (f"## {title}", "", text(" ".join(sentences)), "")


def _list(title: str, sentences: Iterable[str]) -> Iterator[str]:
    yield from (f"## {title}", "")
    yield from (f"- {text(sentence)}" for sentence in sentences)
    yield ""


def _grid(grid: Grid) -> Iterator[str]:
    yield from (f"## {text(grid.title)}", "")
    rows = [
        (f"{row[0]} (in use)" if place == grid.marked else row[0], *row[1:])
        for place, row in enumerate(grid.rows)
    ]
    yield from _table(grid.header, rows)
    yield from (text(grid.note), "")


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield _row([text(name) for name in header])
    yield _row(["---"] * len(header))
    yield from (_row([text(cell) for cell in row]) for row in rows)
    yield ""


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
