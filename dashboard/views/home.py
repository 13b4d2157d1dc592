"""The first page: what is live, what waits for a review, and what to do first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from dashboard.presenters import attention, checklist
from dashboard.views.shell import caller_of, page
from endpoints.models import ABTest, AlgorithmVersion, Endpoint
from endpoints.services import access, overview, traffic
from endpoints.services.access import Need
from endpoints.services.snapshots import snapshots
from endpoints.services.traffic import Pulse

PAGE_SIZE = 50


@dataclass(frozen=True)
class EndpointRow:
    endpoint: Endpoint
    production: AlgorithmVersion | None
    waiting: list[AlgorithmVersion]
    pulse: Pulse
    last_request_at: datetime | None
    has_problem: bool
    test: ABTest | None


@page
def home(request: HttpRequest) -> HttpResponse:
    caller = caller_of(request)
    if not caller.may(Need.READ):
        return render(request, "dashboard/no_role.html")
    endpoints = overview.with_last_request(access.visible_endpoints(caller))
    listing: Any = Paginator(endpoints, PAGE_SIZE).get_page(request.GET.get("page"))
    now = timezone.now()
    context = {
        "page": listing,
        "rows": endpoint_rows(list(listing), now=now),
        "attention": attention.needed(caller, now=now),
        "steps": checklist.first_steps(caller),
    }
    return render(request, "dashboard/home.html", context)


def endpoint_rows(endpoints: Sequence[Endpoint], *, now: datetime) -> list[EndpointRow]:
    pulses = traffic.pulses(endpoints, now=now)
    versions = overview.live_versions(endpoints)
    running = ABTest.objects.running().filter(endpoint__in=endpoints)
    tests = {test.endpoint_id: test for test in running.select_related("challenger")}
    broken = {slug for slug, served in snapshots.all().items() if served.problem}
    return [
        EndpointRow(
            endpoint=endpoint,
            production=next(
                (v for v in versions if v.endpoint_id == endpoint.pk and v.status == "production"),
                None,
            ),
            waiting=[v for v in versions if v.endpoint_id == endpoint.pk and v.status == "staging"],
            pulse=pulses[endpoint.pk],
            last_request_at=getattr(endpoint, "last_request_at", None),
            has_problem=endpoint.slug in broken,
            test=tests.get(endpoint.pk),
        )
        for endpoint in endpoints
    ]
