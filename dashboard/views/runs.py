"""The list of runs, the page of one run, and what can be done with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST
from django_htmx.http import reswap, retarget

from dashboard.forms import RegisterForm
from dashboard.presenters import analysis, comparison, curves, evaluation, model, training
from dashboard.presenters.checklist import TRAIN
from dashboard.views.shell import caller_of, page
from endpoints import downloads
from endpoints.errors import NotFound
from endpoints.filters import SOLVERS, RunFilter
from endpoints.models import AlgorithmVersion, Endpoint, Metric, Run
from endpoints.models.run import RunState
from endpoints.services import access, auto_promotion, catalog, lifecycle
from endpoints.services.access import Caller, Need
from endpoints.services.datasets import visible
from endpoints.services.training_jobs import noting

PAGE_SIZE = 50
LISTED = ("validation_accuracy", "validation_roc_auc", "validation_log_loss")


@dataclass(frozen=True)
class RunRow:
    run: Run
    metrics: dict[str, float]
    spark: list[float]
    versions: list[AlgorithmVersion]

    @property
    def step(self) -> str:
        """How far one under way is; "" of others."""
        return training.step_of(self.run) if is_under_way(self.run) else ""


@page
def runs(request: HttpRequest) -> HttpResponse:
    """While runs of the page are under way, htmx asks for their rows."""
    if request.htmx and request.GET.get("part") == "rows":  # type: ignore[attr-defined]
        return _rows(request)
    filtered = filter_runs(request)
    listing: Any = Paginator(filtered.qs, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "filter": filtered,
        "page": listing,
        "rows": run_rows(list(listing), access.visible_versions(caller_of(request))),
        "under_way": [run for run in listing if is_under_way(run)],
        "is_filtered": any(request.GET.get(name) for name in filtered.form.fields),
        "shows_archived": "archived" in request.GET,
        "synthetic": any(run.synthetic for run in listing),
        "query": query_without(request, "page"),
        "experiments": [
            choice for choice in filtered.form.fields["experiment"].choices if choice[0]
        ],
        "states": RunState.choices,
        "solvers": SOLVERS,
        "train_command": TRAIN,
        "may_train": caller_of(request).may(Need.TRAIN),
    }
    return render(request, "dashboard/runs/list.html", context)


@page
def download(request: HttpRequest) -> StreamingHttpResponse:
    header = ["run_id", "name", "experiment", "state", "solver", "converged", "iterations"]
    header += ["dataset", "dataset_sha256", "rows", "synthetic", "uploaded"]
    header += [*LISTED, "seconds", "started_at"]
    return downloads.answer(header, _csv_rows(filter_runs(request).qs), name="runs")


@page
def run(request: HttpRequest, run_id: str) -> HttpResponse:
    """While it trains, htmx asks for the live part, and at its end for the whole page."""
    caller = caller_of(request)
    found = find_run(caller, run_id)
    progress = training.progress_of(found, timezone.now())
    if request.htmx:  # type: ignore[attr-defined]
        return _live(request, found, progress)
    loaded = model.of_run(found)
    numbers = dict(found.metrics.summary().values_list("key", "value"))
    context = {
        "run": found,
        "progress": progress,
        "problems": training.problems_of(visible.problems(caller, found)),
        "message": visible.message(caller, found),
        "notes": noting.notes_of(found),
        "asked": training.asked(found),
        "loaded": loaded,
        "numbers": numbers,
        "params": comparison.param_rows(found.params.all()),
        "balance": balance(loaded),
        "tags": found.tags.all(),
        "versions": access.visible_versions(caller).filter(run=found).select_related("endpoint"),
        "may_register": caller.may(Need.REGISTER) and found.has_model,
        "may_train": caller.may(Need.TRAIN),
        **model.parts(found, loaded),
        **analysis.of_run(found, loaded, numbers),
    }
    if found.state in (RunState.FAILED, RunState.CANCELLED):
        context["convergence"] = [chart for chart in [training.curve_of(found)] if chart]
    if context["may_register"]:
        context["form"] = _register_form(caller, found)
    return render(request, "dashboard/runs/run.html", context)


@page
def register(request: HttpRequest, run_id: str) -> HttpResponse:
    caller = caller_of(request)
    found = find_run(caller, run_id)
    access.require(caller, Need.REGISTER)
    form = _register_form(caller, found, request.POST if request.method == "POST" else None)
    if form.is_valid():
        version = _register(found, form, caller)
        status = version.status_word
        messages.success(
            request, f"{version.label} of {version.endpoint.name} is registered, in {status}."
        )
        return redirect("dashboard:version", version.endpoint.slug, version.number)
    status = 422 if form.is_bound else 200
    context = {"run": found, "form": form}
    return render(request, "dashboard/runs/register.html", context, status=status)


@require_POST
@page
def archive(request: HttpRequest, run_id: str) -> HttpResponse:
    found = find_run(caller_of(request), run_id)
    access.require(caller_of(request), Need.TRAIN)
    Run.objects.unarchived().filter(pk=found.pk).update(archived_at=timezone.now())
    messages.success(request, f"“{found.name}” is archived. Undo it here.")
    return redirect("dashboard:run", found.pk)


@require_POST
@page
def restore(request: HttpRequest, run_id: str) -> HttpResponse:
    found = find_run(caller_of(request), run_id)
    access.require(caller_of(request), Need.TRAIN)
    Run.objects.filter(pk=found.pk).update(archived_at=None)
    messages.success(request, f"“{found.name}” is in the list again.")
    return redirect("dashboard:run", found.pk)


def _live(request: HttpRequest, found: Run, progress: training.Progress | None) -> HttpResponse:
    if progress is None:
        return HttpResponse(headers={"HX-Refresh": "true"})
    context = {"run": found, "progress": progress}
    return render(request, "dashboard/runs/_progress.html", context)


def _rows(request: HttpRequest) -> HttpResponse:
    """The rows of the runs that were under way; once all have ended, nothing asks any more."""
    caller, asked = caller_of(request), request.GET.getlist("run")[:PAGE_SIZE]
    listed = list(access.visible_runs(caller).select_related("created_by").filter(pk__in=asked))
    under_way = [run for run in listed if is_under_way(run)]
    rows = run_rows(listed, access.visible_versions(caller))
    context = {"rows": rows, "under_way": under_way, "is_part": True}
    response = render(request, "dashboard/runs/_under_way.html", context)
    return response if under_way else reswap(retarget(response, "#runs-live"), "outerHTML")


def is_under_way(run: Run) -> bool:
    return run.state in training.ON_ITS_WAY


def find_run(caller: Caller, run_id: str) -> Run:
    seen = access.visible_runs(caller)
    found = seen.select_related("experiment", "created_by", "dataset").filter(pk=run_id).first()
    if found is None:
        raise NotFound(f"There is no run {run_id[:32]}.")
    return found


def filter_runs(request: HttpRequest) -> RunFilter:
    """Return the filtered runs; archived ones only where they are asked for."""
    seen = access.visible_runs(caller_of(request))
    listed = seen.select_related("experiment", "created_by")
    shown = listed if "archived" in request.GET else listed.unarchived()
    return RunFilter(request.GET, queryset=shown)


def run_rows(listed: Sequence[Run], visible: QuerySet[AlgorithmVersion]) -> list[RunRow]:
    """Return the rows of one page, in as many queries as for a single row."""
    numbers: dict[str, dict[str, float]] = {run.pk: {} for run in listed}
    for key, name, value in Metric.objects.filter(run__in=listed, key__in=LISTED).values_list(
        "run_id", "key", "value"
    ):
        numbers[key][name.removeprefix("validation_")] = value
    versions: dict[str, list[AlgorithmVersion]] = {run.pk: [] for run in listed}
    for version in visible.filter(run__in=listed).select_related("endpoint"):
        versions[version.run_id].append(version)
    sparks = curves.sparks(listed)
    return [
        RunRow(run, numbers[run.pk], sparks.get(run.pk, []), versions[run.pk]) for run in listed
    ]


def balance(loaded: model.Loaded) -> list[tuple[str, float]]:
    """Return each class's share of the validation rows, as the confusion table counts them."""
    if loaded.classifier is None:
        return []
    totals = evaluation.class_counts(loaded.described, "validation")
    return [
        (name, total / (sum(totals) or 1))
        for name, total in zip(loaded.classifier.classes, totals, strict=False)
    ]


def query_without(request: HttpRequest, *names: str) -> str:
    """Return the query string for links that keep the filters."""
    query = request.GET.copy()
    for name in names:
        query.pop(name, None)
    return query.urlencode()


def _register_form(caller: Caller, found: Run, data: Any = None) -> RegisterForm:
    """Return the form; the endpoint that is named like the run's experiment is chosen already."""
    return RegisterForm(
        data,
        endpoints=access.endpoints_where(caller, Need.REGISTER),
        may_create=caller.may(Need.CREATE),
        initial={"endpoint": found.experiment.name},
    )


def _register(found: Run, form: RegisterForm, caller: Caller) -> AlgorithmVersion:
    """Register, in a new endpoint if one was named: both or nothing."""
    now = timezone.now()
    answers = form.cleaned_data
    with transaction.atomic():
        endpoint: Endpoint = form.chosen or catalog.create_endpoint(
            slug=answers["new_slug"],
            name=answers["new_name"] or answers["new_slug"].replace("-", " ").capitalize(),
            actor=caller,
            now=now,
        )
        version = lifecycle.register(
            run=found, endpoint=endpoint, actor=caller, now=now, note=answers["note"]
        )
    auto_promotion.consider(version, now=now)
    return version


def _csv_rows(listed: QuerySet[Run]) -> Iterator[list[object]]:
    """Read a page of runs at a time: the metrics of all would not fit into one query."""
    for start in range(0, downloads.MOST_ROWS, PAGE_SIZE):
        rows = run_rows(list(listed[start : start + PAGE_SIZE]), AlgorithmVersion.objects.none())
        if not rows:
            return
        yield from (_csv_row(row) for row in rows)


def _csv_row(row: RunRow) -> list[object]:
    run = row.run
    return [
        run.pk, run.name, run.experiment.name, run.state, run.solver, run.converged, run.iterations,
        run.dataset_name, run.dataset_sha256, run.dataset_rows, run.synthetic, run.uploaded,
        *(row.metrics.get(name.removeprefix("validation_")) for name in LISTED),
        run.duration.total_seconds() if run.duration else None,
        run.started_at.isoformat(),
    ]  # fmt: skip
