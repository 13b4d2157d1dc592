"""A file to train on, kept under the SHA-256 of its content, with what a worker read in it."""

from __future__ import annotations

from types import MappingProxyType

from django.conf import settings
from django.db import models
from django.utils import timezone

from endpoints.models.job import Job, JobQuerySet, new_id


class DatasetState(models.TextChoices):
    UPLOADED = "uploaded", "Waiting to be read"
    READING = "reading", "Being read"
    READY = "ready", "Ready"
    FAILED = "failed", "Not readable"


class FileFormat(models.TextChoices):
    CSV = "csv", "CSV"
    PARQUET = "parquet", "Parquet"


class DatasetQuerySet(JobQuerySet["Dataset"]):
    def ready(self) -> DatasetQuerySet:
        return self.filter(state=DatasetState.READY)


class Dataset(Job):
    """`columns` is a profile, a dict a column in the file's order, as `services.datasets` describes it.

    `reading` says how the file is read (format, encoding, delimiter, its columns), as a worker found it.
    """

    WORK = MappingProxyType({DatasetState.UPLOADED.value: DatasetState.READING.value})
    TASKS = MappingProxyType({DatasetState.UPLOADED.value: "read_dataset"})

    id = models.CharField(primary_key=True, max_length=32, default=new_id, editable=False)
    sha256 = models.CharField(max_length=64, unique=True, editable=False)
    name = models.CharField(max_length=200)
    format = models.CharField(max_length=8, choices=FileFormat.choices, default=FileFormat.CSV)
    size = models.PositiveBigIntegerField(help_text="Bytes.")
    state = models.CharField(
        max_length=16, choices=DatasetState.choices, default=DatasetState.UPLOADED
    )
    message = models.TextField(blank=True, help_text="Why it cannot be read.")
    rows = models.PositiveBigIntegerField(null=True)
    reading = models.JSONField(default=dict, editable=False)
    columns = models.JSONField(default=list, editable=False)
    synthetic = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL
    )
    created_by_name = models.CharField(max_length=150, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)

    objects = DatasetQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                name="dataset_state_known", condition=models.Q(state__in=DatasetState.values)
            )
        ]

    def __str__(self) -> str:
        return self.name
