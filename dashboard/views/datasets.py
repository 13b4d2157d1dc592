"""The files to train on: the list of them, and what a worker read in one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from dashboard.presenters.datasets import column_rows
from dashboard.presenters.datasets_preview import preview
from dashboard.presenters.training import problems_of
from dashboard.views.shell import caller_of, page
from endpoints.models import Dataset
from endpoints.models.dataset import DatasetState
from endpoints.services import access
from endpoints.services.access import Need
from endpoints.services.datasets import archiving, visible

PAGE_SIZE, COLUMNS_A_PAGE = 50, 100
BEING_READ = (DatasetState.UPLOADED, DatasetState.READING)


@page
def datasets(request: HttpRequest) -> HttpResponse:
    caller = caller_of(request)
    found = visible.datasets(caller).annotate(trainings=Count("runs"))
    found = found.order_by("-created_at", "-pk")
    listing: Any = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {"page": listing, "may_train": caller.may(Need.TRAIN)}
    return render(request, "dashboard/datasets/list.html", context)


@page
def dataset(request: HttpRequest, dataset_id: str) -> HttpResponse:
    """While a worker reads the file, htmx asks for the live part, and at its end for the whole page."""
    caller = caller_of(request)
    found = visible.dataset(caller, dataset_id)
    if request.htmx:  # type: ignore[attr-defined]
        return _live(request, found)
    shows_rows = visible.shows_rows(caller, found)
    rows = column_rows(visible.columns(caller, found), found.rows)
    listing: Any = Paginator(rows, COLUMNS_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "dataset": found,
        "is_being_read": found.state in BEING_READ,
        "page": listing,
        "shows_rows": shows_rows,
        "preview": preview(found) if shows_rows else None,
        "usable": sum(row.is_usable for row in rows),
        "problems": problems_of(visible.problems(caller, found)),
        "message": visible.message(caller, found),
        "runs": runs_of(request, found),
        "may_train": caller.may(Need.TRAIN),
    }
    return render(request, "dashboard/datasets/dataset.html", context)


@require_POST
@page
def archive(request: HttpRequest, dataset_id: str) -> HttpResponse:
    found = visible.dataset(caller_of(request), dataset_id)
    archiving.archive(found, actor=caller_of(request), now=timezone.now())
    messages.success(request, f"“{found.name}” is archived. Bring the file again to have it back.")
    return redirect("dashboard:datasets")


def _live(request: HttpRequest, found: Dataset) -> HttpResponse:
    if found.state not in BEING_READ:
        return HttpResponse(headers={"HX-Refresh": "true"})
    return render(request, "dashboard/datasets/_state.html", {"dataset": found})


def runs_of(request: HttpRequest, found: Dataset) -> Any:
    """Return the newest runs on the dataset that the caller may see."""
    return (
        access.visible_runs(caller_of(request)).filter(dataset=found).order_by("-started_at")[:10]
    )
