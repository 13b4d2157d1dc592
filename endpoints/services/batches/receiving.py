"""Takes a file in: who may have it scored by which version, and that it is kept before anybody hears of it.

It does not look into the file; a worker does.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path, PurePath

from django.conf import settings
from django.db import IntegrityError, transaction

from endpoints.errors import InvalidRequest, TooLarge
from endpoints.models import AlgorithmVersion, BatchJob, Endpoint
from endpoints.services import access, audit, leases, serving, snapshots, submissions
from endpoints.services.access import Caller, Need
from endpoints.services.batches import admitting, folders
from mlcore.errors import cut, did_you_mean, listed
from mlcore.files import sync

LONGEST_FILE_NAME = 200
LONGEST_COLUMN = 500
NO_TEXT = re.compile("[\\0\ud800-\udfff]")
NOT_LOGGED = "True labels are kept with the rows in the request log: keep those too."


@dataclass(frozen=True)
class Options:
    """What is wished of a file; `mapping` says by feature which column answers it, where the names differ."""

    label_column: str = ""
    log_rows: bool = True
    store_labels: bool = False
    starts_itself: bool = False
    mapping: Mapping[str, str] = field(default_factory=dict)


def receive(  # noqa: PLR0913  what a form has
    upload: Path,
    *,
    name: str,
    endpoint: Endpoint,
    version: AlgorithmVersion | None,
    options: Options,
    actor: Caller,
    now: datetime,
    submission: str = "",
) -> BatchJob:
    """Keep an uploaded file, which moves away, and let it be checked. Without a version production scores it.

    `submission` names the form or request: sent twice, it makes one job, whoever is in production by then.

    Raises NotAuthenticated, NotAllowed, NotFound, TooLarge, InvalidRequest, or NoModel where nothing answers.
    """
    require(actor, endpoint)
    require_texts(options.label_column, options.mapping)
    require_labels(options.log_rows, options.store_labels, actor, endpoint)
    size = upload.stat().st_size
    if size > settings.RAISIN_MAX_FILE_BYTES:
        raise TooLarge(f"The file is larger than {_in_words(settings.RAISIN_MAX_FILE_BYTES)}.")
    if not size:
        raise InvalidRequest("The file is empty.")
    job = new_job(endpoint, answering(endpoint, version), actor, now)
    job.file_name = shown_name(name)
    job.size, job.sha256 = size, _sha256(upload)
    set_options(job, options)
    asked = endpoint.pk, version and version.pk, job.file_name, job.sha256, asdict(options)
    job.pk = submissions.key_of(submission, actor, *asked)
    if before := submissions.before(job, actor):
        upload.unlink()
        return before
    require_features(options.mapping, job.version)
    return announce(job, keep(job, upload), actor, now)


def require(actor: Caller, endpoint: Endpoint) -> None:
    admitting.require_known(actor)
    access.admit(endpoint, caller=actor, slug=endpoint.slug, need=Need.PREDICT)


def require_texts(label_column: str, mapping: Mapping[str, str]) -> None:
    """Refuse what no database keeps; whether there are such columns is seen later."""
    if len(label_column) > LONGEST_COLUMN:
        raise InvalidRequest(
            f"The name of a column of labels has at most {LONGEST_COLUMN} characters."
        )
    for text in (label_column, *mapping.keys(), *mapping.values()):
        if not isinstance(text, str) or NO_TEXT.search(text):
            raise InvalidRequest("Name columns in plain text.")


def require_features(mapping: Mapping[str, str], version: AlgorithmVersion) -> None:
    """Refuse a mapping that names what the version has no use for."""
    features = snapshots.load(version).schema.names
    for name in mapping:
        if name not in features:
            hint = did_you_mean(name, features) or f". Its features: {listed(features)}."
            raise InvalidRequest(f'{version.label} has no feature "{cut(name)}"{hint}')


def require_labels(log_rows: bool, store_labels: bool, actor: Caller, endpoint: Endpoint) -> None:
    """Whoever wants true labels kept must be one who may give them."""
    if not store_labels:
        return
    access.admit(endpoint, caller=actor, slug=endpoint.slug, need=Need.FEEDBACK)
    if not log_rows:
        raise InvalidRequest(NOT_LOGGED)


def answering(endpoint: Endpoint, version: AlgorithmVersion | None) -> AlgorithmVersion:
    """Return the version, or the one in production, if it can score now."""
    serving.refuse_paused(endpoint)
    if version is None:
        served = snapshots.read(endpoint)
        return served.choose(None, None).version
    if version.endpoint_id != endpoint.pk:
        raise InvalidRequest(f"{version.label} is no version of “{endpoint.slug}”.")
    snapshots.load(version)
    return version


def new_job(
    endpoint: Endpoint, version: AlgorithmVersion, actor: Caller, now: datetime
) -> BatchJob:
    return BatchJob(
        endpoint=endpoint,
        version=version,
        created_at=now,
        created_by=actor.person,
        created_by_name=actor.name,
        key=actor.key,
        heartbeat_at=now,
        expires_at=now + timedelta(days=settings.RAISIN_BATCH_DAYS),
    )


def set_options(job: BatchJob, options: Options) -> None:
    job.label_column, job.mapping = options.label_column, dict(options.mapping)
    job.log_rows, job.store_labels = options.log_rows, options.store_labels
    job.starts_itself = options.starts_itself


def keep(job: BatchJob, upload: Path) -> Path:
    stage = folders.stage(job)
    kept = stage / folders.upload(job).name
    shutil.move(upload, kept)
    sync(kept)
    sync(stage)
    return stage


def announce(job: BatchJob, stage: Path, actor: Caller, now: datetime) -> BatchJob:
    """Write the job whose files are in the stage, and ring for a worker; or return the one that was faster.

    Files that are published stay, whatever fails: the row may be written, or its place be somebody else's
    by now.
    """
    try:
        with transaction.atomic():
            job.save(force_insert=True)
            record("create_batch", job, actor=actor, now=now)
            leases.queue(job, now)
            folders.publish(job, stage)
            sync(folders.home())
    except IntegrityError:
        faster = submissions.known(job)
        if faster is None:
            raise
        return faster
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    job.is_new = True
    return job


def record(verb: str, job: BatchJob, *, actor: Caller, now: datetime) -> None:
    facts = {"job": job.pk, "version": job.version.number, "sha256": job.sha256}
    audit.record(
        verb, actor=actor, endpoint=job.endpoint, subject=job.file_name, now=now, after=facts
    )


def shown_name(name: str) -> str:
    """The last part of what a browser or program calls the file, in characters that every page can show."""
    last = PurePath(name.replace("\\", "/")).name
    shown = "".join(letter if letter.isprintable() else "�" for letter in last).strip()
    return shown[-LONGEST_FILE_NAME:] or "file.csv"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _in_words(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB" if size >= 2**20 else f"{size:,} bytes"
