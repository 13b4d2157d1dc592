"""The decisions about an endpoint's versions: narrowed down, downloaded, and what was live at a moment."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone

from dashboard.lifecycle_forms import MomentForm, TimelineForm
from dashboard.presenters import history
from dashboard.views.shell import caller_of, page
from endpoints import downloads
from endpoints.models import Endpoint, StatusChange
from endpoints.services import access
from endpoints.services import history as past
from endpoints.services.access import Need

PAGE_SIZE = 20


@page
def download(request: HttpRequest, slug: str) -> StreamingHttpResponse:
    """Answer with exactly the decisions that the page's filter shows."""
    endpoint = access.get_endpoint(caller=caller_of(request), slug=slug, need=Need.READ)
    found = TimelineForm(request.GET, endpoint=endpoint).narrow(StatusChange.objects.of(endpoint))
    changes = found.select_related("version")[: downloads.MOST_ROWS]
    rows = (history.csv_row(change) for change in changes.iterator(chunk_size=500))
    return downloads.answer(history.CSV_HEADER, rows, name=f"{slug}-decisions")


def decisions(request: HttpRequest, endpoint: Endpoint) -> dict[str, Any]:
    """Return what the versions page shows of the endpoint's history."""
    form = TimelineForm(request.GET, endpoint=endpoint)
    found = form.narrow(StatusChange.objects.of(endpoint)).select_related("version")
    pages: Any = Paginator(found, PAGE_SIZE).get_page(request.GET.get("changes"))
    query = request.GET.copy()
    query.pop("changes", None)
    return {
        "timeline_form": form,
        "timeline": pages,
        "timeline_query": query.urlencode(),
        "changes": history.told(pages),
        **_moment(request, endpoint),
    }


def _moment(request: HttpRequest, endpoint: Endpoint) -> dict[str, Any]:
    if "at" not in request.GET:
        return {"moment_form": MomentForm()}
    form = MomentForm(request.GET)
    if not form.is_valid():
        return {"moment_form": form}
    at = min(form.cleaned_data["at"], timezone.now())  # nobody knows yet what will be
    return {
        "moment_form": form,
        "moment": history.Moment(at, past.in_production_at(endpoint, at)),
    }
