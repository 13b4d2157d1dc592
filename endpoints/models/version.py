"""An algorithm version is an immutable trained artefact behind an endpoint; its status has a history."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone

from endpoints.models.endpoint import Endpoint
from endpoints.models.run import Run


class Status(models.TextChoices):
    TESTING = "testing", "Testing"
    STAGING = "staging", "Staging"
    AB_TESTING = "ab_testing", "A/B test"
    PRODUCTION = "production", "Production"
    ARCHIVED = "archived", "Archived"


class AlgorithmVersionQuerySet(models.QuerySet["AlgorithmVersion"]):
    def in_production(self) -> AlgorithmVersionQuerySet:
        return self.filter(status=Status.PRODUCTION)

    def unarchived(self) -> AlgorithmVersionQuerySet:
        return self.exclude(status=Status.ARCHIVED)


class AlgorithmVersion(models.Model):
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.TESTING)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="versions")
    artifact_path = models.CharField(max_length=200, help_text="Relative to RAISIN_HOME.")
    artifact_sha256 = models.CharField(max_length=64)
    threshold = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0.0), MaxValueValidator(1.0)],
        help_text="Positive if the probability is at least this; none for three or more classes.",
    )
    converged = models.BooleanField()
    note = models.TextField(blank=True)
    intended_use = models.TextField(blank=True, help_text="For whom and what for. Markdown.")
    limits = models.TextField(blank=True, help_text="Where it must not be used. Markdown.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, editable=False, on_delete=models.SET_NULL
    )

    objects = AlgorithmVersionQuerySet.as_manager()

    class Meta:
        ordering = ["endpoint", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "number"], name="version_number_unique"),
            models.UniqueConstraint(
                fields=["endpoint"],
                condition=models.Q(status="production"),
                name="version_one_production_per_endpoint",
            ),
            models.CheckConstraint(
                name="version_status_known", condition=models.Q(status__in=Status.values)
            ),
            models.CheckConstraint(
                name="version_threshold_is_probability",
                condition=models.Q(threshold=None) | models.Q(threshold__gte=0, threshold__lte=1),
            ),
        ]
        permissions = [
            ("register_version", "Can register a run as a version"),
            ("stage_version", "Can move a version between testing and staging"),
            ("request_promotion", "Can ask for a promotion"),
            ("promote_version", "Can promote a version to production"),
            ("rollback_endpoint", "Can roll an endpoint back"),
            ("archive_version", "Can archive and restore a version"),
            ("override_gates", "Can promote although a gate failed"),
        ]

    def __str__(self) -> str:
        return f"{self.endpoint} {self.label}"

    @property
    def label(self) -> str:
        return f"v{self.number}"

    @property
    def status_word(self) -> str:
        """The status within a sentence."""
        words = {Status.AB_TESTING: "an A/B test", Status.ARCHIVED: "the archive"}
        return words.get(Status(self.status), str(self.status))


class StatusChangeQuerySet(models.QuerySet["StatusChange"]):
    def of(self, endpoint: Endpoint) -> StatusChangeQuerySet:
        return self.filter(version__endpoint=endpoint)

    def into_production(self) -> StatusChangeQuerySet:
        return self.filter(to_status=Status.PRODUCTION)

    def touching_production(self) -> StatusChangeQuerySet:
        return self.filter(
            models.Q(to_status=Status.PRODUCTION) | models.Q(from_status=Status.PRODUCTION)
        )

    def before(self, moment: datetime) -> StatusChangeQuerySet:
        return self.filter(at__lte=moment)


class StatusChange(models.Model):
    """Who moved which version from where to where, when, why and on which evidence; never changed."""

    version = models.ForeignKey(
        AlgorithmVersion, on_delete=models.PROTECT, related_name="status_changes"
    )
    verb = models.CharField(max_length=16)
    from_status = models.CharField(max_length=16, choices=Status.choices, blank=True)
    to_status = models.CharField(max_length=16, choices=Status.choices)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL
    )
    actor_name = models.CharField(max_length=150, help_text="Kept when the account is deleted.")
    reason = models.TextField(blank=True)
    gates = models.JSONField(default=list, help_text="The gates as they stood at that moment.")
    overridden = models.JSONField(
        default=list, help_text="The gates that failed and were overruled."
    )
    submission = models.CharField(
        max_length=64, blank=True, help_text="The key of the form or request, done once only."
    )
    at = models.DateTimeField()

    objects = StatusChangeQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["version", "-at"], name="statuschange_version_at")]
        constraints = [
            models.UniqueConstraint(
                fields=["submission", "verb"],
                condition=~models.Q(submission=""),
                name="statuschange_submission_once",
            ),
            models.CheckConstraint(
                name="statuschange_status_known", condition=models.Q(to_status__in=Status.values)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.version}: {self.from_status or 'new'} to {self.to_status}"


class PromotionRequestQuerySet(models.QuerySet["PromotionRequest"]):
    def waiting(self) -> PromotionRequestQuerySet:
        return self.filter(outcome=PromotionRequest.Outcome.OPEN)


class PromotionRequest(models.Model):
    """A scientist's question to an approver; at most one is open for a version."""

    class Outcome(models.TextChoices):
        OPEN = "", "Waiting"
        PROMOTED = "promoted", "Promoted"
        REJECTED = "rejected", "Rejected"
        WITHDRAWN = "withdrawn", "Withdrawn"

    version = models.ForeignKey(
        AlgorithmVersion, on_delete=models.PROTECT, related_name="promotion_requests"
    )
    note = models.TextField(blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    requested_by_name = models.CharField(max_length=150)
    at = models.DateTimeField()
    outcome = models.CharField(max_length=16, choices=Outcome.choices, blank=True, default="")
    closed_by_name = models.CharField(max_length=150, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    objects = PromotionRequestQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["version"],
                condition=models.Q(outcome=""),
                name="promotionrequest_one_open",
            ),
            models.CheckConstraint(
                name="promotionrequest_closed_when_answered",
                condition=models.Q(outcome="", closed_at=None)
                | models.Q(
                    outcome__in=("promoted", "rejected", "withdrawn"), closed_at__isnull=False
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.version}: {self.get_outcome_display()}"


class Evaluation(models.Model):
    """How a version did here, on rows of ours; what its uploader says stays a claim until then."""

    version = models.ForeignKey(
        AlgorithmVersion, on_delete=models.CASCADE, related_name="evaluations"
    )
    dataset_name = models.CharField(max_length=200)
    dataset_sha256 = models.CharField(max_length=64)
    dataset_rows = models.PositiveIntegerField()
    metrics = models.JSONField(help_text="As MetricsReport.as_dict gives them.")
    actor_name = models.CharField(max_length=150)
    at = models.DateTimeField()

    class Meta:
        ordering = ["-at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["version", "dataset_sha256"], name="evaluation_once_per_dataset"
            )
        ]

    def __str__(self) -> str:
        return f"{self.version} on {self.dataset_name}"
