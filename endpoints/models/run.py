"""A run is one training with its parameters, metric series, tags and artefact; experiments group runs."""

from __future__ import annotations

from datetime import timedelta
from types import MappingProxyType

from django.conf import settings
from django.db import models
from django.utils import timezone

from endpoints.models.dataset import Dataset
from endpoints.models.job import Job, JobQuerySet, new_id


class Experiment(models.Model):
    name = models.CharField(max_length=120, unique=True)
    description = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class RunState(models.TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    FINISHED = "finished", "Finished"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


ENDED = (RunState.FINISHED, RunState.FAILED, RunState.CANCELLED)


class RunQuerySet(JobQuerySet["Run"]):
    def finished(self) -> RunQuerySet:
        return self.filter(state=RunState.FINISHED)

    def unarchived(self) -> RunQuerySet:
        return self.filter(archived_at=None)


class Run(Job):
    """A worker trains what is queued; a command trains in its own process, and nobody can do so in its place."""

    WORK = MappingProxyType({RunState.QUEUED.value: RunState.RUNNING.value})
    TASKS = MappingProxyType({RunState.QUEUED.value: "train_run"})

    id = models.CharField(primary_key=True, max_length=32, default=new_id, editable=False)
    experiment = models.ForeignKey(Experiment, on_delete=models.PROTECT, related_name="runs")
    name = models.CharField(max_length=120)
    state = models.CharField(max_length=16, choices=RunState.choices, default=RunState.RUNNING)
    solver = models.CharField(max_length=32)
    converged = models.BooleanField(null=True)
    iterations = models.PositiveIntegerField(null=True)
    message = models.TextField(blank=True, help_text="How the solver ended, or why the run failed.")
    dataset_name = models.CharField(max_length=200)
    dataset_sha256 = models.CharField(max_length=64)
    dataset_rows = models.PositiveIntegerField()
    dataset_features = models.PositiveIntegerField(null=True)
    dataset = models.ForeignKey(
        Dataset, null=True, blank=True, on_delete=models.PROTECT, related_name="runs"
    )
    spec = models.JSONField(default=dict, help_text="What a worker is to train.")
    synthetic = models.BooleanField(default=False)
    uploaded = models.BooleanField(
        default=False, help_text="Trained elsewhere: its numbers are its uploader's claims."
    )
    artifact_path = models.CharField(max_length=200, blank=True)
    artifact_sha256 = models.CharField(max_length=64, blank=True)
    started_at = models.DateTimeField()
    archived_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL
    )

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ["-started_at", "-id"]
        indexes = [models.Index(fields=["-started_at", "-id"], name="run_newest_first")]
        constraints = [
            models.CheckConstraint(
                name="run_state_known", condition=models.Q(state__in=RunState.values)
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def short_id(self) -> str:
        return self.id[:8]

    @property
    def can_begin_anew(self) -> bool:
        """What a command trains on is nowhere but in its process."""
        return self.dataset_id is not None

    @property
    def has_model(self) -> bool:
        """A run of a tracker may finish without one."""
        return self.state == RunState.FINISHED and self.artifact_sha256 != ""

    @property
    def duration(self) -> timedelta | None:
        return self.ended_at - self.started_at if self.ended_at else None


class Analysis(models.Model):
    """What the training found out about its model; apart from the run, since only its page asks."""

    run = models.OneToOneField(
        Run, on_delete=models.CASCADE, primary_key=True, related_name="analysis"
    )
    report = models.JSONField(help_text="As mlcore.analysis.AnalysisReport.to_dict gives it.")

    class Meta:
        verbose_name_plural = "analyses"

    def __str__(self) -> str:
        return f"Analysis of {self.run_id}"


class Param(models.Model):
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="params")
    key = models.CharField(max_length=250)
    value = models.TextField(blank=True)

    class Meta:
        ordering = ["key"]
        constraints = [models.UniqueConstraint(fields=["run", "key"], name="param_once_per_run")]

    def __str__(self) -> str:
        return f"{self.key}={self.value}"


class MetricQuerySet(models.QuerySet["Metric"]):
    def series(self) -> MetricQuerySet:
        """The values per epoch or iteration, which the loss curves draw."""
        return self.filter(key__startswith="epoch_").order_by("key", "step")

    def summary(self) -> MetricQuerySet:
        return self.exclude(key__startswith="epoch_")


class Metric(models.Model):
    """One point of one metric. A metric that is undefined (AUC of one class) has no point."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="metrics")
    key = models.CharField(max_length=250)
    step = models.PositiveIntegerField(default=0)
    value = models.FloatField()

    objects = MetricQuerySet.as_manager()

    class Meta:
        ordering = ["key", "step"]
        constraints = [
            models.UniqueConstraint(fields=["run", "key", "step"], name="metric_point_once")
        ]

    def __str__(self) -> str:
        return f"{self.key}={self.value}"


class Tag(models.Model):
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="tags")
    key = models.CharField(max_length=250)
    value = models.TextField(blank=True)

    class Meta:
        ordering = ["key"]
        constraints = [models.UniqueConstraint(fields=["run", "key"], name="tag_once_per_run")]

    def __str__(self) -> str:
        return f"{self.key}={self.value}"
