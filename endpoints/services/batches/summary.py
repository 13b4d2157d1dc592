"""Sums up what was scored, and finds what to compare it with; it scores nothing."""

from __future__ import annotations

from datetime import datetime

from endpoints.models import BatchJob
from endpoints.models.batch import BatchState
from endpoints.services.batches.progress import Progress
from endpoints.services.batches.reports import Before, ScoreReport
from endpoints.services.tables.tallies import Tally
from mlcore.classifier import Classifier


def report(
    job: BatchJob, progress: Progress, classifier: Classifier, *, now: datetime
) -> ScoreReport:
    tally = progress.tally
    return ScoreReport(
        rows=progress.rows,
        bad=progress.bad,
        seconds=(now - (job.started_at or now)).total_seconds(),
        histogram=tuple(tally.histogram),
        labels=dict(tally.labels),
        positive_rate=_positive_rate(tally, classifier),
        errors=dict(tally.errors),
        first_errors=tuple(tally.first_errors),
        metrics=tally.metrics(classifier.classes),
        confusion=tally.confusion or None,
        unknown_labels=tally.foreign,
        formulas=tally.formulas,
        logged=progress.logged,
        feedback=progress.feedback if job.store_labels else None,
        before=before(job),
    )


def _positive_rate(tally: Tally, classifier: Classifier) -> float | None:
    """Of the rows that could be scored; None of three and more classes, or without any."""
    scored = sum(tally.labels.values())
    if not classifier.is_binary or not scored:
        return None
    return tally.labels.get(classifier.classes[1], 0) / scored


def before(job: BatchJob) -> Before | None:
    """Return what the newest batch that was done at the endpoint before this one found."""
    others = BatchJob.objects.filter(endpoint=job.endpoint_id).exclude(pk=job.pk).exclude(report={})
    done = others.filter(state__in=(BatchState.DONE, BatchState.EXPIRED), ended_at__isnull=False)
    newest = done.order_by("-ended_at").first()
    if newest is None:
        return None
    return Before(newest.pk, newest.report["positive_rate"])
