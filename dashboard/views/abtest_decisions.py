"""Start an A/B test, change its share, stop it: GET shows what will happen, POST does it once."""

from __future__ import annotations

from uuid import uuid4

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from dashboard.abtest_forms import KEEP, PROMOTE, ShareForm, StartForm, StopForm
from dashboard.presenters import abtest_plan
from dashboard.presenters import abtest_words as words
from dashboard.views.abtests import share_of, shown, size_of
from dashboard.views.shell import caller_of, page
from endpoints.errors import Conflict, GateFailed, InvalidRequest, InvalidTransition
from endpoints.models import ABTest
from endpoints.models.abtest import TestState
from endpoints.services.abtests import analysis, drafting, starting, stopping, verdicts
from endpoints.services.abtests.plans import digest_of, newest_phase
from endpoints.services.access import Need
from endpoints.services.gates import Case, Gate, smoke_test
from endpoints.services.gates.question import same_question

STOP = ("conclusion", "reason", "submission")
REFUSALS = (Conflict, GateFailed, InvalidRequest, InvalidTransition)


@page
def start_test(request: HttpRequest, test_id: int) -> HttpResponse:
    caller = caller_of(request)
    test = drafting.find(test_id, caller=caller, need=Need.PROMOTE)
    if test.state != TestState.DRAFT:
        messages.info(request, words.standing(test))
        return redirect("dashboard:test", test.pk)
    if request.method != "POST":
        return _show_start(request, test)
    form = StartForm(request.POST)
    form.is_valid()
    answers = {"submission": "", "seen": ""} | form.cleaned_data
    try:
        starting.start(test, actor=caller, now=timezone.now(), **answers)
    except REFUSALS as error:
        found = drafting.find(test_id, caller=caller, need=Need.PROMOTE)
        return _show_start(request, found, problem=error.message, status=error.status)
    at = f"{timezone.localtime(test.started_at):%H:%M:%S}"
    messages.success(request, f"The test is running since {at}.")
    return redirect("dashboard:test", test.pk)


def _show_start(
    request: HttpRequest, test: ABTest, *, problem: str = "", status: int = 200
) -> HttpResponse:
    live = test.endpoint.versions.in_production().first()
    context = shown(test)
    phase = context["told"].report.phase
    seen = digest_of(test, phase.challenger_share, live)
    context |= {
        "consequence": abtest_plan.consequence(test, live, context["share"]),
        "gates": _gates(request, test),
        "size": size_of(test),
        "form": StartForm.fresh(seen),
        "problem": problem,
        "obstacle": abtest_plan.obstacle(test, live),
    }
    return render(request, "dashboard/abtest/start.html", context, status=status)


def _gates(request: HttpRequest, test: ABTest) -> list[Gate]:
    """Return the gates that a start is held against."""
    smoke = smoke_test(test.challenger)
    if smoke.verdict == "fail":
        return [smoke]
    return [smoke, same_question(Case(test.challenger, caller_of(request), timezone.now()))]


@page
def share_test(request: HttpRequest, test_id: int) -> HttpResponse:
    caller = caller_of(request)
    test = drafting.find(test_id, caller=caller, need=Need.PROMOTE)
    if test.state != TestState.RUNNING or test.kind != "split":
        messages.info(request, words.standing(test))
        return redirect("dashboard:test", test.pk)
    if request.method != "POST":
        initial = {"challenger_share": 100 * share_of(newest_phase(test))}
        return _show(request, "share", test, ShareForm(initial=initial))
    form = ShareForm(request.POST)
    if not form.is_valid():
        return _show(request, "share", test, form, status=422)
    before = newest_phase(test)
    try:
        phase = starting.change_share(
            test,
            form.basis_points,
            reason=form.cleaned_data["reason"],
            actor=caller,
            now=timezone.now(),
        )
    except REFUSALS as error:
        return _show(request, "share", test, form, problem=error.message, status=error.status)
    if phase == before:
        messages.info(request, "B has this share already. Nothing was changed.")
    else:
        messages.success(request, f"Phase {phase.number} has begun.")
    return redirect("dashboard:test", test.pk)


@page
def stop_test(request: HttpRequest, test_id: int) -> HttpResponse:
    caller = caller_of(request)
    test = drafting.find(test_id, caller=caller, need=Need.PROMOTE)
    if test.state != TestState.RUNNING:
        messages.info(request, words.standing(test))
        return redirect("dashboard:test", test.pk)
    if request.method != "POST":
        return _show(request, "stop", test, _suggested(test))
    form = StopForm(request.POST, test=test)
    if not form.is_valid():
        return _show(request, "stop", test, form, status=422)
    answers = form.cleaned_data
    stop = stopping.Stop(**{name: answers[name] for name in STOP})
    try:
        stopping.stop(test, stop, actor=caller, now=timezone.now())
    except REFUSALS as error:
        return _show(request, "stop", test, form, problem=error.message, status=error.status)
    said, b = words.after_stop(test), test.challenger
    if answers["serves"] == KEEP:
        messages.success(request, f"{said} {b.label} is back in staging.")
        return redirect("dashboard:test", test.pk)
    messages.success(request, f"{said} Now review the promotion of {b.label}.")
    url = reverse("dashboard:review", args=[test.endpoint.slug, b.number])
    return redirect(f"{url}?to=production&verb=promote")


def _suggested(test: ABTest) -> StopForm:
    """The form with what the report says; whoever stops the test may conclude otherwise."""
    report = analysis.analyse(test, timezone.now())
    serves = PROMOTE if report.banner == "b_better" else KEEP
    conclusion = verdicts.conclusion_of(report)
    known = {"conclusion": conclusion, "serves": serves, "submission": uuid4().hex}
    return StopForm(test=test, initial=known)


def _show(
    request: HttpRequest,
    name: str,
    test: ABTest,
    form: ShareForm | StopForm,
    *,
    problem: str = "",
    status: int = 200,
) -> HttpResponse:
    context = shown(test) | {"form": form, "problem": problem}
    return render(request, f"dashboard/abtest/{name}.html", context, status=status)
