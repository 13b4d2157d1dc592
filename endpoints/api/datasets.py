"""/datasets and below: files to train on, stored once for the same content, with what a worker found in them."""

from __future__ import annotations

from django.db.models import QuerySet
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints.api import query, waiting
from endpoints.api.base import JsonListView, JsonView
from endpoints.api.dataset_serializers import DatasetDetailSerializer, DatasetSerializer
from endpoints.api.fields import Text
from endpoints.api.file_bodies import FileView, ReceivedFile, received_file
from endpoints.api.operations import PAGED, Operation, Operations
from endpoints.errors import InvalidRequest
from endpoints.models import Dataset
from endpoints.models.dataset import DatasetState
from endpoints.services import access
from endpoints.services.access import Caller, Need
from endpoints.services.datasets import archiving, receiving, visible

READ = (DatasetState.READY, DatasetState.FAILED)
UNNAMED = "dataset"
TWICE = "“name” stands in the address and in the form; say it once."
NAME = Text(
    name="name",
    about="What to call the file; without it, as its sender does.",
    longest=receiving.LONGEST_FILE_NAME,
)


class DatasetList(FileView, JsonListView):
    serializer_class = DatasetSerializer
    newest_first = ("-created_at", "-id")
    operations: Operations = {
        "GET": Operation(
            summary="List the datasets that you may see, newest first",
            about="Archived ones are left out.",
            needs="scope read",
            parameters=(*PAGED, "state"),
            answers={200: "page of Dataset"},
        ),
        "POST": Operation(
            summary="Store a file to train on",
            about="CSV (also gzip) or Parquet, as the field `file` of a form or as the body itself. The same "
            "content is stored once. A worker reads it; with `wait` the answer comes once it has, with 200, or "
            "when the time is over, with 202.",
            needs=Need.TRAIN,
            parameters=("name", waiting.WAIT),
            body="NewDataset",
            answers={200: "DatasetDetail", 202: "DatasetDetail"},
            errors=(413, 415, 503),
        ),
    }

    def get_queryset(self) -> QuerySet[Dataset]:
        found = visible.datasets(self.caller).defer("columns", "problems", "reading", "cursor")
        asked = self.request.query_params
        if "state" in asked:
            state = query.choice(asked["state"], name="state", choices=DatasetState.values)
            found = found.filter(state=state)
        return found

    def post(self, request: Request) -> Response:
        access.require(self.caller, Need.TRAIN)
        seconds = waiting.seconds_of(request)
        in_address = NAME.read_parameter(request.query_params.get(NAME.name, ""))
        with received_file(request, fields=(NAME.name,)) as file:
            dataset = receiving.receive(
                file.path,
                name=name_of(file, in_address),
                actor=self.caller,
                now=timezone.now(),
            )
        is_read = waiting.until(dataset, READ, seconds=seconds)
        document = written(dataset, request, self.caller)
        headers = {"Location": document["url"]}
        return Response(document, status=200 if is_read else 202, headers=headers)


class DatasetDetail(JsonView):
    operations: Operations = {
        "GET": Operation(
            summary="Read a dataset and the profile of its columns",
            about="By its id or its SHA-256; `wait` gives a worker time to read it.",
            needs="scope read",
            parameters=(waiting.WAIT,),
            answers={200: "DatasetDetail"},
        )
    }

    def get(self, request: Request, dataset_id: str) -> Response:
        found = visible.dataset(self.caller, dataset_id)
        waiting.until(found, READ, seconds=waiting.seconds_of(request))
        return Response(written(found, request, self.caller))


class ArchiveDataset(JsonView):
    operations: Operations = {
        "POST": Operation(
            summary="Leave a dataset out of lists",
            about="Its runs keep it, and the same content brings it back.",
            needs=Need.TRAIN,
            body=(),
            answers={200: "DatasetDetail"},
        )
    }

    def post(self, request: Request, dataset_id: str) -> Response:
        found = visible.dataset(self.caller, dataset_id)
        self.fields(())
        archiving.archive(found, actor=self.caller, now=timezone.now())
        return Response(written(found, request, self.caller))


def name_of(file: ReceivedFile, in_address: str) -> str:
    """Return what its sender calls the file: in the address, in the form, or by sending it."""
    in_form = NAME.read_parameter(file.fields.get(NAME.name, ""))
    if in_form and in_address:
        raise InvalidRequest(TWICE)
    return in_address or in_form or file.name or UNNAMED


def written(dataset: Dataset, request: Request, caller: Caller) -> dict[str, object]:
    context = {"request": request, "caller": caller}
    return DatasetDetailSerializer(dataset, context=context).data
