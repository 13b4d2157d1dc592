"""The audit log: one row for each change that matters, written in the change's own transaction."""

from __future__ import annotations

from typing import Any, NoReturn

from django.conf import settings
from django.db import models

from endpoints.models.endpoint import Endpoint


class EventQuerySet(models.QuerySet["Event"]):
    def update(self, **kwargs: Any) -> NoReturn:
        raise TypeError("Events are append-only.")

    def delete(self) -> NoReturn:
        raise TypeError("Events are append-only.")


class Event(models.Model):
    at = models.DateTimeField()
    verb = models.CharField(max_length=32)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL
    )
    actor_name = models.CharField(max_length=150)
    endpoint = models.ForeignKey(
        Endpoint, null=True, blank=True, on_delete=models.PROTECT, related_name="events"
    )
    subject = models.CharField(max_length=200, help_text="What was changed, in words.")
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    reason = models.TextField(blank=True)

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["endpoint", "-at"], name="event_endpoint_at")]

    def __str__(self) -> str:
        return f"{self.actor_name}: {self.verb} {self.subject}"
