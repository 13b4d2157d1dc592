"""The settings of a training as fields of a form: their words here, their limits where requests have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from endpoints.services.training_jobs.settings import Setting, Unfit

# A setting -> its label, the hint below it, and the words of its choices.
WORDS: Mapping[str, tuple[str, str, Mapping[str, str]]] = {
    "lambda": ("Penalty, lambda", "Larger: smaller weights. auto: the best on rows left out.", {}),
    "lr": ("Learning rate", "auto: the largest that cannot climb.", {}),
    "momentum": ("Momentum", "", {"none": "Off", "nesterov": "Nesterov"}),
    "epochs": ("Epochs", "It may be done before.", {}),
    "n_estimators": ("Trees", "Of a forest.", {}),
    "max_depth": ("Depth", "Empty: no limit.", {}),
    "min_samples_leaf": ("Rows of a leaf", "At least.", {}),
    "class_weight": (
        "Class weight",
        "Balanced: every class weighs the same in all.",
        {"none": "Off", "balanced": "Balanced"},
    ),
    "calibration": (
        "Calibration",
        "Of two classes.",
        {"none": "Off", "platt": "Platt", "isotonic": "Isotonic"},
    ),
    "threshold": (
        "Threshold",
        "A number, or what it is tuned for: f1, accuracy, youden, cost:1:5, recall>=0.9.",
        {},
    ),
    "test_size": ("Share held out", "Rows that only judge the model.", {}),
    "seed": ("Seed", "The same seed, the same model.", {}),
}
WITH_WORDS = ("lambda", "lr", "threshold")


class SettingField(forms.CharField):
    """One setting of a training, read as those of requests are."""

    def __init__(self, setting: Setting) -> None:
        label, hint, choices = WORDS[setting.name]
        self.setting = setting
        box = forms.TextInput(attrs={} if setting.name in WITH_WORDS else {"inputmode": "decimal"})
        widget: Any = forms.Select(choices=choices.items()) if choices else box
        super().__init__(
            label=label,
            help_text=hint,
            widget=widget,
            initial=setting.default,
            required=setting.default is not None,
        )

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        try:
            return self.setting.read(text or None)
        except Unfit as error:
            raise ValidationError(f"Write {error}.") from error
