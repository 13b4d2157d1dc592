"""Deletes the files of batches that are kept long enough, and those of uploads that were killed midway.

Whole files that no row owns stay: the database may be the wrong one, or an older copy.
"""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path

from endpoints.models import BatchJob
from endpoints.models.batch import ENDED, BatchState
from endpoints.services import leases
from endpoints.services.batches import deleting, folders

STRAY_AFTER = timedelta(hours=1)


def expire(now: datetime) -> int:
    """Delete what is due; return how many batches that were.

    One that was never started, or still waits, is cancelled first; one under way ends first.
    """
    expired = 0
    for job in BatchJob.objects.expired(now):
        if job.state not in ENDED:
            _cancel(job, now)
        if deleting.close(job):
            folders.delete(job)
            expired += 1
    return expired


def _cancel(job: BatchJob, now: datetime) -> None:
    resting = (BatchState.READY, BatchState.NEEDS_ATTENTION)
    rests = BatchJob.objects.filter(pk=job.pk, state__in=resting)
    if not rests.update(state=BatchState.CANCELLED, ended_at=now):
        leases.cancel(job, now=now)


def clear_strays(now: datetime) -> None:
    """Remove what was left: files that came after they were deleted, and uploads that nobody will announce."""
    if not folders.home().is_dir():
        return
    for folder in folders.home().iterdir():
        try:
            age = now.timestamp() - folder.stat().st_mtime
        except FileNotFoundError:
            continue  # another worker, or whoever deleted the batch, was first
        if age > STRAY_AFTER.total_seconds() and _is_stray(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _is_stray(folder: Path) -> bool:
    if folders.is_stage(folder):
        return True
    gone = BatchJob.objects.filter(pk=folder.name, state=BatchState.EXPIRED)
    return gone.exists()
