"""Trains once more what a run was to train: the same dataset and settings, as a run of its own."""

from __future__ import annotations

from datetime import datetime

from endpoints.errors import InvalidTransition
from endpoints.models import Run
from endpoints.services.access import Caller
from endpoints.services.training_jobs import submitting


def again(run: Run, *, actor: Caller, now: datetime, submission: str = "") -> Run:
    """Queue it; `submission` names the form or request: sent twice, it queues one."""
    if run.dataset is None or not run.spec:
        raise InvalidTransition(
            f"Run {run.short_id} was not trained from a stored dataset; upload its file to train again."
        )
    return submitting.submit(
        run.dataset,
        run.spec,
        experiment=run.experiment.name,
        name=run.name,
        actor=actor,
        now=now,
        submission=submission,
    )
