"""Plan an A/B test, change the plan while it is a draft, or give it up; what is sound is the services' business."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from dashboard.abtest_forms import PlanForm
from dashboard.presenters.abtest_plan import Card
from dashboard.views.abtests import share_of, size_of
from dashboard.views.shell import caller_of, page
from endpoints.errors import InvalidRequest
from endpoints.models import ABTest, AlgorithmVersion, Endpoint, Status
from endpoints.services import access
from endpoints.services.abtests import checking, drafting
from endpoints.services.abtests.plans import SETTINGS, newest_phase, title_of
from endpoints.services.access import Need


@page
def new_test(request: HttpRequest, slug: str) -> HttpResponse:
    endpoint = access.get_endpoint(caller=caller_of(request), slug=slug, need=Need.DRAFT_TEST)
    versions = _versions(endpoint)
    if request.method != "POST":
        asked = {"challenger": request.GET.get("challenger", "")}
        size = _size_at_first(endpoint, versions)
        return _show(request, PlanForm(initial=asked, versions=versions), endpoint, size=size)
    return _receive(request, PlanForm(request.POST, versions=versions), ABTest(endpoint=endpoint))


@page
def edit_test(request: HttpRequest, test_id: int) -> HttpResponse:
    caller = caller_of(request)
    test = drafting.find(test_id, caller=caller, need=Need.DRAFT_TEST)
    if test.state != "draft":
        messages.error(request, f"“{test.title}” has been started; its plan is fixed.")
        return redirect("dashboard:test", test.pk)
    versions = _versions(test.endpoint)
    if request.method != "POST":
        form = PlanForm(initial=_as_kept(test), versions=versions)
        return _show(request, form, test.endpoint, test=test, size=size_of(test))
    return _receive(request, PlanForm(request.POST, versions=versions), test)


@page
def delete_test(request: HttpRequest, test_id: int) -> HttpResponse:
    caller = caller_of(request)
    test = drafting.find(test_id, caller=caller, need=Need.DRAFT_TEST)
    if request.method == "POST":
        drafting.remove(test, actor=caller, now=timezone.now())
        messages.success(request, f"The draft “{test.title}” is deleted.")
        return redirect("dashboard:tests", test.endpoint.slug)
    if test.state != "draft":
        return redirect("dashboard:test", test.pk)
    context = {"test": test, "endpoint": test.endpoint}
    return render(request, "dashboard/abtest/delete.html", context)


def _versions(endpoint: Endpoint) -> list[AlgorithmVersion]:
    """Return what can be tested, first what is staged."""
    found = endpoint.versions.filter(status__in=checking.OPEN_TO_TESTS).order_by("-number")
    return sorted(found, key=lambda version: version.status != Status.STAGING)


def _size_at_first(endpoint: Endpoint, versions: list[AlgorithmVersion]) -> list[Card] | None:
    """Return the size of the plan that the form begins with."""
    if not versions:
        return None
    return size_of(ABTest(endpoint=endpoint, challenger=versions[0]))


def _as_kept(test: ABTest) -> dict[str, Any]:
    kept = {name: getattr(test, name) for name in SETTINGS}
    share = share_of(newest_phase(test))
    shares = {"challenger_share": 100 * share, "floor": test.floor / 100}
    return kept | shares | {"challenger": test.challenger.number}


def _receive(request: HttpRequest, form: PlanForm, test: ABTest) -> HttpResponse:
    """Keep the plan, or show what it needs; what is wrong is said beside its field."""
    if not form.is_valid():
        return _show(request, form, test.endpoint, test=test, status=422)
    settings = dict(form.settings)
    share = settings.pop("challenger_share")
    settings["title"] = settings["title"] or title_of(test.endpoint, settings["challenger"])
    try:
        if "show" in request.POST:
            planned = ABTest(endpoint=test.endpoint, **settings)
            drafting.complete(planned, now=timezone.now(), challenger_share=share)
            return _show(request, form, test.endpoint, test=test, size=size_of(planned, share))
        kept = _keep(request, test, settings, share)
    except InvalidRequest as error:
        problem = form.refuse(error)
        return _show(request, form, test.endpoint, test=test, status=error.status, problem=problem)
    return redirect("dashboard:test", kept.pk)


def _keep(request: HttpRequest, test: ABTest, settings: dict[str, Any], share: int) -> ABTest:
    caller, now = caller_of(request), timezone.now()
    if test.pk is not None:
        if settings["horizon"] == test.horizon:  # the form brings it back
            del settings["horizon"]
        drafting.configure(test, settings | {"challenger_share": share}, actor=caller, now=now)
        messages.success(request, "The plan is changed.")
        return test
    planned = ABTest(endpoint=test.endpoint, **settings)
    drafting.create(planned, actor=caller, now=now, challenger_share=share)
    messages.success(request, "The plan is kept. Nothing is counted until it is started.")
    return planned


def _show(
    request: HttpRequest,
    form: PlanForm,
    endpoint: Endpoint,
    *,
    status: int = 200,
    **more: Any,
) -> HttpResponse:
    context = {"endpoint": endpoint, "form": form, **more}
    if context.get("test") is not None and context["test"].pk is None:
        del context["test"]
    return render(request, "dashboard/abtest/plan.html", context, status=status)
