"""A worker's way through one job: done, failed with its places, given back, or left alone."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, transaction

from endpoints.errors import InvalidRequest
from endpoints.models import BatchJob, Endpoint
from endpoints.models.batch import BatchState
from endpoints.services import leases, working
from endpoints.services.leases import Lease
from endpoints.services.working import Worker
from mlcore.errors import CellError, SchemaError
from tests.endpoints.services.decisions import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def job(raisin: Endpoint) -> BatchJob:
    facts: dict[str, Any] = {"size": 1, "sha256": "", "file_name": "a.csv"}
    version = raisin.versions.get(number=1)
    expires_at = NOON + timedelta(days=1)
    job = BatchJob.objects.create(
        endpoint=raisin,
        version=version,
        state=BatchState.QUEUED,
        expires_at=expires_at,
        **facts,
    )
    leases.queue(job, NOON)
    return job


def end_of(job: BatchJob, work: Any) -> BatchJob:
    working.at(BatchJob, job.pk, work)
    return BatchJob.objects.get(pk=job.pk)


def raising(error: BaseException) -> Any:
    def work(job: BatchJob, lease: Lease) -> None:
        raise error

    return work


def test_it_works(job: BatchJob) -> None:
    done = end_of(job, lambda job, lease: lease.end(BatchState.DONE))
    assert (done.state, done.attempt, done.worker) == ("done", 1, "")


def test_the_work_gets_the_job_as_it_is_now(job: BatchJob) -> None:
    def work(own: BatchJob, lease: Lease) -> None:
        assert (own.state, own.worker) == ("scoring", lease.worker)
        lease.end(BatchState.DONE)

    assert end_of(job, work).state == "done"


def test_a_refusal_ends_it_with_a_sentence(job: BatchJob) -> None:
    failed = end_of(job, raising(InvalidRequest("The file is empty.")))
    assert (failed.state, failed.message, failed.problems) == ("failed", "The file is empty.", [])
    assert failed.ended_at is not None


def test_a_refusal_names_its_cells(job: BatchJob) -> None:
    cell = CellError("not_a_number", "expected a number", row=7, column="Area", value="12,5")
    failed = end_of(job, raising(SchemaError.of([cell], place="line")))
    assert failed.message == "line 7, column Area: expected a number"
    [place] = failed.problems
    assert (place["row"], place["column"], place["value"]) == (7, "Area", "12,5")


def test_a_mistake_of_ours_ends_it_and_is_logged(
    job: BatchJob, caplog: pytest.LogCaptureFixture
) -> None:
    failed = end_of(job, raising(KeyError("Area")))
    assert (failed.state, failed.message) == ("failed", "KeyError: 'Area'")
    assert job.pk in caplog.text


def test_a_database_that_is_away_ends_no_job_and_is_no_death(job: BatchJob) -> None:
    with pytest.raises(OperationalError):
        working.at(BatchJob, job.pk, raising(OperationalError("the server closed the connection")))
    left = BatchJob.objects.get(pk=job.pk)
    assert (left.state, left.worker, left.attempt, left.ended_at) == ("queued", "", 0, None)


def lost_at_the_end(error: Exception) -> Any:
    """Work whose end is written, but never comes to the database."""

    def work(job: BatchJob, lease: Lease) -> None:
        with transaction.atomic():
            lease.end(BatchState.DONE)
            raise error

    return work


def test_an_end_that_the_database_lost_is_none(job: BatchJob) -> None:
    with pytest.raises(OperationalError):
        lost = OperationalError("the server closed the connection")
        working.at(BatchJob, job.pk, lost_at_the_end(lost))
    left = BatchJob.objects.get(pk=job.pk)
    assert (left.state, left.worker, left.attempt, left.ended_at) == ("queued", "", 0, None)


def test_a_refusal_at_the_very_end_ends_it(job: BatchJob) -> None:
    failed = end_of(job, lost_at_the_end(InvalidRequest("The disk is full.")))
    assert (failed.state, failed.message) == ("failed", "The disk is full.")


def test_a_worker_waits_until_the_database_answers(
    job: BatchJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries, give_back = [], Lease.give_back

    def refused_at_first(lease: Lease) -> None:
        tries.append(lease)
        if len(tries) < 3:
            raise OperationalError("connection refused")
        give_back(lease)

    monkeypatch.setattr(Lease, "give_back", refused_at_first)
    monkeypatch.setattr(leases, "SECONDS_BETWEEN_TRIES", 0.0)
    with pytest.raises(OperationalError):
        working.at(BatchJob, job.pk, raising(OperationalError("the server closed the connection")))
    assert len(tries) == 3
    assert BatchJob.objects.get(pk=job.pk).attempt == 0


def test_a_worker_that_is_to_end_waits_for_no_database(
    job: BatchJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(lease: Lease) -> None:
        lease.stopping.set()
        raise OperationalError("connection refused")

    monkeypatch.setattr(Lease, "give_back", refused)
    before = working.current.set(Worker())
    try:
        with pytest.raises(OperationalError):
            lost = OperationalError("the server closed the connection")
            working.at(BatchJob, job.pk, raising(lost))
    finally:
        working.current.reset(before)
    assert BatchJob.objects.get(pk=job.pk).state == "scoring"


def test_a_statement_that_the_database_refuses_counts(job: BatchJob) -> None:
    """Else a job with which this happens each time would be tried for ever."""
    refused = OperationalError("database or disk is full")
    refused.__cause__ = Refusal()
    with pytest.raises(OperationalError):
        working.at(BatchJob, job.pk, raising(refused))
    left = BatchJob.objects.get(pk=job.pk)
    assert (left.state, left.attempt) == ("scoring", 1)


class Refusal(Exception):
    sqlite_errorcode = sqlite3.SQLITE_FULL


def test_a_worker_that_is_to_end_leaves_it_waiting(job: BatchJob) -> None:
    worker = Worker()
    worker.stopping.set()
    before = working.current.set(worker)
    try:
        left = end_of(job, lambda job, lease: lease.save(cursor={"row": 5}))
    finally:
        working.current.reset(before)
    assert (left.state, left.worker, left.cursor) == ("queued", "", {"row": 5})


def test_a_second_ring_finds_nothing_to_do(job: BatchJob) -> None:
    end_of(job, lambda job, lease: lease.end(BatchState.DONE))
    assert end_of(job, raising(AssertionError("done again"))).state == "done"


def test_a_ring_of_an_earlier_state_finds_nothing_to_do(job: BatchJob) -> None:
    late = raising(AssertionError("what was to be done before"))
    working.at(BatchJob, job.pk, late, waiting=BatchState.UPLOADED)
    left = BatchJob.objects.get(pk=job.pk)
    assert (left.state, left.worker, left.attempt) == ("queued", "", 0)


def test_a_ring_for_what_is_gone_does_no_harm(job: BatchJob) -> None:
    key = job.pk
    job.delete()
    working.at(BatchJob, key, raising(AssertionError("done without a job")))


@pytest.mark.django_db(transaction=True)
def test_one_task_is_taken_at_a_time(job: BatchJob) -> None:
    BatchJob.objects.update(state=BatchState.CANCELLED)
    assert (working.run_one(), working.run_one()) == ("done", None)


class Panic(BaseException):
    """As libraries written in Rust raise it."""


def test_a_librarys_panic_fails_the_job_at_once(job: BatchJob) -> None:
    failed = end_of(job, raising(Panic("index out of bounds")))
    assert (failed.state, failed.message) == ("failed", "Panic: index out of bounds")
