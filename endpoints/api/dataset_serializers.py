"""How a dataset is written out: in a list without its columns, which may be thousands."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from endpoints.api.base import caller_in
from endpoints.models import Dataset
from endpoints.services.datasets import visible


class DatasetSerializer(serializers.ModelSerializer[Dataset]):
    message = serializers.SerializerMethodField()
    created_by = serializers.CharField(source="created_by_name")
    url = serializers.HyperlinkedIdentityField(
        view_name="api:dataset", lookup_url_kwarg="dataset_id"
    )

    class Meta:
        model = Dataset
        fields: tuple[str, ...] = (
            "id",
            "sha256",
            "name",
            "state",
            "message",
            "format",
            "size",
            "rows",
            "synthetic",
            "created_by",
            "created_at",
            "archived_at",
            "url",
        )

    def get_message(self, dataset: Dataset) -> str:
        return visible.message(caller_in(self.context), dataset)


class DatasetDetailSerializer(DatasetSerializer):
    notes = serializers.SerializerMethodField()
    columns = serializers.SerializerMethodField()
    problems = serializers.SerializerMethodField()

    class Meta(DatasetSerializer.Meta):
        fields = (*DatasetSerializer.Meta.fields, "columns", "notes", "problems")

    def get_notes(self, dataset: Dataset) -> list[str]:
        """What had to be done to read the file, such as guessing its encoding."""
        notes: Any = dataset.reading.get("notes", [])
        return list(notes)

    def get_columns(self, dataset: Dataset) -> list[dict[str, Any]]:
        return visible.columns(self.context["caller"], dataset)

    def get_problems(self, dataset: Dataset) -> list[dict[str, Any]]:
        return visible.problems(self.context["caller"], dataset)
