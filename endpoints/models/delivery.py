"""What every message to the outside has in common, whichever way it goes."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.db import models


class State(models.TextChoices):
    WAITING = "waiting", "Waiting"
    DELIVERED = "delivered", "Delivered"
    FAILED = "failed", "Given up"


class Delivery(models.Model):
    """One message, written in the transaction of what it tells of.

    Whoever sends it first moves `next_attempt_at` ahead: that is the lease. A sender that is killed
    leaves it so, and it comes again.
    """

    State = State

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    state = models.CharField(max_length=16, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    problem = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True
        ordering: ClassVar[Any] = ["-created_at", "-id"]
        indexes: ClassVar[Any] = [
            models.Index(fields=["state", "next_attempt_at"], name="%(class)s_due"),
        ]
        constraints: ClassVar[Any] = [
            models.CheckConstraint(
                name="%(class)s_state_known", condition=models.Q(state__in=State.values)
            )
        ]
