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
            ("promote_version", "Can promote a version to production"),
            ("rollback_endpoint", "Can roll an endpoint back"),
            ("archive_version", "Can archive and restore a version"),
        ]

    def __str__(self) -> str:
        return f"{self.endpoint} {self.label}"

    @property
    def label(self) -> str:
        return f"v{self.number}"


class StatusChangeQuerySet(models.QuerySet["StatusChange"]):
    def of(self, endpoint: Endpoint) -> StatusChangeQuerySet:
        return self.filter(version__endpoint=endpoint)

    def into_production(self) -> StatusChangeQuerySet:
        return self.filter(to_status=Status.PRODUCTION)

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
    at = models.DateTimeField()

    objects = StatusChangeQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["version", "-at"], name="statuschange_version_at")]

    def __str__(self) -> str:
        return f"{self.version}: {self.from_status or 'new'} to {self.to_status}"
