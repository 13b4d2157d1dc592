"""How far a file of rows is, in words for its page and for the list; it reads the job alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from dashboard.formats import NBSP
from dashboard.presenters.silence import silence
from endpoints.models import BatchJob
from endpoints.models.batch import BatchState

NOT_UNDER_WAY = frozenset(
    {*BatchState.values} - {"uploaded", "checking", "queued", "scoring"},
)
ASKS = frozenset({BatchState.READY, BatchState.NEEDS_ATTENTION})
KNOWN_AFTER = timedelta(seconds=1)
"""Before, nobody can tell from the pace how long the rest will take."""
LONG = timedelta(minutes=1)
QUICK, CALM = 2, 5
"""Seconds between two looks at a job under way: often at first, later less so."""
ROWS_A_SECOND = 100_000
"""Of a model of seven columns, where no file has told yet."""
USUAL_COLUMNS = 7
WORDS = MappingProxyType({"uploaded": "Waiting", "needs_attention": "Needs attention"})
TITLES = MappingProxyType(
    {
        "uploaded": "Waiting to be checked",
        "checking": "The file is being checked",
        "queued": "Waiting to be scored",
        "scoring": "The rows are being scored",
    }
)


@dataclass(frozen=True)
class Progress:
    """How many of the rows are scored; `left` is empty while nobody can tell."""

    done: int
    rows: int
    left: str = ""

    @property
    def words(self) -> str:
        return f"{self.done:,} of {self.rows:,} rows"

    @property
    def percent(self) -> int:
        """Rounded down: 100 means that all are done."""
        return 100 * self.done // self.rows if self.rows else 0

    @property
    def step(self) -> int:
        """The tens of per cent: a screen reader hears of each once."""
        return self.percent // 10 * 10


@dataclass(frozen=True)
class Told:
    """A job as its page and the list show it. `word` says the state, `title` what goes on."""

    job: BatchJob
    word: str
    title: str
    progress: Progress | None
    is_live: bool
    asks: bool
    seconds: int
    waits_long: bool
    silence: str = ""

    @property
    def rows(self) -> str:
        """Exact, also of millions."""
        rows = self.job.rows or 0
        return f"{rows:,} row{'' if rows == 1 else 's'}"

    @property
    def has_report(self) -> bool:
        return bool(self.job.report)

    @property
    def badge(self) -> str:
        """The state, as badges know it."""
        has_errors = self.job.state == BatchState.DONE and self.job.rows_bad
        return "done_with_errors" if has_errors else str(self.job.state)


def told(job: BatchJob, now: datetime) -> Told:
    is_live = job.state not in NOT_UNDER_WAY
    silent = silence(job, now)
    how_far = progress(job, now) if job.state == BatchState.SCORING else None
    return Told(
        job=job,
        word=word(job),
        title=TITLES.get(job.state, ""),
        progress=replace(how_far, left="") if how_far and silent else how_far,
        is_live=is_live,
        asks=job.state in ASKS,
        waits_long=job.state == BatchState.UPLOADED and now - job.created_at > LONG,
        silence=silent,
        seconds=CALM if now - (job.started_at or job.created_at) > LONG else QUICK,
    )


def word(job: BatchJob) -> str:
    if job.state == BatchState.DONE and job.rows_bad:
        return "Done with errors"
    return WORDS.get(job.state, str(BatchState(job.state).label))


def progress(job: BatchJob, now: datetime) -> Progress:
    rows = job.rows or 0
    took = now - job.started_at if job.started_at else timedelta(0)
    if not 0 < job.rows_done < rows or took < KNOWN_AFTER:
        return Progress(job.rows_done, rows)
    left = took.total_seconds() * (rows - job.rows_done) / job.rows_done
    return Progress(job.rows_done, rows, f"{length(left)} left")


def length(seconds: float) -> str:
    """A length of time that nobody knows well, in words."""
    if seconds < 5:
        return "a few seconds"
    if seconds < 57:
        return f"about {5 * round(seconds / 5)}{NBSP}s"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)}{NBSP}min"
    return f"about {round(seconds / 3600)}{NBSP}h"


def estimate(rows: int, columns: int, before: Sequence[tuple[int, float]]) -> str:
    """Say how long scoring will take: from earlier files, each its rows and seconds, if there are any."""
    known_rows = sum(rows for rows, _ in before)
    known_seconds = sum(seconds for _, seconds in before)
    if known_rows and known_seconds:
        return length(rows * known_seconds / known_rows)
    return length(rows * max(columns, USUAL_COLUMNS) / USUAL_COLUMNS / ROWS_A_SECOND)


def are_live(lines: Iterable[Told]) -> bool:
    return any(line.is_live for line in lines)
