"""What people write on a model card; whether they may, and until when, is the service's business."""

from __future__ import annotations

from django import forms

from dashboard.text_fields import LinesField
from endpoints.services.cards import LONGEST_TEXT, CardTexts

MARKDOWN = "Markdown: # heading, - list, **bold**, [link](https://…). No HTML, no images."


class CardForm(forms.Form):
    """`seen` names the texts that the writer saw, so that nobody overwrites another unread."""

    seen = forms.CharField(widget=forms.HiddenInput, max_length=64)
    intended_use = LinesField(
        label="Intended use",
        required=False,
        max_length=LONGEST_TEXT,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 12}),
        help_text=f"Which question it answers, for whom, and what is done with the answer. {MARKDOWN}",
    )
    limits = LinesField(
        label="Limits",
        required=False,
        max_length=LONGEST_TEXT,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 12}),
        help_text="Where it must not be used, what it was not tested on, who could be harmed.",
    )

    @classmethod
    def showing(cls, texts: CardTexts) -> CardForm:
        return cls(
            initial={
                "seen": texts.digest,
                "intended_use": texts.intended_use,
                "limits": texts.limits,
            }
        )

    @property
    def texts(self) -> CardTexts:
        return CardTexts(self.cleaned_data["intended_use"], self.cleaned_data["limits"])

    def seeing(self, texts: CardTexts) -> CardForm:
        """The same typed texts, by somebody who now has seen these."""
        data = self.data.copy()
        data["seen"] = texts.digest
        return CardForm(data)
