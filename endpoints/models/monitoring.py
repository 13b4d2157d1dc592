"""What is known of a version's live rows, window by window: drift, and changes in its errors."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from endpoints.models.endpoint import Endpoint
from endpoints.models.version import AlgorithmVersion


class Monitor(models.Model):
    """How an endpoint is watched, and how far its log and its labels have been looked through."""

    endpoint = models.OneToOneField(
        Endpoint, primary_key=True, on_delete=models.CASCADE, related_name="monitor"
    )
    window_rows = models.PositiveIntegerField(
        "rows of a window by count",
        default=1_000,
        validators=[MinValueValidator(50), MaxValueValidator(1_000_000)],
    )
    min_rows = models.PositiveIntegerField(
        "rows needed for a verdict", default=50, validators=[MinValueValidator(10)]
    )
    alpha = models.FloatField(
        "largest p value of a drift",
        default=0.01,
        validators=[MinValueValidator(1e-9), MaxValueValidator(0.5)],
        help_text="After correction for looking at all features (Benjamini and Hochberg).",
    )
    effect = models.FloatField(
        "smallest shift of a drift",
        default=0.1,
        validators=[MinValueValidator(0.0)],
        help_text="Of numbers: Wasserstein distance in standard deviations. "
        "Of categories: Jensen-Shannon distance.",
    )
    log_cursor = models.UUIDField(
        null=True, editable=False, help_text="The newest logged request that was looked at."
    )
    label_cursor = models.PositiveBigIntegerField(
        default=0, editable=False, help_text="The newest label that was looked at."
    )
    looked_at = models.DateTimeField(null=True, editable=False)

    def __str__(self) -> str:
        return f"Monitor of {self.endpoint}"


class Window(models.TextChoices):
    """Which rows of a version are taken together."""

    HOUR = "hour", "hour"
    DAY = "day", "day"
    WEEK = "week", "week"
    ROWS = "rows", "number of rows"


class Verdict(models.TextChoices):
    NO_DRIFT = "no_drift", "no drift"
    POSSIBLE = "possible", "possible drift"
    DRIFT = "drift", "drift"
    INSUFFICIENT = "insufficient_data", "too few rows"


class DriftReport(models.Model):
    """The live rows of one version in one window against those it was trained on.

    An open window grows until its time is over or its rows are full. `summary` is what mlcore.window needs
    to grow and judge it; it is dropped when the window is long past, the verdict stays.
    """

    version = models.ForeignKey(
        AlgorithmVersion, on_delete=models.CASCADE, related_name="drift_reports"
    )
    window = models.CharField(max_length=4, choices=Window.choices)
    start = models.DateTimeField()
    end = models.DateTimeField(help_text="Of a window by count: when its newest row was answered.")
    is_open = models.BooleanField(default=True)
    n_rows = models.PositiveBigIntegerField()
    summary = models.BinaryField(null=True)
    verdict = models.CharField(max_length=17, choices=Verdict.choices)
    drift_score = models.FloatField(null=True, help_text="Mean absolute z-shift of the numbers.")
    features = models.PositiveIntegerField()
    drifted = models.PositiveIntegerField()
    possible = models.PositiveIntegerField()
    estimates = models.JSONField(
        null=True, help_text="Metrics without labels: value, standard error and band of each."
    )
    impact = models.JSONField(null=True, help_text="Shifts of the mean logit, feature by feature.")
    computed_at = models.DateTimeField()

    class Meta:
        ordering = ["-start", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["version", "window", "start"], name="drift_report_one_a_window"
            )
        ]

    def __str__(self) -> str:
        return (
            f"{self.version.label}, {self.get_window_display()} from {self.start}: {self.verdict}"
        )


class FeatureDrift(models.Model):
    """One feature in one window; also the score, the predicted class and the true label."""

    class Kind(models.TextChoices):
        NUMBER = "number", "number"
        CATEGORY = "category", "category"
        SCORE = "score", "score"
        PREDICTION = "prediction", "prediction"
        LABEL = "label", "label"

    INPUTS = (Kind.NUMBER, Kind.CATEGORY)

    report = models.ForeignKey(DriftReport, on_delete=models.CASCADE, related_name="columns")
    position = models.PositiveIntegerField()
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    verdict = models.CharField(max_length=17, choices=Verdict.choices)
    effect = models.FloatField(null=True)
    p_adjusted = models.FloatField(null=True)
    psi = models.FloatField(null=True)
    z_shift = models.FloatField(null=True)
    missing = models.PositiveBigIntegerField(default=0)
    out_of_range = models.PositiveBigIntegerField(default=0)
    unseen = models.PositiveBigIntegerField(default=0)
    results = models.JSONField(
        help_text="Every check: statistic, value, threshold, p value, verdict."
    )
    bins = models.JSONField(help_text="Shares of the training and live rows by bin, to draw.")

    class Meta:
        ordering = ["report", "position"]
        constraints = [
            models.UniqueConstraint(fields=["report", "position"], name="feature_drift_one_a_place")
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.verdict}"


class StreamDetector(models.Model):
    """What a detector of changes remembers of a version's errors, as their labels came."""

    version = models.ForeignKey(
        AlgorithmVersion, on_delete=models.CASCADE, related_name="detectors"
    )
    name = models.CharField(max_length=16)
    state = models.JSONField()
    fed = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "name"], name="detector_one_a_version")
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.version.label}"


class StreamChange(models.Model):
    """A change in the rate of errors, found when so many labels had come."""

    version = models.ForeignKey(AlgorithmVersion, on_delete=models.CASCADE, related_name="changes")
    detector = models.CharField(max_length=16)
    found_at = models.DateTimeField()
    request_id = models.UUIDField(help_text="The request whose label made it plain.")
    predicted_at = models.DateTimeField()
    labels = models.PositiveBigIntegerField(help_text="That the detector had seen by then.")
    rate_before = models.FloatField(null=True)
    rate_after = models.FloatField(null=True)

    class Meta:
        ordering = ["-found_at", "-id"]
        indexes = [models.Index(fields=["version", "-found_at"], name="stream_change_newest")]

    def __str__(self) -> str:
        return f"{self.detector} of {self.version.label} at {self.predicted_at}"
