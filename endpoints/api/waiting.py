"""Lets a request wait a moment for a job, so that small work is answered at once; it knows no kind of job.

Who waits keeps a thread of the server: few may at a time, everybody else is answered at once.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Collection

from rest_framework.request import Request

from endpoints.errors import InvalidRequest
from endpoints.models.job import Job
from mlcore.errors import CellError, shown
from mlcore.table import parse_number

WAIT = "wait"
MOST_SECONDS = 10
MOST_WAITERS = 4
PAUSE = 0.2
"""Seconds between two looks at the job."""
_seats = threading.BoundedSemaphore(MOST_WAITERS)


def seconds_of(request: Request) -> float:
    """Read the query parameter `wait`; 0 without it."""
    text = request.query_params.get(WAIT, "0")
    seconds = parse_number(text)
    if seconds is None or not 0 <= seconds <= MOST_SECONDS:
        message = f"{WAIT} is a number of seconds from 0 to {MOST_SECONDS}, not {shown(text)}."
        cell = CellError("invalid_parameter", message, column=WAIT, value=shown(text))
        raise InvalidRequest(message, cells=[cell])
    return seconds


def until(
    job: Job,
    states: Collection[str],
    *,
    seconds: float,
    sleep: Callable[[float], object] | None = None,
) -> bool:
    """Wait until the job is in one of the states, or the time is over, and read the job anew.

    Says whether it is. Nobody waits where too many do already.
    """
    if seconds and _seats.acquire(blocking=False):
        try:
            _wait(job, states, math.ceil(seconds / PAUSE), sleep or time.sleep)
        finally:
            _seats.release()
        job.refresh_from_db()
    return job.state in states


def _wait(job: Job, states: Collection[str], looks: int, sleep: Callable[[float], object]) -> None:
    found = type(job)._default_manager.filter(pk=job.pk, state__in=states)
    for _ in range(looks):
        if found.exists():
            return
        sleep(PAUSE)
