"""What happened and who did it: read by everybody allowed in, written by nobody, superusers too."""

from __future__ import annotations

from collections import Counter

from django.contrib import admin
from django.contrib.admin.models import LogEntry

from endpoints.admin.base import KnownEndpointsFilter, ReadOnlyAdmin
from endpoints.models import Endpoint, Event, StatusChange

VERDICTS = {"pass": "pass", "warn": "warn", "fail": "fail", "not_run": "not run"}


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
        "verdicts",
        "overruled",
    )
    list_filter = ("verb", ("version__endpoint", KnownEndpointsFilter))
    list_select_related = ("version__endpoint",)
    date_hierarchy = "at"
    search_fields = ("reason", "actor_name")

    @admin.display(ordering="version__endpoint")
    def endpoint(self, change: StatusChange) -> Endpoint:
        return change.version.endpoint

    @admin.display(description="gates")
    def verdicts(self, change: StatusChange) -> str:
        counts = Counter(gate["verdict"] for gate in change.gates)
        return ", ".join(f"{counts[key]} {word}" for key, word in VERDICTS.items() if counts[key])

    @admin.display(description="overruled")
    def overruled(self, change: StatusChange) -> str:
        return ", ".join(change.overridden)


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("at", "verb", "subject", "endpoint", "actor_name", "reason")
    list_filter = ("verb", ("endpoint", KnownEndpointsFilter))
    list_select_related = ("endpoint",)
    date_hierarchy = "at"
    search_fields = ("subject", "reason", "actor_name")


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnlyAdmin):
    list_display = ("action_time", "user", "content_type", "object_repr", "action_flag")
    list_select_related = ("user", "content_type")
    date_hierarchy = "action_time"
