"""Ends a training that waits, and asks the worker of one under way to end it."""

from __future__ import annotations

from datetime import datetime

from endpoints.errors import InvalidTransition
from endpoints.models import Run
from endpoints.models.run import RunState
from endpoints.services import access, leases
from endpoints.services.access import Caller, Need
from endpoints.services.training_jobs import checkpoint_files

BY_A_COMMAND = "Run {} is trained by a command; end it where it was started."
ENDED = "Run {} has ended: it is {}."


def cancel(run: Run, *, actor: Caller, now: datetime) -> None:
    """A worker ends it within an iteration. Raises InvalidTransition where there is nothing to cancel."""
    access.require(actor, Need.TRAIN)
    done = run.can_begin_anew and leases.cancel(run, now=now)
    run.refresh_from_db()
    if run.state == RunState.CANCELLED:
        checkpoint_files.forget(run)
    if done or run.state == RunState.CANCELLED:
        return
    words = BY_A_COMMAND if run.state == RunState.RUNNING else ENDED
    raise InvalidTransition(words.format(run.short_id, run.state))
