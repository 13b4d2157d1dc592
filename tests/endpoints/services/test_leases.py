"""Who works at a job: one worker at a time, the next one where it died, nobody once it is cancelled."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django_tasks_db.models import DBTaskResult

from endpoints.models import BatchJob, Endpoint, Run
from endpoints.models.batch import BatchState
from endpoints.models.job import JobQuerySet
from endpoints.services import doorbell, leases
from endpoints.services.leases import Cancelled, Lease, LeaseLost, Stopped
from tests.endpoints.services.decisions import NOON

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(seconds=settings.RAISIN_LEASE_SECONDS + 1)
MUCH_LATER = NOON + timedelta(hours=1)


@pytest.fixture
def job(raisin: Endpoint) -> BatchJob:
    """A batch that waits to be scored."""
    version = raisin.versions.get(number=1)
    facts: dict[str, Any] = {
        "size": 1,
        "sha256": "",
        "file_name": "a.csv",
        "expires_at": MUCH_LATER,
    }
    job = BatchJob.objects.create(
        endpoint=raisin, version=version, state=BatchState.QUEUED, **facts
    )
    leases.queue(job, NOON)
    return read(job)


def read(job: BatchJob) -> BatchJob:
    return BatchJob.objects.get(pk=job.pk)


def lease_on(job: BatchJob, worker: str = "first", now: datetime = NOON) -> Lease:
    own = read(job)
    assert leases.claim(own, worker=worker, now=now)
    return Lease(own, worker, lambda: now)


def rings() -> int:
    return DBTaskResult.objects.count()


def test_it_works(job: BatchJob) -> None:
    lease = lease_on(job)
    lease.save(cursor={"row": 5}, rows_done=5)
    assert lease.end(BatchState.DONE, message="ok")
    done = read(job)
    assert (done.state, done.rows_done, done.cursor, done.message) == ("done", 5, {"row": 5}, "ok")
    assert (done.worker, done.heartbeat_at, done.ended_at) == ("", None, NOON)


def test_a_job_that_waits_is_rung_for(job: BatchJob) -> None:
    assert (rings(), job.heartbeat_at, job.attempt) == (1, NOON, 0)


def test_it_belongs_to_one_worker(job: BatchJob) -> None:
    lease = lease_on(job)
    second = read(job)
    second.state = BatchState.QUEUED  # as a worker saw it that was a moment slower
    assert not leases.claim(second, worker="second", now=NOON)
    assert (read(job).worker, read(job).state) == (lease.worker, "scoring")


@pytest.mark.parametrize("state", [BatchState.READY, BatchState.DONE, BatchState.CANCELLED])
def test_a_job_at_rest_is_nobodys(state: str, job: BatchJob) -> None:
    BatchJob.objects.update(state=state)
    assert not leases.claim(read(job), worker="first", now=NOON)


def test_a_beat_is_a_sign_of_life(job: BatchJob) -> None:
    lease = lease_on(job)
    lease.clock = lambda: LATER
    lease.beat()
    assert read(job).heartbeat_at == LATER
    assert leases.take_over(LATER + timedelta(seconds=1)) == 0


def test_beats_come_while_a_long_step_lasts(
    job: BatchJob, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.RAISIN_LEASE_SECONDS = 0.03
    beaten = threading.Event()
    monkeypatch.setattr(Lease, "beat", lambda lease: beaten.set())
    with leases.held(lease_on(job)):
        assert beaten.wait(60)


def test_what_rests_but_is_not_over_has_no_end(job: BatchJob) -> None:
    lease_on(job).end(BatchState.READY, ended_at=None)
    assert (read(job).state, read(job).ended_at) == ("ready", None)


def test_who_lost_it_notices_at_the_next_step(job: BatchJob) -> None:
    first = lease_on(job)
    leases.take_over(LATER)
    second = lease_on(job, "second", LATER)
    second.save(cursor={"row": 9})
    with pytest.raises(LeaseLost):
        first.save(cursor={"row": 5})
    with pytest.raises(LeaseLost):
        first.check()
    assert not first.end(BatchState.DONE)
    assert (read(job).cursor, read(job).state, read(job).worker) == (
        {"row": 9},
        "scoring",
        "second",
    )


def test_who_lost_it_leaves_its_end_to_others(job: BatchJob) -> None:
    with leases.held(lease_on(job)) as lease:
        leases.take_over(LATER)
        lease.check()
    assert (read(job).state, read(job).worker) == ("queued", "")


def test_a_worker_that_is_to_end_gives_it_back(job: BatchJob) -> None:
    with leases.held(lease_on(job)) as lease:
        lease.stopping.set()
        lease.save(cursor={"row": 5})
    back = read(job)
    assert (back.state, back.worker, back.attempt, back.cursor) == ("queued", "", 0, {"row": 5})
    assert rings() == 2
    assert lease_on(job, "second").job.attempt == 1


def test_a_worker_that_is_to_end_stops_at_a_check(job: BatchJob) -> None:
    lease = lease_on(job)
    lease.alive()
    lease.stopping.set()
    lease.alive()  # so soon it does not ask again
    with pytest.raises(Stopped):
        lease.check()


def test_a_waiting_job_is_cancelled_at_once(job: BatchJob) -> None:
    assert leases.cancel(job, now=NOON)
    assert (read(job).state, read(job).ended_at) == ("cancelled", NOON)


def test_a_job_under_way_is_cancelled_by_its_worker(job: BatchJob) -> None:
    with leases.held(lease_on(job)) as lease:
        assert leases.cancel(job, now=NOON)
        assert read(job).state == "scoring"
        with pytest.raises(Cancelled):
            lease.check()
        lease.save(rows_done=5)
    assert (read(job).state, read(job).rows_done, read(job).worker) == ("cancelled", 5, "")


def test_a_job_that_is_given_back_in_this_moment_is_cancelled(
    job: BatchJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease, under_way = lease_on(job), JobQuerySet.under_way

    def just_given_back(found: Any) -> Any:
        lease.give_back()
        return under_way(found)

    monkeypatch.setattr(JobQuerySet, "under_way", just_given_back)
    assert leases.cancel(job, now=NOON)
    assert (read(job).state, read(job).ended_at) == ("cancelled", NOON)


def test_a_beat_that_fails_leaves_no_broken_connection(
    job: BatchJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease, ended, closed = lease_on(job), threading.Event(), []

    def beat(lease: Lease) -> None:
        if not closed:
            raise OperationalError("the server closed the connection")
        ended.set()

    monkeypatch.setattr(settings, "RAISIN_LEASE_SECONDS", 0)
    monkeypatch.setattr(leases, "connection", SimpleNamespace(close=lambda: closed.append(1)))
    monkeypatch.setattr(Lease, "beat", beat)
    leases._beat(lease, ended)
    assert len(closed) == 2  # once after the failure, once at the end


@pytest.mark.parametrize("state", [BatchState.READY, BatchState.DONE])
def test_what_nobody_works_at_is_not_cancelled_here(state: str, job: BatchJob) -> None:
    BatchJob.objects.update(state=state)
    assert not leases.cancel(job, now=NOON)
    assert read(job).state == state


def test_a_dead_workers_job_waits_again(job: BatchJob) -> None:
    DBTaskResult.objects.update(status="RUNNING")  # by the worker that is dead now
    lease_on(job)
    assert leases.take_over(NOON + timedelta(seconds=1)) == 0
    assert leases.take_over(LATER) == 1
    again = read(job)
    assert (again.state, again.worker, again.attempt) == ("queued", "", 1)
    assert rings() == 2


def test_a_job_that_kills_three_workers_has_failed(job: BatchJob) -> None:
    now = NOON
    for number in range(leases.MOST_ATTEMPTS):
        lease_on(job, f"worker {number}", now)
        now += timedelta(seconds=settings.RAISIN_LEASE_SECONDS + 1)
        leases.take_over(now)
    failed = read(job)
    assert (failed.state, failed.worker, failed.ended_at) == ("failed", "", now)
    assert failed.message.startswith("3 workers died")


def test_a_job_that_moves_outlives_any_number_of_workers(job: BatchJob) -> None:
    now = NOON
    for number in range(2 * leases.MOST_ATTEMPTS):
        lease_on(job, f"worker {number}", now).save(cursor={"row": number})
        now += timedelta(seconds=settings.RAISIN_LEASE_SECONDS + 1)
        leases.take_over(now)
    assert read(job).state == "queued"


def test_a_dead_workers_job_that_was_to_end_is_cancelled(job: BatchJob) -> None:
    lease_on(job)
    leases.cancel(job, now=NOON)
    leases.take_over(LATER)
    assert (read(job).state, read(job).ended_at) == ("cancelled", LATER)


def test_a_bell_that_nobody_heard_rings_again(job: BatchJob) -> None:
    DBTaskResult.objects.all().delete()
    assert leases.take_over(LATER) == 1
    assert (rings(), read(job).heartbeat_at, read(job).state) == (1, LATER, "queued")
    assert leases.take_over(LATER) == 0


def test_a_bell_that_still_rings_is_enough(job: BatchJob) -> None:
    assert leases.take_over(LATER) == 1
    assert (rings(), read(job).heartbeat_at) == (1, LATER)


def test_a_run_that_nobody_leased_is_left_alone(raisin: Endpoint) -> None:
    Run.objects.update(state="running", heartbeat_at=None)
    assert leases.take_over(MUCH_LATER) == 0


@pytest.mark.parametrize("take_over", [leases.take_over, leases.close_abandoned])
def test_a_silent_run_of_a_command_has_failed(take_over: Any, raisin: Endpoint) -> None:
    Run.objects.update(state="running", worker="host:1:x", heartbeat_at=NOON, ended_at=None)
    assert take_over(NOON + timedelta(seconds=1)) == 0
    assert take_over(LATER) == Run.objects.count()
    run = Run.objects.all()[0]
    assert (run.state, run.message) == ("failed", leases.ENDED_BEFORE)
    assert "start it again" in run.message
    assert (run.ended_at, run.heartbeat_at) == (LATER, None)
    assert take_over(MUCH_LATER) == 0


def test_what_a_worker_can_take_over_waits_for_one(job: BatchJob) -> None:
    lease_on(job)
    assert leases.close_abandoned(LATER) == 0
    assert read(job).state == "scoring"


def test_nothing_is_given_back_that_nobody_is_told_of(
    job: BatchJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = lease_on(job)

    def fail(job: BatchJob) -> None:
        raise OperationalError("the server closed the connection")

    with monkeypatch.context() as patch:
        patch.setattr(doorbell, "ring", fail)
        with pytest.raises(OperationalError):
            lease.give_back()
    assert (read(job).state, read(job).worker, read(job).attempt) == ("scoring", "first", 1)
    lease.give_back()
    assert (read(job).state, read(job).attempt, rings()) == ("queued", 0, 2)


def test_a_job_that_was_taken_from_a_living_worker_counts_no_death(job: BatchJob) -> None:
    lease = lease_on(job)
    leases.take_over(LATER)
    lease.give_back()
    assert (read(job).state, read(job).attempt) == ("queued", 0)


def test_a_job_that_another_worker_has_is_not_given_back(job: BatchJob) -> None:
    lease = lease_on(job)
    leases.take_over(LATER)
    lease_on(job, "second", LATER)
    lease.give_back()
    assert (read(job).state, read(job).worker, read(job).attempt) == ("scoring", "second", 2)


def test_old_bells_are_forgotten(job: BatchJob) -> None:
    doorbell.ring(job)
    heard = DBTaskResult.objects.filter(pk=DBTaskResult.objects.first().pk)
    heard.update(started_at=NOON, finished_at=NOON)
    assert doorbell.forget(NOON + timedelta(days=1, seconds=1)) == 1
    assert rings() == 1


def test_the_bell_of_a_long_job_is_kept_until_its_worker_must_be_dead(job: BatchJob) -> None:
    DBTaskResult.objects.update(started_at=NOON)
    assert doorbell.forget(NOON + timedelta(days=2)) == 0
    assert doorbell.forget(NOON + doorbell.ABANDONED + timedelta(seconds=1)) == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_one_takes_it(job: BatchJob) -> None:
    barrier = threading.Barrier(4)
    won: list[str] = []

    def work(name: str) -> None:
        own = read(job)
        barrier.wait()
        try:
            if leases.claim(own, worker=name, now=NOON):
                won.append(name)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(f"worker {n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [read(job).worker] == won
    assert read(job).attempt == 1


def test_a_job_that_was_promised_to_be_cancelled_comes_to_no_good_end(job: BatchJob) -> None:
    lease = lease_on(job)
    assert leases.cancel(read(job), now=NOON)
    with pytest.raises(Cancelled):
        lease.end(BatchState.DONE)
    assert read(job).state == "scoring"
    assert lease.end(BatchState.CANCELLED)


def test_a_job_that_fails_while_it_is_to_be_cancelled_has_failed(job: BatchJob) -> None:
    lease = lease_on(job)
    leases.cancel(read(job), now=NOON)
    assert lease.end(BatchState.FAILED, message="is no table")
    assert read(job).message == "is no table"
