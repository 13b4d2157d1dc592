"""What people fill in about versions: a decision to take, a history to search; the rules are the services'."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from dashboard.presenters.history import WORDS
from endpoints.models import Endpoint
from endpoints.models.version import StatusChangeQuerySet
from endpoints.services.transitions import MIN_OVERRIDE_REASON, MIN_REASON, TRANSITIONS
from endpoints.services.words import LONGEST_REASON

KEPT = "Kept for ever with your name and the time."
TOO_SHORT = f"Say why, in at least {MIN_REASON} characters."
CAUSES = {
    "Bad predictions": "Bad predictions",
    "More errors than before": "More errors than before",
    "Slower than before": "Slower than before",
    "other": "Other, as written below",
}


def optional_words(label: str, hint: str) -> forms.CharField:
    return forms.CharField(
        label=label,
        required=False,
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=hint,
    )


class ReviewForm(forms.Form):
    """The hidden fields say what the person saw; if that is no longer so, nothing is changed.

    `submission` is made anew whenever the form is shown: sent twice, it changes something once.
    """

    hidden = ("to", "verb", "seen_status", "expected_production", "submission")

    to = forms.CharField(widget=forms.HiddenInput)
    verb = forms.CharField(required=False, widget=forms.HiddenInput)
    seen_status = forms.CharField(widget=forms.HiddenInput)
    expected_production = forms.IntegerField(widget=forms.HiddenInput)
    submission = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)
    reason = forms.CharField(
        label="Reason",
        min_length=MIN_REASON,
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=f"At least {MIN_REASON} characters. {KEPT}",
        error_messages={"required": TOO_SHORT, "min_length": TOO_SHORT},
    )

    @property
    def hidden_input(self) -> list[forms.BoundField]:
        return [self[name] for name in self.hidden]

    @property
    def full_reason(self) -> str:
        return str(self.cleaned_data["reason"])

    @property
    def overrides(self) -> bool:
        return bool(self.cleaned_data.get("override"))

    @property
    def seen(self) -> dict[str, object]:
        return {name: self.cleaned_data[name] for name in ("seen_status", "expected_production")}


class PromoteForm(ReviewForm):
    """A gate that failed can be overruled by who may, and asks for a longer reason."""

    override = forms.BooleanField(label="Promote although a gate failed", required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("override") and 0 < len(cleaned.get("reason", "")) < MIN_OVERRIDE_REASON:
            self.add_error(
                "reason",
                f"To overrule a gate, say why in at least {MIN_OVERRIDE_REASON} characters.",
            )
        return cleaned


class StageForm(ReviewForm):
    reason = optional_words("Reason", f"What should the approver know? {KEPT}")


class RequestForm(ReviewForm):
    reason = optional_words(
        "Note to the approver", f"Why should it answer instead of the present version? {KEPT}"
    )


class RollBackForm(ReviewForm):
    """Rolling back must be quick: a cause is chosen already, words are optional."""

    cause = forms.ChoiceField(
        label="Why?", choices=CAUSES.items(), widget=forms.RadioSelect, initial="Bad predictions"
    )
    reason = optional_words("In your words", KEPT)
    field_order = ("cause", "reason")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("cause") == "other" and len(cleaned.get("reason", "").strip()) < MIN_REASON:
            self.add_error("reason", TOO_SHORT)
        return cleaned

    @property
    def full_reason(self) -> str:
        cause, words = self.cleaned_data["cause"], self.cleaned_data["reason"].strip()
        parts = [words] if cause == "other" else [cause, words]
        return ": ".join(part for part in parts if part)


FORMS: Mapping[str, type[ReviewForm]] = {
    "promote": PromoteForm,
    "request": RequestForm,
    "roll_back": RollBackForm,
    "stage": StageForm,
}
"""By verb; every other one asks for a reason alone."""


class MomentForm(forms.Form):
    at = forms.DateTimeField(
        label="What was in production at",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d"],
        error_messages={"invalid": "Write a date and time such as 2026-03-01 10:00."},
    )


class TimelineForm(forms.Form):
    """Narrows the decisions down; what is nonsense is left out."""

    of = forms.TypedChoiceField(label="Version", required=False, coerce=int, empty_value=None)
    what = forms.ChoiceField(
        label="What",
        required=False,
        choices=[
            ("", "Any"),
            ("overridden", "with overruled gates"),
            *((verb, WORDS[verb]) for verb in ("register", *TRANSITIONS)),
        ],
    )
    by = forms.CharField(label="By", required=False, max_length=150, strip=True)

    def __init__(self, *args: Any, endpoint: Endpoint, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        numbers = endpoint.versions.order_by("-number").values_list("number", flat=True)
        field: Any = self.fields["of"]
        field.choices = [("", "Any"), *((number, f"v{number}") for number in numbers)]

    def narrow(self, changes: StatusChangeQuerySet) -> StatusChangeQuerySet:
        self.is_valid()
        found = getattr(self, "cleaned_data", {})
        if found.get("of"):
            changes = changes.filter(version__number=found["of"])
        if found.get("what") == "overridden":
            changes = changes.exclude(overridden=[])
        elif found.get("what"):
            changes = changes.filter(verb=found["what"])
        if found.get("by"):
            changes = changes.filter(actor_name__icontains=found["by"])
        return changes

    @property
    def is_narrowed(self) -> bool:
        return any(getattr(self, "cleaned_data", {}).values())
