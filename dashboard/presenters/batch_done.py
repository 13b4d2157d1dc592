"""What the scoring of a file found, as its page shows it: totals, labels, errors, how right it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dashboard import metrics
from dashboard.presenters.evaluation import ConfusionCell
from endpoints.models import BatchJob
from endpoints.services.batches.reports import FeedbackCounts, ScoreReport

KINDS = {
    "missing_value": "with a missing value",
    "missing_field": "with a missing value",
    "wrong_type": "with text where a number is due",
    "not_finite": "with a number that is not finite",
    "unknown_level": "with a category that the model does not know",
    "wrong_length": "with too few or too many cells",
    "line_end": "with a line end inside",
    "unreadable": "that cannot be read",
}


BINARY = 2


@dataclass(frozen=True)
class Share:
    name: str
    count: int
    share: float | None


@dataclass(frozen=True)
class Truth:
    """The rows of one true class, by the class that was predicted."""

    label: str
    cells: tuple[ConfusionCell, ...]


@dataclass(frozen=True)
class Done:
    """`change` is the positive rate less that of the file before, None without one."""

    report: ScoreReport
    good: int
    labels: tuple[Share, ...]
    kinds: tuple[tuple[str, int], ...]
    labelled: int
    metrics: tuple[tuple[str, str], ...]
    classes: tuple[str, ...]
    confusion: tuple[Truth, ...]
    change: float | None
    before: str
    positive: str
    feedback: str

    @property
    def histogram_title(self) -> str:
        return f"Probability of {self.positive}" if self.positive else "Probability of the label"


def told(job: BatchJob, classes: tuple[str, ...]) -> Done | None:
    """None unless it is done, or was before its files expired. Classes: those of the model, if it loads."""
    if not job.report:
        return None
    report = ScoreReport.from_dict(job.report)
    good = report.rows - report.bad
    before = report.before
    classes = classes or tuple(report.labels)
    return Done(
        report=report,
        good=good,
        labels=tuple(_share(name, report.labels.get(name, 0), good) for name in classes),
        kinds=tuple(
            (KINDS.get(kind, kind.replace("_", " ")), count)
            for kind, count in sorted(report.errors.items(), key=lambda item: -item[1])
        ),
        labelled=int((report.metrics or {}).get("rows", 0)),
        metrics=_metrics(report.metrics or {}),
        classes=classes,
        confusion=_confusion(report.confusion, classes),
        change=_change(report.positive_rate, before.positive_rate if before else None),
        before=before.job if before else "",
        positive=classes[1] if len(classes) == BINARY else "",
        feedback=_feedback(report.feedback),
    )


def _share(name: str, count: int, rows: int) -> Share:
    return Share(name, count, count / rows if rows else None)


def _metrics(found: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (metrics.TITLES.get(name, name.replace("_", " ")), metrics.metric(value, name))
        for name, value in found.items()
        if name != "rows"
    )


def _confusion(
    counts: Mapping[str, Mapping[str, int]] | None, classes: tuple[str, ...]
) -> tuple[Truth, ...]:
    if not counts:
        return ()
    return tuple(
        Truth(
            true,
            tuple(
                ConfusionCell(counts.get(true, {}).get(name, 0), true == name) for name in classes
            ),
        )
        for true in classes
    )


def _change(rate: float | None, before: float | None) -> float | None:
    return None if rate is None or before is None else rate - before


def _feedback(found: FeedbackCounts | None) -> str:
    """Say what became of the true labels."""
    if found is None:
        return ""
    counts = (
        (found.stored, "stored as feedback"),
        (found.invalid, "not stored: no class of the model"),
    )
    told = "; ".join(f"{count:,} {words}" for count, words in counts if count)
    return f"True labels: {told or 'none'}."
