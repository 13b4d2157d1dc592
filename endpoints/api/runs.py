"""/runs and below: trainings with their parameters, metrics and curves; started, cancelled, done again."""

from __future__ import annotations

from django.db.models import QuerySet
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints.api import query, run_requests, serializers, waiting
from endpoints.api.base import JsonListView, JsonView
from endpoints.api.file_bodies import FileView, ReceivedFile, received_file
from endpoints.api.operations import IDEMPOTENT, PAGED, Operation, Operations
from endpoints.api.run_requests import RunRequest
from endpoints.errors import NotFound
from endpoints.filters import RunFilter
from endpoints.models import Dataset, Run
from endpoints.models.run import ENDED
from endpoints.services import access
from endpoints.services.access import Caller, Need
from endpoints.services.datasets import receiving, visible
from endpoints.services.training_jobs import again, cancelling, specs, submitting

WAITS = "With `wait` the answer comes once the training has ended, with 200, or when the time is over, with 202."


class RunList(FileView, JsonListView):
    serializer_class = serializers.RunSerializer
    filterset_class = RunFilter
    newest_first = ("-started_at", "-id")
    operations: Operations = {
        "GET": Operation(
            summary="List the runs that you may see",
            about="Archived ones are left out.",
            needs="scope read",
            parameters=(*PAGED, *RunFilter.base_filters),
            answers={200: "page of Run"},
        ),
        "POST": Operation(
            summary="Train on a stored dataset, or on a file that comes along",
            about=f"JSON names a dataset; a form brings the file and the same settings beside it. {WAITS}",
            needs=Need.TRAIN,
            parameters=(waiting.WAIT,),
            headers=(IDEMPOTENT,),
            body="NewRun",
            answers={200: "RunDetail", 202: "RunDetail"},
            errors=(404, 413, 415, 422, 503),
        ),
    }

    def get_queryset(self) -> QuerySet[Run]:
        runs = access.visible_runs(self.caller).unarchived().select_related("experiment")
        return runs.prefetch_related(serializers.metrics_of(""))

    def post(self, request: Request) -> Response:
        access.require(self.caller, Need.TRAIN)
        waiting.seconds_of(request)
        submission = self.submission()
        with received_file(request, fields=run_requests.BESIDE_A_FILE) as file:
            asked = run_requests.read(file)
            dataset = self._dataset(asked, file)
        run = submitting.submit(
            dataset,
            asked.spec,
            experiment=asked.experiment,
            name=asked.name,
            actor=self.caller,
            now=timezone.now(),
            submission=submission,
        )
        return under_way(run, request, self.caller)

    def _dataset(self, asked: RunRequest, file: ReceivedFile) -> Dataset:
        if asked.dataset:
            return visible.dataset(self.caller, asked.dataset)
        specs.refuse_untrainable(asked.spec["solver"])  # before its file is kept in vain
        return receiving.receive(file.path, name=file.name, actor=self.caller, now=timezone.now())


class RunDetail(JsonView):
    operations: Operations = {
        "GET": Operation(
            summary="Read a run",
            about="Of one under way `progress` says how far it is; `wait` gives it time to end.",
            needs="scope read",
            parameters=("series", waiting.WAIT),
            answers={200: "RunDetail"},
        )
    }

    def get(self, request: Request, run_id: str) -> Response:
        with_series = query.flag(request.query_params.get("series", "0"), name="series")
        run = find(run_id, self.caller)
        waiting.until(run, ENDED, seconds=waiting.seconds_of(request))
        document = written(run, request, self.caller)
        if with_series:
            document["series"] = serializers.series_of(run)
        return Response(document)


class CancelRun(JsonView):
    operations: Operations = {
        "POST": Operation(
            summary="Cancel a training",
            about="One that a worker is at ends within an iteration; `cancel_requested_at` says that it is asked "
            f"to. {WAITS}",
            needs=Need.TRAIN,
            parameters=(waiting.WAIT,),
            body=(),
            answers={200: "RunDetail", 202: "RunDetail"},
            errors=(409,),
        )
    }

    def post(self, request: Request, run_id: str) -> Response:
        run = find(run_id, self.caller)
        self.fields(())
        cancelling.cancel(run, actor=self.caller, now=timezone.now())
        return under_way(run, request, self.caller)


class TrainAgain(JsonView):
    operations: Operations = {
        "POST": Operation(
            summary="Train once more what a run was to train",
            about=f"The same dataset and settings, as a run of its own. {WAITS}",
            needs=Need.TRAIN,
            parameters=(waiting.WAIT,),
            headers=(IDEMPOTENT,),
            body=(),
            answers={200: "RunDetail", 202: "RunDetail"},
            errors=(409,),
        )
    }

    def post(self, request: Request, run_id: str) -> Response:
        run = find(run_id, self.caller)
        self.fields(())
        new = again.again(run, actor=self.caller, now=timezone.now(), submission=self.submission())
        return under_way(new, request, self.caller)


def find(run_id: str, caller: Caller) -> Run:
    runs = access.visible_runs(caller).select_related("experiment", "dataset")
    run = runs.filter(pk=run_id).first()
    if run is None:
        raise NotFound(f"There is no run “{run_id[:64]}”.")
    return run


def under_way(run: Run, request: Request, caller: Caller) -> Response:
    """Answer with a training, at once or when it has ended in the time that the caller gives it."""
    has_ended = waiting.until(run, ENDED, seconds=waiting.seconds_of(request))
    document = written(run, request, caller)
    headers = {"Location": str(document["url"])}
    return Response(document, status=200 if has_ended else 202, headers=headers)


def written(run: Run, request: Request, caller: Caller) -> dict[str, object]:
    """Write the run as it is stored now."""
    runs = Run.objects.select_related("experiment", "dataset").prefetch_related(
        serializers.metrics_of("")
    )
    visible_endpoints = access.visible_endpoints(caller)
    context = {"request": request, "caller": caller, "visible": visible_endpoints}
    return dict(serializers.RunDetailSerializer(runs.get(pk=run.pk), context=context).data)
