"""The operators' back room: read-mostly lists; whatever changes serving is confirmed on a page first."""

from django.contrib import admin

from endpoints.admin import (
    abtests,
    alerts,
    batches,
    endpoints,
    history,
    monitoring,
    people,
    predictions,
    runs,
    versions,
    webhooks,
)

__all__ = [
    "abtests",
    "alerts",
    "batches",
    "endpoints",
    "history",
    "monitoring",
    "people",
    "predictions",
    "runs",
    "versions",
    "webhooks",
]

admin.site.site_header = "Raisin administration"
admin.site.site_title = "Raisin"
admin.site.index_title = "Back room"
admin.site.empty_value_display = "—"
