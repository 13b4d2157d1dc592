"""Start a training in the browser, end it, and start it again.

The upload carries a file, so its view is exempt from the early check of the token, which would read
the body: it is checked once it is known that the body may be read, and where to.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.text import slugify
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST

from dashboard import spooling
from dashboard.dataset_forms import DatasetForm
from dashboard.presenters.datasets import column_rows
from dashboard.submissions import submission_of, tell
from dashboard.training_forms import STALE, TrainingForm, answers_kept, answers_like
from dashboard.views.runs import find_run
from dashboard.views.shell import caller_of, page
from endpoints.errors import DomainError, InvalidData, InvalidRequest, TooLarge
from endpoints.models import Dataset, Run
from endpoints.models.dataset import DatasetState
from endpoints.services import access
from endpoints.services.access import Need
from endpoints.services.datasets import receiving, visible
from endpoints.services.training_jobs import again as repeating
from endpoints.services.training_jobs import cancelling, specs, submitting
from endpoints.services.words import LONGEST_NAME

OFFERED = 20
ABOUT_THE_FILE = (InvalidData, InvalidRequest, TooLarge)


@csrf_exempt
@page
def train(request: HttpRequest) -> HttpResponseBase:
    """Choose a dataset, or bring one."""
    access.require(caller_of(request), Need.TRAIN)
    if request.method != "POST":
        return _show_choice(request, DatasetForm())
    try:
        spooling.accept(request, most=settings.RAISIN_MAX_FILE_BYTES)
    except TooLarge as error:
        return _show_choice(request, DatasetForm({}, {}).refuse(error), status=error.status)
    return _receive(request)


@page
def train_on(request: HttpRequest, dataset_id: str) -> HttpResponse:
    """Ask for a training; a target that changes shows its own classes and columns first."""
    caller = caller_of(request)
    dataset = visible.dataset(caller, dataset_id)
    access.require(caller, Need.TRAIN)
    if dataset.state != DatasetState.READY:
        return redirect("dashboard:dataset", dataset.pk)
    table = column_rows(dataset.columns, dataset.rows)
    if request.method != "POST":
        form = TrainingForm(initial=_initial(request, dataset, table), table=table)
        return _show_form(request, form, dataset)
    form = TrainingForm(request.POST, table=table)
    if "show" in request.POST or form.is_stale:
        fresh = TrainingForm(initial=answers_kept(request.POST, table), table=table)
        problem = "" if "show" in request.POST else STALE
        return _show_form(request, fresh, dataset, problem=problem)
    return _submit(request, form, dataset)


@page
def cancel(request: HttpRequest, run_id: str) -> HttpResponse:
    run = _run_to_change(request, run_id)
    if request.method != "POST":
        return render(request, "dashboard/runs/cancel.html", {"run": run})
    cancelling.cancel(run, actor=caller_of(request), now=timezone.now())
    messages.success(request, f"“{run.name}” is being cancelled.")
    return redirect("dashboard:run", run.pk)


@require_POST
@page
def again(request: HttpRequest, run_id: str) -> HttpResponse:
    run = _run_to_change(request, run_id)
    repeated = repeating.again(
        run, actor=caller_of(request), now=timezone.now(), submission=submission_of(request)
    )
    tell(request, repeated, "The same training once more, as a run of its own.")
    return redirect("dashboard:run", repeated.pk)


def _run_to_change(request: HttpRequest, run_id: str) -> Run:
    run = find_run(caller_of(request), run_id)
    access.require(caller_of(request), Need.TRAIN)
    return run


@csrf_protect
def _receive(request: HttpRequest) -> HttpResponse:
    form = DatasetForm(request.POST, request.FILES)
    if not form.is_valid():
        return _show_choice(request, form, status=422)
    try:
        dataset = receiving.receive(
            form.cleaned_data["file"].path,
            name=form.title,
            actor=caller_of(request),
            now=timezone.now(),
        )
    except ABOUT_THE_FILE as error:
        return _show_choice(request, form.refuse(error), status=error.status)
    return redirect("dashboard:dataset", dataset.pk)


def _submit(request: HttpRequest, form: TrainingForm, dataset: Dataset) -> HttpResponse:
    if not form.is_valid():
        return _show_form(request, form, dataset, status=422)
    try:
        run = submitting.submit(
            dataset,
            specs.read(form.settings),
            experiment=form.cleaned_data["experiment"],
            name=form.cleaned_data["name"],
            actor=caller_of(request),
            now=timezone.now(),
            submission=submission_of(request),
        )
    except DomainError as error:
        problem = form.refuse(error)
        return _show_form(request, form, dataset, status=error.status, problem=problem)
    tell(request, run)
    return redirect("dashboard:run", run.pk)


def _initial(request: HttpRequest, dataset: Dataset, table: Any) -> dict[str, Any]:
    """Return what the form begins with: what a run was asked for, where one is named."""
    runs = access.visible_runs(caller_of(request)).filter(dataset=dataset)
    like = runs.filter(pk=request.GET["like"]).first() if "like" in request.GET else None
    newest = like or runs.select_related("experiment").first()
    stem = slugify(PurePath(dataset.name).stem)[:LONGEST_NAME] or "default"
    answers = {"experiment": newest.experiment.name if newest else stem}
    return answers | answers_like(like.spec, table) if like is not None else answers


def _show_choice(request: HttpRequest, form: DatasetForm, *, status: int = 200) -> HttpResponse:
    found = visible.datasets(caller_of(request)).ready()
    context = {
        "form": form,
        "datasets": found[:OFFERED],
        "has_more": found[OFFERED : OFFERED + 1].exists(),
        "most": settings.RAISIN_MAX_FILE_BYTES,
    }
    return render(request, "dashboard/train/choose.html", context, status=status)


def _show_form(
    request: HttpRequest,
    form: TrainingForm,
    dataset: Dataset,
    *,
    status: int = 200,
    problem: str = "",
) -> HttpResponse:
    context = {"form": form, "dataset": dataset, "problem": problem}
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "dashboard/train/_question.html", context)
    runs = access.visible_runs(caller_of(request)).order_by("experiment__name")
    context["experiments"] = runs.values_list("experiment__name", flat=True).distinct()[:OFFERED]
    return render(request, "dashboard/train/form.html", context, status=status)
