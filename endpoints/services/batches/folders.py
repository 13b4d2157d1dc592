"""Where the files of a batch lie under RAISIN_HOME; it knows nothing of what is in them."""

from __future__ import annotations

import re
import secrets
import shutil
from pathlib import Path

from django.conf import settings

from endpoints.models import BatchJob

_STAGE = re.compile("[0-9a-f]{32}[.][0-9a-f]{8}")


def home() -> Path:
    return Path(settings.RAISIN_HOME) / "batches"


def folder(job: BatchJob) -> Path:
    return home() / job.pk


def stage(job: BatchJob) -> Path:
    """A new folder that is to become the job's: somebody else may be making the same job."""
    made = home() / f"{job.pk}.{secrets.token_hex(4)}"
    made.mkdir(parents=True)
    return made


def is_stage(path: Path) -> bool:
    return _STAGE.fullmatch(path.name) is not None


def publish(job: BatchJob, made: Path) -> None:
    """Let the files appear where the job looks for them, in place of what a killed server left there."""
    delete(job)
    made.rename(folder(job))


def upload(job: BatchJob) -> Path:
    """As it came; gone once it is read and its plain form is kept."""
    return folder(job) / "upload"


def source(job: BatchJob) -> Path:
    return folder(job) / f"source.{job.format}"


def results(job: BatchJob) -> Path:
    """Whole only once the job is done."""
    return folder(job) / f"results.{job.format}"


def parts(job: BatchJob) -> Path:
    """The results of single chunks, where they cannot be written one behind the other."""
    return folder(job) / "parts"


def errors(job: BatchJob) -> Path:
    return folder(job) / "errors.csv"


def delete(job: BatchJob) -> None:
    """A worker that was thought dead may write into it at this moment: what it leaves goes later."""
    shutil.rmtree(folder(job), ignore_errors=True)
