"""A form or request that comes twice makes one job: its key follows from who asks for what."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from endpoints.models import BatchJob, Dataset, Endpoint, Event, Run
from endpoints.services.access import Caller
from endpoints.services.batches import folders, receiving, rerunning
from endpoints.services.submissions import key_of
from endpoints.services.training_jobs import again, specs, submitting
from tests.endpoints.services.batches.made import SYSTEM, checked, grains, uploaded
from tests.endpoints.services.datasets.files import stored
from tests.endpoints.services.decisions import NOON

BOTH_AT_ONCE = 2


def send(raisin: Endpoint, content: bytes, submission: str = "form-1") -> BatchJob:
    return receiving.receive(
        uploaded(content),
        name="grains.csv",
        endpoint=raisin,
        version=None,
        options=receiving.Options(),
        actor=SYSTEM,
        now=NOON,
        submission=submission,
    )


def ask(dataset: Dataset, submission: str = "form-1", **asked: Any) -> Run:
    spec = specs.read({"target": "Class"} | asked)
    return submitting.submit(dataset, spec, actor=SYSTEM, now=NOON, submission=submission)


def test_each_caller_form_and_wish_has_a_key_of_its_own() -> None:
    other = Caller(system="others")
    asked = [("a", SYSTEM, "x"), ("b", SYSTEM, "x"), ("a", other, "x"), ("a", SYSTEM, "y")]
    keys = {key_of(*one) for one in asked}
    assert len(keys) == 4
    assert {len(key) for key in keys} == {32}
    assert key_of("a", SYSTEM, {"b": 1, "a": 2}) == key_of("a", SYSTEM, {"a": 2, "b": 1})
    assert key_of("", SYSTEM, "x") != key_of("", SYSTEM, "x")


@pytest.mark.django_db
def test_a_training_is_queued_once(tmp_path: Path) -> None:
    dataset = stored(tmp_path)
    first = ask(dataset)
    assert ask(dataset) == first
    assert Run.objects.count() == 1
    assert ask(dataset, solver="gd") != first
    assert ask(dataset, "form-2") != first
    assert ask(dataset, "") != ask(dataset, "")


@pytest.mark.django_db
def test_a_training_is_done_again_once(tmp_path: Path) -> None:
    run = ask(stored(tmp_path))
    facts: dict[str, Any] = {"actor": SYSTEM, "now": NOON, "submission": "form-9"}
    first = again.again(run, **facts)
    assert first != run
    assert again.again(run, **facts) == first


@pytest.mark.django_db
def test_a_file_is_scored_once(raisin: Endpoint) -> None:
    first = send(raisin, grains(10))
    assert send(raisin, grains(10)) == first
    assert Event.objects.filter(verb="create_batch").count() == 1
    assert send(raisin, grains(11)) != first
    assert send(raisin, grains(10), "form-2") != first


@pytest.mark.django_db
def test_a_file_is_scored_again_once(raisin: Endpoint) -> None:
    job, second = checked(raisin, grains(10)), raisin.versions.get(number=2)
    facts: dict[str, Any] = {"actor": SYSTEM, "now": NOON, "submission": "form-1"}
    first = rerunning.rerun(job, version=None, **facts)
    assert rerunning.rerun(job, version=None, **facts) == first
    assert rerunning.rerun(job, version=second, **facts) != first


@pytest.mark.django_db
def test_what_a_killed_server_left_in_its_place_is_no_obstacle(raisin: Endpoint) -> None:
    first = send(raisin, grains(10))
    BatchJob.objects.all().delete()
    assert send(raisin, grains(10)).pk == first.pk
    assert folders.upload(first).read_bytes() == grains(10)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["training", "batch"])
def test_of_two_at_once_both_get_the_same(kind: str, raisin: Endpoint, tmp_path: Path) -> None:
    dataset = stored(tmp_path)
    barrier = threading.Barrier(BOTH_AT_ONCE)
    keys: list[str] = []

    def press() -> None:
        barrier.wait()
        try:
            keys.append((ask(dataset) if kind == "training" else send(raisin, grains(10))).pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=press) for _ in range(BOTH_AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == BOTH_AT_ONCE
    assert len(set(keys)) == 1
    if kind == "batch":
        job = BatchJob.objects.get()
        assert folders.upload(job).read_bytes() == grains(10)
        assert [path.name for path in folders.home().glob(f"{job.pk}*")] == [job.pk]
