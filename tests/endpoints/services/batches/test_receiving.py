"""A file is taken in: kept, announced and recorded; or refused before anything of it is kept."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.contrib.auth.models import User
from django.db import OperationalError
from django_tasks_db.models import DBTaskResult

from endpoints.errors import (
    DomainError,
    InvalidRequest,
    NoModel,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    TooLarge,
)
from endpoints.models import BatchJob, Endpoint, Event
from endpoints.services import artifacts, leases, snapshots
from endpoints.services.access import Caller
from endpoints.services.batches import folders, receiving
from tests import cast
from tests.endpoints.services.batches.made import grains, received, uploaded
from tests.endpoints.services.decisions import NOON

pytestmark = pytest.mark.django_db
FILE = b"Area,Perimeter\n1,2\n"


def test_it_works(raisin: Endpoint, ana: User) -> None:
    job = received(raisin, FILE, actor=Caller(user=ana), label_column="Class", log_rows=False)
    job.refresh_from_db()
    assert (job.state, job.file_name, job.size) == ("uploaded", "grains.csv", len(FILE))
    assert job.sha256 == hashlib.sha256(FILE).hexdigest()
    assert (job.created_by, job.created_by_name, job.key) == (ana, "ana", None)
    assert (job.label_column, job.log_rows, job.starts_itself) == ("Class", False, False)
    assert job.expires_at == NOON + timedelta(days=configured.RAISIN_BATCH_DAYS)
    assert folders.upload(job).read_bytes() == FILE


def test_production_scores_it_unless_a_version_is_named(raisin: Endpoint) -> None:
    assert received(raisin, FILE).version.number == 1
    second = raisin.versions.get(number=2)
    assert received(raisin, FILE, version=second).version == second


def test_a_worker_is_told(raisin: Endpoint) -> None:
    job = received(raisin, FILE)
    [task] = DBTaskResult.objects.all()
    assert (task.task_path, task.args_kwargs["args"]) == ("endpoints.tasks.check_batch", [job.pk])
    assert job.heartbeat_at == NOON


def test_it_is_recorded(raisin: Endpoint, ana: User) -> None:
    job = received(raisin, FILE, actor=Caller(user=ana))
    event = Event.objects.get(verb="create_batch")
    assert (event.actor, event.endpoint, event.subject, event.at) == (
        ana,
        raisin,
        "grains.csv",
        NOON,
    )
    assert event.after == {"job": job.pk, "version": 1, "sha256": job.sha256}


def test_a_key_is_remembered(raisin: Endpoint, dev: User) -> None:
    key, _ = cast.new_key(dev, scopes=["predict"])
    job = received(raisin, FILE, actor=Caller(key=key))
    assert (job.key, job.created_by, job.created_by_name) == (key, None, "key tests")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("C:\\data\\rows.csv", "rows.csv"),
        ("../../etc/passwd", "passwd"),
        ("a\nb.csv", "a\N{REPLACEMENT CHARACTER}b.csv"),
        ("", "file.csv"),
        ("x" * 300 + ".csv", "x" * 196 + ".csv"),
    ],
)
def test_a_name_is_only_shown(name: str, shown: str, raisin: Endpoint) -> None:
    assert received(raisin, FILE, name=name).file_name == shown


def refused(error: type[DomainError], *arguments: Any, **facts: Any) -> str:
    """Hand something in that is refused, and leave nothing behind; return what is said."""
    before = sorted(folders.home().iterdir()) if folders.home().is_dir() else []
    with pytest.raises(error) as caught:
        received(*arguments, **facts)
    assert not BatchJob.objects.exists()
    assert (sorted(folders.home().iterdir()) if folders.home().is_dir() else []) == before
    return caught.value.message


def test_it_refuses_nobody_known_even_where_predictions_are_public(raisin: Endpoint) -> None:
    assert raisin.public_predictions
    refused(NotAuthenticated, raisin, FILE, actor=Caller())


def test_it_refuses_who_may_not_predict(raisin: Endpoint, eve: User) -> None:
    Endpoint.objects.update(public_predictions=False)
    raisin.refresh_from_db()
    refused(NotAllowed, raisin, FILE, actor=Caller(user=eve))


def test_an_endpoint_of_others_is_not_there(raisin: Endpoint, ana: User) -> None:
    Endpoint.objects.update(public_predictions=False, members_only=True)
    raisin.refresh_from_db()
    refused(NotFound, raisin, FILE, actor=Caller(user=ana))


def test_it_refuses_a_file_that_is_too_large(raisin: Endpoint, settings: Any) -> None:
    settings.RAISIN_MAX_FILE_BYTES = 2 * 2**20
    said = refused(TooLarge, raisin, b"x" * (2 * 2**20 + 1))
    assert said == "The file is larger than 2 MiB."


def test_it_refuses_an_empty_file(raisin: Endpoint) -> None:
    assert refused(InvalidRequest, raisin, b"") == "The file is empty."


@pytest.mark.parametrize(
    ("name", "hint"), [("area", '; did you mean "Area"?'), ("Nope", ". Its features: Area, ")]
)
def test_it_refuses_to_map_what_is_no_feature(name: str, hint: str, raisin: Endpoint) -> None:
    said = refused(InvalidRequest, raisin, FILE, mapping={name: "Perimeter"})
    assert said.startswith(f'v1 has no feature "{name}"{hint}')


def test_it_refuses_where_nothing_is_in_production(db: None) -> None:
    refused(NoModel, cast.an_endpoint("new"), FILE)


def test_it_refuses_at_a_paused_endpoint(raisin: Endpoint) -> None:
    raisin.paused_at = NOON
    assert "paused" in refused(NoModel, raisin, FILE)


def test_it_refuses_a_version_of_another_endpoint(raisin: Endpoint) -> None:
    other = cast.an_endpoint("other")
    said = refused(InvalidRequest, other, FILE, version=raisin.versions.get(number=1))
    assert said == "v1 is no version of “other”."


def test_it_refuses_a_version_that_cannot_be_loaded(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "models", snapshots.ModelCache(2))
    second = raisin.versions.get(number=2)
    (artifacts.folder(second) / "model.json").unlink()
    refused(NoModel, raisin, FILE, version=second)


def test_who_may_not_label_cannot_have_labels_kept(raisin: Endpoint, ana: User) -> None:
    Endpoint.objects.update(public_predictions=False)
    raisin.refresh_from_db()
    refused(NotAllowed, raisin, FILE, actor=Caller(user=ana), store_labels=True)


def test_labels_are_kept_with_logged_rows_alone(raisin: Endpoint) -> None:
    said = refused(InvalidRequest, raisin, FILE, store_labels=True, log_rows=False)
    assert said == receiving.NOT_LOGGED


def test_a_failure_leaves_no_files(raisin: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise InvalidRequest("the bell is broken")

    monkeypatch.setattr(leases, "queue", fail)
    before = left()
    refused(InvalidRequest, raisin, FILE)
    assert left() == before


def left() -> set[Path]:
    return set(folders.home().glob("*")) if folders.home().exists() else set()


@pytest.mark.parametrize("failure", [OperationalError, OSError])
def test_files_that_are_published_stay_whatever_fails(
    failure: type[Exception], raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection may break behind the commit: then a job without its file would be left. And whoever asks
    for the same job may have published once this one's row was taken back."""

    def lost(path: Path) -> None:
        raise failure("the server closed the connection")

    before = left()
    monkeypatch.setattr(receiving, "sync", lambda path: path == folders.home() and lost(path))
    with pytest.raises(failure):
        received(raisin, FILE)
    [folder] = left() - before
    assert (folder / "upload").read_bytes() == FILE


def test_a_large_file_is_moved_and_not_copied(raisin: Endpoint) -> None:
    upload = uploaded(grains(10))
    number = upload.stat().st_ino
    options = receiving.Options()
    job = receiving.receive(
        upload,
        name="a.csv",
        endpoint=raisin,
        version=None,
        options=options,
        actor=Caller(system="tests"),
        now=NOON,
    )
    assert folders.upload(job).stat().st_ino == number
    assert not upload.exists()


@pytest.mark.parametrize(
    "wishes",
    [
        {"label_column": "x" * 501},
        {"label_column": "a\0"},
        {"mapping": {"Area": "\ud800"}},
        {"mapping": {"Area": 5}},
    ],
)
def test_it_refuses_names_that_no_database_keeps(wishes: dict[str, Any], raisin: Endpoint) -> None:
    refused(InvalidRequest, raisin, FILE, **wishes)
