"""Versions: a note can be written; every action leads to the review page, there is no other way."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html

from endpoints.admin.base import KnownEndpointsFilter, ReadOnlyAdmin, record_edit, validation_metric
from endpoints.models import AlgorithmVersion
from endpoints.services.access import Caller, Need
from endpoints.services.transitions import TRANSITIONS


def version_link(version: AlgorithmVersion) -> str:
    url = reverse("dashboard:version", args=[version.endpoint.slug, version.number])
    return format_html('<a href="{}">{}</a>', url, version.label)


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
    list_filter = ("status", ("endpoint", KnownEndpointsFilter), "converged")
    list_select_related = ("endpoint", "run", "created_by")
    search_fields = ("=id", "=number", "note")
    actions = ("review_promotion", "review_rollback", "review_archive")

    def get_queryset(self, request: HttpRequest) -> QuerySet[AlgorithmVersion]:
        return super().get_queryset(request).prefetch_related("run__metrics")

    def has_change_permission(
        self, request: HttpRequest, obj: AlgorithmVersion | None = None
    ) -> bool:
        """Only the note can be written: see the read-only fields."""
        return admin.ModelAdmin.has_change_permission(self, request, obj)

    def get_readonly_fields(
        self, request: HttpRequest, obj: AlgorithmVersion | None = None
    ) -> list[str]:
        names = [field.name for field in self.opts.fields]
        return [name for name in names if name not in ("id", "note")]

    def save_model(
        self, request: HttpRequest, obj: AlgorithmVersion, form: Any, change: bool
    ) -> None:
        obj.save(update_fields=["note"])
        record_edit(request, form, verb="change", endpoint=obj.endpoint, subject=obj.label)

    @admin.display(description="validation metric")
    def metric(self, version: AlgorithmVersion) -> str | None:
        name = version.endpoint.primary_metric
        value = validation_metric(version.run, name)
        return None if value is None else f"{name} {value:.4f}"

    @admin.action(description="Review promotion…", permissions=["promote"])
    def review_promotion(
        self, request: HttpRequest, chosen: QuerySet[AlgorithmVersion]
    ) -> HttpResponse | None:
        return self._review(request, chosen, "promote")

    @admin.action(description="Review rollback…", permissions=["rollback"])
    def review_rollback(
        self, request: HttpRequest, chosen: QuerySet[AlgorithmVersion]
    ) -> HttpResponse | None:
        return self._review(request, chosen, "roll_back")

    @admin.action(description="Archive…", permissions=["archive"])
    def review_archive(
        self, request: HttpRequest, chosen: QuerySet[AlgorithmVersion]
    ) -> HttpResponse | None:
        return self._review(request, chosen, "archive")

    def has_promote_permission(self, request: HttpRequest) -> bool:
        return Caller(user=request.user).may(Need.PROMOTE)

    def has_rollback_permission(self, request: HttpRequest) -> bool:
        return Caller(user=request.user).may(Need.ROLL_BACK)

    def has_archive_permission(self, request: HttpRequest) -> bool:
        return Caller(user=request.user).may(Need.ARCHIVE)

    def _review(
        self, request: HttpRequest, chosen: QuerySet[AlgorithmVersion], verb: str
    ) -> HttpResponse | None:
        versions = list(chosen[:2])
        if len(versions) != 1:
            self.message_user(request, "Choose exactly one version.", messages.ERROR)
            return None
        version = versions[0]
        url = reverse("dashboard:review", args=[version.endpoint.slug, version.number])
        return HttpResponseRedirect(f"{url}?to={TRANSITIONS[verb].target}&verb={verb}")
