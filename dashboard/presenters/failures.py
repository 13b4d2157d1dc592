"""Trainings and files to score that failed in the last days and wait for who wanted them; it changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import nlargest

from django.db.models import Q
from django.template.defaultfilters import truncatechars
from django.urls import reverse
from django.utils import timezone

from endpoints.models import BatchJob, Run
from endpoints.models.batch import BatchState
from endpoints.models.run import RunState
from endpoints.services import access
from endpoints.services.access import Caller, Need
from endpoints.services.batches import visible

RECENT = timedelta(days=3)
LONGEST_NAME, LONGEST_REASON = 60, 160


@dataclass(frozen=True)
class Failure:
    """What failed and why in a sentence, and where one can try it again."""

    sentence: str
    name: str
    address: str
    at: datetime


def recent(caller: Caller, *, now: datetime, most: int) -> list[Failure]:
    """Return the newest. Archiving a run, or scoring a file again or deleting it, takes it off."""
    found = [*_trainings(caller, now - RECENT, most), *_batches(caller, now - RECENT, most)]
    return nlargest(most, found, key=lambda failure: failure.at)


def _trainings(caller: Caller, since: datetime, most: int) -> Iterator[Failure]:
    if not caller.may(Need.TRAIN):
        return
    runs = access.visible_runs(caller).unarchived().filter(_theirs(caller), ended_at__gte=since)
    found = runs.filter(state=RunState.FAILED, uploaded=False)
    for run in found.order_by("-ended_at", "-pk")[:most]:
        address = reverse("dashboard:run", args=[run.pk])
        yield _failure(f"The training “{_cut(run.name)}” failed", run, run.name, address)


def _batches(caller: Caller, since: datetime, most: int) -> Iterator[Failure]:
    jobs = visible.jobs(caller).filter(_theirs(caller), ended_at__gte=since)
    found = jobs.filter(state=BatchState.FAILED, reruns=None)
    for job in found.order_by("-ended_at", "-pk")[:most]:
        problem = "could not be scored" if job.check_report else "cannot be used"
        address = reverse("dashboard:batch", args=[job.pk])
        yield _failure(f"The file “{_cut(job.file_name)}” {problem}", job, job.file_name, address)


def _theirs(caller: Caller) -> Q:
    """What this person started, and what no person did: a command, or an application with a key."""
    return Q(created_by=caller.person) | Q(created_by=None)


def _failure(what: str, job: Run | BatchJob, name: str, address: str) -> Failure:
    reason = truncatechars(job.message.strip().rstrip("."), LONGEST_REASON)
    return Failure(
        sentence=f"{what}: {reason}." if reason else f"{what}.",
        name=_cut(name),
        address=address,
        at=job.ended_at or timezone.now(),
    )


def _cut(name: str) -> str:
    return truncatechars(name, LONGEST_NAME)
