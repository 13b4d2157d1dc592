"""The files of a batch as answers: read piece by piece from the disk, under a name that is safe anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.http import HttpResponse, StreamingHttpResponse
from django.utils.http import content_disposition_header

from endpoints.models import AlgorithmVersion, BatchJob
from endpoints.models.dataset import FileFormat
from endpoints.services.batches import downloads

CSV, PARQUET = "text/csv", "application/vnd.apache.parquet"
RESULTS = f"{CSV} or {PARQUET}"
ENDINGS = re.compile(r"(\.(gz|csv|tsv|txt|parquet))+$", re.IGNORECASE)
UNSAFE = re.compile(r"[^\w.-]+")
LONGEST_STEM = 100


def results(job: BatchJob) -> StreamingHttpResponse:
    """As a spreadsheet may open them; a Parquet file is none that it would run."""
    if job.format == FileFormat.PARQUET:
        return results_as_is(job)
    return _streamed(downloads.results(job), CSV, f"{_stem(job)}.csv")


def results_as_is(job: BatchJob) -> StreamingHttpResponse:
    kind = PARQUET if job.format == FileFormat.PARQUET else CSV
    response = _streamed(downloads.results_as_is(job), kind, f"{_stem(job)}.{job.format}")
    response["Content-Length"] = downloads.size_as_is(job)
    return response


def errors(job: BatchJob) -> StreamingHttpResponse:
    return _streamed(downloads.errors(job), CSV, f"{_stem(job)}-errors.csv")


def template(version: AlgorithmVersion) -> HttpResponse:
    name = f"{version.endpoint.slug}-{version.label}-template.csv"
    return HttpResponse(downloads.template(version), headers=_headers(CSV, name))


def _streamed(pieces: Iterator[bytes], kind: str, name: str) -> StreamingHttpResponse:
    return StreamingHttpResponse(pieces, headers=_headers(kind, name))


def _headers(kind: str, name: str) -> dict[str, str]:
    return {
        "Content-Type": f"{kind}; charset=utf-8" if kind == CSV else kind,
        "Content-Disposition": content_disposition_header(True, name) or "attachment",
        "Cache-Control": "private, no-store",
    }


def _stem(job: BatchJob) -> str:
    """Return the name of the upload without its endings and with the version that scored it."""
    name = ENDINGS.sub("", job.file_name)
    return f"{UNSAFE.sub('_', name).strip('._')[:LONGEST_STEM] or 'batch'}-{job.version.label}"
