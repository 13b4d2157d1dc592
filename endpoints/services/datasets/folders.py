"""Where the files of datasets lie under RAISIN_HOME; it knows nothing of what is in them."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from endpoints.models import Dataset
from endpoints.models.dataset import FileFormat


def home() -> Path:
    """Return the folder, which is there."""
    folder = Path(settings.RAISIN_HOME) / "datasets"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def upload(sha256: str) -> Path:
    """The file as it came, until a worker has read it."""
    return home() / f"{sha256}.upload"


def draft(dataset: Dataset, worker: str) -> Path:
    """What one worker writes while it reads: its name makes clear that it may be half."""
    return home() / f"{dataset.sha256}.{worker.rpartition(':')[2]}.draft"


def clear_drafts(dataset: Dataset) -> None:
    """Remove what killed workers left."""
    for stray in home().glob(f"{dataset.sha256}.*.draft*"):
        stray.unlink(missing_ok=True)


def source(dataset: Dataset) -> Path:
    """The file to train on, plain UTF-8 where it is CSV."""
    suffix = "parquet" if dataset.format == FileFormat.PARQUET else "csv"
    return home() / f"{dataset.sha256}.{suffix}"
