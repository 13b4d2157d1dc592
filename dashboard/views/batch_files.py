"""The files that leave: results, the list of errors, and a template with the columns of a model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from dashboard.views.shell import caller_of, page
from dashboard.views.versions import find_version
from endpoints.errors import NotFound
from endpoints.models import AlgorithmVersion, BatchJob, Endpoint
from endpoints.services import access
from endpoints.services.access import Need
from endpoints.services.batches import downloads, visible

CSV, PARQUET = "text/csv; charset=utf-8", "application/vnd.apache.parquet"
ENDINGS = (".gz", ".csv", ".tsv", ".txt", ".parquet")
LONGEST_STEM = 100


@require_safe
@page
def results(request: HttpRequest, batch_id: str) -> StreamingHttpResponse:
    """With `?as_is=1` cells that look like formulas stay as they are."""
    job = visible.job(caller_of(request), batch_id)
    read = downloads.results_as_is if "as_is" in request.GET else downloads.results
    kind = PARQUET if job.format == "parquet" else CSV
    return _file(read(job), f"{stem(job)}-{job.version.label}.{job.format}", kind)


@require_safe
@page
def errors(request: HttpRequest, batch_id: str) -> StreamingHttpResponse:
    job = visible.job(caller_of(request), batch_id)
    return _file(downloads.errors(job), f"{stem(job)}-{job.version.label}-errors.csv", CSV)


@require_safe
@page
def template(request: HttpRequest, slug: str) -> HttpResponse:
    """A file with the columns that the version reads, and a typical row."""
    endpoint = access.get_endpoint(caller=caller_of(request), slug=slug, need=Need.PREDICT)
    version = _version(endpoint, request.GET.get("version", ""))
    name = f"{endpoint.slug}-{version.label}-template.csv"
    return HttpResponse(downloads.template(version), headers=_headers(name, CSV))


def _version(endpoint: Endpoint, number: str) -> AlgorithmVersion:
    """Return the version of this number; without one the one in production, else the newest."""
    if number.isdecimal():
        return find_version(endpoint, int(number))
    versions = endpoint.versions.unarchived().select_related("endpoint")
    found = versions.in_production().first() or versions.order_by("-number").first()
    if found is None:
        raise NotFound(f"{endpoint.name} has no version.")
    return found


def _file(content: Iterator[bytes], name: str, kind: str) -> StreamingHttpResponse:
    return StreamingHttpResponse(content, headers=_headers(name, kind))


def _headers(name: str, kind: str) -> dict[str, str]:
    """Whoever reads the file is a program or a spreadsheet: no browser shows it as a page."""
    return {
        "Content-Type": kind,
        "Content-Disposition": content_disposition_header(True, name) or "attachment",
        "Cache-Control": "private, no-store",
    }


def stem(job: BatchJob) -> str:
    """The name of the upload without its endings, for the files that are made of it."""
    name = PurePath(job.file_name.replace("\\", "/")).name
    for ending in ENDINGS:
        if name.lower().endswith(ending):
            name = name[: -len(ending)]
    return name[:LONGEST_STEM] or "batch"
