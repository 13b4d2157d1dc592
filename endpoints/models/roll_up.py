"""Counts that grow with the log, so that no page has to read it: traffic and true labels by time."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models

from endpoints.models.endpoint import Endpoint
from endpoints.models.packed import PackedField


class Span(models.IntegerChoices):
    """The length of time that a row counts, in seconds."""

    MINUTE = 60, "minute"
    HOUR = 3_600, "hour"

    def start(self, moment: datetime) -> datetime:
        """Return when the span that holds this moment began."""
        return datetime.fromtimestamp(
            int(moment.timestamp()) // self.value * self.value, tz=moment.tzinfo
        )


class RollUpQuerySet(models.QuerySet["RollUp"]):
    def between(self, span: Span, since: datetime, until: datetime) -> RollUpQuerySet:
        return self.filter(seconds=span, start__gte=since, start__lt=until)


class RollUp(models.Model):
    """What one writer of the log counted of one version in one minute or hour.

    Each process has rows of its own, so that many can count without waiting for one another: sum over
    `writer`. `number` is the version's; a refused request counts where the version in production does,
    0 without one. All but `requests` and `refusals` leave out what people tried by hand. Its table lies
    beside the log's and is written with it.
    """

    pk = models.CompositePrimaryKey("endpoint_id", "number", "seconds", "start", "writer")
    endpoint = models.ForeignKey(
        Endpoint, on_delete=models.DO_NOTHING, related_name="roll_ups", db_constraint=False
    )
    number = models.PositiveIntegerField()
    seconds = models.PositiveIntegerField(choices=Span.choices)
    start = models.DateTimeField()
    writer = models.CharField(max_length=16)
    requests = models.PositiveBigIntegerField()
    rows = models.PositiveBigIntegerField()
    two_class_rows = models.PositiveBigIntegerField()
    positives = models.PositiveBigIntegerField(help_text="Of the two-class rows.")
    latencies = PackedField(help_text="Requests by bucket of latency, see services.histograms.")
    scores = PackedField(help_text="Rows by bin of probability, see services.histograms.")
    refusals = PackedField(help_text="Requests that got no answer, by the error's code.")

    objects = RollUpQuerySet.as_manager()

    class Meta:
        managed = False

    def __str__(self) -> str:
        return f"v{self.number}, the {Span(self.seconds).label} from {self.start}: {self.requests}"


class LabelCount(models.Model):
    """Cells of the confusion matrix: rows predicted as one class in one minute or hour whose true label is
    by now another, or the same. Corrections move them; a cell may fall back to 0.
    """

    pk = models.CompositePrimaryKey(
        "endpoint_id", "number", "seconds", "start", "predicted", "label"
    )
    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="label_counts")
    number = models.PositiveIntegerField()
    seconds = models.PositiveIntegerField(choices=Span.choices)
    start = models.DateTimeField(help_text="Of the predictions, not of their labels.")
    predicted = models.CharField(max_length=200)
    label = models.CharField(max_length=200)
    rows = models.PositiveBigIntegerField()

    def __str__(self) -> str:
        span = Span(self.seconds).label
        return (
            f"v{self.number}, the {span} from {self.start}: {self.rows} {self.predicted} "
            f"that are {self.label}"
        )


MINUTES_ARE_KEPT = timedelta(days=2)
"""Hours are kept for good."""
