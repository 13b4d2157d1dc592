"""Who works at a job: claims it for one worker, keeps it, gives it back, and takes over what a dead one left.

Every change is a compare-and-set on the job's worker, so a worker that was thought dead and comes
back notices at its next step that the job is no longer its own. What the work is, it does not know.
"""

from __future__ import annotations

import os
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, TypeVar, cast

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F

from endpoints.models import BatchJob, Dataset, Run
from endpoints.models.job import Job, JobQuerySet
from endpoints.services import away, doorbell

KINDS: tuple[type[Job], ...] = (Dataset, BatchJob, Run)
MOST_ATTEMPTS = 3
"""Workers that may die one after another at the same place of a job."""
GAVE_UP = "{} workers died at it one after another: it may need more memory than they have."
ENDED_BEFORE = (
    "The process of manage.py train ended before the training did (killed, or out of memory): "
    "start it again."
)

SECONDS_BETWEEN_CHECKS = 0.5
SECONDS_BETWEEN_TRIES = 1.0

Clock = Callable[[], datetime]
_Job = TypeVar("_Job", bound=Job)


class LeaseLost(Exception):
    """Another worker has the job, or it was cancelled and closed."""


class Cancelled(Exception):
    """Somebody wishes the job to end."""


class Stopped(Exception):
    """The worker is to end; the job goes back to those that wait."""


def new_worker_name() -> str:
    return f"{socket.gethostname()[:60]}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


@dataclass
class Lease:
    """One worker's hold on one job. `stopping` is set when the worker is to end.

    Its state of work is kept apart: what was written on the job here may never come to the database.
    """

    job: Job
    worker: str
    clock: Clock
    stopping: threading.Event = field(default_factory=threading.Event)
    _next_check: float = field(default=float("-inf"), init=False)
    _working: str = field(init=False)

    def __post_init__(self) -> None:
        self._working = self.job.state

    def save(self, **facts: Any) -> None:
        """Write columns of the job with a sign of life; a new cursor shows that the job moves.

        Raises LeaseLost, Cancelled or Stopped: after what was done is written down.
        """
        if "cursor" in facts:
            facts["attempt"] = 1
        if not self._mine().update(heartbeat_at=self.clock(), **facts):
            raise LeaseLost
        for name, value in facts.items():
            setattr(self.job, name, value)
        self.check()

    def check(self) -> None:
        """Raise what keeps the worker from going on."""
        if self._mine().filter(cancel_requested_at=None).exists():
            if self.stopping.is_set():
                raise Stopped
            return
        raise Cancelled if self._mine().exists() else LeaseLost

    def alive(self) -> None:
        """`check`, at most twice a second: for loops whose turns are far shorter."""
        if monotonic() >= self._next_check:
            self.check()
            self._next_check = monotonic() + SECONDS_BETWEEN_CHECKS

    def end(self, state: str, **facts: Any) -> bool:
        """Close the job in a state of rest; say whether it was still this worker's.

        Where it is not over there, pass `ended_at=None`. Raises Cancelled where somebody wished that before
        it came to a good end: what was promised then holds.
        """
        facts = {"ended_at": self.clock()} | facts
        facts |= {"state": state, "worker": "", "heartbeat_at": None}
        is_good = state not in (self.job.CANCELLED, self.job.FAILED)
        unhindered = self._mine().filter(cancel_requested_at=None) if is_good else self._mine()
        if not unhindered.update(**facts):
            if is_good and self._mine().exists():
                raise Cancelled
            return False
        for name, value in facts.items():
            setattr(self.job, name, value)
        return True

    def give_back(self) -> None:
        """Let another worker go on from the cursor; this attempt does not count.

        Nor does it where the job was taken away meanwhile, and waits for the next worker.
        """
        waiting = _waiting_state(self.job, self._working)
        facts = {"state": waiting, "worker": "", "attempt": F("attempt") - 1}
        with transaction.atomic():
            if self._mine().update(heartbeat_at=self.clock(), **facts):
                doorbell.ring(_same(self.job).get())
                return
        unclaimed = _same(self.job).filter(state=waiting, worker="", attempt=self.job.attempt)
        unclaimed.filter(attempt__gt=0).update(attempt=F("attempt") - 1)

    def beat(self) -> None:
        self._mine().update(heartbeat_at=self.clock())

    def _mine(self) -> JobQuerySet[Job]:
        return _same(self.job).filter(worker=self.worker, state=self._working)


def queue(job: Job, now: datetime) -> None:
    """Ring for a job that begins to wait. Call it in the transaction that makes it wait."""
    _same(job).update(heartbeat_at=now, attempt=0)
    doorbell.ring(job)


def claim(job: _Job, *, worker: str, now: datetime) -> bool:
    """Take a waiting job; False if somebody was first or it waits no more."""
    working = job.WORK.get(job.state)
    if working is None:
        return False
    found = _same(job).filter(state=job.state, worker="")
    facts = {"state": working, "worker": worker, "attempt": F("attempt") + 1}
    if not found.update(heartbeat_at=now, **facts):
        return False
    job.refresh_from_db()
    return True


@contextmanager
def held(lease: Lease) -> Iterator[Lease]:
    """Give the job back where the worker is to end, or where the database was away, which then is raised."""
    with heard(lease):
        try:
            yield lease
        except Stopped:
            lease.give_back()
        except LeaseLost:
            pass  # whoever has the job now writes down how it ends
        except Cancelled:
            lease.end(lease.job.CANCELLED)
        except away.ERRORS as error:
            if away.is_away(error):
                _give_back_later(lease)
            raise


@contextmanager
def heard(lease: Lease) -> Iterator[None]:
    """Give signs of life beside long steps."""
    ended = threading.Event()
    beating = threading.Thread(target=_beat, args=(lease, ended), daemon=True)
    beating.start()
    try:
        yield
    finally:
        ended.set()
        beating.join()


def _give_back_later(lease: Lease) -> None:
    """Once the database answers again: this worker lives, so nothing may count it as a dead one."""
    while True:
        try:
            if not connection.in_atomic_block:
                connection.close_if_unusable_or_obsolete()
            lease.give_back()
            return
        except away.ERRORS:
            if lease.stopping.wait(SECONDS_BETWEEN_TRIES):
                return


def cancel(job: Job, *, now: datetime) -> bool:
    """End a job that waits, ask the worker of one under way to; False if it does neither."""
    if _cancel_waiting(job, now) or _same(job).under_way().update(cancel_requested_at=now):
        return True
    return _cancel_waiting(job, now)  # a worker may have given it back between the two looks


def _cancel_waiting(job: Job, now: datetime) -> bool:
    ended = {"state": job.CANCELLED, "ended_at": now, "heartbeat_at": None}
    return bool(_same(job).waiting().update(**ended))


def take_over(now: datetime) -> int:
    """Let jobs wait again whose workers are gone, and ring once more for those that nobody heard of.

    A job whose workers died `MOST_ATTEMPTS` times at the same place has failed. Returns how many
    changed.
    """
    return sum(_take_over(job, now) for job in _unheard_of(now))


def close_abandoned(now: datetime) -> int:
    """Close what nobody but a process that is gone could go on with; for where no worker takes over."""
    return sum(_take_over(job, now) for job in _unheard_of(now) if not job.can_begin_anew)


def _unheard_of(now: datetime) -> Iterator[Job]:
    limit = now - timedelta(seconds=settings.RAISIN_LEASE_SECONDS)
    for kind in KINDS:
        jobs = cast(JobQuerySet[Job], kind._default_manager.all())
        yield from jobs.unheard_of_since(limit)


def _take_over(job: Job, now: datetime) -> bool:
    seen = _same(job).filter(state=job.state, worker=job.worker, heartbeat_at=job.heartbeat_at)
    if not seen.update(**_after_silence(job, now)):
        return False
    job.refresh_from_db()
    if job.state in job.WORK and not doorbell.is_ringing(job):  # the workers may be busy for hours
        doorbell.ring(job)
    return True


def _after_silence(job: Job, now: datetime) -> dict[str, Any]:
    """The columns of a job whose worker, or whose bell, has not been heard of for too long."""
    if job.state in job.WORK:
        return {"heartbeat_at": now}
    ended = {"worker": "", "heartbeat_at": None, "ended_at": now}
    if not job.can_begin_anew:
        # Should the process live after all, it finds its name and has the last word.
        return ended | {"state": job.FAILED, "message": ENDED_BEFORE, "worker": job.worker}
    if job.cancel_requested_at:
        return ended | {"state": job.CANCELLED}
    if job.attempt >= MOST_ATTEMPTS:
        return ended | {"state": job.FAILED, "message": GAVE_UP.format(job.attempt)}
    return {"state": _waiting_state(job, job.state), "worker": "", "heartbeat_at": now}


def _beat(lease: Lease, ended: threading.Event) -> None:
    """A database that is away for a moment must not end the work; the next step will notice."""
    try:
        while not ended.wait(settings.RAISIN_LEASE_SECONDS / 3):
            try:
                lease.beat()
            except away.ERRORS:
                with suppress(*away.ERRORS):
                    connection.close()  # a broken connection would stay broken for all later beats
    finally:
        connection.close()


def _waiting_state(job: Job, state: str) -> str:
    """Return in which state waits what is worked at in this one."""
    return next(waiting for waiting, working in job.WORK.items() if working == state)


def _same(job: _Job) -> JobQuerySet[_Job]:
    found: JobQuerySet[_Job] = type(job)._default_manager.filter(pk=job.pk)  # type: ignore[assignment]
    return found
