"""One file to score: what was found in it, how far the scoring is, what came out; and its start."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django_htmx.http import HttpResponseClientRefresh

from dashboard.batch_forms import RerunForm, StartForm
from dashboard.presenters import batch_check, batch_done
from dashboard.presenters import batches as presenter
from dashboard.views.batches import MOST_VERSIONS
from dashboard.views.shell import caller_of, page
from endpoints.errors import Conflict, InvalidRequest, NoModel
from endpoints.models import AlgorithmVersion, BatchJob, Status
from endpoints.models.batch import BatchState
from endpoints.services import serving
from endpoints.services.access import Need
from endpoints.services.batches import starting, visible

REFUSALS = (Conflict, InvalidRequest, NoModel)
FILES_TO_LEARN_FROM = 3
MOST_ERRORS = 50


@page
def batch(request: HttpRequest, batch_id: str) -> HttpResponse:
    job = visible.job(caller_of(request), batch_id)
    if request.htmx:
        return _live(request, job)
    if request.method == "POST":
        return _start(request, job)
    return show(request, job)


def _live(request: HttpRequest, job: BatchJob) -> HttpResponse:
    """The part that moves; in another state the whole page is another."""
    if job.state != request.GET.get("seen"):
        return HttpResponseClientRefresh()
    told = presenter.told(job, timezone.now())
    return render(request, "dashboard/batch/_live.html", {"told": told, "job": job})


def show(request: HttpRequest, job: BatchJob, *, status: int = 200, **more: Any) -> HttpResponse:
    now, caller = timezone.now(), caller_of(request)
    told = presenter.told(job, now)
    done = batch_done.told(job, _classes(job))
    context: dict[str, Any] = {
        "told": told,
        "job": job,
        "endpoint": job.endpoint,
        "checked": batch_check.told(job),
        "done": done,
        "sees_before": done and visible.jobs(caller).filter(pk=done.before).exists(),
        "may_see_predictions": caller.may(Need.READ, job.endpoint),
        "kept_days": settings.RAISIN_BATCH_DAYS,
        "most_errors": MOST_ERRORS,
    }
    if told.asks:
        may_label = job.endpoint.public_predictions or caller.may(Need.FEEDBACK, job.endpoint)
        context |= {"form": start_form(job), "estimate": _estimate(job), "may_label": may_label}
    if job.has_ended and job.state != BatchState.EXPIRED and job.reading:
        context["rerun"] = _rerun_form(job)
    return render(request, "dashboard/batch/job.html", context | more, status=status)


def _start(request: HttpRequest, job: BatchJob) -> HttpResponse:
    if job.state not in presenter.ASKS:
        messages.info(request, f"It is not waiting for your answers: {job.get_state_display()}.")
        return redirect("dashboard:batch", job.pk)
    form = start_form(job, request.POST)
    if not form.is_valid():
        return show(request, job, form=form, status=422)
    answers = form.cleaned_data
    try:
        starting.start(
            job,
            mapping={**job.mapping, **form.mapping},
            label_column=answers["label_column"],
            log_rows=answers["log_rows"],
            store_labels=answers["store_labels"],
            actor=caller_of(request),
            now=timezone.now(),
        )
    except REFUSALS as error:
        job.refresh_from_db()
        if job.state not in presenter.ASKS:  # the button was pressed twice, and this is the second
            return redirect("dashboard:batch", job.pk)
        return show(request, job, form=form, problem=error.message, status=error.status)
    return redirect("dashboard:batch", job.pk)


def start_form(job: BatchJob, *data: Any) -> StartForm:
    """Ask for the choices; where rows are scored already, show theirs."""
    if job.cursor:
        return _settled_form(job, *data)
    report = job.check_report
    columns = list(job.reading.get("columns", ()))
    labels = list(report.get("extra", ()))
    target = _target(job)
    initial = {
        "label_column": job.label_column or (target if target in labels else ""),
        "log_rows": job.log_rows,
        "store_labels": job.store_labels,
    }
    missing = report.get("missing", ())
    return StartForm(*data, columns=columns, missing=missing, labels=labels, initial=initial)


def _settled_form(job: BatchJob, *data: Any) -> StartForm:
    missing = job.check_report.get("missing", ())
    chosen = {f"feature_{place}": job.mapping[one["name"]] for place, one in enumerate(missing)}
    return StartForm(
        *data,
        columns=list(job.reading["columns"]),
        missing=missing,
        labels=[job.label_column] if job.label_column else [],
        is_open=False,
        initial={
            "label_column": job.label_column,
            "log_rows": job.log_rows,
            "store_labels": job.store_labels,
            **chosen,
        },
    )


def _rerun_form(job: BatchJob) -> RerunForm:
    """Offer what failed the same version again, and what is done another one, rather production."""
    versions = versions_of(job)
    is_done = job.state == BatchState.DONE
    wanted = [version for version in versions if (version.pk == job.version_id) != is_done]
    live = [version for version in wanted or versions if version.status == Status.PRODUCTION]
    first = next(iter([*live, *wanted, *versions]), None)
    return RerunForm(versions=versions, initial={"version": first.number if first else None})


def _target(job: BatchJob) -> str:
    """What the model tells: a column of this name holds true labels."""
    try:
        return serving.load(job.version).target
    except NoModel:
        return ""


def _classes(job: BatchJob) -> tuple[str, ...]:
    try:
        return serving.load(job.version).classes
    except NoModel:
        return ()


def versions_of(job: BatchJob) -> list[AlgorithmVersion]:
    """Return those that can score its file again, the newest first."""
    found = job.endpoint.versions.exclude(status=Status.ARCHIVED)
    return list(found.order_by("-number")[:MOST_VERSIONS])


def _estimate(job: BatchJob) -> str:
    """From the last files of this endpoint, if any are done."""
    done = BatchJob.objects.filter(endpoint=job.endpoint, state=BatchState.DONE, rows__gte=10_000)
    reports = done.order_by("-ended_at").values_list("rows", "report")[:FILES_TO_LEARN_FROM]
    before = [(int(rows or 0), float(report.get("seconds") or 0)) for rows, report in reports]
    return presenter.estimate(job.rows or 0, len(job.reading.get("columns", ())), before)
