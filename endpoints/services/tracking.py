"""Records a run: its parameters, metric series, tags and end; it does no training itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from endpoints.models import Metric, Param, Run, Tag
from endpoints.models.run import RunState
from mlcore.metrics import MetricsReport
from mlcore.solvers import Iteration


def log_params(run: Run, params: Mapping[str, object]) -> None:
    Param.objects.bulk_create(
        [Param(run=run, key=key, value=_text(value)) for key, value in params.items()]
    )


def log_tags(run: Run, tags: Mapping[str, str]) -> None:
    Tag.objects.bulk_create([Tag(run=run, key=key, value=value) for key, value in tags.items()])


def log_history(run: Run, history: tuple[Iteration, ...]) -> None:
    """Store one point a series and iteration."""
    series = (
        "train_loss",
        "train_accuracy",
        "validation_loss",
        "validation_accuracy",
        "gradient_norm",
    )
    points = (
        Metric(run=run, key=f"epoch_{name}", step=row.number, value=value)
        for row in history
        for name in series
        if (value := getattr(row, name)) is not None
    )
    Metric.objects.bulk_create(points, batch_size=500)


def log_report(run: Run, prefix: str, report: MetricsReport) -> None:
    """Store a report's numbers as `<prefix>_<metric>`; an undefined metric is left out."""
    numbers = {
        key: value
        for key, value in report.as_dict().items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    Metric.objects.bulk_create(
        [Metric(run=run, key=f"{prefix}_{key}", value=value) for key, value in numbers.items()]
    )


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
