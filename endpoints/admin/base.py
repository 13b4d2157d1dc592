"""What the lists share: history that is only read, endpoints that the reader may know, counts with a bound,
edits that are recorded."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import cached_property

from endpoints.models import Endpoint, Run
from endpoints.services import access, audit
from endpoints.services.access import Caller, Need


class ReadOnlyAdmin(admin.ModelAdmin):
    """History is read, never written, by superusers too."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class OfKnownEndpoints(admin.ModelAdmin):
    """Rows of endpoints that the reader may know; a group does not count at one for members only."""

    endpoint_path = "endpoint"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows, caller = super().get_queryset(request), Caller(user=request.user)
        if not caller.may(Need.READ):
            return rows.none()
        return rows.filter(**{f"{self.endpoint_path}__in": access.visible_endpoints(caller)})


class KnownEndpointsFilter(admin.RelatedFieldListFilter):
    """The endpoints that the reader may know; the stock filter names all."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        caller = Caller(user=request.user)
        if not caller.may(Need.READ):
            return []
        known = {"pk__in": access.visible_endpoints(caller)}
        ordering = self.field_admin_ordering(field, request, model_admin)
        return field.get_choices(include_blank=False, limit_choices_to=known, ordering=ordering)


class BoundedPaginator(Paginator):
    """Counts no further than a person would turn pages: the log grows without end."""

    most = 5_000

    @cached_property
    def count(self) -> int:
        return int(self.object_list[: self.most].count())


def validation_metric(run: Run, name: str) -> float | None:
    """Look among the metrics that the list has prefetched."""
    key = f"validation_{name}"
    return next((metric.value for metric in run.metrics.all() if metric.key == key), None)


def record_edit(
    request: HttpRequest, form: Any, *, verb: str, endpoint: Endpoint, subject: str
) -> None:
    """Keep who changed which fields from what to what; a save that changed nothing leaves no trace."""
    changed = form.changed_data
    if not changed:
        return
    audit.record(
        verb,
        actor=Caller(user=request.user),
        endpoint=endpoint,
        subject=subject,
        now=timezone.now(),
        before={name: form.initial.get(name) for name in changed} if verb == "change" else None,
        after={name: form.cleaned_data[name] for name in changed},
    )
