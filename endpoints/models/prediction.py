"""The request log: what was asked, which version answered what; and the true labels that came later."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models

from endpoints import request_ids
from endpoints.models.abcount import ABArm
from endpoints.models.endpoint import Endpoint
from endpoints.models.packed import PackedField
from endpoints.models.version import AlgorithmVersion


class Source(models.TextChoices):
    API = "api", "REST"
    TRY = "try", "Try page"
    DEMO = "demo", "Demo"
    BATCH = "batch", "Batch"


NOT_LIVE = (Source.TRY, Source.BATCH)
"""What people try by hand says nothing about the world; the rows of a file may be old, sorted or chosen, and
all bear the moment at which their batch began."""


class Protocol(models.TextChoices):
    """The wire format in which an application asked; pages and the demo have none."""

    NONE = "", "none"
    NATIVE = "native", "Raisin"
    OPEN_INFERENCE = "open_inference", "Open Inference (V2)"
    MLFLOW = "mlflow", "MLflow scoring"
    TF_V1 = "tf_v1", "KServe and TensorFlow (V1)"
    VERTEX = "vertex", "Vertex AI"
    ROOT = "root", "at the root"


class PredictionRequestQuerySet(models.QuerySet["PredictionRequest"]):
    def since(self, moment: datetime) -> PredictionRequestQuerySet:
        """Ids are in the order of time, so their index finds the moment."""
        return self.filter(id__gte=request_ids.earliest(moment))

    def before(self, moment: datetime) -> PredictionRequestQuerySet:
        return self.filter(id__lt=request_ids.earliest(moment))

    def labelled(self) -> PredictionRequestQuerySet:
        return self.filter(_has_label())

    def awaiting_feedback(self) -> PredictionRequestQuerySet:
        return self.exclude(_has_label())

    def monitored(self) -> PredictionRequestQuerySet:
        """Live traffic."""
        return self.exclude(source__in=NOT_LIVE)


def _has_label() -> models.Exists:
    return models.Exists(Feedback.objects.filter(request=models.OuterRef("pk"), current=True))


class PredictionRequest(models.Model):
    """One answered request, of one row or many; row lists are in the order of the request.

    `inputs` holds a list of values a row, in the order of the version's schema, after filling
    missing cells; `imputed` names the filled columns a row. `probabilities` holds a number a row, that of
    the positive class, or where there are three or more classes a list of them a row. Append-only.

    Its table is made by hand: in SQLite it lies in the log's own file, in PostgreSQL in one partition a
    week. Both rule out foreign keys. Services.request_log alone writes it.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    endpoint = models.ForeignKey(
        Endpoint, on_delete=models.PROTECT, related_name="requests", db_constraint=False
    )
    version = models.ForeignKey(
        AlgorithmVersion, on_delete=models.PROTECT, related_name="requests", db_constraint=False
    )
    created_at = models.DateTimeField()
    source = models.CharField(max_length=8, choices=Source.choices, default=Source.API)
    protocol = models.CharField(max_length=16, choices=Protocol.choices, blank=True)
    caller = models.CharField(max_length=150, blank=True)
    correlation_id = models.CharField(max_length=64, blank=True, help_text="X-Request-ID.")
    traceparent = models.CharField(max_length=64, blank=True, help_text="W3C trace context.")
    row_count = models.PositiveIntegerField()
    inputs = PackedField()
    imputed = PackedField(default=list)
    probabilities = PackedField()
    predictions = PackedField()
    threshold = models.FloatField(null=True, help_text="None for three or more classes.")
    latency_us = models.PositiveIntegerField()
    probability = models.FloatField(null=True, help_text="Of a request of one row, for filters.")
    label = models.CharField(max_length=200, blank=True, help_text="Of a request of one row.")
    arm = models.ForeignKey(
        ABArm,
        null=True,
        on_delete=models.DO_NOTHING,
        related_name="requests_answered",
        db_constraint=False,
        help_text="Of the A/B test that the request was part of.",
    )
    unit = models.CharField(
        max_length=128, blank=True, help_text="Who asked, as the caller named it, such as a user."
    )
    shadow = PackedField(
        default=dict,
        help_text="What the challenger of a shadow test says: version, predictions, probabilities.",
    )

    objects = PredictionRequestQuerySet.as_manager()

    class Meta:
        managed = False
        ordering = ["-id"]
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
        PredictionRequest,
        on_delete=models.DO_NOTHING,
        related_name="feedback",
        db_constraint=False,
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
