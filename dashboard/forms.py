"""What people fill in: each form checks the shape of the answers; the rules are the services'."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django import forms

from dashboard import formats
from dashboard.presenters import model
from endpoints.models import Endpoint
from endpoints.models.endpoint import EndpointQuerySet, Scope, refuse_reserved_slug
from endpoints.services.words import LONGEST_NOTE
from mlcore.classifier import Classifier
from mlcore.schema import Column

NEW_ENDPOINT = "+"
EVERY_ENDPOINT = "*"
MOST_FIELDS, FIRST_FIELDS = 20, 8
LIFETIMES = {"0": "Never", "30": "In 30 days", "90": "In 90 days", "365": "In a year"}


class RegisterForm(forms.Form):
    """Choose an endpoint, or name a new one."""

    endpoint = forms.ChoiceField(error_messages={"required": "Choose an endpoint."})
    new_slug = forms.SlugField(
        label="Slug",
        max_length=64,
        required=False,
        validators=[refuse_reserved_slug],
        help_text="Part of its address: letters, digits, hyphens and underscores. It cannot be changed.",
    )
    new_name = forms.CharField(label="Name", max_length=120, required=False)
    note = forms.CharField(
        label="Note",
        required=False,
        max_length=LONGEST_NOTE,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="What is special about this version?",
    )

    def __init__(
        self, *args: Any, endpoints: EndpointQuerySet, may_create: bool, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.endpoints = {endpoint.slug: endpoint for endpoint in endpoints}
        choices = [(slug, endpoint.name) for slug, endpoint in self.endpoints.items()]
        field: Any = self.fields["endpoint"]
        field.choices = [*choices, *([(NEW_ENDPOINT, "A new endpoint")] if may_create else [])]
        if not may_create:
            del self.fields["new_slug"], self.fields["new_name"]

    @property
    def chosen(self) -> Endpoint | None:
        """The endpoint that is there, or None for a new one."""
        return self.endpoints.get(self.cleaned_data["endpoint"])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.errors or cleaned["endpoint"] != NEW_ENDPOINT:
            return cleaned
        if not cleaned["new_slug"]:
            self.add_error("new_slug", "Give the new endpoint a slug, or choose one that is there.")
        elif cleaned["new_slug"] in self.endpoints:
            self.add_error("new_slug", "This slug is taken. Choose that endpoint, or another slug.")
        return cleaned


class LabelForm(forms.Form):
    label = forms.ChoiceField(label="True label", widget=forms.RadioSelect)
    row = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    def __init__(self, *args: Any, classes: tuple[str, ...], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["label"]
        field.choices = [(name, name) for name in classes]


class KeyForm(forms.Form):
    name = forms.CharField(
        label="Name", max_length=80, help_text="The application that will use the key."
    )
    endpoint = forms.ChoiceField(label="Works at")
    scopes = forms.MultipleChoiceField(
        label="May",
        widget=forms.CheckboxSelectMultiple,
        initial=[Scope.PREDICT, Scope.FEEDBACK],
        error_messages={"required": "Choose what the key may do."},
    )
    days = forms.ChoiceField(label="Expires", choices=LIFETIMES.items())

    def __init__(
        self, *args: Any, endpoints: EndpointQuerySet, scopes: Sequence[Scope], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.endpoints = {endpoint.slug: endpoint for endpoint in endpoints}
        choices = [(slug, endpoint.name) for slug, endpoint in self.endpoints.items()]
        fields: Any = self.fields
        fields["endpoint"].choices = [(EVERY_ENDPOINT, "Every endpoint"), *choices]
        fields["scopes"].choices = [(scope.value, scope.label) for scope in scopes]

    @property
    def chosen(self) -> Endpoint | None:
        return self.endpoints.get(self.cleaned_data["endpoint"])

    @property
    def lifetime(self) -> timedelta | None:
        days = int(self.cleaned_data["days"])
        return timedelta(days=days) if days else None


class RowForm(forms.Form):
    """One row of a model's schema. Fields are numbered: a column may have any name."""

    def __init__(self, *args: Any, classifier: Classifier, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.columns = classifier.schema.columns
        self.weights = model.column_weights(classifier)
        for position, row in enumerate(model.schema(classifier)):
            self.fields[f"column_{position}"] = row_field(self.columns[position], row)

    @property
    def first(self) -> list[forms.BoundField]:
        """The fields to show at once: all of them, or of many the weightiest."""
        fields = list(self)
        if len(fields) <= MOST_FIELDS:
            return fields
        ranked = sorted(range(len(fields)), key=lambda position: -self.weights[position])
        return [fields[position] for position in ranked[:FIRST_FIELDS]]

    @property
    def rest(self) -> list[forms.BoundField]:
        shown = {field.name for field in self.first}
        return [field for field in self if field.name not in shown]

    @property
    def row(self) -> dict[str, object]:
        """Return the row by column name; an empty cell is a missing value."""
        return {
            column.name: self.cleaned_data[f"column_{position}"] or None
            if column.kind == "category"
            else self.cleaned_data[f"column_{position}"]
            for position, column in enumerate(self.columns)
        }

    def add_cell_error(self, column: str, message: str) -> None:
        names = [column.name for column in self.columns]
        field = f"column_{names.index(column)}" if column in names else None
        self.add_error(field, message)


def row_field(column: Column, row: model.SchemaRow) -> forms.Field:
    common: dict[str, Any] = {"label": column.name, "required": column.fill is None}
    if column.kind == "category":
        choices = [(level, level) for level in column.levels]
        empty = [] if column.fill is None else [("", f"no value, {row.missing}")]
        return forms.ChoiceField(choices=empty + choices, initial=row.typical, **common)
    usual = f"usual {brief(row.low)} to {brief(row.high)}"
    return forms.FloatField(
        initial=row.typical,
        help_text=usual if column.fill is None else f"{usual}; empty is {row.missing}",
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
        error_messages={"invalid": "Write a number such as 12.5."},
        **common,
    )


def brief(value: float | None) -> str:
    """Four significant digits: a hint, not a limit."""
    return formats.plain(value if value is None else float(f"{value:.4g}"))
