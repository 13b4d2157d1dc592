"""Endpoints, which are paused and resumed here, and the keys that open them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from endpoints.admin.base import KnownEndpointsFilter, ReadOnlyAdmin, record_edit
from endpoints.admin.people import KeepsMembers, MembershipInline
from endpoints.admin.versions import version_link
from endpoints.models import ApiKey, Endpoint, Event
from endpoints.services import keys, pausing, traffic
from endpoints.services.access import Caller, Need
from endpoints.services.configuring import SWITCHED_OFF
from endpoints.services.words import LONGEST_REASON


@dataclass(frozen=True)
class Switch:
    """An action that asks first: what it will do, in words, and the service that does it."""

    verb: str
    effect: str
    done: str
    carry_out: Callable[..., bool]


PAUSE = Switch("pause", "callers will get 503 until it is resumed", "Paused", pausing.pause)
RESUME = Switch("resume", "callers will get predictions again", "Resumed", pausing.resume)


class SwitchForm(forms.Form):
    reason = forms.CharField(
        required=False,
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Kept for ever with your name and the time.",
    )


class ServingFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("active", "active"), ("paused", "paused")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Endpoint]) -> QuerySet[Endpoint]:
        if self.value() is None:
            return queryset
        return queryset.filter(paused_at__isnull=self.value() != "paused")


@admin.register(Endpoint)
class EndpointAdmin(KeepsMembers, admin.ModelAdmin):
    inlines = (MembershipInline,)
    list_display = (
        "name",
        "slug",
        "state",
        "production",
        "gate_policy",
        "requests_24h",
        "public_predictions",
        "updated",
    )
    list_filter = (ServingFilter, "gate_policy", "public_predictions")
    search_fields = ("name", "slug")
    actions = ("pause", "resume")
    fieldsets = (
        (None, {"fields": ("slug", "name", "description", "public_predictions", "members_only")}),
        (
            "Requests",
            {
                "fields": ("missing_values", "error_detail"),
                "description": "What happens to missing values, and what an answer tells of values "
                "that do not fit.",
            },
        ),
        (
            "Metric",
            {
                "fields": (
                    "primary_metric",
                    "metric_direction",
                    "metric_tolerance",
                    "minimum_improvement",
                ),
                "description": "A candidate is compared with production by this metric, on the "
                "same holdout rows. Above 0, the minimum improvement takes the place of the "
                "tolerance.",
            },
        ),
        (
            "Promotion",
            {
                "fields": (
                    "gate_policy",
                    "latency_budget_ms",
                    "card_required",
                    "second_person_required",
                    "auto_promote",
                ),
                "description": "What a version has to pass before it may answer. Whoever may "
                "overrule gates can promote although one failed, with a reason that is kept.",
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Endpoint]:
        counted = traffic.of_last_day(now=timezone.now()).filter(endpoint=OuterRef("pk"))
        recent = counted.values("endpoint").annotate(sum=Sum("requests")).values("sum")
        latest = Event.objects.filter(endpoint=OuterRef("pk")).order_by("-at").values("at")[:1]
        endpoints = super().get_queryset(request).prefetch_related("versions")
        return endpoints.annotate(
            recent=Coalesce(Subquery(recent), 0),
            latest=Coalesce(Subquery(latest), "created_at"),
        )

    def save_model(self, request: HttpRequest, obj: Endpoint, form: Any, change: bool) -> None:
        """Keep who loosened a gate or opened an endpoint, as every other change that matters."""
        super().save_model(request, obj, form, change)
        record_edit(
            request,
            form,
            verb="change" if change else "create",
            endpoint=obj,
            subject=f"endpoint {obj.slug}",
        )

    def get_readonly_fields(
        self, request: HttpRequest, obj: Endpoint | None = None
    ) -> tuple[str, ...]:
        """Who may not overrule a gate cannot switch it off."""
        fixed = ("slug",) if obj else ()
        if Caller(user=request.user).may(Need.OVERRIDE, obj):
            return fixed
        return (*fixed, *SWITCHED_OFF)

    def has_change_permission(self, request: HttpRequest, obj: Endpoint | None = None) -> bool:
        """A group does not count at an endpoint for members only, here neither."""
        may = super().has_change_permission(request, obj)
        return may and (obj is None or Caller(user=request.user).may(Need.CONFIGURE, obj))

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

    @admin.display(ordering="paused_at")
    def state(self, endpoint: Endpoint) -> str:
        return "paused" if endpoint.paused_at else "active"

    @admin.display(ordering="latest")
    def updated(self, endpoint: Any) -> datetime:
        return endpoint.latest

    @admin.action(description="Pause…", permissions=["promote"])
    def pause(self, request: HttpRequest, chosen: QuerySet[Endpoint]) -> HttpResponse | None:
        return self._switch(request, chosen, PAUSE)

    @admin.action(description="Resume…", permissions=["promote"])
    def resume(self, request: HttpRequest, chosen: QuerySet[Endpoint]) -> HttpResponse | None:
        return self._switch(request, chosen, RESUME)

    def has_promote_permission(self, request: HttpRequest) -> bool:
        return Caller(user=request.user).may(Need.PROMOTE)

    def _switch(
        self, request: HttpRequest, chosen: QuerySet[Endpoint], switch: Switch
    ) -> HttpResponse | None:
        """Ask first; what is confirmed is done to each endpoint that is not so already."""
        form = SwitchForm(request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            return self._ask(request, chosen, switch, form)
        actor, now, reason = Caller(user=request.user), timezone.now(), form.cleaned_data["reason"]
        allowed = [endpoint for endpoint in chosen if actor.may(Need.PROMOTE, endpoint)]
        changed = [
            endpoint.name
            for endpoint in allowed
            if switch.carry_out(endpoint=endpoint, actor=actor, now=now, reason=reason)
        ]
        names = ", ".join(changed) or "Nothing"
        self.message_user(request, f"{switch.done}: {names}.")
        return None

    def _ask(
        self, request: HttpRequest, chosen: QuerySet[Endpoint], switch: Switch, form: SwitchForm
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": f"{switch.verb.capitalize()} endpoints",
            "opts": self.opts,
            "chosen": chosen,
            "switch": switch,
            "form": form,
            "action_checkbox_name": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/endpoints/endpoint/switch.html", context)


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """Keys are made on the account page, where the secret is shown once; here they are limited and revoked."""

    list_display = (
        "name",
        "prefix",
        "scopes",
        "endpoint",
        "created_by",
        "last_used_at",
        "expires_at",
        "revoked_at",
    )
    list_filter = (("endpoint", KnownEndpointsFilter),)
    list_select_related = ("endpoint", "created_by")
    search_fields = ("name", "prefix")
    fields = (
        "name",
        "prefix",
        "scopes",
        "endpoint",
        "created_at",
        "created_by",
        "expires_at",
        "revoked_at",
        "last_used_at",
        "rate",
    )
    readonly_fields = fields[:-1]
    actions = ("revoke",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_revoke_permission(request)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        keys.limit(obj, rate=obj.rate, actor=Caller(user=request.user), now=timezone.now())

    @admin.action(description="Revoke", permissions=["revoke"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[ApiKey]) -> None:
        for key in chosen:
            keys.revoke(key=key, actor=Caller(user=request.user), now=timezone.now())
        self.message_user(request, "Revoked. Applications that use them get 401 from now on.")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("endpoints.change_apikey")
