"""Records a run: its parameters, metric series, tags and end; it does no training itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from endpoints.models import Analysis, Metric, Param, Run, Tag
from endpoints.models.run import RunState


def log_params(run: Run, params: Mapping[str, object]) -> None:
    Param.objects.bulk_create(
        [Param(run=run, key=key, value=_text(value)) for key, value in params.items()]
    )


def log_tags(run: Run, tags: Mapping[str, str]) -> None:
    Tag.objects.bulk_create([Tag(run=run, key=key, value=value) for key, value in tags.items()])


def log_metrics(run: Run, points: Iterable[tuple[str, int, float]]) -> None:
    """Store points of (name, step, value)."""
    rows = (Metric(run=run, key=key, step=step, value=value) for key, step, value in points)
    Metric.objects.bulk_create(rows, batch_size=500)


def log_analysis(run: Run, report: Mapping[str, Any]) -> None:
    Analysis.objects.create(run=run, report=report)


def finish(run: Run, *, now: datetime) -> None:
    _end(run, RunState.FINISHED, now)


def fail(run: Run, *, message: str, now: datetime) -> None:
    run.message = message
    _end(run, RunState.FAILED, now)


def _end(run: Run, state: RunState, now: datetime) -> None:
    """Close the run once: whoever finds it no longer running changes nothing."""
    run.state, run.ended_at = state, now
    with transaction.atomic():
        Run.objects.filter(pk=run.pk, state=RunState.RUNNING).update(
            state=state,
            ended_at=now,
            message=run.message,
            converged=run.converged,
            iterations=run.iterations,
            dataset_features=run.dataset_features,
            artifact_path=run.artifact_path,
            artifact_sha256=run.artifact_sha256,
        )


def _text(value: object) -> str:
    return "" if value is None else str(value)
