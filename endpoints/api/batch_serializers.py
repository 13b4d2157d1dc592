"""How a batch is written out: where it is, what its check and its scoring found, and what may be asked next.

It reads no file.
"""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from rest_framework import serializers
from rest_framework.request import Request

from endpoints.api.change_serializers import moment_json
from endpoints.models import BatchJob
from endpoints.models.batch import ENDED, BatchState
from endpoints.services.batches.starting import STARTABLE

NEXT = {
    "start": STARTABLE,
    "cancel": tuple(state for state in BatchState if state not in ENDED),
    "rerun": tuple(state for state in BatchState if state != BatchState.EXPIRED),
    "results": (BatchState.DONE,),
    "errors": (BatchState.DONE,),
}
"""By what may be asked for: the states in which it may."""
OF_A_PROBLEM = ("row", "column", "code", "message", "value")


class BatchSerializer(serializers.BaseSerializer[BatchJob]):
    """Of jobs with their endpoint, version and the job that they repeat."""

    def to_representation(self, instance: BatchJob) -> dict[str, Any]:
        return batch_json(instance, self.context["request"])


def batch_json(job: BatchJob, request: Request) -> dict[str, Any]:
    return {
        "id": job.pk,
        "endpoint": job.endpoint.slug,
        "version": job.version.number,
        "state": job.state,
        "message": job.message,
        "file": {
            "name": job.file_name,
            "format": job.format,
            "size": job.size,
            "sha256": job.sha256,
        },
        "rows": job.rows,
        "rows_done": job.rows_done,
        "rows_bad": job.rows_bad,
        "label_column": job.label_column,
        "log": job.log_rows,
        "store_labels": job.store_labels,
        "rerun_of": job.rerun_of_id,
        "created_by": job.created_by_name,
        "created_at": moment_json(job.created_at),
        "started_at": moment_json(job.started_at),
        "ended_at": moment_json(job.ended_at),
        "cancel_requested_at": moment_json(job.cancel_requested_at),
        "expires_at": moment_json(job.expires_at),
        "url": address(job, request),
        "links": {name: _link(job, name, request) for name in NEXT},
    }


def detail_json(job: BatchJob, request: Request) -> dict[str, Any]:
    """Return the job with all that was found; null is what nobody has looked for yet."""
    return {
        **batch_json(job, request),
        "reading": _reading(job),
        "mapping": job.mapping,
        "check": job.check_report or None,
        "report": job.report or None,
        "problems": [{name: place.get(name) for name in OF_A_PROBLEM} for place in job.problems],
    }


def _reading(job: BatchJob) -> dict[str, Any] | None:
    """Return how the file is read; a Parquet file has neither encoding nor delimiter."""
    if not job.reading:
        return None
    given = job.reading
    names = ("encoding", "delimiter")
    return {name: given.get(name, "") for name in names} | {"columns": given["columns"]}


def address(job: BatchJob, request: Request, what: str = "") -> str:
    name = f"api:batch_{what}" if what else "api:batch"
    return request.build_absolute_uri(reverse(name, args=[job.pk]))


def _link(job: BatchJob, what: str, request: Request) -> str | None:
    is_there = job.state in NEXT[what] and (what != "rerun" or bool(job.reading))
    return address(job, request, what) if is_there else None
