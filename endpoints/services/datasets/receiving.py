"""Takes a file to train on into the store, once for the same content; it does not look into it.

A worker reads it afterwards. It knows no form and no request.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import IntegrityError, transaction

from endpoints.errors import InvalidRequest, TooLarge
from endpoints.models import Dataset
from endpoints.models.dataset import DatasetState
from endpoints.services import access, audit, leases
from endpoints.services.access import Caller, Need
from endpoints.services.datasets import folders
from mlcore.files import sync

LONGEST_FILE_NAME = 200


def receive(upload: Path, *, name: str, actor: Caller, now: datetime) -> Dataset:
    """Keep the file, which is moved away, and let a worker read it; the same content is kept once.

    A dataset that was archived is back again, and one that could not be read is read once more.
    """
    access.require(actor, Need.TRAIN)
    size = upload.stat().st_size
    if size == 0:
        raise InvalidRequest(f"{name} is empty; the first line must name the columns.")
    if size > settings.RAISIN_MAX_FILE_BYTES:
        raise TooLarge(
            f"{name} has {size:,} bytes; {settings.RAISIN_MAX_FILE_BYTES:,} is the most."
        )
    with upload.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    known = Dataset.objects.filter(sha256=sha256).first()
    return _known(known, upload, now) if known else _new(upload, sha256, name, actor, now)


def _new(upload: Path, sha256: str, name: str, actor: Caller, now: datetime) -> Dataset:
    size = _move(upload, sha256)
    dataset = Dataset(
        sha256=sha256,
        name=name[:LONGEST_FILE_NAME],
        size=size,
        created_at=now,
        created_by=actor.person,
        created_by_name=actor.name,
    )
    try:
        with transaction.atomic():
            dataset.save(force_insert=True)
            leases.queue(dataset, now)
            audit.record(
                "upload",
                actor=actor,
                endpoint=None,
                subject=f"dataset {dataset.name}"[:200],
                now=now,
                after={"sha256": sha256, "bytes": size},
            )
    except IntegrityError:
        return _overtaken(sha256)
    dataset.refresh_from_db()
    return dataset


def _overtaken(sha256: str) -> Dataset:
    """Somebody stored the same content in this moment; a worker may already be done with the file."""
    dataset = Dataset.objects.get(sha256=sha256)
    if dataset.state == DatasetState.READY:
        folders.upload(sha256).unlink(missing_ok=True)
    return dataset


def _known(dataset: Dataset, upload: Path, now: datetime) -> Dataset:
    if dataset.state == DatasetState.FAILED:
        _read_again(dataset, upload, now)
    else:
        upload.unlink()
    Dataset.objects.filter(pk=dataset.pk).update(archived_at=None)
    dataset.refresh_from_db()
    return dataset


def _read_again(dataset: Dataset, upload: Path, now: datetime) -> None:
    """Whatever reads it now may know more than what failed, or have more memory."""
    _move(upload, dataset.sha256)
    with transaction.atomic():
        failed = Dataset.objects.filter(pk=dataset.pk, state=DatasetState.FAILED)
        if failed.update(state=DatasetState.UPLOADED, message="", problems=[], ended_at=None):
            dataset.refresh_from_db()
            leases.queue(dataset, now)


def _move(upload: Path, sha256: str) -> int:
    target = folders.upload(sha256)
    sync(upload)
    upload.replace(target)
    sync(target.parent)
    return target.stat().st_size
