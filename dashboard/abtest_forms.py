"""What people fill in about A/B tests: a plan, a share, how it ends; what is sound is the services' business."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import uuid4

from django import forms
from django.core.exceptions import ValidationError

from dashboard.lifecycle_forms import KEPT, TOO_SHORT
from dashboard.text_fields import LinesField
from endpoints.errors import DomainError
from endpoints.models import ABTest, AlgorithmVersion
from endpoints.models.abtest import Conclusion, Looks, TestKind, TestMetric
from endpoints.services.abtests import checking
from endpoints.services.transitions import MIN_REASON
from endpoints.services.words import LONGEST_REASON

KINDS = (
    (TestKind.SHADOW, "Shadow: A answers, B scores the same requests unseen. Needs fewer labels."),
    (
        TestKind.SPLIT,
        "Split: A answers some, B the others. For answers that change what happens next.",
    ),
    (
        TestKind.BANDIT,
        "Bandit: a split in which the better one gets more and more. When being wrong costs more than "
        "knowing sooner.",
    ),
)
METRICS = (
    (TestMetric.ACCURACY, "Accuracy"),
    (TestMetric.F1, "F1"),
    (TestMetric.EXPECTED_COST, "Expected cost"),
)
LOOKS = (
    (Looks.ANY_TIME, "At any time: the interval holds however often one looks."),
    (Looks.AT_HORIZON, "Once, at the end: needs fewer labels, and nobody may decide earlier."),
)
CONCLUSIONS = tuple((choice.value, str(choice.label).capitalize()) for choice in Conclusion)
KEEP, PROMOTE = "control", "challenger"
FEWEST_LABELS = 50
EXACT = 1e-9
"""What floating point leaves of a hundredth."""


def _default(name: str) -> Any:
    return ABTest._meta.get_field(name).get_default()


def _number(name: str, label: str, hint: str, **limits: Any) -> forms.FloatField:
    """A number of the plan; one that the model may lack is optional."""
    optional = ABTest._meta.get_field(name).blank
    return forms.FloatField(
        label=label,
        initial=_default(name),
        required=not optional,
        help_text=hint,
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
        **{"min_value": 0.0} | limits,
    )


def _whole(name: str, label: str, hint: str, **facts: Any) -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        help_text=hint,
        **{"initial": None, "min_value": 0, "max_value": checking.MOST_LABELS, "required": False}
        | facts,
    )


def _two_decimals(percent: float) -> None:
    """A share is kept in basis points, and none is rounded silently."""
    if abs(100 * percent - round(100 * percent)) > EXACT:
        raise ValidationError(f"Give two decimals at most; {percent:.15g} has more.")


def _percent(label: str, hint: str, **facts: Any) -> forms.FloatField:
    return forms.FloatField(
        label=label,
        validators=[_two_decimals],
        help_text=hint,
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
        **facts,
    )


def _share(hint: str) -> forms.FloatField:
    return _percent("Share of B", hint, min_value=0.01, max_value=99.99, initial=50)


class PlanForm(forms.Form):
    """The fields are called as those of the test; shares are in percent, and `seen` no part of it."""

    challenger = forms.ChoiceField(
        label="B, the challenger",
        help_text="A is the version in production when the test starts.",
        error_messages={"required": "Choose the version to test."},
    )
    title = forms.CharField(
        label="Title",
        required=False,
        max_length=200,
        help_text="If you leave it empty, it names the versions.",
    )
    kind = forms.ChoiceField(
        label="Kind", choices=KINDS, initial=TestKind.SHADOW, widget=forms.RadioSelect
    )
    challenger_share = _share("In percent of the units, of a split test; a bandit begins with it.")
    floor = _percent(
        "Floor",
        "In percent of the units: each arm of a bandit keeps so much, however it does.",
        min_value=1,
        max_value=49,
        initial=_default("floor") / 100,
        required=False,
    )
    metric = forms.ChoiceField(label="Metric that decides", choices=METRICS)
    minimum_effect = _number(
        "minimum_effect",
        "Smallest difference to find",
        "In the metric's units: 0.02 of accuracy is 2 percentage points.",
        min_value=0.0001,
    )
    horizon = _whole(
        "horizon",
        "Ends at this many labels",
        "Of each arm. If you leave it empty, as many as the smallest difference needs, also when the "
        "plan is changed.",
        min_value=FEWEST_LABELS,
    )
    most_days = _whole(
        "most_days", "Ends after days", "At the latest.", min_value=1, max_value=3_650
    )
    looks = forms.ChoiceField(
        label="It may be decided", choices=LOOKS, initial=Looks.ANY_TIME, widget=forms.RadioSelect
    )
    minimum_labels = _whole(
        "minimum_labels",
        "Hidden until labels",
        f"Of each arm, at least {FEWEST_LABELS}; nothing is shown or decided before.",
        min_value=FEWEST_LABELS,
        initial=_default("minimum_labels"),
        required=True,
    )
    margin = _number("margin", "Difference that does not matter", "0: each one does.")
    alpha = _number("alpha", "Alpha", "0.05 is 95 % certainty.", min_value=0.0001, max_value=0.5)
    maturation_hours = _whole(
        "maturation_hours",
        "Hours until a request counts",
        "So that labels that come early do not count for more; 0: at once.",
        max_value=8_760,
        initial=_default("maturation_hours"),
        required=True,
    )
    cost_fp = _number("cost_fp", "Cost of a false positive", "Of the expected cost alone.")
    cost_fn = _number("cost_fn", "Cost of a false negative", "Of the expected cost alone.")
    latency_limit_ms = _number(
        "latency_limit_ms", "Latency of B, p95, ms", "At most.", min_value=0.001
    )
    error_margin = _number(
        "error_margin", "Error rate", "B's at most this far above A's: 0.01 is 1 in 100."
    )
    brier_margin = _number("brier_margin", "Brier score", "B's at most this far above A's.")
    auto_promote = forms.BooleanField(
        label="Stop by itself when decided, and promote B if B is better and no gate fails",
        required=False,
    )

    more = ("looks", "minimum_labels", "margin", "alpha", "maturation_hours", "cost_fp", "cost_fn")
    guardrails = ("latency_limit_ms", "error_margin", "brier_margin")

    def __init__(self, *args: Any, versions: Iterable[AlgorithmVersion], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.versions = {str(version.number): version for version in versions}
        field: Any = self.fields["challenger"]
        field.choices = [(number, _named(found)) for number, found in self.versions.items()]

    def clean_title(self) -> str:
        return " ".join(self.cleaned_data["title"].split())

    @property
    def settings(self) -> Mapping[str, Any]:
        """The plan by the names of the test's fields, the shares in basis points."""
        answers = dict(self.cleaned_data)
        answers["challenger"] = self.versions[answers["challenger"]]
        answers["challenger_share"] = round(100 * answers["challenger_share"])
        answers["floor"] = (
            _default("floor") if answers["floor"] is None else round(100 * answers["floor"])
        )
        return answers

    def refuse(self, error: DomainError) -> str:
        """Show what a service found beside the fields; return what is of none."""
        if not error.cells:
            return error.message
        for cell in error.cells:
            said = cell.message.removeprefix(f"{cell.column}: ")
            self.add_error(cell.column if cell.column in self.fields else None, said)
        return ""

    @property
    def opens_more(self) -> bool:
        """Whether something in the folded part has to be seen."""
        return any(name in self.errors for name in self.more)

    @property
    def opens_guardrails(self) -> bool:
        return any(name in self.errors for name in self.guardrails)

    @property
    def decimals(self) -> list[forms.BoundField]:
        return [self[name] for name in self.more if name != "looks"]

    @property
    def limits(self) -> list[forms.BoundField]:
        return [self[name] for name in self.guardrails]


def _named(version: AlgorithmVersion) -> str:
    note = " ".join(version.note.split())
    about = f": {note[:80]}{'…' if len(note) > 80 else ''}" if note else ""
    return f"{version.label}, in {version.status_word}{about}"


def _reason(hint: str) -> LinesField:
    return LinesField(
        label="Reason",
        min_length=MIN_REASON,
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=f"{hint} At least {MIN_REASON} characters. {KEPT}",
        error_messages={"required": TOO_SHORT, "min_length": TOO_SHORT},
    )


class ShareForm(forms.Form):
    challenger_share = _share("In percent of the units.")
    reason = _reason("Why does it change?")

    @property
    def basis_points(self) -> int:
        return round(100 * self.cleaned_data["challenger_share"])


class OnceForm(forms.Form):
    """`submission` names the form: sent twice, it changes something once."""

    submission = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)


class StartForm(OnceForm):
    """`seen` is the digest of the plan that the page shows."""

    seen = forms.CharField(max_length=64, widget=forms.HiddenInput)

    @classmethod
    def fresh(cls, seen: str) -> StartForm:
        return cls(initial={"submission": uuid4().hex, "seen": seen})


class StopForm(OnceForm):
    """How a test ends. What serves afterwards is a choice of its own: who wins need not be cheaper."""

    conclusion = forms.ChoiceField(
        label="Conclusion",
        choices=CONCLUSIONS,
        widget=forms.RadioSelect,
        error_messages={"required": "Say what came out."},
    )
    serves = forms.ChoiceField(
        label="What answers afterwards",
        widget=forms.RadioSelect,
        error_messages={"required": "Say what answers afterwards."},
    )
    reason = _reason("What was seen, and what follows from it?")

    def __init__(self, *args: Any, test: ABTest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        a, b = test.control, test.challenger
        label = a.label if a is not None else "A"
        field: Any = self.fields["serves"]
        field.choices = [
            (KEEP, f"A: {label} goes on answering, {b.label} goes back to staging"),
            (PROMOTE, f"B: {b.label}, once its promotion is reviewed on the next page"),
        ]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if (cleaned.get("conclusion"), cleaned.get("serves")) == (Conclusion.A_WINS, PROMOTE):
            self.add_error("serves", "A has won, you say: then A goes on answering.")
        return cleaned
