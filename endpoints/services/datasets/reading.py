"""A worker's way through a new dataset: make its file plain, look at every column, write that down.

For workers alone, since it loads Polars. A file that cannot be read is refused by row and column.
"""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from endpoints.models import Dataset
from endpoints.models.dataset import DatasetState, FileFormat
from endpoints.services.datasets import folders, profiling, tables
from endpoints.services.leases import Lease, LeaseLost
from endpoints.services.tables.plain_text import MOST_UNPACKED
from endpoints.services.tables.reading import prepare
from mlcore.files import sync


def read(dataset: Dataset, lease: Lease) -> None:
    """Bring a dataset from its upload to the file that training reads and the profile that pages show."""
    folders.clear_drafts(dataset)
    draft = folders.draft(dataset, lease.worker)
    try:
        _read(dataset, draft, lease)
    except tables.UNREADABLE as error:
        raise tables.unreadable(dataset.name, error) from error
    finally:
        draft.unlink(missing_ok=True)


def _read(dataset: Dataset, draft: Path, lease: Lease) -> None:
    """The file is on the disk before the dataset is ready, and the upload stays until it is."""
    upload = _upload(dataset, lease)
    most = MOST_UNPACKED * settings.RAISIN_MAX_FILE_BYTES
    found = prepare(upload, draft, name=dataset.name, most_bytes=most, alive=lease.alive)
    how = {"encoding": found.encoding, "delimiter": found.delimiter, "notes": list(found.notes)}
    lease.save(format=found.format, reading=how)
    blocks = tables.blocks_of(draft, found, name=dataset.name)
    rows, columns = profiling.profile(blocks, alive=lease.alive)
    lease.check()
    sync(draft)
    draft.replace(folders.source(dataset))
    sync(folders.home())
    profiles = [column.to_dict() for column in columns]
    if not lease.end(DatasetState.READY, rows=rows, columns=profiles):
        raise LeaseLost
    upload.unlink(missing_ok=True)


def _upload(dataset: Dataset, lease: Lease) -> Path:
    """After a power cut the database may have forgotten that the file was read: its plain form is read then.

    Raises LeaseLost for a worker that another one was faster than.
    """
    upload = folders.upload(dataset.sha256)
    if not upload.exists():
        lease.check()
        for suffix in FileFormat.values:
            plain = upload.with_suffix(f".{suffix}")
            if plain.exists():
                plain.replace(upload)
    return upload
