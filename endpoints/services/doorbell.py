"""Tells the workers of a job, by a task that holds nothing but its key.

The task is written in the transaction of what it tells of. It may come twice, late or never: the job's
own row says what is to be done, and `leases.take_over` rings again. Here alone a task is named by its
name, since tasks call services.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils.module_loading import import_string
from django_tasks_db.models import DBTaskResult

from endpoints.models.job import Job

KEPT = timedelta(days=1)
ABANDONED = timedelta(days=30)
"""No job takes so long: until then the runner of a task may still write down how it ended."""


def ring(job: Job) -> None:
    """Ring for a job in a state in which it waits."""
    _task(job).enqueue(job.pk)


def is_ringing(job: Job) -> bool:
    """Whether a task for the job's state waits, which no worker has begun."""
    asked = {"args": [job.pk], "kwargs": {}}
    waiting = DBTaskResult.objects.ready().filter(task_path=_task(job).module_path)
    return bool(waiting.filter(args_kwargs=asked).exists())


def forget(now: datetime) -> int:
    """Delete the tasks of days gone by, those of killed workers among them; return how many."""
    is_old = Q(finished_at__lt=now - KEPT) | Q(started_at__lt=now - ABANDONED)
    deleted, _ = DBTaskResult.objects.filter(is_old).delete()
    return deleted


def _task(job: Job) -> Any:
    return import_string(f"endpoints.tasks.{job.TASKS[job.state]}")
