"""The operators' back room: read-mostly lists; whatever changes serving leads to the review page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.core.paginator import Paginator
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.html import format_html

from endpoints.models import (
    AlgorithmVersion,
    ApiKey,
    Endpoint,
    Event,
    Experiment,
    Feedback,
    Metric,
    Param,
    PredictionRequest,
    Run,
    StatusChange,
    Tag,
)
from endpoints.services import audit, keys
from endpoints.services.access import Caller, Need

admin.site.site_header = "Raisin administration"
admin.site.site_title = "Raisin"
admin.site.index_title = "Back room"
admin.site.empty_value_display = "—"


class ReadOnlyAdmin(admin.ModelAdmin):
    """History is read, never written, by superusers too."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class BoundedPaginator(Paginator):
    """Counts no further than a person would turn pages: the log grows without end."""

    most = 5_000

    @cached_property
    def count(self) -> int:
        return int(self.object_list[: self.most].count())


@admin.register(Endpoint)
class EndpointAdmin(admin.ModelAdmin):
    list_display = (
        "name",
        "slug",
        "production",
        "gate_policy",
        "requests_24h",
        "public_predictions",
    )
    list_filter = ("gate_policy", "public_predictions")
    search_fields = ("name", "slug")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Endpoint]:
        day_ago = timezone.now() - timedelta(days=1)
        # A subquery an endpoint reads the index of the last day; a join would read the whole log.
        recent = (
            PredictionRequest.objects.filter(endpoint=OuterRef("pk"))
            .since(day_ago)
            .order_by()
            .values("endpoint")
            .annotate(count=Count("*"))
            .values("count")
        )
        endpoints = super().get_queryset(request).prefetch_related("versions")
        return endpoints.annotate(recent=Coalesce(Subquery(recent), 0))

    def save_model(self, request: HttpRequest, obj: Endpoint, form: Any, change: bool) -> None:
        """Keep who loosened a gate or opened an endpoint, as every other change that matters."""
        super().save_model(request, obj, form, change)
        changed = form.changed_data
        audit.record(
            "change" if change else "create",
            actor=Caller(user=request.user),
            endpoint=obj,
            subject=f"endpoint {obj.slug}",
            now=timezone.now(),
            before={name: form.initial.get(name) for name in changed} if change else None,
            after={name: form.cleaned_data[name] for name in changed},
        )

    def get_readonly_fields(
        self, request: HttpRequest, obj: Endpoint | None = None
    ) -> tuple[str, ...]:
        return ("slug",) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Endpoint | None = None) -> bool:
        """An endpoint with versions is history."""
        return (
            super().has_delete_permission(request, obj)
            and obj is not None
            and not obj.versions.exists()
        )

    @admin.display(description="production")
    def production(self, endpoint: Endpoint) -> str | None:
        for version in endpoint.versions.all():
            if version.status == "production":
                return version_link(version)
        return None

    @admin.display(description="requests 24 h", ordering="recent")
    def requests_24h(self, endpoint: Any) -> int:
        return int(endpoint.recent)


def version_link(version: AlgorithmVersion) -> str:
    url = reverse("dashboard:version", args=[version.endpoint.slug, version.number])
    return format_html('<a href="{}">{}</a>', url, version.label)


def validation_metric(run: Run, name: str) -> float | None:
    """Look among the metrics that the list has prefetched."""
    key = f"validation_{name}"
    return next((metric.value for metric in run.metrics.all() if metric.key == key), None)


@admin.register(AlgorithmVersion)
class AlgorithmVersionAdmin(ReadOnlyAdmin):
    list_display = (
        "endpoint",
        "label",
        "status",
        "metric",
        "converged",
        "run",
        "created_by",
        "created_at",
    )
    list_display_links = ("label",)
    list_filter = ("status", "endpoint", "converged")
    list_select_related = ("endpoint", "run", "created_by")
    search_fields = ("=number", "note")
    actions = ("review_promotion", "review_rollback", "review_archive")

    def get_queryset(self, request: HttpRequest) -> QuerySet[AlgorithmVersion]:
        return super().get_queryset(request).prefetch_related("run__metrics")

    @admin.display(description="validation metric")
    def metric(self, version: AlgorithmVersion) -> str | None:
        name = version.endpoint.primary_metric
        value = validation_metric(version.run, name)
        return None if value is None else f"{name} {value:.4f}"

    @admin.action(description="Review promotion…", permissions=["promote"])
    def review_promotion(
        self, request: HttpRequest, chosen: QuerySet[AlgorithmVersion]
    ) -> HttpResponse | None:
        return self._review(request, chosen, "production")

    @admin.action(description="Review rollback…", permissions=["rollback"])
    def review_rollback(
        self, request: HttpRequest, chosen: QuerySet[AlgorithmVersion]
    ) -> HttpResponse | None:
        return self._review(request, chosen, "production")

    @admin.action(description="Archive…", permissions=["archive"])
    def review_archive(
        self, request: HttpRequest, chosen: QuerySet[AlgorithmVersion]
    ) -> HttpResponse | None:
        return self._review(request, chosen, "archived")

    def has_promote_permission(self, request: HttpRequest) -> bool:
        return Caller(user=request.user).may(Need.PROMOTE)

    def has_rollback_permission(self, request: HttpRequest) -> bool:
        return Caller(user=request.user).may(Need.ROLL_BACK)

    def has_archive_permission(self, request: HttpRequest) -> bool:
        return Caller(user=request.user).may(Need.ARCHIVE)

    def _review(
        self, request: HttpRequest, chosen: QuerySet[AlgorithmVersion], to: str
    ) -> HttpResponse | None:
        versions = list(chosen[:2])
        if len(versions) != 1:
            self.message_user(request, "Choose exactly one version.", messages.ERROR)
            return None
        version = versions[0]
        url = reverse("dashboard:review", args=[version.endpoint.slug, version.number])
        return HttpResponseRedirect(f"{url}?to={to}")


@admin.register(StatusChange)
class StatusChangeAdmin(ReadOnlyAdmin):
    list_display = (
        "at",
        "endpoint",
        "version",
        "verb",
        "from_status",
        "to_status",
        "actor_name",
        "reason",
    )
    list_filter = ("verb", "version__endpoint")
    list_select_related = ("version__endpoint",)
    date_hierarchy = "at"
    search_fields = ("reason", "actor_name")

    @admin.display(ordering="version__endpoint")
    def endpoint(self, change: StatusChange) -> Endpoint:
        return change.version.endpoint


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("at", "verb", "subject", "endpoint", "actor_name", "reason")
    list_filter = ("verb", "endpoint")
    list_select_related = ("endpoint",)
    date_hierarchy = "at"
    search_fields = ("subject", "reason", "actor_name")


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
    list_filter = ("state", "solver", "experiment", "synthetic")
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


@admin.register(PredictionRequest)
class PredictionRequestAdmin(ReadOnlyAdmin):
    list_display = (
        "created_at",
        "endpoint",
        "version",
        "row_count",
        "probability",
        "label",
        "source",
    )
    list_filter = ("endpoint", "source")
    list_select_related = ("endpoint", "version__endpoint")
    search_fields = ("=id",)
    show_full_result_count = False
    list_per_page = 50
    paginator = BoundedPaginator

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return () if Caller(user=request.user).may(Need.VIEW_INPUTS) else ("inputs",)


@admin.register(Feedback)
class FeedbackAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "request", "row", "label", "correct", "current", "actor_name")
    list_filter = ("label", "correct", "current", "request__endpoint")
    raw_id_fields = ("request",)
    show_full_result_count = False


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """Keys are made on the account page, where the secret is shown once; here they are revoked."""

    list_display = (
        "name",
        "prefix",
        "scopes",
        "endpoint",
        "created_by",
        "last_used_at",
        "revoked_at",
    )
    list_filter = ("endpoint",)
    list_select_related = ("endpoint", "created_by")
    search_fields = ("name", "prefix")
    exclude = ("secret_sha256",)
    actions = ("revoke",)

    @admin.action(description="Revoke", permissions=["revoke"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[ApiKey]) -> None:
        for key in chosen:
            keys.revoke(key=key, actor=Caller(user=request.user), now=timezone.now())
        self.message_user(request, "Revoked. Applications that use them get 401 from now on.")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("endpoints.change_apikey")


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnlyAdmin):
    list_display = ("action_time", "user", "content_type", "object_repr", "action_flag")
    list_select_related = ("user", "content_type")
    date_hierarchy = "action_time"
