"""A/B tests: drafts can be changed here, a test that was started is read; starting and stopping lead to its page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import ForeignKey, Model, QuerySet
from django.forms import ModelChoiceField
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst

from endpoints.admin.base import KnownEndpointsFilter, OfKnownEndpoints
from endpoints.admin.versions import version_link
from endpoints.errors import InvalidRequest
from endpoints.models import ABArm, ABPhase, ABTest, AlgorithmVersion, LabelledUnit
from endpoints.models.abtest import TestKind, TestState
from endpoints.services.abtests import analysis, checking, drafting
from endpoints.services.abtests.analysis import ABReport
from endpoints.services.abtests.plans import EVEN, SETTINGS, newest_phase
from endpoints.services.access import Caller, Need
from mlcore.assignment import BUCKETS

PARTS: tuple[type[Model], ...] = (ABPhase, ABArm, LabelledUnit)
"""What goes with a draft, although nobody deletes it one by one."""


class ABTestForm(forms.ModelForm):
    """The plan's own checks, each beside its field."""

    challenger_share = forms.IntegerField(
        min_value=1,
        max_value=BUCKETS - 1,
        help_text="Basis points of the units that B answers; of no use in a shadow test.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "horizon" in self.fields:  # else it is only read
            phase = newest_phase(self.instance)
            self.initial["challenger_share"] = phase.challenger_share if phase else EVEN
            self.fields["horizon"].required = False

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for name in SETTINGS:
            if name in cleaned:
                setattr(self.instance, name, cleaned[name])
        if not self.errors:
            settings = {name: cleaned[name] for name in self.changed_data}
            try:
                drafting.revised(self.instance, settings, now=timezone.now())
            except InvalidRequest as error:
                for cell in error.cells:
                    self.add_error(cell.column, cell.message.removeprefix(f"{cell.column}: "))
        return cleaned


class PhaseInline(admin.TabularInline):
    model = ABPhase
    fields = readonly_fields = ("number", "challenger_share", "started_at", "ended_at")
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("endpoints.view_abtest")


@admin.register(ABTest)
class ABTestAdmin(OfKnownEndpoints):
    """A test is planned on its endpoint's page, which says how many labels it takes."""

    form = ABTestForm
    inlines = (PhaseInline,)
    list_display = ("title", "endpoint", "a", "b", "split", "state", "labels", "sample_ratio")
    list_filter = ("state", "kind", ("endpoint", KnownEndpointsFilter))
    list_select_related = ("endpoint", "control__endpoint", "challenger__endpoint")
    list_per_page = 25
    search_fields = ("title", "reason")
    actions = ("start", "stop")

    def get_fields(self, request: HttpRequest, obj: ABTest | None = None) -> list[str]:
        if obj is not None and self.has_change_permission(request, obj):
            return [*SETTINGS, "challenger_share"]
        return [field.name for field in self.opts.fields if field.name != "id"]

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField | None:
        if db_field.name == "challenger" and request.resolver_match is not None:
            key = request.resolver_match.kwargs.get("object_id")
            kwargs["queryset"] = AlgorithmVersion.objects.filter(
                endpoint__abtests=key, status__in=checking.OPEN_TO_TESTS
            ).select_related("endpoint")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: ABTest, form: Any, change: bool) -> None:
        settings = {name: form.cleaned_data[name] for name in form.changed_data}
        drafting.configure(obj, settings, actor=Caller(user=request.user), now=timezone.now())

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Phases are only read."""
        formset.new_objects, formset.changed_objects, formset.deleted_objects = [], [], []

    def delete_model(self, request: HttpRequest, obj: ABTest) -> None:
        drafting.remove(obj, actor=Caller(user=request.user), now=timezone.now())

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, ...]:
        listed, counts, lacking, protected = super().get_deleted_objects(objs, request)
        parts = {capfirst(part._meta.verbose_name) for part in PARTS}
        left = {name for name in lacking if capfirst(name) not in parts}
        return listed, counts, left, protected

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Drafts are deleted one by one, each on its page."""
        return {
            name: action
            for name, action in super().get_actions(request).items()
            if name != "delete_selected"
        }

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: ABTest | None = None) -> bool:
        return super().has_change_permission(request, obj) and _may_edit(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: ABTest | None = None) -> bool:
        return super().has_delete_permission(request, obj) and _may_edit(request, obj)

    @admin.display(description="A", ordering="control")
    def a(self, test: ABTest) -> str | None:
        return version_link(test.control) if test.control else None

    @admin.display(description="B", ordering="challenger")
    def b(self, test: ABTest) -> str:
        return version_link(test.challenger)

    @admin.display(description="split")
    def split(self, test: ABTest) -> str:
        if test.kind == TestKind.SHADOW:
            return "shadow"
        report = _report(test)
        shares = (report.control.planned_share, report.challenger.planned_share)
        return " / ".join(f"{100 * share:g} %" for share in shares)

    @admin.display(description="labels")
    def labels(self, test: ABTest) -> str | None:
        if test.state == TestState.DRAFT:
            return None
        report = _report(test)
        return f"{report.labels:,} of {report.labels_needed:,}"

    @admin.display(description="SRM p")
    def sample_ratio(self, test: ABTest) -> str | None:
        """Whether the arms got their shares of the units: below 0.001 the test is not to be trusted."""
        found = _report(test).statistics
        if found is None or found.sample_ratio_p is None:
            return None
        return f"{found.sample_ratio_p:.3f}" if found.sample_ratio_p >= 0.001 else "<0.001"

    @admin.action(description="Start…", permissions=["promote"])
    def start(self, request: HttpRequest, chosen: QuerySet[ABTest]) -> HttpResponse | None:
        return self._open(request, chosen)

    @admin.action(description="Stop…", permissions=["promote"])
    def stop(self, request: HttpRequest, chosen: QuerySet[ABTest]) -> HttpResponse | None:
        return self._open(request, chosen)

    def has_promote_permission(self, request: HttpRequest) -> bool:
        return Caller(user=request.user).may(Need.PROMOTE)

    def _open(self, request: HttpRequest, chosen: QuerySet[ABTest]) -> HttpResponse | None:
        """Its page shows what is decided on, and asks why."""
        tests = list(chosen[:2])
        if len(tests) != 1:
            self.message_user(request, "Choose exactly one test.", messages.ERROR)
            return None
        return HttpResponseRedirect(reverse("dashboard:test", args=[tests[0].pk]))


def _may_edit(request: HttpRequest, test: ABTest | None) -> bool:
    """A plan is fixed once its test has started; a group does not count at an endpoint for members only."""
    if test is None:
        return True
    caller = Caller(user=request.user)
    return test.state == TestState.DRAFT and caller.may(Need.DRAFT_TEST, test.endpoint)


def _report(test: Any) -> ABReport:
    """Each row of the list asks several times."""
    if not hasattr(test, "report"):
        test.report = analysis.analyse(test, now=timezone.now())
    return test.report
