"""How endpoints are watched, which can be set, and the drift reports, which are only read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from endpoints.admin.base import KnownEndpointsFilter, OfKnownEndpoints, ReadOnlyAdmin
from endpoints.models import DriftReport, FeatureDrift, Monitor
from endpoints.services.access import Caller, Need
from endpoints.services.monitoring import configuring
from endpoints.services.monitoring.configuring import SETTINGS


@admin.register(Monitor)
class MonitorAdmin(OfKnownEndpoints):
    """Each endpoint gets its settings when its log is first looked through."""

    list_display = ("endpoint", *SETTINGS, "looked_at")
    list_select_related = ("endpoint",)
    fields = ("endpoint", *SETTINGS, "looked_at")
    readonly_fields = ("endpoint", "looked_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Monitor | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Monitor | None = None) -> bool:
        may = super().has_change_permission(request, obj)
        caller = Caller(user=request.user)
        return may and (obj is None or caller.may(Need.MONITOR, obj.endpoint))

    def save_model(self, request: HttpRequest, obj: Monitor, form: Any, change: bool) -> None:
        settings = {name: getattr(obj, name) for name in SETTINGS}
        actor, now = Caller(user=request.user), timezone.now()
        configuring.configure(endpoint=obj.endpoint, settings=settings, actor=actor, now=now)


class FeatureDriftInline(admin.TabularInline):
    model = FeatureDrift
    fields = (
        "name", "kind", "verdict", "effect", "p_adjusted", "psi", "z_shift", "missing",
        "out_of_range", "unseen",
    )  # fmt: skip
    readonly_fields = fields
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("endpoints.view_driftreport")


@admin.register(DriftReport)
class DriftReportAdmin(OfKnownEndpoints, ReadOnlyAdmin):
    endpoint_path = "version__endpoint"
    inlines = (FeatureDriftInline,)
    list_display = (
        "start",
        "version",
        "window",
        "is_open",
        "n_rows",
        "verdict",
        "drifted",
        "possible",
        "features",
        "drift_score",
        "computed_at",
    )
    list_filter = ("window", "verdict", "is_open", ("version__endpoint", KnownEndpointsFilter))
    list_select_related = ("version__endpoint",)
    date_hierarchy = "start"
    show_full_result_count = False
    exclude = ("summary",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[DriftReport]:
        return super().get_queryset(request).defer("summary")
