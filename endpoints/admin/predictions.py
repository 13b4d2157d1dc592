"""The request log, which is exported and never edited, and the true labels, which are only added."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.utils import timezone

from endpoints import downloads
from endpoints.admin.base import BoundedPaginator, KnownEndpointsFilter, ReadOnlyAdmin
from endpoints.errors import Conflict, DomainError
from endpoints.models import AlgorithmVersion, Feedback, PredictionRequest
from endpoints.services import access, feedback, overview
from endpoints.services.abtests import part_columns
from endpoints.services.access import Caller, Need

FACTS = (
    "prediction_id", "request_id", "endpoint", "version", "row", "time", "source", "protocol",
    "caller", "probability", "threshold", "prediction", "latency_ms", *part_columns.NAMES,
)  # fmt: skip


class AnsweringVersionFilter(admin.RelatedFieldListFilter):
    """The versions that answered at endpoints that the reader may know, or at the chosen one of them.

    The stock filter of used values reads the whole log.
    """

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        known = access.visible_versions(Caller(user=request.user)).select_related("endpoint")
        versions = overview.that_answered(known).filter(**chosen_endpoint(request))
        return [(version.pk, str(version)) for version in versions]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        """A version is of one endpoint: its own index finds more than both conditions do."""
        if not self.lookup_val:
            return queryset
        endpoints = chosen_endpoint(request)
        chosen = AlgorithmVersion.objects.filter(pk__in=self.lookup_val, **endpoints)
        if endpoints and not chosen.exists():
            return queryset.none()
        return super().queryset(request, log())


def chosen_endpoint(request: HttpRequest) -> dict[str, Any]:
    key = request.GET.get("endpoint__id__exact", "")
    # No database holds a larger number.
    return {"endpoint": int(key)} if re.fullmatch("[0-9]{1,18}", key) else {}


def log() -> QuerySet[PredictionRequest]:
    """A join would have PostgreSQL sort the whole log."""
    return PredictionRequest.objects.prefetch_related(
        "endpoint", "version__endpoint", part_columns.RELATED
    )


class LogList(ChangeList):
    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """Without it an address may ask for any order, sortable or not."""
        return ["-id"]

    def apply_select_related(self, qs: QuerySet[Any]) -> QuerySet[Any]:
        """The stock list joins whatever it shows."""
        return qs


class LogAdmin(ReadOnlyAdmin):
    """A list without end: in one order, and narrowed down only by what an index finds."""

    ordering = ("-id",)
    sortable_by = ()
    show_full_result_count = False
    list_per_page = 50
    paginator = BoundedPaginator
    found_by_index: tuple[str, ...] = ()
    request_lookup = "pk"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return LogList

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Any other filter in the address would read the whole log, or tell what a hidden column holds."""
        return lookup in self.found_by_index

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find by the request's id: the stock search compares texts."""
        if not search_term:
            return queryset, False
        try:
            return queryset.filter(**{self.request_lookup: UUID(search_term.strip())}), False
        except ValueError:
            return queryset.none(), False


@admin.register(PredictionRequest)
class PredictionRequestAdmin(LogAdmin):
    list_display = (
        "created_at",
        "endpoint",
        "version",
        "row_count",
        "probability",
        "label",
        "source",
        "protocol",
        "caller",
    )
    list_filter = (("endpoint", KnownEndpointsFilter), ("version", AnsweringVersionFilter))
    found_by_index = ("endpoint__id__exact", "version__id__exact")
    search_fields = ("id",)
    actions = ("export_csv",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[PredictionRequest]:
        return log().order_by("-id")

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return () if request.user.has_perm(Need.VIEW_INPUTS.value) else ("inputs", "imputed")

    @admin.action(description="Export CSV", permissions=["view"])
    def export_csv(
        self, request: HttpRequest, chosen: QuerySet[PredictionRequest]
    ) -> StreamingHttpResponse:
        sees_inputs = request.user.has_perm(Need.VIEW_INPUTS.value)
        header = [*FACTS, "inputs"] if sees_inputs else FACTS
        lines = (line[: len(header)] for line in scored_rows(chosen))
        return downloads.answer(header, lines, name="predictions")


def scored_rows(chosen: QuerySet[PredictionRequest]) -> Iterator[list[object]]:
    """Yield a line a scored row, the inputs last; no more than MOST_ROWS of them."""
    lines = (
        [
            f"{entry.pk}:{row}", entry.pk, entry.endpoint.slug, entry.version.number, row,
            entry.created_at.isoformat(), entry.source, entry.protocol, entry.caller,
            entry.probability_of(row), entry.threshold, entry.predictions[row],
            entry.latency_us / 1_000, *part_columns.values(entry, row),
            json.dumps(entry.inputs[row], ensure_ascii=False),
        ]
        for entry in chosen.iterator(chunk_size=500)
        for row in range(entry.row_count)
    )  # fmt: skip
    return islice(lines, downloads.MOST_ROWS)


class FeedbackForm(forms.ModelForm):
    """Asks what the service needs and puts what it refuses beside the field."""

    caller: Caller
    request_id = forms.CharField(label="Request id", max_length=64)
    row = forms.IntegerField(min_value=0, initial=0, help_text="Its place in the request, from 0.")
    label = forms.CharField(max_length=200, help_text="The true class, by its name.")

    class Meta:
        model = Feedback
        fields = ("row", "label")

    def clean_request_id(self) -> str:
        try:
            found = feedback.find_request(self.cleaned_data["request_id"], caller=self.caller)
        except DomainError as error:
            raise forms.ValidationError(error.message) from error
        self.instance.request = found
        return str(found.pk)

    def clean_row(self) -> int:
        row = int(self.cleaned_data["row"])
        if "request_id" in self.cleaned_data:
            try:
                feedback.check_row(self.instance.request, row)
            except DomainError as error:
                raise forms.ValidationError(error.message) from error
        return row

    def clean_label(self) -> str:
        label = self.cleaned_data["label"]
        if "request_id" not in self.cleaned_data:
            return str(label)
        try:
            return feedback.check_label(self.instance.request, label)
        except DomainError as error:
            raise forms.ValidationError(error.message) from error


@admin.register(Feedback)
class FeedbackAdmin(LogAdmin):
    list_display = ("created_at", "request_id", "row", "label", "correct", "current", "actor_name")
    found_by_index = ("request__id__exact",)
    search_fields = ("request",)
    request_lookup = "request"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return admin.ModelAdmin.has_add_permission(self, request)

    def get_fields(self, request: HttpRequest, obj: Feedback | None = None) -> tuple[str, ...]:
        return self.list_display if obj else ("request_id", "row", "label")

    def get_form(
        self, request: HttpRequest, obj: Feedback | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        if obj is not None:
            return super().get_form(request, obj, change, **kwargs)
        form: Any = super().get_form(request, obj, change, **kwargs, form=FeedbackForm)
        form.caller = Caller(user=request.user)
        return form

    def save_model(self, request: HttpRequest, obj: Feedback, form: Any, change: bool) -> None:
        recorded = feedback.record(
            request=obj.request,
            label=obj.label,
            row=obj.row,
            actor=form.caller,
            now=timezone.now(),
        )
        obj.pk = recorded.feedback.pk

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except Conflict as error:
            self.message_user(request, error.message, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())
