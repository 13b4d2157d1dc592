"""Alert rules, which are kept here; alerts, which are seen to; and what became of each mail."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import ForeignKey, QuerySet
from django.db.models.constants import LOOKUP_SEP
from django.forms import ModelChoiceField
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from endpoints.admin.base import KnownEndpointsFilter, OfKnownEndpoints, ReadOnlyAdmin
from endpoints.errors import DomainError
from endpoints.models import Alert, AlertRule, EmailDelivery
from endpoints.services import access, sending
from endpoints.services.access import Caller, Need
from endpoints.services.alerts import checking, handling, rules

A_DAY = timedelta(days=1)


class AlertRuleForm(forms.ModelForm):
    """The rule's own checks, each beside its field."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for name, value in cleaned.items():
            setattr(self.instance, name, value)
        if not self.errors:
            for name, said in checking.problems(self.instance).items():
                self.add_error(name, said)
        return cleaned


@admin.register(AlertRule)
class AlertRuleAdmin(OfKnownEndpoints):
    form = AlertRuleForm
    list_display = (
        "name",
        "endpoint",
        "metric",
        "feature",
        "comparator",
        "limit",
        "window",
        "severity",
        "enabled",
        "muted_until",
    )
    list_filter = ("enabled", "severity", "metric", ("endpoint", KnownEndpointsFilter))
    list_select_related = ("endpoint",)
    search_fields = ("name", "feature")
    actions = ("enable", "disable", "send_test", "mute_a_day", "tell_again")
    fieldsets = (
        (None, {"fields": ("endpoint", "name", "severity", "enabled")}),
        (
            "Condition",
            {
                "fields": ("metric", "feature", "comparator", "limit", "window", "consecutive"),
                "description": "Windows of the version in production, of which those with too few "
                "rows or labels tell nothing. Shares are from 0 to 1.",
            },
        ),
        ("Telling", {"fields": ("to_webhooks", "emails", "cooldown_minutes")}),
    )

    def get_fieldsets(self, request: HttpRequest, obj: AlertRule | None = None) -> Any:
        """Addresses are for who keeps the rules."""
        shown = super().get_fieldsets(request, obj)
        return shown if _may(request, Need.ALERT_RULES, obj) else _without("emails", shown)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """An address that filters by mail addresses would tell them letter by letter."""
        is_of_emails = lookup.split(LOOKUP_SEP)[0] == "emails"
        return not is_of_emails and super().lookup_allowed(lookup, value, request)

    def get_readonly_fields(
        self, request: HttpRequest, obj: AlertRule | None = None
    ) -> tuple[str, ...]:
        return ("endpoint",) if obj else ()

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField | None:
        caller = Caller(user=request.user)
        if db_field.name == "endpoint" and caller.may(Need.ALERT_RULES):
            kwargs["queryset"] = access.endpoints_where(caller, Need.ALERT_RULES)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: AlertRule, form: Any, change: bool) -> None:
        actor, now = Caller(user=request.user), timezone.now()
        if change:
            rules.change(obj, actor=actor, now=now, names=form.changed_data)
        else:
            rules.create(obj, actor=actor, now=now)

    def delete_model(self, request: HttpRequest, obj: AlertRule) -> None:
        rules.remove(obj, actor=Caller(user=request.user), now=timezone.now())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[AlertRule]) -> None:
        for rule in queryset:
            self.delete_model(request, rule)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, ...]:
        """Alerts go with their rule, although nobody deletes them one by one."""
        listed, counts, lacking, protected = super().get_deleted_objects(objs, request)
        return listed, counts, set(lacking) - {Alert._meta.verbose_name}, protected

    def has_change_permission(self, request: HttpRequest, obj: AlertRule | None = None) -> bool:
        may = super().has_change_permission(request, obj)
        return may and _may(request, Need.ALERT_RULES, obj)

    def has_delete_permission(self, request: HttpRequest, obj: AlertRule | None = None) -> bool:
        may = super().has_delete_permission(request, obj)
        return may and _may(request, Need.ALERT_RULES, obj)

    @admin.action(description="Enable", permissions=["change"])
    def enable(self, request: HttpRequest, chosen: QuerySet[AlertRule]) -> None:
        self._each(request, chosen, "Enabled", _switch_on)

    @admin.action(description="Disable", permissions=["change"])
    def disable(self, request: HttpRequest, chosen: QuerySet[AlertRule]) -> None:
        self._each(request, chosen, "Disabled, and what was open is resolved", _switch_off)

    @admin.action(description="Send a test message", permissions=["change"])
    def send_test(self, request: HttpRequest, chosen: QuerySet[AlertRule]) -> None:
        self._each(request, chosen, "The worker sends test messages for", rules.send_test)

    @admin.action(description="Mute for a day", permissions=["mute"])
    def mute_a_day(self, request: HttpRequest, chosen: QuerySet[AlertRule]) -> None:
        self._each(request, chosen, "Muted for a day", _mute_a_day)

    @admin.action(description="Tell again", permissions=["mute"])
    def tell_again(self, request: HttpRequest, chosen: QuerySet[AlertRule]) -> None:
        self._each(request, chosen, "No longer muted", _tell_again)

    def has_mute_permission(self, request: HttpRequest) -> bool:
        return Caller(user=request.user).may(Need.ALERTS)

    def _each(
        self, request: HttpRequest, chosen: QuerySet[AlertRule], done: str, what: Any
    ) -> None:
        """Do it to each rule; one that is refused does not keep the others from it."""
        actor, now, names = Caller(user=request.user), timezone.now(), []
        for rule in chosen.select_related("endpoint"):
            try:
                what(rule, actor=actor, now=now)
            except DomainError as error:
                self.message_user(request, f"{rule}: {error.message}", messages.ERROR)
            else:
                names.append(rule.name)
        if names:
            self.message_user(request, f"{done}: {', '.join(names)}.")


@admin.register(Alert)
class AlertAdmin(OfKnownEndpoints, ReadOnlyAdmin):
    endpoint_path = "rule__endpoint"
    list_display = (
        "rule",
        "endpoint",
        "state",
        "value",
        "limit",
        "version",
        "page",
        "pending_at",
        "fired_at",
        "resolved_at",
        "told_at",
        "acknowledged_by",
    )
    list_filter = ("state", "rule__severity", ("rule__endpoint", KnownEndpointsFilter))
    list_select_related = ("rule__endpoint", "version__endpoint")
    search_fields = ("rule__name", "note")
    date_hierarchy = "pending_at"
    show_full_result_count = False
    actions = ("acknowledge", "mute_a_day")

    @admin.display(ordering="rule__endpoint")
    def endpoint(self, alert: Alert) -> str:
        return str(alert.rule.endpoint)

    @admin.display(description="messages")
    def page(self, alert: Alert) -> str:
        return format_html('<a href="{}">Open</a>', reverse("dashboard:alert", args=[alert.pk]))

    @admin.action(description="Acknowledge", permissions=["handle"])
    def acknowledge(self, request: HttpRequest, chosen: QuerySet[Alert]) -> None:
        actor, now = Caller(user=request.user), timezone.now()
        done = 0
        for alert in chosen.select_related("rule__endpoint"):
            try:
                done += handling.acknowledge(alert, note="", actor=actor, now=now)
            except DomainError as error:
                self.message_user(request, f"{alert}: {error.message}", messages.ERROR)
        self.message_user(request, f"You see to {done} of them now.")

    @admin.action(description="Mute their rules for a day", permissions=["handle"])
    def mute_a_day(self, request: HttpRequest, chosen: QuerySet[Alert]) -> None:
        found = AlertRule.objects.filter(alerts__in=chosen).select_related("endpoint").distinct()
        actor, now = Caller(user=request.user), timezone.now()
        for rule in found:
            try:
                _mute_a_day(rule, actor=actor, now=now)
            except DomainError as error:
                self.message_user(request, f"{rule}: {error.message}", messages.ERROR)
            else:
                self.message_user(request, f"Muted for a day: {rule}.")

    def has_handle_permission(self, request: HttpRequest) -> bool:
        return Caller(user=request.user).may(Need.ALERTS)


@admin.register(EmailDelivery)
class EmailDeliveryAdmin(ReadOnlyAdmin):
    list_display = (
        "created_at",
        "to",
        "subject",
        "alert",
        "state",
        "attempts",
        "problem",
        "next_attempt_at",
        "ended_at",
    )
    list_filter = ("state",)
    list_select_related = ("alert__rule",)
    search_fields = ("=id", "to", "subject")
    date_hierarchy = "created_at"
    show_full_result_count = False
    actions = ("send_again",)

    @admin.action(description="Send again", permissions=["send"])
    def send_again(self, request: HttpRequest, chosen: QuerySet[EmailDelivery]) -> None:
        asked = chosen.count()
        count = sending.again(chosen, now=timezone.now())
        text = f"The worker sends {count} of the {asked} chosen again."
        if count < asked:
            text += " The others are about to be sent anyway."
        self.message_user(request, text, messages.SUCCESS if count else messages.WARNING)

    def has_send_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("endpoints.change_emaildelivery")


def _may(request: HttpRequest, need: Need, rule: AlertRule | None) -> bool:
    return rule is None or Caller(user=request.user).may(need, rule.endpoint)


def _without(name: str, fieldsets: Any) -> list[tuple[Any, dict[str, Any]]]:
    return [
        (title, options | {"fields": tuple(field for field in options["fields"] if field != name)})
        for title, options in fieldsets
    ]


def _switch_on(rule: AlertRule, **facts: Any) -> None:
    rules.configure(rule, {"enabled": True}, **facts)


def _switch_off(rule: AlertRule, **facts: Any) -> None:
    rules.configure(rule, {"enabled": False}, **facts)


def _mute_a_day(rule: AlertRule, *, now: Any, **facts: Any) -> None:
    rules.mute(rule, until=now + A_DAY, now=now, **facts)


def _tell_again(rule: AlertRule, **facts: Any) -> None:
    rules.mute(rule, until=None, **facts)
