"""What every piece of long work carries: who is at it, since when, and how far it is.

The row is the truth. The task that tells a worker of it is only a doorbell: it may ring twice, or
get lost. A worker writes these columns through `services.leases` alone.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import ClassVar, Self, TypeVar

from django.db import models
from django.db.models import Q


def new_id() -> str:
    """Return 32 hexadecimal digits, the form that tracking clients know."""
    return uuid.uuid4().hex


_Job = TypeVar("_Job", bound="Job")


class JobQuerySet(models.QuerySet[_Job]):
    def waiting(self) -> Self:
        return self.filter(state__in=list(self.model.WORK))

    def under_way(self) -> Self:
        """Those that a worker has, or had when it was last heard of."""
        return self.filter(_has_worker(self.model))

    def unheard_of_since(self, moment: datetime) -> Self:
        """Those whose worker has said nothing since, or whose doorbell nobody heard."""
        is_due = Q(state__in=list(self.model.WORK)) | _has_worker(self.model)
        return self.filter(is_due, heartbeat_at__lt=moment)


def _has_worker(model: type[Job]) -> Q:
    return Q(state__in=list(model.WORK.values())) & ~Q(worker="")


class Job(models.Model):
    """`heartbeat_at` is when the worker was last heard of; while a job waits, when its bell last rang.

    `cursor` says how far a worker came: what a later one needs to go on. `attempt` counts workers
    since the cursor last moved, so that a job that kills its workers comes to an end. `problems` are the
    places of a failure, each a dict of row, column, value and message.
    """

    WORK: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """A state in which a job waits for a worker -> its state while a worker is at it."""
    TASKS: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """A state in which a job waits -> the task of `endpoints.tasks` that does what is to be done."""
    FAILED: ClassVar[str] = "failed"
    CANCELLED: ClassVar[str] = "cancelled"

    is_new: bool = False
    """Whether this very call has made it; what is read from the database was asked for before."""

    state = models.CharField(max_length=16)
    message = models.TextField(blank=True)
    attempt = models.PositiveSmallIntegerField(default=0, editable=False)
    worker = models.CharField(max_length=100, blank=True, editable=False)
    heartbeat_at = models.DateTimeField(null=True, editable=False)
    cursor = models.JSONField(default=dict, editable=False)
    ended_at = models.DateTimeField(null=True)
    problems = models.JSONField(default=list, editable=False)
    cancel_requested_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        abstract = True

    @property
    def came_to_nothing(self) -> bool:
        """Whether it ended without what was asked for, or is about to, since somebody cancelled it."""
        is_under_way = self.state in {*self.WORK, *self.WORK.values()}
        is_cancelled = is_under_way and self.cancel_requested_at is not None
        return is_cancelled or self.state in (self.FAILED, self.CANCELLED)

    @property
    def can_begin_anew(self) -> bool:
        """Whether another worker finds all that the first one had."""
        return True
