"""The A/B tests of an endpoint, and one of them: how far it got, what it says, how it ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django_htmx.http import HttpResponseClientRefresh

from dashboard.presenters import abtest as presenter
from dashboard.presenters import abtest_kept, abtest_plan, abtest_words
from dashboard.views.shell import caller_of, page
from endpoints.models import ABLook, ABPhase, ABTest, AlgorithmVersion, Status
from endpoints.models.abtest import TestKind, TestState
from endpoints.services import access
from endpoints.services.abtests import analysis, drafting, sizing
from endpoints.services.abtests.analysis import ABReport
from endpoints.services.access import Caller, Need
from endpoints.services.snapshots import snapshots

PAGE_SIZE = 20
MOST_OF_A_VERSION = 20
EVEN = 5_000


@page
def tests(request: HttpRequest, slug: str) -> HttpResponse:
    caller = caller_of(request)
    endpoint = access.get_endpoint(caller=caller, slug=slug, need=Need.READ)
    found = endpoint.abtests.select_related("control", "challenger", "endpoint")
    running = found.filter(state=TestState.RUNNING).first()
    if request.htmx:
        return _part(request, "_now", running, briefly)
    drafts = list(found.filter(state=TestState.DRAFT))
    stopped = found.filter(state=TestState.STOPPED).order_by("-stopped_at", "-id")
    past: Any = Paginator(stopped, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "endpoint": endpoint,
        "drafts": drafts,
        "past": past,
        "has_tests": bool(running or drafts or past.paginator.count),
        "may_draft": caller.may(Need.DRAFT_TEST, endpoint),
        **(briefly(running) if running else {}),
    }
    return render(request, "dashboard/endpoint/tests.html", context)


@page
def test(request: HttpRequest, test_id: int) -> HttpResponse:
    caller = caller_of(request)
    found = drafting.find(test_id, caller=caller, need=Need.READ)
    if request.htmx:
        return _part(request, "_result", found, shown)
    context, endpoint = shown(found), found.endpoint
    context |= {
        "may_draft": caller.may(Need.DRAFT_TEST, endpoint),
        "may_decide": caller.may(Need.PROMOTE, endpoint),
        "export": reverse("api:abtest_export", args=[found.pk]),
    }
    if found.state == TestState.DRAFT:
        context["size"] = size_of(found)
    if found.state == TestState.STOPPED:
        context |= {
            "ended": abtest_words.ended(found),
            "kept": abtest_kept.kept(context["told"].report),
        }
    return render(request, "dashboard/abtest/test.html", context)


def _part(
    request: HttpRequest, name: str, test: ABTest | None, read: Callable[[ABTest], dict[str, Any]]
) -> HttpResponse:
    """The live part of a page; of a test that has ended meanwhile the whole page is another."""
    if test is None or not test.is_running:
        return HttpResponseClientRefresh()
    return render(request, f"dashboard/abtest/{name}.html", read(test))


def of_version(version: AlgorithmVersion, caller: Caller) -> dict[str, Any]:
    """Return what the page of a version shows of its tests, the newest first."""
    either = Q(control=version) | Q(challenger=version)
    found = version.endpoint.abtests.filter(either).select_related("control", "challenger")
    open_to_tests = version.status in (Status.TESTING, Status.STAGING)
    may_plan = open_to_tests and caller.may(Need.DRAFT_TEST, version.endpoint)
    return {"tests": list(found[:MOST_OF_A_VERSION]), "may_plan": may_plan}


def briefly(test: ABTest) -> dict[str, Any]:
    """Return how a test stands."""
    return _told(analysis.analyse(test, timezone.now()))


def shown(test: ABTest) -> dict[str, Any]:
    """Return that and the way there: the looks of the present phase, the phases before, and the plan.

    The looks of a bandit are at all of its phases.
    """
    report = analysis.analyse(test, timezone.now())
    is_bandit = test.kind == TestKind.BANDIT
    of = {"phase__test": test} if is_bandit else {"phase": report.phase}
    course = list(ABLook.objects.filter(**of).order_by("phase__number", "labels", "id"))
    context = _told(report, course)
    return context | {
        "phases": [] if is_bandit else presenter.past_phases(report),
        "plan": abtest_plan.plan(test, context["share"]),
    }


def _told(report: ABReport, course: Sequence[ABLook] = ()) -> dict[str, Any]:
    test, share = report.test, share_of(report.phase)
    served = snapshots.get(test.endpoint.slug) if test.is_running else None
    return {
        "test": test,
        "endpoint": test.endpoint,
        "told": presenter.told(report, course),
        "share": share,
        "kind": abtest_plan.kind(test, share),
        "is_split": test.kind != TestKind.SHADOW,
        "left_out": abtest_words.left_out(served),
    }


def share_of(phase: ABPhase | None) -> float:
    return (phase.challenger_share if phase else EVEN) / 10_000


def size_of(test: ABTest, challenger_share: int | None = None) -> list[abtest_plan.Card]:
    """Return how many labels a planned test needs, and how long they take to come."""
    now = timezone.now()
    found = sizing.size(test, test.endpoint, now, challenger_share=challenger_share)
    return abtest_plan.size(test, found)
