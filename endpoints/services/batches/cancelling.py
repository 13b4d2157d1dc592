"""Ends a batch before it is done: at once where nobody works at it, else within a chunk."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from endpoints.errors import Conflict
from endpoints.models import BatchJob
from endpoints.services import leases
from endpoints.services.access import Caller
from endpoints.services.batches import receiving
from endpoints.services.batches.starting import STARTABLE


def cancel(job: BatchJob, *, actor: Caller, now: datetime) -> BatchJob:
    """Raises Conflict once it has ended. What is scored by then is not handed out."""
    receiving.require(actor, job.endpoint)
    with transaction.atomic():
        if not (_cancel_resting(job, now) or leases.cancel(job, now=now)):
            job.refresh_from_db()
            raise Conflict(f"This job is {job.get_state_display().lower()} already.")
        receiving.record("cancel_batch", job, actor=actor, now=now)
    job.refresh_from_db()
    return job


def _cancel_resting(job: BatchJob, now: datetime) -> bool:
    resting = BatchJob.objects.filter(pk=job.pk, state__in=STARTABLE)
    return bool(resting.update(state=job.CANCELLED, ended_at=now))
