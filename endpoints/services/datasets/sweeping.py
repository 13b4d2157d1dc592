"""Removes what is left below the folder of datasets: uploads that failed or came twice, drafts of killed workers.

It looks at names and rows alone. What it does not know by its name is not ours, and stays.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path

from endpoints.models import Dataset
from endpoints.models.dataset import DatasetState
from endpoints.services.datasets import folders

LEFT_AFTER = timedelta(hours=1)
"""Before that the row may be about to be written."""
_NAME = re.compile(r"(?P<sha256>[0-9a-f]{64})\.(?P<kind>upload|csv|parquet|(?P<worker>\w+)\.draft)")
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
    """A dataset that waits or is read needs its upload, and whatever of a former reading is there."""
    dataset = Dataset.objects.filter(sha256=name["sha256"]).first()
    if dataset is None or dataset.state == DatasetState.FAILED:
        return False
    if name["worker"]:
        is_read = dataset.state == DatasetState.READING
        return is_read and folders.draft(dataset, dataset.worker).name == name[0]
    return name["kind"] != "upload" or dataset.state in _UNREAD


def _is_old(path: Path, now: datetime) -> bool:
    """Since it was written or moved here."""
    try:
        facts = path.stat()
    except FileNotFoundError:
        return False  # another worker was first
    return now.timestamp() - max(facts.st_mtime, facts.st_ctime) > LEFT_AFTER.total_seconds()
