"""Runs with their parameters and metrics, and the datasets of some: looked up and put away, never edited."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from endpoints.admin.base import ReadOnlyAdmin, validation_metric
from endpoints.models import Dataset, Experiment, Metric, Param, Run, Tag
from endpoints.services.access import Caller, Need


class ParamInline(admin.TabularInline):
    model = Param
    extra = 0
    can_delete = False


class TagInline(ParamInline):
    model = Tag


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    list_display = (
        "name",
        "state",
        "solver",
        "converged",
        "dataset_name",
        "log_loss",
        "duration",
        "created_by",
    )
    list_filter = ("state", "solver", "dataset_name", "experiment", "synthetic")
    list_select_related = ("created_by",)
    search_fields = ("name", "=id", "dataset_name")
    inlines = (ParamInline, TagInline)
    actions = ("archive", "restore")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        return super().get_queryset(request).prefetch_related("metrics")

    @admin.display(description="validation log loss")
    def log_loss(self, run: Run) -> str | None:
        value = validation_metric(run, "log_loss")
        return None if value is None else f"{value:.4f}"

    @admin.action(description="Archive", permissions=["archive"])
    def archive(self, request: HttpRequest, chosen: QuerySet[Run]) -> None:
        count = chosen.filter(archived_at=None).update(archived_at=timezone.now())
        self.message_user(request, f"{count} runs archived; nothing was deleted.")

    @admin.action(description="Restore", permissions=["archive"])
    def restore(self, request: HttpRequest, chosen: QuerySet[Run]) -> None:
        self.message_user(request, f"{chosen.update(archived_at=None)} runs restored.")

    def has_archive_permission(self, request: HttpRequest) -> bool:
        return Caller(user=request.user).may(Need.TRAIN)


@admin.register(Dataset)
class DatasetAdmin(ReadOnlyAdmin):
    list_display = ("name", "state", "format", "rows", "size", "created_by_name", "created_at")
    list_filter = ("state", "format", "synthetic")
    search_fields = ("name", "=id", "=sha256")
    exclude = ("columns", "reading", "problems", "cursor", "worker", "attempt")


@admin.register(Experiment)
class ExperimentAdmin(admin.ModelAdmin):
    list_display = ("name", "run_count", "created_at")
    search_fields = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Experiment]:
        return super().get_queryset(request).annotate(number=Count("runs"))

    @admin.display(description="runs", ordering="number")
    def run_count(self, experiment: Any) -> int:
        return int(experiment.number)


@admin.register(Metric)
class MetricAdmin(ReadOnlyAdmin):
    list_display = ("run", "key", "step", "value")
    list_select_related = ("run",)
    search_fields = ("=run__id", "key")
    show_full_result_count = False
