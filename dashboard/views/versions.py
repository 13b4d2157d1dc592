"""The versions of an endpoint with the history of every decision, and the page of one version."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.db.models import QuerySet, prefetch_related_objects
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from dashboard.presenters import analysis, claims, comparison, history, model, review
from dashboard.views import abtests, timeline
from dashboard.views.shell import caller_of, page
from endpoints.errors import NotFound
from endpoints.models import AlgorithmVersion, Endpoint, Status
from endpoints.services import access
from endpoints.services import history as past
from endpoints.services.access import Need

PAGE_SIZE = 50
EVERY_STATUS = "all"


@page
def versions(request: HttpRequest, slug: str) -> HttpResponse:
    caller = caller_of(request)
    endpoint = access.get_endpoint(caller=caller, slug=slug, need=Need.READ)
    archived = endpoint.versions.filter(status=Status.ARCHIVED).count()
    asked = EVERY_STATUS if "archived" in request.GET else request.GET.get("status", "")
    shown = _listed(endpoint, asked).select_related("run", "created_by")
    listing: Any = Paginator(shown, PAGE_SIZE).get_page(request.GET.get("page"))
    live = endpoint.versions.in_production().select_related("run").first()
    context = {
        "endpoint": endpoint,
        "live": live,
        "page": listing,
        "rows": history.version_rows(listing, endpoint.primary_metric, live),
        "metric": endpoint.primary_metric,
        "archived": archived,
        "asked": asked,
        "statuses": Status.choices,
        "listing_query": urlencode({"status": asked}) if asked else "",
        **timeline.decisions(request, endpoint),
    }
    return render(request, "dashboard/endpoint/versions.html", context)


@page
def version(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    caller = caller_of(request)
    endpoint = access.get_endpoint(caller=caller, slug=slug, need=Need.READ)
    found = find_version(endpoint, number)
    loaded = model.of_run(found.run)
    numbers = dict(found.run.metrics.summary().values_list("key", "value"))
    prefetch_related_objects([found], "status_changes")
    told = history.told(found.status_changes.all())
    context = {
        "endpoint": endpoint,
        "version": found,
        "offers": review.offers(review.Situation(found, caller)),
        "loaded": loaded,
        "numbers": numbers,
        "claims": claims.of(found, numbers),
        "changes": told,
        "overrides": [entry for entry in told if entry.overruled],
        "requests": found.promotion_requests.all(),
        **abtests.of_version(found, caller),
        "lineage": past.lineage(found),
        "params": comparison.param_rows(found.run.params.all()),
        **model.parts(found.run, loaded),
        **analysis.of_version(found.run, loaded, numbers),
    }
    return render(request, "dashboard/endpoint/version.html", context)


def find_version(endpoint: Endpoint, number: int) -> AlgorithmVersion:
    related = ("run", "run__experiment", "endpoint", "created_by")
    found = endpoint.versions.select_related(*related).filter(number=number).first()
    if found is None:
        raise NotFound(f"{endpoint.name} has no version {number}.")
    return found


def _listed(endpoint: Endpoint, asked: str) -> QuerySet[AlgorithmVersion]:
    """Return the versions of a status, of all, or by default those that are not archived."""
    if asked == EVERY_STATUS:
        return endpoint.versions.all()
    if asked in Status.values:
        return endpoint.versions.filter(status=asked)
    return endpoint.versions.unarchived()
