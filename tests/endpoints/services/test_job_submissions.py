"""A form or request that comes twice makes one job: its key follows from who asks for what."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from endpoints.errors import InvalidRequest
from endpoints.models import BatchJob, Dataset, Endpoint, Event, Run
from endpoints.services import leases, lifecycle
from endpoints.services.access import Caller
from endpoints.services.batches import folders, receiving, rerunning
from endpoints.services.submissions import key_of
from endpoints.services.training_jobs import again, specs, submitting
from tests import cast
from tests.endpoints.services.batches.made import SYSTEM, checked, grains, uploaded
from tests.endpoints.services.datasets.files import stored
from tests.endpoints.services.decisions import NOON, decision

BOTH_AT_ONCE = 2


def send(
    raisin: Endpoint, content: bytes, submission: str = "form-1", actor: Caller = SYSTEM
) -> BatchJob:
    return receiving.receive(
        uploaded(content),
        name="grains.csv",
        endpoint=raisin,
        version=None,
        options=receiving.Options(),
        actor=actor,
        now=NOON,
        submission=submission,
    )


def ask(dataset: Dataset, submission: str = "form-1", actor: Caller = SYSTEM, **asked: Any) -> Run:
    spec = specs.read({"target": "Class"} | asked)
    return submitting.submit(dataset, spec, actor=actor, now=NOON, submission=submission)


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
    assert (first.is_new, ask(dataset).is_new) == (True, False)
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
    assert (first.is_new, again.again(run, **facts).is_new) == (True, False)


@pytest.mark.django_db
def test_a_file_is_scored_once(raisin: Endpoint) -> None:
    first = send(raisin, grains(10))
    assert send(raisin, grains(10)) == first
    assert (first.is_new, send(raisin, grains(10)).is_new) == (True, False)
    assert Event.objects.filter(verb="create_batch").count() == 1
    assert send(raisin, grains(11)) != first
    assert send(raisin, grains(10), "form-2") != first


@pytest.mark.django_db
def test_a_file_is_scored_again_once(raisin: Endpoint) -> None:
    job, second = checked(raisin, grains(10)), raisin.versions.get(number=2)
    facts: dict[str, Any] = {"actor": SYSTEM, "now": NOON, "submission": "form-1"}
    first = rerunning.rerun(job, version=None, **facts)
    assert rerunning.rerun(job, version=None, **facts) == first
    assert (first.is_new, rerunning.rerun(job, version=None, **facts).is_new) == (True, False)
    assert rerunning.rerun(job, version=second, **facts) != first


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["file", "file again"])
def test_a_promotion_between_makes_no_second_job(kind: str, raisin: Endpoint) -> None:
    job, second = checked(raisin, grains(10)), raisin.versions.get(number=2)
    facts: dict[str, Any] = {"version": None, "actor": SYSTEM, "now": NOON, "submission": "form-1"}

    def press() -> BatchJob:
        return send(raisin, grains(10)) if kind == "file" else rerunning.rerun(job, **facts)

    first = press()
    lifecycle.promote(version=second, decision=decision())
    assert receiving.answering(raisin, None) == second
    assert press() == first


@pytest.mark.django_db
@pytest.mark.parametrize("end", ["failed", "cancelled", "being cancelled"])
@pytest.mark.parametrize("kind", ["training", "training again", "file", "file again"])
def test_what_came_to_nothing_is_done_anew_by_the_same_form(
    kind: str, end: str, raisin: Endpoint, tmp_path: Path
) -> None:
    press = presses(raisin, tmp_path)[kind]
    first = press(SYSTEM)
    bring_to_nothing(first, end)
    second = press(SYSTEM)
    assert (second.is_new, second == first) == (True, False)
    assert press(SYSTEM) == second
    bring_to_nothing(second, end)
    assert press(SYSTEM) not in (first, second)


@pytest.mark.django_db
def test_a_file_that_is_deleted_may_come_in_again(raisin: Endpoint) -> None:
    first = send(raisin, grains(10))
    BatchJob.objects.update(state="done")
    assert send(raisin, grains(10)) == first
    BatchJob.objects.update(state="expired")
    second = send(raisin, grains(10))
    assert second != first
    assert folders.upload(second).read_bytes() == grains(10)


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["training", "training again", "file", "file again"])
def test_a_program_gets_its_first_job_whatever_became_of_it(
    kind: str, raisin: Endpoint, dana: User, tmp_path: Path
) -> None:
    key, _ = cast.new_key(dana, scopes=["predict", "manage"])
    press, program = presses(raisin, tmp_path)[kind], Caller(key=key)
    first = press(program)
    bring_to_nothing(first, "cancelled")
    assert press(program) == first


def presses(raisin: Endpoint, folder: Path) -> dict[str, Callable[[Caller], Run | BatchJob]]:
    dataset = stored(folder)
    run, job = ask(dataset, "form-0"), checked(raisin, grains(10))
    facts: dict[str, Any] = {"now": NOON, "submission": "form-1"}
    return {
        "training": lambda actor: ask(dataset, actor=actor),
        "training again": lambda actor: again.again(run, actor=actor, **facts),
        "file": lambda actor: send(raisin, grains(11), actor=actor),
        "file again": lambda actor: rerunning.rerun(job, version=None, actor=actor, **facts),
    }


def bring_to_nothing(job: Run | BatchJob, end: str) -> None:
    """Somebody cancels it, also while a worker is at it, or the worker finds that it cannot be done."""
    state = type(job).WORK[job.state] if end == "being cancelled" else end
    asked = None if end == "failed" else NOON
    type(job).objects.filter(pk=job.pk).update(state=state, cancel_requested_at=asked)


@pytest.mark.django_db
def test_what_a_killed_server_left_in_its_place_is_no_obstacle(raisin: Endpoint) -> None:
    first = send(raisin, grains(10))
    BatchJob.objects.all().delete()
    assert send(raisin, grains(10)).pk == first.pk
    assert folders.upload(first).read_bytes() == grains(10)


@pytest.mark.django_db
def test_who_fails_deletes_no_files_of_its_double(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = send(raisin, grains(10))
    BatchJob.objects.all().delete()

    def fail(*_: object) -> None:
        raise InvalidRequest("the bell is broken")

    monkeypatch.setattr(leases, "queue", fail)
    with pytest.raises(InvalidRequest):
        send(raisin, grains(10))
    assert folders.upload(first).read_bytes() == grains(10)
    assert [path.name for path in folders.home().glob(f"{first.pk}*")] == [first.pk]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["training", "batch"])
def test_of_two_at_once_both_get_the_same(kind: str, raisin: Endpoint, tmp_path: Path) -> None:
    dataset = stored(tmp_path)
    barrier = threading.Barrier(BOTH_AT_ONCE)
    jobs: list[Run | BatchJob] = []

    def press() -> None:
        barrier.wait()
        try:
            jobs.append(ask(dataset) if kind == "training" else send(raisin, grains(10)))
        finally:
            connection.close()

    threads = [threading.Thread(target=press) for _ in range(BOTH_AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(jobs) == BOTH_AT_ONCE
    assert len({job.pk for job in jobs}) == 1
    assert sorted(job.is_new for job in jobs) == [False, True]
    if kind == "batch":
        job = BatchJob.objects.get()
        assert folders.upload(job).read_bytes() == grains(10)
        assert [path.name for path in folders.home().glob(f"{job.pk}*")] == [job.pk]
