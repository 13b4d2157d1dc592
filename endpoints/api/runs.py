"""GET /runs and below: trainings with their parameters, metrics and curves."""

from __future__ import annotations

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints.api import query, serializers
from endpoints.api.base import JsonListView, JsonView
from endpoints.api.operations import PAGED, Operation, Operations
from endpoints.errors import NotFound
from endpoints.filters import RunFilter
from endpoints.models import Run
from endpoints.services import access


class RunList(JsonListView):
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
        )
    }

    def get_queryset(self) -> QuerySet[Run]:
        runs = access.visible_runs(self.caller).unarchived().select_related("experiment")
        return runs.prefetch_related(serializers.metrics_of(""))


class RunDetail(JsonView):
    operations: Operations = {
        "GET": Operation(
            summary="Read a run",
            needs="scope read",
            parameters=("series",),
            answers={200: "RunDetail"},
        )
    }

    def get(self, request: Request, run_id: str) -> Response:
        with_series = query.flag(request.query_params.get("series", "0"), name="series")
        runs = access.visible_runs(self.caller).select_related("experiment")
        run = runs.prefetch_related(serializers.metrics_of("")).filter(pk=run_id).first()
        if run is None:
            raise NotFound(f"There is no run “{run_id[:64]}”.")
        context = {"request": request, "visible": access.visible_endpoints(self.caller)}
        written = serializers.RunDetailSerializer(run, context=context).data
        if with_series:
            written["series"] = serializers.series_of(run)
        return Response(written)
