"""What is counted of an A/B test: its phases, their arms, and the units whose labels come in groups."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from endpoints.models.abtest import ABTest
from endpoints.models.packed import PackedField
from endpoints.models.version import AlgorithmVersion


class ArmName(models.TextChoices):
    CONTROL = "control", "A"
    CHALLENGER = "challenger", "B"


class ABPhase(models.Model):
    """A time in which the shares of traffic did not change. Each phase is a test of its own, but for
    those of a bandit: there the newest keeps what all phases together say.

    `low`, `high` and `p_value` are the common part of all looks since a label was corrected, None before the
    first look that counts; of a test of one look they are what this one found, and once a label was corrected
    after it an interval that holds at every look. Of a shadow test the
    cells count labelled rows by true class and by who was right; with three or more classes all are among
    the negatives. The unit sums are of B's worth less A's.
    """

    test = models.ForeignKey(ABTest, on_delete=models.CASCADE, related_name="phases")
    number = models.PositiveIntegerField()
    challenger_share = models.PositiveIntegerField(
        default=5_000,
        validators=[MinValueValidator(1), MaxValueValidator(9_999)],
        help_text="Basis points of the units that B answers; of no use in a shadow test.",
    )
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    low = models.FloatField(null=True)
    high = models.FloatField(null=True)
    p_value = models.FloatField(null=True)

    negatives_both = models.PositiveBigIntegerField(default=0)
    negatives_only_a = models.PositiveBigIntegerField(default=0)
    negatives_only_b = models.PositiveBigIntegerField(default=0)
    negatives_neither = models.PositiveBigIntegerField(default=0)
    positives_both = models.PositiveBigIntegerField(default=0)
    positives_only_a = models.PositiveBigIntegerField(default=0)
    positives_only_b = models.PositiveBigIntegerField(default=0)
    positives_neither = models.PositiveBigIntegerField(default=0)
    units = models.PositiveBigIntegerField(default=0)
    sum_x = models.FloatField(default=0.0)
    sum_n = models.FloatField(default=0.0)
    sum_xx = models.FloatField(default=0.0)
    sum_xn = models.FloatField(default=0.0)
    sum_nn = models.FloatField(default=0.0)

    weighed = models.PositiveBigIntegerField(
        default=0, help_text="Labels of all phases when a bandit last thought about its shares."
    )
    b_best = models.FloatField(
        null=True, help_text="P(B is best) by which a bandit chose the share; None: it was planned."
    )
    repeats = models.FloatField(
        default=1.0,
        help_text="In how many phases a labelled unit of a bandit has had part, on average.",
    )

    class Meta:
        ordering = ["test", "number"]
        constraints = [
            models.UniqueConstraint(fields=["test", "number"], name="abphase_number_unique"),
            models.CheckConstraint(
                name="abphase_share_between",
                condition=models.Q(challenger_share__gt=0, challenger_share__lt=10_000),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.test}, phase {self.number}"


class ABArm(models.Model):
    """One version in one phase, and the counts of its labelled rows; requests are in ABTraffic.

    `tp` and so on are of two classes; with three or more, right answers are counted as tn and wrong ones
    as fp. The squares are of the Brier score: a row adds (p - y)^2, of three and more classes the sum over
    them. Units: a caller's `unit_id`, else the request; x is the metric's numerator, n its denominator.
    """

    phase = models.ForeignKey(ABPhase, on_delete=models.CASCADE, related_name="arms")
    name = models.CharField(max_length=10, choices=ArmName.choices)
    version = models.ForeignKey(
        AlgorithmVersion, on_delete=models.PROTECT, related_name="test_arms"
    )
    requests = models.PositiveBigIntegerField(
        default=0,
        help_text="Rows that are old enough; only where a test waits for labels to mature.",
    )
    tn = models.PositiveBigIntegerField(default=0)
    fp = models.PositiveBigIntegerField(default=0)
    fn = models.PositiveBigIntegerField(default=0)
    tp = models.PositiveBigIntegerField(default=0)
    squares = models.FloatField(default=0.0, help_text="Sum of the rows' squared errors.")
    fourths = models.FloatField(default=0.0, help_text="Sum of the squares of these.")
    units = models.PositiveBigIntegerField(default=0)
    sum_x = models.FloatField(default=0.0)
    sum_n = models.FloatField(default=0.0)
    sum_xx = models.FloatField(default=0.0)
    sum_xn = models.FloatField(default=0.0)
    sum_nn = models.FloatField(default=0.0)

    class Meta:
        ordering = ["phase", "-name"]
        constraints = [
            models.UniqueConstraint(fields=["phase", "name"], name="abarm_name_unique"),
            models.CheckConstraint(
                name="abarm_name_known", condition=models.Q(name__in=ArmName.values)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.phase}, {self.get_name_display()}"

    @property
    def labels(self) -> int:
        return self.tn + self.fp + self.fn + self.tp


class LabelledUnit(models.Model):
    """A unit that may have several labels: those that it has so far, and what they are worth.

    Only units that a caller names and requests of many rows have a row here. In a shadow test the arm is
    the control's and x is B's worth less A's.
    """

    arm = models.ForeignKey(ABArm, on_delete=models.CASCADE, related_name="labelled_units")
    unit = models.CharField(max_length=128)
    x = models.FloatField(default=0.0)
    n = models.FloatField(default=0.0)
    rows = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["arm", "unit"], name="labelledunit_once"),
        ]

    def __str__(self) -> str:
        return f"{self.unit}: {self.x} of {self.n}"


class ABLook(models.Model):
    """What a look at a phase found, kept for the chart of the interval over time."""

    phase = models.ForeignKey(ABPhase, on_delete=models.CASCADE, related_name="course")
    at = models.DateTimeField()
    labels = models.PositiveBigIntegerField(help_text="Of the smaller arm, or pairs.")
    difference = models.FloatField()
    low = models.FloatField()
    high = models.FloatField()
    p_value = models.FloatField()

    class Meta:
        ordering = ["phase", "labels", "id"]

    def __str__(self) -> str:
        return f"{self.phase} at {self.labels} labels"


class ABTraffic(models.Model):
    """What one writer of the log counted of one arm: sum over `writer`. It lies beside the log.

    Of a shadow test the control's row counts the requests, the challenger's those that B could score.
    """

    pk = models.CompositePrimaryKey("arm_id", "writer")
    arm = models.ForeignKey(
        ABArm, on_delete=models.DO_NOTHING, related_name="traffic", db_constraint=False
    )
    writer = models.CharField(max_length=16)
    requests = models.PositiveBigIntegerField()
    rows = models.PositiveBigIntegerField()
    units = models.PositiveBigIntegerField(help_text="Units that had not been seen in the phase.")
    errors = models.PositiveBigIntegerField(help_text="Requests that the arm could not answer.")
    agreed = models.PositiveBigIntegerField(help_text="Rows on which both arms say the same.")
    latencies = PackedField(help_text="Requests by bucket, see services.histograms.")

    class Meta:
        managed = False

    def __str__(self) -> str:
        return f"{self.arm}: {self.requests}"
