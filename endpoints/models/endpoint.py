"""An endpoint is one question that models answer; an API key lets an application ask it."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone

# First path segments under /api/v1/ that belong to the interface itself.
RESERVED_SLUGS = frozenset(
    {
        "abtests",
        "alert-rules",
        "alerts",
        "batch-predict",
        "batches",
        "endpoints",
        "experiments",
        "keys",
        "mlalgorithms",
        "mlalgorithmstatuses",
        "mlrequests",
        "promotion-requests",
        "requests",
        "runs",
        "stop_ab_test",
    }
)


def refuse_reserved_slug(slug: str) -> None:
    if slug in RESERVED_SLUGS:
        raise ValidationError(f"“{slug}” is taken by the REST interface; choose another slug.")


class PrimaryMetric(models.TextChoices):
    LOG_LOSS = "log_loss", "log loss"
    ROC_AUC = "roc_auc", "ROC AUC"
    ACCURACY = "accuracy", "accuracy"
    BALANCED_ACCURACY = "balanced_accuracy", "balanced accuracy"
    F1 = "f1", "F1"
    PRECISION = "precision", "precision"
    RECALL = "recall", "recall"
    SPECIFICITY = "specificity", "specificity"
    MCC = "mcc", "Matthews correlation"
    BRIER = "brier", "Brier score"


class Direction(models.TextChoices):
    AS_THE_METRIC = "", "as the metric has it"
    HIGHER = "higher", "higher is better"
    LOWER = "lower", "lower is better"


class GatePolicy(models.TextChoices):
    BLOCK = "block", "block: a failed gate stops the promotion"
    WARN = "warn", "warn: a failed gate is shown and recorded"


class MissingValues(models.TextChoices):
    IMPUTE = "impute", "fill in: as the model learned to, and say so in the answer"
    REFUSE = "refuse", "refuse the request"


class ErrorDetail(models.TextChoices):
    """What an answer says of cells that do not fit."""

    FULL = "full", "full: field, problem and the value sent"
    NAMES = "names", "names: field and problem, no values"
    GENERIC = "generic", "generic: that something does not fit"


class EndpointQuerySet(models.QuerySet["Endpoint"]):
    def answering(self) -> EndpointQuerySet:
        return self.filter(versions__status="production")


class Endpoint(models.Model):
    slug = models.SlugField(
        max_length=64,
        unique=True,
        validators=[refuse_reserved_slug],
        help_text="Part of the URL, /api/v1/<slug>/predict; it cannot be changed later. "
        "Letters, digits, hyphens and underscores.",
    )
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True, help_text="The question that its models answer.")
    public_predictions = models.BooleanField(
        default=False, help_text="Predict and give feedback without an API key."
    )
    primary_metric = models.CharField(
        max_length=24, choices=PrimaryMetric.choices, default=PrimaryMetric.LOG_LOSS
    )
    metric_direction = models.CharField(
        max_length=8, choices=Direction.choices, default=Direction.AS_THE_METRIC, blank=True
    )
    metric_tolerance = models.FloatField(
        default=0.01,
        validators=[MinValueValidator(0.0)],
        help_text="A candidate may be worse than production by this much, in the metric's units.",
    )
    minimum_improvement = models.FloatField(
        default=0.0,
        validators=[MinValueValidator(0.0)],
        help_text="Above 0: a candidate must be better than production by this much.",
    )
    latency_budget_ms = models.FloatField(
        default=50.0,
        validators=[MinValueValidator(0.001)],
        help_text="95 of 100 single rows must be scored within this time.",
    )
    gate_policy = models.CharField(
        max_length=8, choices=GatePolicy.choices, default=GatePolicy.BLOCK
    )
    card_required = models.BooleanField(
        default=False, help_text="A version without intended use and limits fails its gate."
    )
    second_person_required = models.BooleanField(
        default=False,
        help_text="Whoever asked for a promotion or trained the model cannot approve it.",
    )
    auto_promote = models.BooleanField(
        default=False,
        help_text="Promote a newly registered version at once if its metric is better than "
        "production's and no gate fails.",
    )
    members_only = models.BooleanField(
        default=False, help_text="Only its members see it; groups count elsewhere alone."
    )
    missing_values = models.CharField(
        max_length=8, choices=MissingValues.choices, default=MissingValues.IMPUTE
    )
    error_detail = models.CharField(
        max_length=8, choices=ErrorDetail.choices, default=ErrorDetail.FULL
    )
    revision = models.PositiveIntegerField(
        default=0,
        editable=False,
        help_text="Grows with every change of serving; its row is the lock among rivals.",
    )
    paused_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Callers get 503 until it is resumed."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, editable=False, on_delete=models.SET_NULL
    )

    objects = EndpointQuerySet.as_manager()

    class Meta:
        ordering = ["slug"]
        constraints = [
            models.CheckConstraint(
                name="endpoint_limits_not_negative",
                condition=models.Q(metric_tolerance__gte=0, minimum_improvement__gte=0),
            ),
            models.CheckConstraint(
                name="endpoint_latency_budget_positive", condition=models.Q(latency_budget_ms__gt=0)
            ),
            models.CheckConstraint(
                name="endpoint_choices_known",
                condition=models.Q(
                    primary_metric__in=PrimaryMetric.values,
                    metric_direction__in=Direction.values,
                    gate_policy__in=GatePolicy.values,
                    missing_values__in=MissingValues.values,
                    error_detail__in=ErrorDetail.values,
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.slug

    @property
    def rests_on_synthetic_data(self) -> bool:
        """Say whether a version that is not archived was trained on the Raisin stand-in."""
        return self.versions.unarchived().filter(run__synthetic=True).exists()


class Scope(models.TextChoices):
    PREDICT = "predict", "predict"
    FEEDBACK = "feedback", "send true labels"
    READ = "read", "read endpoints, versions and runs"
    MANAGE = "manage", "whatever its maker may do"


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def usable(self, now: datetime) -> ApiKeyQuerySet:
        unexpired = models.Q(expires_at=None) | models.Q(expires_at__gt=now)
        return self.filter(unexpired, revoked_at=None)


class ApiKey(models.Model):
    """Only the SHA-256 of the random secret is kept: at 190 bits there is nothing to guess."""

    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=16, unique=True, editable=False)
    secret_sha256 = models.CharField(max_length=64, editable=False)
    scopes = models.JSONField(default=list)
    endpoint = models.ForeignKey(
        Endpoint,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="api_keys",
        help_text="Empty: the key works at every endpoint.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_keys"
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    rate = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0.1)],
        help_text="Requests a second that it may send; empty: the site's limit.",
    )
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name = "API key"
        permissions = [("manage_own_keys", "Can make and revoke API keys of their own")]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
