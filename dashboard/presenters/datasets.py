"""The columns of a dataset as pages show them: kinds in words, ranges, levels, shapes; it reads no file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from dashboard import formats
from dashboard.drawings import svg
from endpoints.services.datasets.columns import is_feature, warning_of

Profile = Mapping[str, Any]
KINDS = {"number": "Number", "category": "Category", "text": "Text", "constant": "Constant"}
MOST_CLASSES = 50
SHOWN_LEVELS, SHOWN_LETTERS = 3, 24
WIDTH, HEIGHT, WIDEST = 96, 24, 20


@dataclass(frozen=True)
class ColumnRow:
    """One column; `position` is its place in the file."""

    position: int
    profile: Profile
    rows: int

    @property
    def name(self) -> str:
        return str(self.profile["name"])

    @property
    def kind(self) -> str:
        return KINDS.get(self.profile["kind"], str(self.profile["kind"]).capitalize())

    @property
    def is_usable(self) -> bool:
        """Whether it is learnt from where nobody chooses."""
        return is_feature(self.profile)

    @property
    def can_be_target(self) -> bool:
        return 2 <= self.distinct <= MOST_CLASSES

    @property
    def missing(self) -> int:
        return int(self.profile.get("missing") or 0)

    @property
    def missing_share(self) -> float:
        return self.missing / max(self.rows, 1)

    @property
    def distinct(self) -> int:
        """Different values; in a large file a worker estimates them, and may find more than rows."""
        estimated = int(self.profile.get("distinct") or 0)
        return min(estimated, self.rows - self.missing) if self.rows else estimated

    @property
    def levels(self) -> list[tuple[str, int]]:
        return [(str(level), int(count)) for level, count in self.profile.get("levels") or ()]

    @property
    def warning(self) -> str:
        return warning_of(self.profile)

    @property
    def examples(self) -> list[str]:
        return [str(example) for example in self.profile.get("examples") or ()]

    @property
    def centre(self) -> float | None:
        return self.profile.get("mean")

    @property
    def spread(self) -> float | None:
        return self.profile.get("sd")

    @cached_property
    def values(self) -> str:
        """The range of a number, the most frequent levels of anything else."""
        if self.profile["kind"] == "number" and self.profile.get("minimum") is not None:
            low, high = (formats.plain(self.profile[end]) for end in ("minimum", "maximum"))
            return f"{low} to {high}"
        shown = [cut(level) for level, _ in self.levels[:SHOWN_LEVELS]]
        if not shown:
            return f"{self.distinct:,} different" if self.distinct else "no value"
        more = self.distinct - len(shown)
        return ", ".join(shown) + (f" and {more:,} more" if more > 0 else "")

    @property
    def about(self) -> str:
        """The column in half a sentence, beside its name in a list to choose from."""
        missing = f", {self.missing:,} missing" if self.missing else ""
        return f"{self.kind.lower()}, {self.values}{missing}"

    @property
    def why_left_out(self) -> str:
        if self.is_usable:
            return ""
        return self.warning or {
            "text": "Free text or an identifier.",
            "constant": "One value.",
        }.get(self.profile["kind"], "It cannot be read.")

    @property
    def shape(self) -> SafeString | str:
        """How its values are spread: equal bins of a number, the levels of a category."""
        counts = [int(count) for count in self.profile.get("histogram") or ()]
        if counts:
            return bars(counts, f"Spread of {self.name}", f"from {self.values}")
        counts = [count for _, count in self.levels]
        if len(counts) > 1:
            return bars(counts, f"Levels of {self.name}", "most frequent first")
        return formats.MISSING


def bars(counts: Sequence[int], title: str, words: str) -> SafeString:
    """96 by 24: one bar a bin, all from zero."""
    tallest = max(*counts, 1)
    step = min(WIDTH / len(counts), WIDEST)
    body = format_html_join(
        "",
        '<rect class="c-fill" x="{}" y="{}" width="{}" height="{}"/>',
        (
            (f"{i * step:.1f}", f"{HEIGHT - height:.1f}", f"{step * 0.86:.1f}", f"{height:.1f}")
            for i, height in enumerate(HEIGHT * count / tallest for count in counts)
            if height
        ),
    )
    axis = format_html('<path class="c-axis" d="M0 {0}H{1}"/>', HEIGHT, WIDTH)
    description = f"{len(counts)} bars, {words}; {sum(counts):,} values, {tallest:,} in the tallest"
    return svg(
        (WIDTH, HEIGHT), title=title, description=description, body=axis + body, css="spark s1"
    )


def column_rows(profiles: Iterable[Profile], rows: int | None) -> list[ColumnRow]:
    return [ColumnRow(place, profile, rows or 0) for place, profile in enumerate(profiles)]


def likely_target(columns: Sequence[ColumnRow]) -> ColumnRow | None:
    """Return the last category, else the last number of few values: where files put what is asked."""
    possible = [column for column in columns if column.can_be_target]
    named = [column for column in possible if column.profile["kind"] == "category"]
    return next(reversed(named or possible), None)


def cut(text: str) -> str:
    return text if len(text) <= SHOWN_LETTERS else f"{text[: SHOWN_LETTERS - 1]}…"
