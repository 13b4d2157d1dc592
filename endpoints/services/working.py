"""A worker's way through one job: claim it, hold it, do it, and write down a failure as its end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from typing import TypeVar

from django.utils import timezone
from django_tasks_db.management.commands.db_worker import Worker as TaskRunner

from endpoints.errors import DomainError
from endpoints.models.job import Job
from endpoints.services import away, leases
from endpoints.services.leases import Cancelled, Lease, LeaseLost, Stopped
from endpoints.services.tables.storable import storable
from mlcore.errors import MlcoreError

logger = logging.getLogger("raisin.work")
_Job = TypeVar("_Job", bound=Job)


@dataclass(frozen=True)
class Worker:
    """Who works here; `stopping` is set when it is to end."""

    name: str = field(default_factory=leases.new_worker_name)
    stopping: threading.Event = field(default_factory=threading.Event)


current: ContextVar[Worker] = ContextVar("worker")


def at(
    kind: type[_Job], key: str, work: Callable[[_Job, Lease], None], *, waiting: str = ""
) -> None:
    """Do `work` at a job that waits; a job that waits no more is left alone.

    A kind that waits in several states needs `waiting`, the one in which `work` is what is to be done:
    a bell of an earlier state may be heard late.
    `work` closes the job with `lease.end`. What it raises closes the job as failed, but for what tells
    that the job is no longer this worker's, and a database that is away: `leases.held` gives the job back.
    """
    worker = current.get(None) or Worker()
    job: _Job | None = kind._default_manager.filter(pk=key).first()
    if job is None or (waiting and job.state != waiting):
        return
    if not leases.claim(job, worker=worker.name, now=timezone.now()):
        return
    with leases.held(Lease(job, worker.name, timezone.now, worker.stopping)) as lease:
        try:
            work(job, lease)
        except (LeaseLost, Cancelled, Stopped, *away.ERRORS):
            raise
        except (DomainError, MlcoreError) as error:
            lease.end(job.FAILED, message=storable(str(error)), problems=places(error))
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # a library's panic, too
            logger.exception("%s %s failed", kind.__name__, key)
            lease.end(job.FAILED, message=storable(f"{type(error).__name__}: {error}"))


def places(error: DomainError | MlcoreError) -> list[dict[str, object]]:
    """Return where in a file an error lies, as a job keeps it."""
    cells = [asdict(cell) for cell in getattr(error, "cells", ())]
    return [
        {name: storable(of) if isinstance(of, str) else of for name, of in cell.items()}
        for cell in cells
    ]


def run_one() -> str | None:
    """Take the next task and do it; None if there was none."""
    runner = TaskRunner(
        queue_names=["*"],
        interval=0,
        batch=True,
        backend_name="default",
        startup_delay=False,
        max_tasks=1,
        worker_id=(current.get(None) or Worker()).name[:64],
        excluded_queue_names=[],
    )
    runner.run()
    return "done" if runner._run_tasks else None
