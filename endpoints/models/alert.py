"""When somebody is to be told that a model is going wrong, and every time that somebody was."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone

from endpoints.models.delivery import Delivery
from endpoints.models.endpoint import Endpoint
from endpoints.models.monitoring import Window
from endpoints.models.version import AlgorithmVersion


class AlertMetric(models.TextChoices):
    FEATURES_DRIFTED = "features_drifted", "features in drift"
    DRIFT_SCORE = "drift_score", "drift score"
    FEATURE_EFFECT = "feature_effect", "shift of one feature"
    FEATURE_PSI = "feature_psi", "PSI of one feature"
    MISSING_SHARE = "missing_share", "missing values of one feature, share"
    OUT_OF_RANGE_SHARE = "out_of_range_share", "values out of range of one feature, share"
    POSITIVE_RATE = "positive_rate", "rate of the positive class"
    ACCURACY = "accuracy", "accuracy (labels)"
    ESTIMATED_ACCURACY = "estimated_accuracy", "accuracy (estimated without labels)"
    LABEL_COVERAGE = "label_coverage", "rows with a label, share"
    ERROR_CHANGES = "error_changes", "changes in the rate of errors"
    REFUSED_SHARE = "refused_share", "refused requests, share"
    LATENCY_P95 = "latency_p95_ms", "latency p95, ms"
    REQUESTS = "requests", "requests"


class Comparator(models.TextChoices):
    ABOVE = "above", "above"
    AT_LEAST = "at_least", "at least"
    BELOW = "below", "below"
    AT_MOST = "at_most", "at most"


class Severity(models.TextChoices):
    INFO = "info", "info"
    WARNING = "warning", "warning"
    CRITICAL = "critical", "critical"


class AlertRule(models.Model):
    """A metric of the version in production, held against a limit window by window."""

    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="alert_rules")
    name = models.CharField(max_length=120)
    metric = models.CharField(max_length=24, choices=AlertMetric.choices)
    feature = models.CharField(
        max_length=200, blank=True, help_text="For the metrics of one feature: its name."
    )
    comparator = models.CharField(max_length=8, choices=Comparator.choices)
    limit = models.FloatField()
    window = models.CharField(max_length=4, choices=Window.choices, default=Window.DAY)
    consecutive = models.PositiveSmallIntegerField(
        "windows in a row",
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="So many windows must break the limit before it fires.",
    )
    cooldown_minutes = models.PositiveIntegerField(
        default=1_440, help_text="While it fires, say so again after this time; 0: only once."
    )
    severity = models.CharField(max_length=8, choices=Severity.choices, default=Severity.WARNING)
    to_webhooks = models.BooleanField(
        "tell webhooks", default=True, help_text="All that are told of this endpoint."
    )
    emails = models.TextField(blank=True, help_text="Addresses to write to, one a line.")
    enabled = models.BooleanField(default=True)
    muted_until = models.DateTimeField(
        null=True, blank=True, help_text="Until then it fires without telling anybody."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, editable=False, on_delete=models.SET_NULL
    )

    class Meta:
        ordering = ["endpoint", "name", "id"]
        constraints = [
            models.CheckConstraint(
                name="alert_rule_choices_known",
                condition=models.Q(
                    metric__in=AlertMetric.values,
                    comparator__in=Comparator.values,
                    window__in=Window.values,
                    severity__in=Severity.values,
                ),
            )
        ]

    def __str__(self) -> str:
        return self.name


class AlertQuerySet(models.QuerySet["Alert"]):
    def open(self) -> AlertQuerySet:
        return self.exclude(state=Alert.State.RESOLVED)

    def firing(self) -> AlertQuerySet:
        return self.filter(state=Alert.State.FIRING)


class Alert(models.Model):
    """One time that a rule was broken, from the first window to the one that was good again."""

    class State(models.TextChoices):
        PENDING = "pending", "pending"
        FIRING = "firing", "firing"
        RESOLVED = "resolved", "resolved"

    rule = models.ForeignKey(AlertRule, on_delete=models.CASCADE, related_name="alerts")
    version = models.ForeignKey(
        AlgorithmVersion, null=True, on_delete=models.SET_NULL, related_name="alerts"
    )
    state = models.CharField(max_length=8, choices=State.choices)
    value = models.FloatField(help_text="The newest.")
    limit = models.FloatField(help_text="As the rule had it.")
    window_start = models.DateTimeField(help_text="Of the newest window that broke it.")
    pending_at = models.DateTimeField()
    fired_at = models.DateTimeField(null=True)
    resolved_at = models.DateTimeField(null=True)
    told_at = models.DateTimeField(null=True, help_text="When somebody was last told of it.")
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.CharField(max_length=150, blank=True)
    note = models.TextField(blank=True)

    objects = AlertQuerySet.as_manager()

    class Meta:
        ordering = ["-pending_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["rule"],
                condition=~models.Q(state="resolved"),
                name="alert_one_open_a_rule",
            ),
            models.CheckConstraint(
                name="alert_state_known",
                condition=models.Q(state__in=("pending", "firing", "resolved")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule}: {self.state}"


class EmailDelivery(Delivery):
    """One mail to one address."""

    alert = models.ForeignKey(
        Alert, null=True, on_delete=models.SET_NULL, related_name="email_deliveries"
    )
    to = models.CharField(max_length=254)
    subject = models.CharField(max_length=200)
    text = models.TextField()

    class Meta(Delivery.Meta):
        verbose_name_plural = "email deliveries"

    def __str__(self) -> str:
        return f"{self.to}: {self.get_state_display()}"
