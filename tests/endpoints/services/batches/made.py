"""Batches as tests need them: files of grains, handed in, checked and scored as a worker does it."""

from __future__ import annotations

import io
import secrets
from pathlib import Path
from typing import Any

import polars as pl
from django.conf import settings

from endpoints.models import AlgorithmVersion, BatchJob, Endpoint
from endpoints.models.batch import BatchState
from endpoints.services import working
from endpoints.services.access import Caller
from endpoints.services.batches import checking, receiving, scoring, starting
from endpoints.services.batches.receiving import Options
from tests import cast
from tests.endpoints.services.decisions import NOON
from tests.live import ROW

SYSTEM = Caller(system="tests")
WORK = {BatchState.UPLOADED: checking.check, BatchState.QUEUED: scoring.score}


def grains(rows: int, *, labels: bool = False, first: int = 0) -> bytes:
    """A CSV of synthetic grains, over and over."""
    table = cast.raisin_rows()
    names = [*ROW, "Class"] if labels else list(ROW)
    places = [table.position(name) for name in names]
    lines = [",".join(names)]
    for number in range(first, first + rows):
        row = table.rows[number % len(table.rows)]
        lines.append(",".join(row[place] for place in places))
    return "\n".join(lines).encode() + b"\n"


def as_parquet(content: bytes) -> bytes:
    file = io.BytesIO()
    pl.read_csv(content).write_parquet(file, row_group_size=50)
    return file.getvalue()


def uploaded(content: bytes) -> Path:
    folder = Path(settings.RAISIN_HOME) / "uploads"
    folder.mkdir(exist_ok=True)
    path = folder / secrets.token_hex(8)
    path.write_bytes(content)
    return path


def received(
    endpoint: Endpoint,
    content: bytes,
    *,
    name: str = "grains.csv",
    version: AlgorithmVersion | None = None,
    actor: Caller = SYSTEM,
    **options: Any,
) -> BatchJob:
    return receiving.receive(
        uploaded(content),
        name=name,
        endpoint=endpoint,
        version=version,
        options=Options(**options),
        actor=actor,
        now=NOON,
    )


def work(job: BatchJob) -> BatchJob:
    """Do what is to be done with it next, as a worker does."""
    working.at(BatchJob, job.pk, WORK[BatchState(job.state)])
    job.refresh_from_db()
    return job


def checked(endpoint: Endpoint, content: bytes, **facts: Any) -> BatchJob:
    return work(received(endpoint, content, **facts))


def started(job: BatchJob, *, actor: Caller = SYSTEM, **choices: Any) -> BatchJob:
    """Start it with what it was handed in with, but for these choices."""
    names = ("mapping", "label_column", "log_rows", "store_labels")
    wishes = {name: getattr(job, name) for name in names}
    return starting.start(job, **{**wishes, **choices}, actor=actor, now=NOON)


def scored(endpoint: Endpoint, content: bytes, **facts: Any) -> BatchJob:
    job = checked(endpoint, content, starts_itself=True, **facts)
    assert job.state == BatchState.QUEUED, (job.state, job.message)
    return work(job)
