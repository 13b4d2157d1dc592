"""What is left in the folder of datasets goes; what a row owns, or may be about to own, stays."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from endpoints.models import Dataset
from endpoints.models.dataset import DatasetState
from endpoints.services.datasets import folders, sweeping
from tests.endpoints.services.datasets.files import stored

pytestmark = pytest.mark.django_db
KINDS = ("upload", "csv", "parquet", "aaaaaaaa.draft", "aaaaaaaa.draft.1252")


@pytest.fixture
def dataset(tmp_path: Path) -> Iterator[Dataset]:
    found = stored(tmp_path)
    yield found
    for path in folders.home().glob(f"{found.sha256}.*"):
        path.unlink()


def files_of(sha256: str) -> list[Path]:
    paths = [folders.home() / f"{sha256}.{kind}" for kind in KINDS]
    for path in paths:
        path.touch()
    return paths


def left(dataset: Dataset, **facts: object) -> list[str]:
    """What of all its files is there after two hours, in these circumstances."""
    Dataset.objects.filter(pk=dataset.pk).update(**facts)
    paths = files_of(dataset.sha256)
    sweeping.sweep(timezone.now() + timedelta(hours=2))
    return [kind for kind, path in zip(KINDS, paths, strict=True) if path.exists()]


def test_uploads_and_drafts_without_a_row_go_after_an_hour() -> None:
    unread = [path for path in files_of("0" * 64) if path.suffix in (".upload", ".draft")]
    sweeping.sweep(timezone.now() + timedelta(minutes=59))
    assert all(path.exists() for path in unread)
    assert sweeping.sweep(timezone.now() + timedelta(minutes=61)) >= len(unread)
    assert not any(path.exists() for path in unread)


def test_what_another_database_may_know_stays(dataset: Dataset) -> None:
    """The wrong DATABASE_URL, or an older copy put back, costs no file to train on."""
    files_of(dataset.sha256)
    Dataset.objects.all().delete()
    sweeping.sweep(timezone.now() + timedelta(days=9))
    left = {path.suffix for path in folders.home().glob(f"{dataset.sha256}.*")}
    assert left == {".csv", ".parquet"}


def test_an_old_file_that_just_came_here_stays() -> None:
    """It is moved before its row is written."""
    path = folders.upload("0" * 64)
    path.touch()
    os.utime(path, (0, 0))
    sweeping.sweep(timezone.now())
    path.unlink()


def test_what_waits_keeps_its_upload(dataset: Dataset) -> None:
    assert left(dataset, state=DatasetState.UPLOADED) == ["upload", "csv", "parquet"]


def test_what_is_read_keeps_the_draft_of_its_worker(dataset: Dataset) -> None:
    mine, state = "host:1:aaaaaaaa", DatasetState.READING
    assert left(dataset, state=state, worker=mine) == list(KINDS)
    assert left(dataset, state=state, worker="host:1:bbbbbbbb") == ["upload", "csv", "parquet"]


def test_what_is_ready_keeps_its_file_alone(dataset: Dataset) -> None:
    assert left(dataset, state=DatasetState.READY) == ["csv", "parquet"]


def test_what_failed_keeps_nothing(dataset: Dataset) -> None:
    assert left(dataset, state=DatasetState.FAILED) == []


def test_what_it_does_not_know_stays() -> None:
    path = folders.home() / "notes.csv"
    path.touch()
    sweeping.sweep(timezone.now() + timedelta(days=9))
    path.unlink()
