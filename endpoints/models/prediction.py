"""The request log: what was asked, which version answered what; and the true labels that came later."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.conf import settings
from django.db import models

from endpoints.models.endpoint import Endpoint
from endpoints.models.version import AlgorithmVersion


class Source(models.TextChoices):
    API = "api", "REST"
    TRY = "try", "Try page"
    DEMO = "demo", "Demo"


class PredictionRequestQuerySet(models.QuerySet["PredictionRequest"]):
    def since(self, moment: datetime) -> PredictionRequestQuerySet:
        return self.filter(created_at__gte=moment)

    def labelled(self) -> PredictionRequestQuerySet:
        return self.filter(feedback__current=True).distinct()

    def awaiting_feedback(self) -> PredictionRequestQuerySet:
        return self.exclude(feedback__current=True)

    def monitored(self) -> PredictionRequestQuerySet:
        """Live traffic: what people try by hand says nothing about the world."""
        return self.exclude(source=Source.TRY)


class PredictionRequest(models.Model):
    """One answered request, of one row or many; row lists are in the order of the request.

    `inputs` holds a list of values a row, in the order of the version's schema, after filling
    missing cells; `imputed` names the filled columns a row. `probabilities` holds a number a row, that of
    the positive class, or where there are three or more classes a list of them a row. Append-only.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="requests")
    version = models.ForeignKey(AlgorithmVersion, on_delete=models.PROTECT, related_name="requests")
    created_at = models.DateTimeField()
    source = models.CharField(max_length=8, choices=Source.choices, default=Source.API)
    row_count = models.PositiveIntegerField()
    inputs = models.JSONField()
    imputed = models.JSONField(default=list)
    probabilities = models.JSONField()
    predictions = models.JSONField()
    threshold = models.FloatField(null=True, help_text="None for three or more classes.")
    latency_us = models.PositiveIntegerField()
    probability = models.FloatField(null=True, help_text="Of a request of one row, for filters.")
    label = models.CharField(max_length=200, blank=True, help_text="Of a request of one row.")

    objects = PredictionRequestQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["endpoint", "-created_at", "-id"], name="request_newest_first"),
            models.Index(fields=["version", "-created_at"], name="request_by_version"),
        ]
        permissions = [
            ("view_inputs", "Can see the inputs of predictions"),
            ("try_endpoint", "Can score a row by hand"),
        ]

    def __str__(self) -> str:
        return str(self.id)

    def probability_of(self, row: int) -> float:
        """Return the row's one probability: of the positive class, or of the class that was predicted."""
        return headline(self.probabilities[row])


def headline(probabilities: float | list[float]) -> float:
    """Return the one probability that stands for a row: the positive class's, or the largest."""
    return max(probabilities) if isinstance(probabilities, list) else probabilities


class Feedback(models.Model):
    """A true label. A correction adds a row; the older one stays and is no longer current."""

    request = models.ForeignKey(
        PredictionRequest, on_delete=models.CASCADE, related_name="feedback"
    )
    row = models.PositiveIntegerField(default=0)
    label = models.CharField(max_length=200)
    correct = models.BooleanField(help_text="The prediction was this label.")
    current = models.BooleanField(default=True)
    created_at = models.DateTimeField()
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL
    )
    actor_name = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name_plural = "feedback"
        constraints = [
            models.UniqueConstraint(
                fields=["request", "row"],
                condition=models.Q(current=True),
                name="feedback_one_current_per_row",
            )
        ]

    def __str__(self) -> str:
        return f"{self.label} for row {self.row}"
