"""Storing a file to train on: once for the same content, with a bell for a worker, or not at all."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django_tasks_db.models import DBTaskResult

from endpoints.errors import InvalidRequest, NotAllowed, TooLarge
from endpoints.models import Dataset, Event
from endpoints.models.dataset import DatasetState
from endpoints.services.access import Caller
from endpoints.services.datasets import archiving, folders, receiving
from tests import cast
from tests.endpoints.services.datasets.files import GRAINS, stored

pytestmark = pytest.mark.django_db
SHA256 = hashlib.sha256(GRAINS.encode()).hexdigest()


def failed(dataset: Dataset) -> None:
    folders.upload(dataset.sha256).unlink()
    facts = {"message": "line 2: too long", "problems": [{"row": 2}], "ended_at": cast.THEN}
    Dataset.objects.filter(pk=dataset.pk).update(state=DatasetState.FAILED, **facts)


def test_it_works(tmp_path: Path) -> None:
    dataset = stored(tmp_path)
    assert (dataset.sha256, dataset.size, dataset.state) == (SHA256, len(GRAINS), "uploaded")
    assert folders.upload(SHA256).read_text() == GRAINS
    assert not (tmp_path / "sent").exists()


def test_it_rings_for_a_worker(tmp_path: Path) -> None:
    dataset = stored(tmp_path)
    bell = DBTaskResult.objects.get()
    assert (bell.task_path, bell.args_kwargs["args"]) == (
        "endpoints.tasks.read_dataset",
        [dataset.pk],
    )


def test_it_records_who_sent_what(tmp_path: Path, dana: User) -> None:
    upload = tmp_path / "sent"
    upload.write_text(GRAINS)
    receiving.receive(upload, name="grains.csv", actor=Caller(user=dana), now=cast.THEN)
    event = Event.objects.get(verb="upload")
    assert (event.actor, event.subject) == (dana, "dataset grains.csv")
    assert event.after == {"sha256": SHA256, "bytes": len(GRAINS)}


def test_the_same_content_is_stored_once(tmp_path: Path) -> None:
    first = stored(tmp_path)
    second = stored(tmp_path, name="the same under another name.csv")
    assert (second.pk, second.name) == (first.pk, "grains.csv")
    assert not (tmp_path / "sent").exists()
    assert DBTaskResult.objects.count() == Event.objects.filter(verb="upload").count() == 1


def test_the_same_content_brings_an_archived_dataset_back(tmp_path: Path) -> None:
    dataset = stored(tmp_path)
    archiving.archive(dataset, actor=cast.SYSTEM, now=cast.THEN)
    assert dataset.archived_at == cast.THEN
    assert stored(tmp_path).archived_at is None


def test_a_dataset_that_could_not_be_read_is_read_once_more(tmp_path: Path) -> None:
    failed(stored(tmp_path))
    dataset = stored(tmp_path)
    assert (dataset.state, dataset.message, dataset.problems) == ("uploaded", "", [])
    assert folders.upload(SHA256).read_text() == GRAINS
    assert DBTaskResult.objects.count() == 2


def test_it_refuses_an_empty_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"grains\.csv is empty; the first line must name"):
        stored(tmp_path, "")
    assert not Dataset.objects.exists()


def test_it_refuses_a_file_above_the_limit(tmp_path: Path, settings: object) -> None:
    settings.RAISIN_MAX_FILE_BYTES = len(GRAINS) - 1  # type: ignore[attr-defined]
    with pytest.raises(TooLarge, match=f"has {len(GRAINS)} bytes; {len(GRAINS) - 1} is the most"):
        stored(tmp_path)


def test_it_refuses_who_may_not_train(tmp_path: Path, eve: User) -> None:
    upload = tmp_path / "sent"
    upload.write_text(GRAINS)
    with pytest.raises(NotAllowed, match=r"endpoints\.add_run"):
        receiving.receive(upload, name="x.csv", actor=Caller(user=eve), now=cast.THEN)
    assert upload.exists()


def test_archiving_twice_keeps_the_first_moment(tmp_path: Path) -> None:
    dataset = stored(tmp_path)
    for _ in range(2):
        archiving.archive(dataset, actor=cast.SYSTEM, now=cast.THEN)
    assert Event.objects.filter(verb="archive").count() == 1
