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
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.utils import timezone

from endpoints import downloads
from endpoints.admin.base import BoundedPaginator, ReadOnlyAdmin
from endpoints.errors import Conflict, DomainError
from endpoints.models import AlgorithmVersion, Feedback, PredictionRequest
from endpoints.services import feedback
from endpoints.services.access import Caller, Need

FACTS = (
    "request_id", "endpoint", "version", "row", "time", "source", "probability", "threshold",
    "prediction", "latency_ms",
)  # fmt: skip


class AnsweringVersionFilter(admin.RelatedFieldListFilter):
    """The versions that answered, of the chosen endpoint if one is chosen.

    One look into the index a version; the stock filter of used values reads the whole log.
    """

    def field_choices(
        self, field: Any, request: HttpRequest, model_admin: Any
    ) -> list[tuple[int, str]]:
        log = PredictionRequest.objects.filter(version=OuterRef("pk")).order_by()
        versions = AlgorithmVersion.objects.filter(Exists(log)).select_related("endpoint")
        endpoint = request.GET.get("endpoint__id__exact", "")
        if re.fullmatch("[0-9]{1,18}", endpoint):  # no database holds a larger one
            versions = versions.filter(endpoint=endpoint)
        return [(version.pk, str(version)) for version in versions]


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
    list_filter = ("endpoint", ("version", AnsweringVersionFilter), "source")
    list_select_related = ("endpoint", "version__endpoint")
    search_fields = ("id",)
    show_full_result_count = False
    list_per_page = 50
    paginator = BoundedPaginator
    actions = ("export_csv",)

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return () if request.user.has_perm(Need.VIEW_INPUTS.value) else ("inputs", "imputed")

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """A filter in the address can tell what a hidden column holds."""
        is_hidden = lookup.split("__")[0] in (self.get_exclude(request) or ())
        return not is_hidden and super().lookup_allowed(lookup, value, request)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[PredictionRequest], search_term: str
    ) -> tuple[QuerySet[PredictionRequest], bool]:
        """Find by key: the stock search compares texts, which reads the whole log."""
        if not search_term:
            return queryset, False
        try:
            return queryset.filter(pk=UUID(search_term.strip())), False
        except ValueError:
            return queryset.none(), False

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
            entry.pk, entry.endpoint.slug, entry.version.number, row, entry.created_at.isoformat(),
            entry.source, entry.probability_of(row), entry.threshold, entry.predictions[row],
            entry.latency_us / 1_000, json.dumps(entry.inputs[row], ensure_ascii=False),
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
class FeedbackAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "request", "row", "label", "correct", "current", "actor_name")
    list_filter = ("label", "correct", "current", "request__endpoint")
    list_select_related = ("request",)
    show_full_result_count = False

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
