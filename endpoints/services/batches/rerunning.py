"""Scores a file that is still kept once more, as a job of its own, by another version."""

from __future__ import annotations

import os
import shutil
from datetime import datetime
from pathlib import Path

from endpoints.errors import Conflict, DomainError
from endpoints.models import AlgorithmVersion, BatchJob
from endpoints.models.batch import BatchState
from endpoints.services import access, snapshots, submissions
from endpoints.services.access import Caller, Need
from endpoints.services.batches import folders, receiving
from mlcore.files import sync


def rerun(
    job: BatchJob,
    *,
    version: AlgorithmVersion | None,
    actor: Caller,
    now: datetime,
    submission: str = "",
) -> BatchJob:
    """Return the new job, which starts by itself if the version finds all it needs. Sent twice it is one.

    Raises NotAllowed, NoModel, InvalidRequest, or Conflict where the file is not kept any more or was
    never read.
    """
    receiving.require(actor, job.endpoint)
    asked, version = version and version.pk, receiving.answering(job.endpoint, version)
    if job.state == BatchState.EXPIRED or not job.reading:
        raise Conflict("The file of this job is not kept any more: upload it again.")
    again = receiving.new_job(job.endpoint, version, actor, now)
    again.pk = submissions.key_of(submission, actor, job.pk, asked)
    if before := submissions.before(again, actor):
        return before
    again.rerun_of = job
    for name in ("file_name", "format", "size", "sha256", "reading", "label_column", "log_rows"):
        setattr(again, name, getattr(job, name))
    features = snapshots.load(version).schema.names
    again.mapping = {name: job.mapping[name] for name in features if name in job.mapping}
    again.store_labels = job.store_labels and _may_label(job, actor)
    again.starts_itself = True
    return receiving.announce(again, _staged(job, again), actor, now)


def _may_label(job: BatchJob, actor: Caller) -> bool:
    endpoint = job.endpoint
    try:
        access.admit(endpoint, caller=actor, slug=endpoint.slug, need=Need.FEEDBACK)
    except DomainError:
        return False
    return True


def _staged(job: BatchJob, again: BatchJob) -> Path:
    stage = folders.stage(again)
    try:
        _link(folders.source(job), stage / folders.source(again).name)
    except FileNotFoundError:
        shutil.rmtree(stage, ignore_errors=True)
        raise Conflict("The file of this job is not kept any more: upload it again.") from None
    sync(stage)
    return stage


def _link(source: Path, target: Path) -> None:
    """One file under two names goes with the last of its jobs; where a disk knows no such names, a copy."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, target)
        sync(target)
