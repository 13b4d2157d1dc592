"""What a check and a scoring found, in the words of the pages and the API; it reads no files and no rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self


@dataclass(frozen=True)
class Missing:
    """A feature that no column answers; `suggestion` is the column that it may be, or ""."""

    name: str
    suggestion: str = ""


@dataclass(frozen=True)
class PreviewRow:
    """One of the first rows with its answer; where it has none, `error` says why."""

    cells: Sequence[str]
    probability: float | None
    label: str
    error: str


@dataclass(frozen=True)
class Preview:
    """The first rows, scored; without rows where the file lacks a feature."""

    columns: Sequence[str] = ()
    rows: Sequence[PreviewRow] = ()


@dataclass(frozen=True)
class CheckReport:
    """`matched` are features that a column answers, `extra` columns that nobody asks for; `problems` are
    what keeps a job from starting by itself."""

    rows: int
    matched: Sequence[str]
    missing: Sequence[Missing] = ()
    extra: Sequence[str] = ()
    notes: Sequence[str] = ()
    problems: Sequence[str] = ()
    preview: Preview = field(default_factory=Preview)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> Self:
        """An empty dict is a check that has not ended."""
        preview = facts.get("preview", {})
        rows = tuple(PreviewRow(**row) for row in preview.get("rows", ()))
        return cls(
            rows=facts.get("rows", 0),
            matched=tuple(facts.get("matched", ())),
            missing=tuple(Missing(**missing) for missing in facts.get("missing", ())),
            extra=tuple(facts.get("extra", ())),
            notes=tuple(facts.get("notes", ())),
            problems=tuple(facts.get("problems", ())),
            preview=Preview(tuple(preview.get("columns", ())), rows),
        )


@dataclass(frozen=True)
class FeedbackCounts:
    """True labels that are kept now, and those that name no class."""

    stored: int = 0
    invalid: int = 0

    def plus(self, stored: int, invalid: int) -> FeedbackCounts:
        return FeedbackCounts(self.stored + stored, self.invalid + invalid)


@dataclass(frozen=True)
class Before:
    """The newest batch of the endpoint that was done before."""

    job: str
    positive_rate: float | None


@dataclass(frozen=True)
class ScoreReport:
    """`seconds` are those since a worker first began; `histogram` counts rows by twentieths of P(positive),
    of three and more classes of the largest; `metrics` are of the scored rows whose true label is a class,
    `unknown_labels` counts those whose label is none; `logged` rows entered the request log; `formulas` says
    that some cell could run in a spreadsheet."""

    rows: int = 0
    bad: int = 0
    seconds: float = 0.0
    histogram: Sequence[int] = ()
    labels: Mapping[str, int] = field(default_factory=dict)
    positive_rate: float | None = None
    errors: Mapping[str, int] = field(default_factory=dict)
    first_errors: Sequence[Mapping[str, Any]] = ()
    metrics: Mapping[str, Any] | None = None
    confusion: Mapping[str, Any] | None = None
    unknown_labels: int = 0
    formulas: bool = True
    logged: int = 0
    feedback: FeedbackCounts | None = None
    before: Before | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> Self:
        """An empty dict is a scoring that has not ended."""
        feedback, before = facts.get("feedback"), facts.get("before")
        nested = {
            "feedback": FeedbackCounts(**feedback) if feedback else None,
            "before": Before(**before) if before else None,
        }
        return cls(**{**facts, **nested})
