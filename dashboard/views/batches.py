"""The files that somebody lets score: upload one, see how far all of them are.

The form carries a file, so its token is checked once it is known that the body may be read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django_htmx.http import HttpResponseClientRedirect

from dashboard import spooling
from dashboard.batch_forms import UploadForm
from dashboard.formats import filesize
from dashboard.presenters import batches as presenter
from dashboard.presenters.batch_check import named
from dashboard.submissions import submission_of, tell
from dashboard.views.shell import caller_of, page
from endpoints.errors import (
    Conflict,
    DomainError,
    InvalidRequest,
    NoModel,
    NotFound,
    TooLarge,
)
from endpoints.models import AlgorithmVersion, Endpoint, Status
from endpoints.services import access, serving
from endpoints.services.access import Caller, Need
from endpoints.services.batches import receiving, visible

PAGE_SIZE = 20
MOST_VERSIONS = 50
ABOUT_THE_FILE = (Conflict, InvalidRequest, NoModel, NotFound, TooLarge)


@dataclass(frozen=True)
class Choice:
    """The endpoints to choose from, one of them, and its versions that can score."""

    endpoints: list[Endpoint]
    endpoint: Endpoint | None
    versions: list[AlgorithmVersion]

    def form(self, *args: Any, **kwargs: Any) -> UploadForm:
        return UploadForm(*args, endpoints=self.endpoints, versions=self.versions, **kwargs)

    @property
    def slug(self) -> str:
        return self.endpoint.slug if self.endpoint else ""

    @property
    def names(self) -> str:
        """The columns that the first of its versions reads, the one in production before others."""
        ranked = sorted(self.versions, key=lambda version: version.status != Status.PRODUCTION)
        try:
            return named(serving.load(ranked[0]).schema.names) if ranked else ""
        except NoModel:
            return ""


@csrf_exempt
@page
def batches(request: HttpRequest) -> HttpResponseBase:
    caller = caller_of(request)
    endpoints = list(access.endpoints_where(caller, Need.PREDICT).order_by("name", "pk"))
    if request.method != "POST":
        return _show(request, _choice(endpoints, request.GET.get("endpoint", "")))
    try:
        spooling.accept(request, most=settings.RAISIN_MAX_FILE_BYTES)
    except TooLarge as error:
        choice = _choice(endpoints, "")
        said = TooLarge(_too_large())
        return _refuse(request, choice, choice.form({}, {}), said, error.status)
    return _receive(request, endpoints)


@csrf_protect
def _receive(request: HttpRequest, endpoints: list[Endpoint]) -> HttpResponse:
    choice = _choice(endpoints, request.POST.get("endpoint", ""))
    if "choose" in request.POST:
        return redirect(f"{reverse('dashboard:batches')}?endpoint={choice.slug}")
    form = choice.form(request.POST, request.FILES)
    if not form.is_valid() or choice.endpoint is None:
        return _show(request, choice, form, status=422)
    file, number = form.cleaned_data["file"], form.cleaned_data["version"]
    try:
        job = receiving.receive(
            file.path,
            name=file.name,
            endpoint=choice.endpoint,
            version=next(
                (version for version in choice.versions if version.number == number), None
            ),
            options=receiving.Options(),
            actor=caller_of(request),
            now=timezone.now(),
            submission=submission_of(request),
        )
    except ABOUT_THE_FILE as error:
        return _refuse(request, choice, form, error, error.status)
    tell(request, job)
    address = reverse("dashboard:batch", args=[job.pk])
    return HttpResponseClientRedirect(address) if request.htmx else redirect(address)


def _refuse(
    request: HttpRequest, choice: Choice, form: UploadForm, error: DomainError, status: int
) -> HttpResponse:
    form.refuse(error)
    return _show(request, choice, form, status=status)


def _show(
    request: HttpRequest, choice: Choice, form: UploadForm | None = None, *, status: int = 200
) -> HttpResponse:
    part = request.GET.get("part", "") if request.htmx and request.method == "GET" else ""
    if part == "model":
        context = _model_context(choice, choice.form(initial={"endpoint": choice.slug}))
        return render(request, "dashboard/batch/_model.html", context)
    context = _jobs_context(request, caller_of(request))
    if part == "jobs":
        return render(request, "dashboard/batch/_jobs.html", context)
    context |= _model_context(choice, form or choice.form(initial={"endpoint": choice.slug}))
    context |= {
        "most": settings.RAISIN_MAX_FILE_BYTES,
        "days": settings.RAISIN_BATCH_DAYS,
    }
    return render(request, "dashboard/batch/list.html", context, status=status)


def _choice(endpoints: list[Endpoint], slug: str) -> Choice:
    """Choose the endpoint of this slug, else the first; its archived versions score nothing."""
    found = next((endpoint for endpoint in endpoints if endpoint.slug == slug), None)
    endpoint = found or next(iter(endpoints), None)
    if endpoint is None:
        return Choice(endpoints, None, [])
    versions = endpoint.versions.exclude(status=Status.ARCHIVED).select_related("endpoint")
    return Choice(endpoints, endpoint, list(versions.order_by("-number")[:MOST_VERSIONS]))


def _model_context(choice: Choice, form: UploadForm) -> dict[str, Any]:
    return {"choice": choice, "form": form, "endpoint": choice.endpoint}


def _jobs_context(request: HttpRequest, caller: Caller) -> dict[str, Any]:
    found = visible.jobs(caller).select_related("endpoint", "version")
    jobs: Any = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    now = timezone.now()
    lines = [presenter.told(job, now) for job in jobs]
    return {
        "jobs": jobs,
        "lines": lines,
        "is_live": presenter.are_live(lines),
        "others": any(line.job.created_by_id != request.user.pk for line in lines),
    }


def _too_large() -> str:
    return f"The selected file must be smaller than {filesize(settings.RAISIN_MAX_FILE_BYTES)}."
