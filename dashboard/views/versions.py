"""The versions of an endpoint with the history of every decision, and the page of one version."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from dashboard.forms import MomentForm
from dashboard.presenters import analysis, comparison, history, model, review
from dashboard.views.shell import caller_of, page
from endpoints.errors import NotFound
from endpoints.models import AlgorithmVersion, Endpoint, Status, StatusChange
from endpoints.services import access, lifecycle, overview
from endpoints.services.access import Caller, Need

PAGE_SIZE = 50
TIMELINE = 20


@page
def versions(request: HttpRequest, slug: str) -> HttpResponse:
    caller = caller_of(request)
    endpoint = access.get_endpoint(caller=caller, slug=slug, need=Need.READ)
    archived = endpoint.versions.filter(status=Status.ARCHIVED).count()
    shown = endpoint.versions.all() if "archived" in request.GET else endpoint.versions.unarchived()
    listing: Any = Paginator(shown.select_related("run", "created_by"), PAGE_SIZE).get_page(
        request.GET.get("page")
    )
    live = endpoint.versions.in_production().first()
    context = {
        "endpoint": endpoint,
        "live": live,
        "page": listing,
        "rows": history.version_rows(listing, endpoint.primary_metric, live),
        "metric": endpoint.primary_metric,
        "archived": archived,
        "shows_archived": "archived" in request.GET,
        "archived_query": "archived" if "archived" in request.GET else "",
        **_timeline(request, StatusChange.objects.of(endpoint)),
        **_moment(request, endpoint),
    }
    return render(request, "dashboard/endpoint/versions.html", context)


@page
def version(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    caller = caller_of(request)
    endpoint = access.get_endpoint(caller=caller, slug=slug, need=Need.READ)
    found = find_version(endpoint, number)
    loaded = model.of_run(found.run)
    numbers = dict(found.run.metrics.summary().values_list("key", "value"))
    changes = list(found.status_changes.all())
    context = {
        "endpoint": endpoint,
        "version": found,
        "offers": _offers(found, caller),
        "loaded": loaded,
        "numbers": numbers,
        "changes": history.told(changes),
        "live_change": next((c for c in changes if c.to_status == "production"), None),
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


def _offers(found: AlgorithmVersion, caller: Caller) -> list[review.Offer]:
    """Return what this person may do with the version now."""
    rollback = lifecycle.rollback_target(found.endpoint) if caller.may(Need.ROLL_BACK) else None
    return [offer for offer in review.offers(found, rollback) if caller.may(offer.move.need)]


def _timeline(request: HttpRequest, changes: QuerySet[StatusChange]) -> dict[str, Any]:
    newest = changes.select_related("version")
    pages: Any = Paginator(newest, TIMELINE).get_page(request.GET.get("changes"))
    return {"timeline": pages, "changes": history.told(pages)}


def _moment(request: HttpRequest, endpoint: Endpoint) -> dict[str, Any]:
    if "at" not in request.GET:
        return {"moment_form": MomentForm()}
    form = MomentForm(request.GET)
    if not form.is_valid():
        return {"moment_form": form}
    at = form.cleaned_data["at"]
    return {
        "moment_form": form,
        "moment": history.Moment(at, overview.in_production_at(endpoint, at)),
    }
