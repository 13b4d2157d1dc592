"""An A/B test compares two versions on live traffic: its plan, who started and stopped it, and what came out."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone

from endpoints.models.endpoint import Endpoint
from endpoints.models.version import AlgorithmVersion


class TestKind(models.TextChoices):
    SHADOW = "shadow", "shadow: A answers, B scores the same request"
    SPLIT = "split", "split: each unit is answered by A or by B"
    BANDIT = "bandit", "bandit: a split whose better arm gets more and more"


class TestState(models.TextChoices):
    DRAFT = "draft", "Draft"
    RUNNING = "running", "Running"
    STOPPED = "stopped", "Stopped"


class TestMetric(models.TextChoices):
    ACCURACY = "accuracy", "accuracy"
    F1 = "f1", "F1"
    EXPECTED_COST = "expected_cost", "expected cost"


class Looks(models.TextChoices):
    ANY_TIME = "any_time", "at any time"
    AT_HORIZON = "at_horizon", "once, at the end"


class Conclusion(models.TextChoices):
    A_WINS = "a_wins", "A wins"
    B_WINS = "b_wins", "B wins"
    NO_DIFFERENCE = "no_difference", "no useful difference"
    INCONCLUSIVE = "inconclusive", "inconclusive"
    DID_NOT_FINISH = "did_not_finish", "did not finish"


class ABTestQuerySet(models.QuerySet["ABTest"]):
    def running(self) -> ABTestQuerySet:
        return self.filter(state=TestState.RUNNING)


class ABTest(models.Model):
    """The plan is fixed once the test has started; only the share of traffic may change, in a new phase:
    of a split test by hand, of a bandit by itself.

    A is the control: the version in production when the test starts. B is the challenger.
    """

    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="abtests")
    title = models.CharField(max_length=200)
    kind = models.CharField(max_length=8, choices=TestKind.choices, default=TestKind.SHADOW)
    state = models.CharField(max_length=8, choices=TestState.choices, default=TestState.DRAFT)
    control = models.ForeignKey(
        AlgorithmVersion,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="tests_as_control",
        help_text="None until the test starts: then the version in production.",
    )
    challenger = models.ForeignKey(
        AlgorithmVersion, on_delete=models.PROTECT, related_name="tests_as_challenger"
    )
    salt = models.CharField(max_length=32, unique=True, editable=False)

    metric = models.CharField(
        max_length=16, choices=TestMetric.choices, default=TestMetric.ACCURACY
    )
    cost_fp = models.FloatField(default=1.0, validators=[MinValueValidator(0.0)])
    cost_fn = models.FloatField(default=1.0, validators=[MinValueValidator(0.0)])
    floor = models.PositiveIntegerField(
        default=500,
        validators=[MinValueValidator(100), MaxValueValidator(4_900)],
        help_text="Basis points of the units that each arm of a bandit keeps, however it does.",
    )
    margin = models.FloatField(
        default=0.0,
        validators=[MinValueValidator(0.0)],
        help_text="A difference up to this does not matter, in the metric's units.",
    )
    minimum_effect = models.FloatField(
        default=0.02,
        validators=[MinValueValidator(0.0001)],
        help_text="The difference that the test should be able to find; it gives the horizon.",
    )
    alpha = models.FloatField(
        default=0.05, validators=[MinValueValidator(0.0001), MaxValueValidator(0.5)]
    )
    looks = models.CharField(max_length=12, choices=Looks.choices, default=Looks.ANY_TIME)
    minimum_labels = models.PositiveIntegerField(
        default=100,
        validators=[MinValueValidator(50)],
        help_text="Of each arm; nothing is shown or decided before.",
    )
    horizon = models.PositiveIntegerField(
        validators=[MinValueValidator(50)],
        help_text="Labels of the smaller arm, or labelled pairs, at which the test ends.",
    )
    most_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="It ends then at the latest; empty: no limit."
    )
    maturation_hours = models.PositiveIntegerField(
        default=0,
        help_text="A request counts with its label only when it is this old, so that labels that come "
        "early do not count for more.",
    )
    latency_limit_ms = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0.001)],
        help_text="Guardrail: the 95th percentile of B's latency may not exceed it.",
    )
    error_margin = models.FloatField(
        null=True,
        blank=True,
        default=0.01,
        validators=[MinValueValidator(0.0)],
        help_text="Guardrail: B's share of failed requests may be higher by this much.",
    )
    brier_margin = models.FloatField(
        null=True,
        blank=True,
        default=0.02,
        validators=[MinValueValidator(0.0)],
        help_text="Guardrail: B's Brier score may be higher by this much.",
    )
    auto_promote = models.BooleanField(
        default=False,
        help_text="Stop by itself when it is decided, and promote B if B is better and no gate fails.",
    )

    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_by_name = models.CharField(max_length=150)
    started_at = models.DateTimeField(null=True, blank=True)
    started_by_name = models.CharField(max_length=150, blank=True)
    stopped_at = models.DateTimeField(null=True, blank=True)
    stopped_by_name = models.CharField(max_length=150, blank=True)
    conclusion = models.CharField(max_length=16, choices=Conclusion.choices, blank=True)
    reason = models.TextField(blank=True, help_text="Why it was stopped.")
    summary = models.JSONField(
        null=True, blank=True, help_text="The result as it stood when the test was stopped."
    )
    counted_until = models.DateTimeField(
        null=True,
        blank=True,
        help_text="Labels of requests before this moment are in the counters; None: of all.",
    )

    objects = ABTestQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name = "A/B test"
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint"],
                condition=models.Q(state="running"),
                name="abtest_one_running_per_endpoint",
            ),
            models.CheckConstraint(
                name="abtest_started_with_control",
                condition=models.Q(state="draft")
                | models.Q(control__isnull=False, started_at__isnull=False),
            ),
            models.CheckConstraint(
                name="abtest_stopped_with_conclusion",
                condition=~models.Q(state="stopped")
                | (models.Q(stopped_at__isnull=False) & ~models.Q(conclusion="")),
            ),
            models.CheckConstraint(
                name="abtest_choices_known",
                condition=models.Q(
                    kind__in=TestKind.values,
                    state__in=TestState.values,
                    metric__in=TestMetric.values,
                    looks__in=Looks.values,
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_running(self) -> bool:
        return self.state == TestState.RUNNING
