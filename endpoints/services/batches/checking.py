"""What a worker does with a file that came in: read it, find its columns, count it, score its first rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from django.db import transaction

from endpoints.models import BatchJob
from endpoints.models.batch import BatchState
from endpoints.services import leases
from endpoints.services.batches import folders, planning
from endpoints.services.batches.reports import CheckReport, Missing, Preview, PreviewRow
from endpoints.services.leases import Lease
from endpoints.services.tables import mapping, reading, scoring
from endpoints.services.tables.mapping import Match
from endpoints.services.tables.plans import ScoringPlan
from endpoints.services.tables.reading import Reading
from endpoints.services.tables.storable import storable
from mlcore.errors import cut
from mlcore.files import sync

FIRST_ROWS = 10
MOST_COLUMNS, LONGEST_CELL = 60, 200
"""Of the preview."""


def check(job: BatchJob, lease: Lease) -> None:
    """Leave the job ready, in need of attention, or queued if it starts by itself and nothing is wrong."""
    found = _read(job, lease)
    classifier = planning.classifier_of(job)
    given, match = job.mapping, mapping.match(classifier.schema, found.columns, job.mapping)
    job.mapping = dict(match.matched)
    plan = planning.plan(job, classifier)
    rows = scoring.count_rows(plan, lease.alive)
    preview = Preview() if match.missing else _preview(plan)
    report = CheckReport(
        rows=rows,
        matched=tuple(match.matched),
        missing=tuple(Missing(name, suggestion) for name, suggestion in match.missing),
        extra=tuple(name for name in match.extra if name != job.label_column),
        notes=(*found.notes, *mapping.notes(match.matched)),
        problems=(*_missing(match, given), *_problems(job, found, preview)),
        preview=preview,
    )
    lease.check()
    _end(job, lease, report)


def _read(job: BatchJob, lease: Lease) -> Reading:
    """Return how the file is read; its plain form is kept in place of the upload, once."""
    if job.reading:
        return Reading.from_dict(job.reading)
    folder, upload = folders.folder(job), _upload(job, lease)
    for left in folder.glob("draft-*"):
        left.unlink(missing_ok=True)
    # Its own name: a worker that was thought dead must not write into what the next one reads.
    draft = folder / f"draft-{lease.worker.rpartition(':')[2]}"
    most = planning.most_bytes()
    found = reading.prepare(upload, draft, name=job.file_name, most_bytes=most, alive=lease.alive)
    job.format = found.format
    _publish(draft, folders.source(job))
    lease.save(reading=found.to_dict(), format=found.format)
    upload.unlink(missing_ok=True)
    return found


def _upload(job: BatchJob, lease: Lease) -> Path:
    """After a power cut the database may have forgotten that the file was read: its plain form is read then.

    Raises LeaseLost for a worker that another one was faster than.
    """
    upload = folders.upload(job)
    if not upload.exists():
        lease.check()
        for plain in folders.folder(job).glob("source.*"):
            plain.replace(upload)
    return upload


def _publish(draft: Path, source: Path) -> None:
    sync(draft)
    draft.replace(source)
    sync(source.parent)


def _preview(plan: ScoringPlan) -> Preview:
    rows = tuple(
        PreviewRow(_shown(row.cells), row.probability, row.label, row.error)
        for row in scoring.first_rows(plan, FIRST_ROWS)
    )
    return Preview(_shown(plan.reading.columns), rows)


def _shown(cells: Sequence[str]) -> tuple[str, ...]:
    """A page has room for so much, and a file may have a thousand times more."""
    return tuple(storable(cell[:LONGEST_CELL]) for cell in cells[:MOST_COLUMNS])


def _missing(match: Match, given: Mapping[str, str]) -> Iterator[str]:
    for name, suggestion in match.missing:
        column = given.get(name) or name
        why = f", which was named for “{name}”" if column != name else ""
        hint = f" Is it “{suggestion}”?" if suggestion else ""
        yield f"No column is called “{cut(column)}”{why}.{hint}"


def _problems(job: BatchJob, found: Reading, preview: Preview) -> Iterator[str]:
    if job.label_column and job.label_column not in found.columns:
        yield f"No column is called “{job.label_column}”, which should hold true labels."
    if preview.rows and all(row.error for row in preview.rows):
        yield f"None of the first rows can be scored: {preview.rows[0].error}"


def _end(job: BatchJob, lease: Lease, report: CheckReport) -> None:
    facts = {
        "check_report": report.to_dict(),
        "mapping": job.mapping,
        "rows": report.rows,
        "message": report.problems[0] if report.problems else "",
        "ended_at": None,
    }
    if report.problems:
        lease.end(BatchState.NEEDS_ATTENTION, **facts)
    elif not job.starts_itself:
        lease.end(BatchState.READY, **facts)
    else:
        with transaction.atomic():
            if lease.end(BatchState.QUEUED, **facts):
                leases.queue(job, lease.clock())
