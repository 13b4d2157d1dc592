"""The forms about files to score: the upload, the columns and choices before the start, another version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from dashboard.file_forms import FileForm
from endpoints.models import AlgorithmVersion, Endpoint

NO_TABLE = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers", ".zip", ".pdf", ".json", ".html", ".docx")
SAVE_AS = "The selected file must be a CSV or a Parquet file. {}"
FROM_A_SHEET = "Open it as a spreadsheet and save the sheet as CSV."
MOST_CHOICES = 80
"""With more columns than this one types the name of a column, instead of choosing it from a list."""


class UploadForm(FileForm):
    """Which endpoint, which of its versions, which file. Without a number, the version in production."""

    endpoint = forms.ChoiceField(label="Endpoint", error_messages={"required": "Choose one."})
    version = forms.TypedChoiceField(label="Version", required=False, coerce=int, empty_value=None)
    file = forms.FileField(
        label="File",
        widget=forms.FileInput(
            attrs={
                "accept": ".csv,.tsv,.txt,.gz,.parquet,text/csv",
                "aria-labelledby": "file-title",
                "aria-describedby": "file-limits",
            }
        ),
        error_messages={"required": "Choose a file.", "empty": "The selected file is empty."},
    )

    def __init__(
        self,
        *args: Any,
        endpoints: Sequence[Endpoint],
        versions: Sequence[AlgorithmVersion],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        fields["endpoint"].choices = [(endpoint.slug, endpoint.name) for endpoint in endpoints]
        fields["version"].choices = version_choices(versions)

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if str(file.name).lower().endswith(NO_TABLE):
            raise ValidationError(SAVE_AS.format(FROM_A_SHEET))
        return file


class StartForm(forms.Form):
    """Columns for the features that the file does not name, and what becomes of the rows.

    Fields of features are numbered: a feature may have any name. Once rows are scored, none `is_open`.
    """

    label_column = forms.ChoiceField(
        label="Column with the true labels",
        required=False,
        help_text="If the file has one, you are told how right the answers are.",
    )
    store_labels = forms.BooleanField(required=False)
    log_rows = forms.BooleanField(required=False)

    def __init__(
        self,
        *args: Any,
        columns: Sequence[str],
        missing: Sequence[Mapping[str, Any]],
        labels: Sequence[str],
        is_open: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.is_open = is_open
        self.columns, self.labels = list(columns), list(labels)
        self.missing = [str(feature["name"]) for feature in missing]
        fields: Any = self.fields
        fields["label_column"].choices = [
            ("", "No true labels"),
            *((name, name) for name in labels),
        ]
        for place, feature in enumerate(missing):
            fields[f"feature_{place}"] = column_field(feature, self.columns)
        for field in fields.values():
            field.disabled = not is_open

    @property
    def features(self) -> list[forms.BoundField]:
        return [self[f"feature_{place}"] for place in range(len(self.missing))]

    @property
    def types_names(self) -> bool:
        return len(self.columns) > MOST_CHOICES

    @property
    def mapping(self) -> dict[str, str]:
        """Return the column chosen for each feature that the file does not name."""
        return {
            name: self.cleaned_data[f"feature_{place}"] for place, name in enumerate(self.missing)
        }

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        taken: dict[str, str] = {}
        for place, name in enumerate(self.missing):
            column = cleaned.get(f"feature_{place}", "")
            if column in taken:
                self.add_error(
                    f"feature_{place}", f"{column} is chosen for {taken[column]} already."
                )
            elif column:
                taken[column] = name
        return cleaned


def column_field(feature: Mapping[str, Any], columns: Sequence[str]) -> forms.Field:
    name, nearest = str(feature["name"]), str(feature.get("suggestion") or "")
    wanted = f"Choose the column that holds {name}."
    hint = f"The nearest name is {nearest}." if nearest else "No column is called alike."
    common: dict[str, Any] = {
        "label": name,
        "initial": nearest,
        "help_text": hint,
        "error_messages": {"required": wanted, "invalid_choice": wanted},
    }
    choices = [("", "Choose a column"), *((column, column) for column in columns)]
    if len(columns) > MOST_CHOICES:
        typed = forms.TextInput(attrs={"list": "columns-of-the-file", "autocomplete": "off"})
        return forms.ChoiceField(choices=choices, widget=typed, **common)
    return forms.ChoiceField(choices=choices, **common)


class RerunForm(forms.Form):
    version = forms.TypedChoiceField(
        label="Version",
        coerce=int,
        error_messages={"required": "Choose a version.", "invalid_choice": "Choose a version."},
    )

    def __init__(self, *args: Any, versions: Sequence[AlgorithmVersion], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["version"]
        field.choices = [(version.number, described(version)) for version in versions]


class EarlierForm(forms.Form):
    """Which file that is kept, and by which version. Without a number, the one in production."""

    job = forms.CharField(label="File", error_messages={"required": "Choose a file."})
    version = forms.TypedChoiceField(label="Version", required=False, coerce=int, empty_value=None)

    def __init__(self, *args: Any, versions: Sequence[AlgorithmVersion], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["version"]
        field.choices = version_choices(versions)


def version_choices(versions: Sequence[AlgorithmVersion]) -> list[tuple[Any, str]]:
    """The version in production is chosen without its number: it may be another one tomorrow."""
    live = [version for version in versions if version.status == "production"]
    first = [("", f"In production ({live[0].label})")] if live else []
    others = [(version.number, described(version)) for version in versions if version not in live]
    return [*first, *others] or [("", "None")]


def described(version: AlgorithmVersion) -> str:
    return f"{version.label}, {str(version.get_status_display()).lower()}"
