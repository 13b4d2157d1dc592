"""The forms with a file: a bundle to register, rows to judge a version on. What is inside is the services'."""

from __future__ import annotations

from typing import Self
from uuid import uuid4

from django import forms

from dashboard.formats import filesize
from dashboard.text_fields import LinesField
from endpoints.errors import DomainError
from endpoints.services.evaluating import LARGEST_CSV
from endpoints.services.words import LONGEST_NAME, LONGEST_NOTE

NO_FILE = {"required": "Choose a file.", "empty": "The file is empty."}


class FileForm(forms.Form):
    file = forms.FileField()

    def refuse(self, error: DomainError) -> Self:
        """Show beside the file what was wrong with it, also if the form was not even read."""
        self.errors["file"] = self.error_class([error.message])
        return self


class BundleForm(FileForm):
    """`submission` names the form: sent twice, it registers once."""

    submission = forms.CharField(max_length=64, widget=forms.HiddenInput)
    file = forms.FileField(
        label="Bundle",
        help_text="The .zip file that mlcore.save or bundle_from_sklearn wrote, as it is.",
        widget=forms.FileInput(attrs={"accept": ".zip,application/zip"}),
        error_messages=NO_FILE,
    )
    name = forms.CharField(
        label="Name of the run",
        required=False,
        max_length=LONGEST_NAME,
        help_text="If you leave it empty, it is named after its solver.",
    )
    note = LinesField(
        label="Description",
        required=False,
        max_length=LONGEST_NOTE,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="What the model is for and how it was made. Shown as your claim.",
    )

    def clean_name(self) -> str:
        """A tab from a spreadsheet, or two blanks, is no reason to refuse a file."""
        return " ".join(self.cleaned_data["name"].split())

    @classmethod
    def fresh(cls) -> BundleForm:
        return cls(initial={"submission": uuid4().hex})

    @classmethod
    def unread(cls) -> BundleForm:
        """The form of a request whose body was left where it was."""
        return cls({"submission": uuid4().hex}, {})


class CheckForm(FileForm):
    """Rows to hold against the training of a version."""

    version = forms.IntegerField(
        widget=forms.HiddenInput, required=False, min_value=1, max_value=2**31 - 1
    )
    file = forms.FileField(
        label="CSV file",
        help_text="With the columns that the model reads, in any order; a column with the name of the target holds "
        "true labels.",
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
        error_messages=NO_FILE,
    )


class RowsForm(FileForm):
    file = forms.FileField(
        label="CSV file",
        help_text=f"At most {filesize(LARGEST_CSV)}, with the columns that the model reads and the true class "
        "in the target column.",
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
        error_messages=NO_FILE,
    )
