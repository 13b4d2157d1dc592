"""Batches: looked up, cancelled and cleared away; their rows are seen on their own pages alone."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from endpoints.admin.base import KnownEndpointsFilter, ReadOnlyAdmin
from endpoints.errors import DomainError
from endpoints.models import BatchJob
from endpoints.services.access import Caller, Need
from endpoints.services.batches import cancelling, deleting, visible


class Act(Protocol):
    def __call__(self, job: BatchJob, *, actor: Caller, now: datetime) -> object: ...


@admin.register(BatchJob)
class BatchJobAdmin(ReadOnlyAdmin):
    list_display = (
        "file_name",
        "endpoint",
        "version",
        "state",
        "rows",
        "rows_done",
        "rows_bad",
        "created_by_name",
        "created_at",
    )
    list_filter = ("state", ("endpoint", KnownEndpointsFilter))
    list_select_related = ("endpoint", "version__endpoint")
    search_fields = ("file_name", "=id", "created_by_name")
    date_hierarchy = "created_at"
    show_full_result_count = False
    fields = (
        *list_display,
        "message",
        "size",
        "sha256",
        "label_column",
        "log_rows",
        "store_labels",
        "started_at",
        "ended_at",
        "expires_at",
        "rerun_of",
        "attempt",
        "worker",
        "heartbeat_at",
    )
    readonly_fields = fields
    actions = ("cancel", "delete_files")

    def get_queryset(self, request: HttpRequest) -> QuerySet[BatchJob]:
        return visible.jobs(Caller(user=request.user))

    @admin.action(description="Cancel", permissions=["work"])
    def cancel(self, request: HttpRequest, chosen: QuerySet[BatchJob]) -> None:
        self._each(request, chosen, cancelling.cancel)

    @admin.action(description="Delete files now", permissions=["work"])
    def delete_files(self, request: HttpRequest, chosen: QuerySet[BatchJob]) -> None:
        self._each(request, chosen, deleting.delete_files)

    def _each(self, request: HttpRequest, chosen: QuerySet[BatchJob], act: Act) -> None:
        """What one refuses is told; the others go on."""
        for job in chosen:
            try:
                act(job, actor=Caller(user=request.user), now=timezone.now())
            except DomainError as error:
                self.message_user(request, f"{job}: {error.message}", messages.ERROR)
            else:
                job.refresh_from_db()
                self.message_user(request, f"{job}: {job.get_state_display()}.")

    def has_work_permission(self, request: HttpRequest) -> bool:
        return Caller(user=request.user).may(Need.PREDICT)
