"""A file whose rows one version scores: from the upload to results that are kept for a while."""

from __future__ import annotations

from datetime import datetime
from types import MappingProxyType

from django.conf import settings
from django.db import models
from django.utils import timezone

from endpoints.models.dataset import FileFormat
from endpoints.models.endpoint import ApiKey, Endpoint
from endpoints.models.job import Job, JobQuerySet, new_id
from endpoints.models.version import AlgorithmVersion


class BatchState(models.TextChoices):
    UPLOADED = "uploaded", "Waiting to be checked"
    CHECKING = "checking", "Checking"
    NEEDS_ATTENTION = "needs_attention", "Needs attention"
    READY = "ready", "Ready"
    QUEUED = "queued", "Queued"
    SCORING = "scoring", "Scoring"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"
    EXPIRED = "expired", "Expired"


ENDED = (BatchState.DONE, BatchState.FAILED, BatchState.CANCELLED, BatchState.EXPIRED)


class BatchJobQuerySet(JobQuerySet["BatchJob"]):
    def expired(self, now: datetime) -> BatchJobQuerySet:
        """Those whose files are kept long enough, and are still there."""
        return self.filter(expires_at__lte=now).exclude(state=BatchState.EXPIRED)


class BatchJob(Job):
    """`reading` says how the file is read (format, encoding, delimiter, its columns), `mapping` which column
    of the file answers each feature, `check_report` what the check found with the first rows scored, and
    `report` what the scoring found: all as `services.batches` describes them.
    """

    WORK = MappingProxyType(
        {
            BatchState.UPLOADED.value: BatchState.CHECKING.value,
            BatchState.QUEUED.value: BatchState.SCORING.value,
        }
    )
    TASKS = MappingProxyType(
        {BatchState.UPLOADED.value: "check_batch", BatchState.QUEUED.value: "score_batch"}
    )

    id = models.CharField(primary_key=True, max_length=32, default=new_id, editable=False)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="batches")
    version = models.ForeignKey(AlgorithmVersion, on_delete=models.PROTECT, related_name="batches")
    state = models.CharField(max_length=16, choices=BatchState.choices, default=BatchState.UPLOADED)
    message = models.TextField(blank=True, help_text="What is wrong, or how it ended.")
    file_name = models.CharField(max_length=200)
    format = models.CharField(max_length=8, choices=FileFormat.choices, default=FileFormat.CSV)
    size = models.PositiveBigIntegerField(help_text="Bytes, as uploaded.")
    sha256 = models.CharField(max_length=64)
    reading = models.JSONField(default=dict)
    mapping = models.JSONField(default=dict)
    label_column = models.CharField(max_length=500, blank=True)
    log_rows = models.BooleanField(default=True, help_text="Keep the rows in the request log.")
    store_labels = models.BooleanField(default=False, help_text="Keep true labels as feedback.")
    starts_itself = models.BooleanField(
        default=False, help_text="Score as soon as the check finds nothing wrong."
    )
    check_report = models.JSONField(default=dict)
    report = models.JSONField(default=dict)
    rows = models.PositiveBigIntegerField(null=True)
    rows_done = models.PositiveBigIntegerField(default=0)
    rows_bad = models.PositiveBigIntegerField(default=0)
    rerun_of = models.ForeignKey(
        "self", null=True, on_delete=models.SET_NULL, related_name="reruns"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL
    )
    created_by_name = models.CharField(max_length=150, blank=True)
    key = models.ForeignKey(ApiKey, null=True, on_delete=models.SET_NULL)
    started_at = models.DateTimeField(null=True, help_text="When a worker first scored a row.")
    expires_at = models.DateTimeField(help_text="When its files are deleted.")

    objects = BatchJobQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                name="batchjob_state_known", condition=models.Q(state__in=BatchState.values)
            )
        ]

    def __str__(self) -> str:
        return self.file_name

    @property
    def short_id(self) -> str:
        return self.id[:8]

    @property
    def came_to_nothing(self) -> bool:
        return super().came_to_nothing or self.state == BatchState.EXPIRED

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED
