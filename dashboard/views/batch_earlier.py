"""A file from before: one that was uploaded for an endpoint and is still kept, scored by a version of it."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from dashboard.batch_forms import EarlierForm
from dashboard.submissions import submission_of, tell
from dashboard.views.batches import MOST_VERSIONS
from dashboard.views.shell import caller_of, page
from endpoints.errors import Conflict, InvalidRequest, NoModel, NotFound
from endpoints.models import AlgorithmVersion, BatchJob, Endpoint, Status
from endpoints.services import access
from endpoints.services.access import Caller, Need
from endpoints.services.batches import rerunning, visible

REFUSALS = (Conflict, InvalidRequest, NoModel, NotFound)
MOST_FILES = 20


@dataclass(frozen=True)
class Kept:
    """The files that are kept of one endpoint, and its versions that can score."""

    endpoints: list[Endpoint]
    endpoint: Endpoint | None
    jobs: list[BatchJob]
    versions: list[AlgorithmVersion]


@page
def earlier(request: HttpRequest) -> HttpResponse:
    caller, is_post = caller_of(request), request.method == "POST"
    answers = request.POST if is_post else request.GET
    kept = kept_of(caller, answers.get("endpoint", ""))
    form = EarlierForm(request.POST if is_post else None, versions=kept.versions)
    if not form.is_valid():
        return _show(request, kept, form, status=422 if is_post else 200)
    return _score(request, kept, form)


def kept_of(caller: Caller, slug: str) -> Kept:
    """Choose the endpoint of this slug, else the one that was asked last, else the first."""
    endpoints = list(access.endpoints_where(caller, Need.PREDICT).order_by("name", "pk"))
    last = visible.jobs(caller).filter(endpoint__in=endpoints).order_by("-created_at").first()
    wanted = [slug, last.endpoint.slug if last is not None and not slug else ""]
    found = next((endpoint for endpoint in endpoints if endpoint.slug in wanted), None)
    endpoint = found or next(iter(endpoints), None)
    if endpoint is None:
        return Kept(endpoints, None, [], [])
    versions = endpoint.versions.exclude(status=Status.ARCHIVED).select_related("endpoint")
    return Kept(
        endpoints,
        endpoint,
        visible.kept_files(caller, endpoint, most=MOST_FILES),
        list(versions.order_by("-number")[:MOST_VERSIONS]),
    )


def _score(request: HttpRequest, kept: Kept, form: EarlierForm) -> HttpResponse:
    """Also a file whose newest job is another by now: the button may be pressed twice."""
    number = form.cleaned_data["version"]
    version = next((version for version in kept.versions if version.number == number), None)
    try:
        again = rerunning.rerun(
            visible.job(caller_of(request), form.cleaned_data["job"]),
            version=version,
            actor=caller_of(request),
            now=timezone.now(),
            submission=submission_of(request),
        )
    except REFUSALS as error:
        return _show(request, kept, form, problem=error.message, status=error.status)
    tell(request, again, f"{again.version.label} has the same file now.")
    return redirect("dashboard:batch", again.pk)


def _show(
    request: HttpRequest, kept: Kept, form: EarlierForm, *, status: int, problem: str = ""
) -> HttpResponse:
    chosen = form["job"].value() or (kept.jobs[0].pk if kept.jobs else "")
    context = {"kept": kept, "form": form, "chosen": chosen, "problem": problem}
    return render(request, "dashboard/batch/earlier.html", context, status=status)
