"""Deletes the files of a batch that has ended; what it found stays, and so do its rows in the request log."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from endpoints.errors import Conflict
from endpoints.models import BatchJob
from endpoints.models.batch import ENDED, BatchState
from endpoints.services.access import Caller
from endpoints.services.batches import folders, receiving


def delete_files(job: BatchJob, *, actor: Caller, now: datetime) -> BatchJob:
    """Raises Conflict while it has not ended: cancel it first."""
    receiving.require(actor, job.endpoint)
    if job.state == BatchState.EXPIRED:
        return job
    with transaction.atomic():
        if not close(job):
            raise Conflict("This job has not ended: cancel it first.")
        receiving.record("delete_batch", job, actor=actor, now=now)
    folders.delete(job)
    job.refresh_from_db()
    return job


def close(job: BatchJob) -> bool:
    """Mark an ended job as one without files, before they go: nobody may find half of them.

    The first rows go with the files, since they are rows too.
    """
    job.refresh_from_db()  # a worker may have ended it since, with a report that is to stay
    report = {**job.check_report, "preview": {"columns": [], "rows": []}}
    errors = {**job.report, "first_errors": []} if job.report else {}
    ended = BatchJob.objects.filter(pk=job.pk, state=job.state, state__in=ENDED)
    gone = {"state": BatchState.EXPIRED, "check_report": report if job.check_report else {}}
    return bool(ended.update(**gone, report=errors, problems=[]))
