"""Removes what is left below the folder of datasets: uploads that failed or came twice, drafts of killed workers.

It looks at names and rows alone. What it does not know by its name is not ours, and stays; so does a file to
train on that no row knows, since this may be another database than the one that does.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path

from endpoints.models import Dataset
from endpoints.models.dataset import DatasetState, FileFormat
from endpoints.services.datasets import folders

LEFT_AFTER = timedelta(hours=1)
"""Before that the row may be about to be written."""
_NAME = re.compile(
    r"(?P<sha256>[0-9a-f]{64})\.(?P<kind>upload|csv|parquet|(?P<worker>\w+)\.draft(\.1252)?)"
)
_UNREAD = (DatasetState.UPLOADED, DatasetState.READING)


def sweep(now: datetime) -> int:
    """Return how many files went."""
    return sum(_remove(path, now) for path in list(folders.home().iterdir()))


def _remove(path: Path, now: datetime) -> bool:
    """The age is looked at after the row: the same content may come in again at this moment."""
    name = _NAME.fullmatch(path.name)
    if name is None or _is_owned(name) or not _is_old(path, now):
        return False
    path.unlink(missing_ok=True)
    return True


def _is_owned(name: re.Match[str]) -> bool:
    """A dataset that waits or is read needs its upload, and whatever of a former reading is there. Without a row
    what was read may be all that is left of it.
    """
    dataset = Dataset.objects.filter(sha256=name["sha256"]).first()
    if dataset is None:
        return name["kind"] in FileFormat.values
    if dataset.state == DatasetState.FAILED:
        return False
    if name["worker"]:
        is_read = dataset.state == DatasetState.READING
        return is_read and name[0].startswith(folders.draft(dataset, dataset.worker).name)
    return name["kind"] != "upload" or dataset.state in _UNREAD


def _is_old(path: Path, now: datetime) -> bool:
    """Since it was written or moved here."""
    try:
        facts = path.stat()
    except FileNotFoundError:
        return False  # another worker was first
    return now.timestamp() - max(facts.st_mtime, facts.st_ctime) > LEFT_AFTER.total_seconds()
