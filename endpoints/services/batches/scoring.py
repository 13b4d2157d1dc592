"""What a worker does with a batch that was started: score chunk after chunk, from where the last one came to.

A chunk is on disk, and its rows in the log, before the cursor moves. So a killed worker's last chunk is
scored again, to the same bytes at the same places, and no row is lost or twice.
"""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import dataclass, replace

from endpoints.models import BatchJob
from endpoints.models.batch import BatchState
from endpoints.models.dataset import FileFormat
from endpoints.services.batches import folders, outputs, planning, summary
from endpoints.services.batches.outputs import Output
from endpoints.services.batches.progress import Progress
from endpoints.services.batches.row_log import RowLog
from endpoints.services.batches.true_labels import TrueLabels
from endpoints.services.leases import Lease
from endpoints.services.tables import scoring
from endpoints.services.tables.plans import ERRORS_HEADER, Chunk, ScoringPlan
from endpoints.services.tables.tallies import Tally
from mlcore.classifier import Classifier

CHUNK_BYTES = {FileFormat.CSV: scoring.CHUNK_BYTES, FileFormat.PARQUET: 4 << 20}
"""Scored in well under a second, so that a cancelled job and a worker that is to end stop soon. Of Parquet a
piece costs as much as the row group that it lies in."""
PAUSED = "“{}” was paused before the file was scored. Start it once the endpoint answers again."


def score(job: BatchJob, lease: Lease) -> None:
    """Leave the job done, with its results, its errors and a report; at a paused endpoint ready to be started."""
    if job.endpoint.paused_at is not None:
        lease.end(BatchState.READY, ended_at=None, message=PAUSED.format(job.endpoint.slug))
        return
    classifier = planning.classifier_of(job, job.cursor.get("missing_values", ""))
    plan = planning.plan(job, classifier)
    with outputs.opened(job) as files, closing(RowLog(job, classifier, lease.check)) as log:
        progress = _begun(job, lease, plan, files)
        progress = _Scoring(job, lease, plan, files, log).run(progress)
        results, errors = files
        results.finish(progress.place, lease.alive)
        errors.finish(progress.errors, lease.alive)
    _end(job, lease, progress, classifier)


def _begun(
    job: BatchJob, lease: Lease, plan: ScoringPlan, files: tuple[Output, Output]
) -> Progress:
    """Return how far it came. What all later workers must agree on is written down before the first row."""
    if not job.cursor:
        size = CHUNK_BYTES[FileFormat(job.format)]
        begun = _from_the_first_row(plan, files, job.endpoint.missing_values, size)
        lease.save(cursor=begun.to_cursor(), started_at=lease.clock(), rows_done=0, rows_bad=0)
        return begun
    found = Progress.from_cursor(job.cursor)
    results, errors = files
    if results.holds(found.place) and errors.holds(found.errors):
        return found
    # What was written is lost. `started_at` stays: the ids of what is in the log follow from it.
    begun = _from_the_first_row(plan, files, found.missing_values, found.chunk_bytes)
    lease.save(cursor=begun.to_cursor(), rows_done=0, rows_bad=0)
    return begun


def _from_the_first_row(
    plan: ScoringPlan, files: tuple[Output, Output], missing_values: str, chunk_bytes: int
) -> Progress:
    results, errors = files
    is_parquet = plan.reading.format == "parquet"
    return Progress(
        missing_values=missing_values,
        chunk_bytes=chunk_bytes,
        position=plan.start,
        place=0 if is_parquet else results.write(scoring.header(plan), 0),
        errors=errors.write(ERRORS_HEADER, 0),
        tally=Tally(formulas=scoring.writes_formulas(plan)),
    )


@dataclass(frozen=True)
class _Scoring:
    """One worker's way through the rows."""

    job: BatchJob
    lease: Lease
    plan: ScoringPlan
    files: tuple[Output, Output]
    log: RowLog

    def run(self, progress: Progress) -> Progress:
        labels = TrueLabels(self.job, self.plan.classifier.classes)
        size, begin = progress.chunk_bytes, progress.position
        for chunk in scoring.chunks(self.plan, begin, chunk_bytes=size):
            progress = self._written(progress, chunk)
            if self.job.log_rows:
                progress = self._kept(progress, chunk, labels)
            self.lease.save(
                cursor=progress.to_cursor(), rows_done=progress.rows, rows_bad=progress.bad
            )
        return progress

    def _written(self, progress: Progress, chunk: Chunk) -> Progress:
        results, errors = self.files
        place = results.write(chunk.results, progress.place)
        return progress.after(chunk, place, errors.write(chunk.errors, progress.errors))

    def _kept(self, progress: Progress, chunk: Chunk, labels: TrueLabels) -> Progress:
        kept = self.log.keep(chunk.answered)
        feedback = progress.feedback
        if self.job.store_labels:
            for entry in kept:
                feedback = feedback.plus(*labels.keep(entry))
        rows = sum(len(entry.labels) for entry in kept)
        return replace(progress, logged=progress.logged + rows, feedback=feedback)


def _end(job: BatchJob, lease: Lease, progress: Progress, classifier: Classifier) -> None:
    report = summary.report(job, progress, classifier, now=lease.clock())
    facts = {"rows": progress.rows, "rows_done": progress.rows, "rows_bad": progress.bad}
    if lease.end(BatchState.DONE, report=report.to_dict(), cursor={}, **facts):
        shutil.rmtree(folders.parts(job), ignore_errors=True)
