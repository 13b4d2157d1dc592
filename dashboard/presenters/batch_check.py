"""What the check of a file found, as its page asks about it: columns, the first rows, what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from endpoints.models import BatchJob
from endpoints.services.batches.reports import CheckReport

MOST_NAMED = 12


@dataclass(frozen=True)
class Checked:
    """`renamed` are the features that a column of another name answers, `numbered` the first rows."""

    report: CheckReport
    summary: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...]

    @property
    def numbered(self) -> list[tuple[int, object]]:
        return list(enumerate(self.report.preview.rows, 1))

    @property
    def bad(self) -> int:
        return sum(bool(row.error) for row in self.report.preview.rows)


def told(job: BatchJob) -> Checked | None:
    """None while nothing is checked."""
    if not job.check_report:
        return None
    report = CheckReport.from_dict(job.check_report)
    return Checked(
        report=report,
        summary=_summary(report),
        renamed=tuple((name, column) for name, column in job.mapping.items() if name != column),
    )


def _summary(report: CheckReport) -> tuple[str, ...]:
    matched, missing, extra = map(len, (report.matched, report.missing, report.extra))
    counts = (
        (matched, f"{matched:,} column{'' if matched == 1 else 's'} matched"),
        (missing, f"{missing:,} missing"),
        (extra, f"{extra:,} extra, kept as {'it is' if extra == 1 else 'they are'}"),
    )
    return tuple(words for count, words in counts if count)


def named(names: Sequence[str], most: int = MOST_NAMED) -> str:
    """The names in one phrase, the later ones only counted."""
    more = len(names) - most
    text = ", ".join(names[:most])
    return f"{text} and {more:,} more" if more > 0 else text
