"""A training in the process that asks for it, as a run: opened, heard of while it lasts, closed however it ends.

It knows nothing of what is trained, nor where the rows are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from endpoints.errors import DomainError, InvalidData
from endpoints.models import Experiment, Run
from endpoints.services import leases, tracking
from endpoints.services.leases import Lease
from mlcore.errors import DataError

Clock = Callable[[], datetime]


@contextmanager
def tracked(*, experiment: str, clock: Clock, **facts: Any) -> Iterator[Run]:
    """Keep a run of these facts while a training lasts; a failure leaves one that says why.

    Raises InvalidData for a DataError, and whatever else the training raises.
    """
    now = clock()
    run = Run.objects.create(
        experiment=Experiment.objects.get_or_create(name=experiment)[0],
        worker=leases.new_worker_name(),
        heartbeat_at=now,
        started_at=now,
        **facts,
    )
    try:
        with leases.heard(Lease(run, run.worker, clock)):
            yield run
    except DataError as error:
        tracking.fail(run, message=str(error), now=clock())
        raise InvalidData(str(error), cells=error.cells) from error
    except DomainError as error:
        tracking.fail(run, message=error.message, now=clock())
        raise
    except BaseException as error:
        tracking.fail(run, message=f"{type(error).__name__}: {error}", now=clock())
        raise
    tracking.finish(run, now=clock())
