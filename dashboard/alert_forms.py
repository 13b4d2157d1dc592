"""What people fill in about an alert: who sees to it, and how long nobody is to be told, or no longer."""

from __future__ import annotations

from datetime import datetime, timedelta

from django import forms

from dashboard.text_fields import LinesField
from endpoints.services.words import LONGEST_REASON

HOURS = {"1": "for 1 hour", "8": "for 8 hours", "24": "for a day", "168": "for a week"}


class AcknowledgeForm(forms.Form):
    note = LinesField(
        label="Note",
        required=False,
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="What is being done about it? Kept with your name and the time.",
    )


class MuteForm(forms.Form):
    hours = forms.ChoiceField(label="Tell nobody", choices=HOURS.items(), initial="24")

    def until(self, now: datetime) -> datetime:
        return now + timedelta(hours=int(self.cleaned_data["hours"]))
