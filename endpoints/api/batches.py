"""/batch-predict and /batches: files whose rows a version scores - sent, watched, mended, fetched, deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints.api import batch_fields as fields
from endpoints.api import batch_files, query, waiting
from endpoints.api.base import JsonListView, JsonView
from endpoints.api.batch_files import CSV, RESULTS
from endpoints.api.batch_serializers import BatchSerializer, detail_json
from endpoints.api.file_bodies import FileView, received_file
from endpoints.api.operations import IDEMPOTENT, PAGED, Operation, Operations
from endpoints.api.permissions import EndpointDecides
from endpoints.errors import InvalidRequest
from endpoints.models import AlgorithmVersion, BatchJob, Status
from endpoints.models.batch import ENDED, BatchState
from endpoints.services import access, rates, serving
from endpoints.services.access import Need
from endpoints.services.batches import (
    admitting,
    cancelling,
    deleting,
    receiving,
    rerunning,
    starting,
    visible,
)
from endpoints.services.batches.receiving import Options
from endpoints.services.snapshots import Served
from mlcore.errors import CellError

AT_REST = (*ENDED, BatchState.READY, BatchState.NEEDS_ATTENTION)
"""States in which nothing happens by itself: nobody need wait any longer."""
NEEDS = "scope predict"
NO_ENDPOINT = "endpoint is missing: the slug of the endpoint whose version scores the rows."
WAITS = "With `wait` the answer comes once the job has settled, with 200, or when the time is over, with 202."


class _BatchView(JsonView):
    def find(self, batch_id: str) -> BatchJob:
        return visible.job(self.caller, batch_id)

    def answer(self, job: BatchJob) -> Response:
        """Answer with the job as it is now, or once it has settled."""
        is_settled = waiting.until(job, AT_REST, seconds=waiting.seconds_of(self.request))
        document = detail_json(self.find(job.pk), self.request)
        location = {"Location": document["url"]}
        return Response(document, status=200 if is_settled else 202, headers=location)

    def choose(self, served: Served, given: Mapping[str, Any]) -> AlgorithmVersion | None:
        """Return the version that is asked for as in a prediction; None leaves it to the service."""
        number, status = given.get("version"), given.get("status")
        if number is None and status in (None, Status.PRODUCTION):
            return None
        return served.version(number, status)


class SendBatch(_BatchView, FileView):
    operations: Operations = {
        "POST": Operation(
            summary="Score the rows of a file",
            about="CSV (also gzip) or Parquet, as the field `file` of a form or as the body itself; what else is "
            "said stands in the form or in the address. A worker checks the file and scores "
            f"it. {WAITS} The state `needs_attention` says that the file lacks a column: `check` names it, and "
            "`start` takes a mapping.",
            needs=NEEDS,
            parameters=(*fields.READERS, "name", waiting.WAIT),
            headers=(IDEMPOTENT,),
            body="NewBatch",
            answers={200: "BatchDetail", 202: "BatchDetail"},
            errors=(404, 413, 415, 429, 503),
        )
    }

    def post(self, request: Request) -> Response:
        address = _address(request)
        self._admit(address)
        submission = self.submission()
        with received_file(request, fields=tuple(fields.READERS)) as file:
            given = fields.read_texts(address, file.fields)
            served = self._served(given.get("endpoint"), is_counted="endpoint" in address)
            job = receiving.receive(
                file.path,
                name=file.name or address.get("name", ""),
                endpoint=served.endpoint,
                version=self.choose(served, given),
                options=_options(given),
                actor=self.caller,
                now=timezone.now(),
                submission=submission,
            )
        return self.answer(job)

    def _admit(self, address: Mapping[str, str]) -> None:
        """Refuse what the address alone tells, before the file is read."""
        waiting.seconds_of(self.request)
        fields.read_texts(address, {})
        if "endpoint" in address:
            serving.admitted(address["endpoint"], caller=self.caller)
        else:
            admitting.require_somewhere(self.caller)

    def _served(self, slug: str | None, *, is_counted: bool) -> Served:
        if not slug:
            cell = CellError(code="missing_field", message=NO_ENDPOINT, column="endpoint")
            raise InvalidRequest(NO_ENDPOINT, cells=[cell])
        served = serving.served(slug, caller=self.caller, need=Need.PREDICT)
        if not is_counted:
            rates.check(self.caller, served.endpoint)
        return served


class BatchList(JsonListView):
    serializer_class = BatchSerializer
    newest_first = ("-created_at", "-id")
    operations: Operations = {
        "GET": Operation(
            summary="List batches, newest first",
            about="Your own, and all of an endpoint whose inputs you may see.",
            needs="nothing but to be known",
            parameters=("state", "endpoint", *PAGED),
            answers={200: "page of Batch"},
            errors=(404,),
        )
    }

    def get_queryset(self) -> QuerySet[BatchJob]:
        found, asked = visible.jobs(self.caller), self.request.query_params
        if "endpoint" in asked:
            slug = asked["endpoint"]
            endpoint = access.get_endpoint(caller=self.caller, slug=slug, need=Need.PREDICT)
            found = found.filter(endpoint=endpoint)
        if "state" in asked:
            state = query.choice(asked["state"], name="state", choices=BatchState.values)
            found = found.filter(state=state)
        return found


class BatchDetail(_BatchView):
    operations: Operations = {
        "GET": Operation(
            summary="Read a batch: how far it is and what it found",
            about=f"`links` has what may be asked for in its state. {WAITS}",
            needs=NEEDS,
            parameters=(waiting.WAIT,),
            answers={200: "BatchDetail", 202: "BatchDetail"},
        ),
        "DELETE": Operation(
            summary="Delete the files of a batch now",
            about="The job stays, with what it found, and its state is `expired`.",
            needs=NEEDS,
            answers={204: ""},
            errors=(409,),
        ),
    }

    def get(self, request: Request, batch_id: str) -> Response:
        return self.answer(self.find(batch_id))

    def delete(self, request: Request, batch_id: str) -> Response:
        deleting.delete_files(self.find(batch_id), actor=self.caller, now=timezone.now())
        return Response(status=204)


class StartBatch(_BatchView):
    operations: Operations = {
        "POST": Operation(
            summary="Score a file that needed attention",
            about=f"What is left out stays as it was sent. {WAITS}",
            needs=NEEDS,
            parameters=(waiting.WAIT,),
            body=fields.HOW,
            answers={200: "BatchDetail", 202: "BatchDetail"},
            errors=(409, 503),
        )
    }

    def post(self, request: Request, batch_id: str) -> Response:
        job = self.find(batch_id)
        waiting.seconds_of(request)
        given = self.fields(fields.HOW)
        starting.start(
            job,
            mapping=given.get("mapping", {}),
            label_column=given.get("label_column", job.label_column),
            log_rows=given.get("log", job.log_rows),
            store_labels=given.get("store_labels", job.store_labels),
            actor=self.caller,
            now=timezone.now(),
        )
        return self.answer(job)


class CancelBatch(_BatchView):
    operations: Operations = {
        "POST": Operation(
            summary="Cancel a batch",
            about="One that a worker is at ends within a moment; `cancel_requested_at` says that it is asked to.",
            needs=NEEDS,
            body=(),
            answers={200: "BatchDetail", 202: "BatchDetail"},
            errors=(409,),
        )
    }

    def post(self, request: Request, batch_id: str) -> Response:
        job = self.find(batch_id)
        self.fields(())
        return self.answer(cancelling.cancel(job, actor=self.caller, now=timezone.now()))


class RerunBatch(_BatchView):
    operations: Operations = {
        "POST": Operation(
            summary="Score the same file again, with another version",
            about=f"The answer is the new job; without a version the one in production scores. {WAITS}",
            needs=NEEDS,
            parameters=(waiting.WAIT,),
            headers=(IDEMPOTENT,),
            body=fields.WHICH,
            answers={200: "BatchDetail", 202: "BatchDetail"},
            errors=(409, 429, 503),
        )
    }

    def post(self, request: Request, batch_id: str) -> Response:
        job = self.find(batch_id)
        waiting.seconds_of(request)
        given = self.fields(fields.WHICH)
        served = serving.admitted(job.endpoint.slug, caller=self.caller)
        version = self.choose(served, given)
        again = rerunning.rerun(
            job,
            version=version,
            actor=self.caller,
            now=timezone.now(),
            submission=self.submission(),
        )
        return self.answer(again)


class BatchResults(_BatchView):
    operations: Operations = {
        "GET": Operation(
            summary="Download the results of a batch",
            about="The file as it was sent, with the columns probability, label, version and error behind its own. "
            "In a CSV an apostrophe stands before text that a spreadsheet would run; with `as_is` none does.",
            needs=NEEDS,
            parameters=("as_is",),
            answers={200: RESULTS},
            errors=(409, 410),
        )
    }

    def get(self, request: Request, batch_id: str) -> HttpResponseBase:
        as_is = query.flag(request.query_params.get("as_is", "0"), name="as_is")
        job = self.find(batch_id)
        return batch_files.results_as_is(job) if as_is else batch_files.results(job)


class BatchErrors(_BatchView):
    operations: Operations = {
        "GET": Operation(
            summary="Download the rows of a batch that have no prediction",
            about="A CSV with row, column, value and problem.",
            needs=NEEDS,
            answers={200: CSV},
            errors=(409, 410),
        )
    }

    def get(self, request: Request, batch_id: str) -> HttpResponseBase:
        return batch_files.errors(self.find(batch_id))


class BatchTemplate(JsonView):
    permission_classes = (EndpointDecides,)
    operations: Operations = {
        "GET": Operation(
            summary="Download a CSV with the columns that a version reads and a typical row",
            needs="scope predict, unless the endpoint is public",
            parameters=("status", "version"),
            answers={200: CSV},
            errors=(503,),
        )
    }

    def get(self, request: Request, slug: str) -> HttpResponse:
        served = serving.served(slug, caller=self.caller, need=Need.PREDICT)
        asked = fields.read_texts(_address(request), {})
        version = served.choose(asked.get("version"), asked.get("status")).version
        return batch_files.template(version)


def _address(request: Request) -> dict[str, str]:
    return {name: str(text) for name, text in request.query_params.items()}


def _options(given: Mapping[str, Any]) -> Options:
    """Nobody looks at what a program sends before it is scored."""
    return Options(
        label_column=given.get("label_column", ""),
        log_rows=given.get("log", True),
        store_labels=given.get("store_labels", False),
        starts_itself=True,
        mapping=given.get("mapping", {}),
    )
