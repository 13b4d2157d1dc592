"""The form that brings a file to train on; what is in the file is the services' business."""

from __future__ import annotations

from django import forms

from dashboard.file_forms import NO_FILE, FileForm
from endpoints.models import Dataset


class DatasetForm(FileForm):
    file = forms.FileField(
        label="File",
        help_text="CSV or Parquet, one row an example, the names of the columns in its first line.",
        widget=forms.FileInput(attrs={"accept": ".csv,.tsv,.txt,.gz,.parquet,text/csv"}),
        error_messages=NO_FILE,
    )
    name = forms.CharField(
        label="Name",
        required=False,
        max_length=Dataset._meta.get_field("name").max_length,
        help_text="If you leave it empty, it is called as the file is.",
    )

    @property
    def title(self) -> str:
        """What the dataset is to be called; a tab from a spreadsheet is a blank here."""
        given = " ".join(self.cleaned_data["name"].split())
        return given or self.cleaned_data["file"].name
