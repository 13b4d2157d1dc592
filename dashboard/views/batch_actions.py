"""What one does with a file to score: cancel it, score it once more, delete what is kept of it."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from dashboard.batch_forms import RerunForm
from dashboard.presenters import batches as presenter
from dashboard.submissions import submission_of, tell
from dashboard.views.batch_job import show, versions_of
from dashboard.views.shell import caller_of, page
from endpoints.models import BatchJob
from endpoints.models.batch import BatchState
from endpoints.services.batches import cancelling, deleting, rerunning, visible


@page
def cancel_batch(request: HttpRequest, batch_id: str) -> HttpResponse:
    job = visible.job(caller_of(request), batch_id)
    if job.has_ended:
        messages.info(request, f"There is nothing to cancel: {presenter.word(job).lower()}.")
        return redirect("dashboard:batch", job.pk)
    if request.method != "POST":
        return _ask(request, "cancel", job)
    cancelling.cancel(job, actor=caller_of(request), now=timezone.now())
    messages.success(request, "It is cancelled: a worker that is at it stops at its next step.")
    return redirect("dashboard:batch", job.pk)


@page
def delete_batch(request: HttpRequest, batch_id: str) -> HttpResponse:
    job = visible.job(caller_of(request), batch_id)
    if not job.has_ended or job.state == BatchState.EXPIRED:
        messages.info(request, f"There is nothing to delete: {presenter.word(job).lower()}.")
        return redirect("dashboard:batch", job.pk)
    if request.method != "POST":
        return _ask(request, "delete", job)
    deleting.delete_files(job, actor=caller_of(request), now=timezone.now())
    messages.success(request, "The file and its results are deleted.")
    return redirect("dashboard:batch", job.pk)


@require_POST
@page
def rerun_batch(request: HttpRequest, batch_id: str) -> HttpResponse:
    job = visible.job(caller_of(request), batch_id)
    versions = versions_of(job)
    form = RerunForm(request.POST, versions=versions)
    if not form.is_valid():
        return show(request, job, rerun=form, status=422)
    number = form.cleaned_data["version"]
    version = next(version for version in versions if version.number == number)
    again = rerunning.rerun(
        job,
        version=version,
        actor=caller_of(request),
        now=timezone.now(),
        submission=submission_of(request),
    )
    tell(request, again, f"{version.label} has the same file now.")
    return redirect("dashboard:batch", again.pk)


def _ask(request: HttpRequest, name: str, job: BatchJob) -> HttpResponse:
    told = presenter.told(job, timezone.now())
    context = {"job": job, "told": told, "days": settings.RAISIN_BATCH_DAYS}
    return render(request, f"dashboard/batch/{name}.html", context)
