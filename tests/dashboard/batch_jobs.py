"""Files to score in every state, as rows of the database: what a worker writes, without one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from endpoints.models import AlgorithmVersion, BatchJob, Endpoint
from endpoints.services.batches.reports import (
    Before,
    CheckReport,
    FeedbackCounts,
    Missing,
    Preview,
    PreviewRow,
    ScoreReport,
)
from tests.live import ROW

COLUMNS = ("id", *ROW, "Class")
CELLS = ("grain-1", *(f"{value:.2f}" for value in ROW.values()), "Besni")
STATES = (
    "uploaded",
    "checking",
    "needs_attention",
    "ready",
    "queued",
    "scoring",
    "done",
    "failed",
    "cancelled",
    "expired",
)
WRONG = 'row 3, column Area: "twelve" is no number'


def check_report(**facts: Any) -> CheckReport:
    rows = (
        PreviewRow(CELLS, 0.8421, "Besni", ""),
        PreviewRow(CELLS, 0.1, "Kecimen", ""),
        PreviewRow(CELLS, None, "", WRONG),
    )
    found = {
        "rows": 12_480,
        "matched": tuple(ROW),
        "extra": ("id", "Class"),
        "notes": ("Read as Windows-1252.",),
        "preview": Preview(COLUMNS, rows),
    }
    return CheckReport(**found | facts)


def needing_report() -> CheckReport:
    """A file without two of the columns, one of them under a name that is alike."""
    return check_report(
        matched=tuple(ROW)[2:],
        missing=(Missing("Area", "area_px"), Missing("MajorAxisLength")),
        extra=("id", "Class", "area_px", "length"),
        problems=(
            "No column is called “Area”. Is it “area_px”?",
            "No column is called “MajorAxisLength”.",
        ),
        preview=Preview(),
    )


def score_report(**facts: Any) -> ScoreReport:
    errors = [
        {"row": 3, "column": "Area", "value": "twelve", "problem": "is no number"},
        {"row": 12_000, "column": None, "value": None, "problem": "8 cells where 9 are due"},
    ]
    found = {
        "rows": 12_480,
        "bad": 2,
        "seconds": 1.25,
        "histogram": [600] * 10 + [647, *[647] * 8, 655],
        "labels": {"Kecimen": 6_000, "Besni": 6_478},
        "positive_rate": 6_478 / 12_478,
        "errors": {"wrong_type": 1, "wrong_length": 1},
        "first_errors": errors,
        "logged": 12_478,
        "before": Before("0" * 32, 0.5),
    }
    return ScoreReport(**found | facts)


def labelled_report() -> ScoreReport:
    return score_report(
        bad=0,
        errors={},
        first_errors=[],
        metrics={"rows": 12_478, "accuracy": 0.861, "log_loss": 0.3456, "roc_auc": 0.93},
        confusion={
            "Kecimen": {"Kecimen": 5_500, "Besni": 500},
            "Besni": {"Kecimen": 978, "Besni": 5_500},
        },
        feedback=FeedbackCounts(stored=12_470, invalid=8),
    )


def a_job(endpoint: Endpoint, user: User | None, state: str = "ready", **facts: Any) -> BatchJob:
    """Return a job in this state, a minute old. Facts: columns that differ."""
    now = timezone.now()
    version: AlgorithmVersion = endpoint.versions.get(number=1)
    columns: dict[str, Any] = {
        "endpoint": endpoint,
        "version": version,
        "state": state,
        "file_name": "grains.csv",
        "size": 1_234_567,
        "sha256": "a" * 64,
        "created_by": user,
        "created_by_name": user.get_username() if user else "",
        "created_at": now - timedelta(seconds=40),
        "expires_at": now + timedelta(days=30),
    }
    job = BatchJob(**columns | of_state(state, now) | facts)
    job.save(force_insert=True)
    return job


def of_state(state: str, now: Any) -> dict[str, Any]:
    """The columns that a worker has written by then."""
    if state in ("uploaded", "checking"):
        return {"heartbeat_at": now}
    checked = needing_report() if state == "needs_attention" else check_report()
    columns = COLUMNS if not checked.missing else (*COLUMNS[3:], "area_px", "length")
    facts: dict[str, Any] = {
        "rows": 12_480,
        "check_report": checked.to_dict(),
        "reading": {"format": "csv", "columns": list(columns)},
        "mapping": {name: name for name in checked.matched},
    }
    if state in ("scoring", "cancelled"):
        facts |= {"rows_done": 6_240, "started_at": now - timedelta(seconds=20)}
    if state == "done":
        facts |= {"rows_done": 12_480, "rows_bad": 2, "report": score_report().to_dict()}
    if state == "failed":
        facts |= {"message": "3 workers died at it one after another."}
    if state == "expired":
        report = score_report(first_errors=[])
        facts |= {"rows_done": 12_480, "rows_bad": 2, "report": report.to_dict()}
    if state in ("done", "failed", "cancelled", "expired"):
        facts["ended_at"] = now
    return facts


def crowded(state: str) -> dict[str, Any]:
    """Columns of a job whose file has a very long name and forty columns, all of them matched or none."""
    names = tuple(f"a_column_with_quite_a_name_{number}" for number in range(40))
    rows = tuple(
        PreviewRow((*["x" * 90] * 2, *["1.5"] * 38), row / 10, "Besni", "") for row in range(10)
    )
    if state == "ready":
        report = check_report(matched=names[:38], extra=names[38:], preview=Preview(names, rows))
    else:
        missing = tuple(Missing(name, f"{name}_x" if name.endswith("1") else "") for name in ROW)
        problems = tuple(f"No column is called “{one.name}”." for one in missing)
        report = check_report(
            matched=(), missing=missing, extra=names, problems=problems, preview=Preview()
        )
    return {
        "file_name": "a file that somebody named with care and at length, " * 3 + "x" * 40,
        "check_report": report.to_dict(),
        "reading": {"format": "csv", "columns": list(names * 3)},
        "mapping": {},
    }
