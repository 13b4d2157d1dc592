"""Records a run: its parameters, metric series, tags and end; it does no training itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q

from endpoints.models import Analysis, Metric, Param, Run, Tag
from endpoints.models.run import RunState

OUTCOME = (
    "message",
    "converged",
    "iterations",
    "dataset_features",
    "artifact_path",
    "artifact_sha256",
)


def log_params(run: Run, params: Mapping[str, object]) -> None:
    Param.objects.bulk_create(
        [Param(run=run, key=key, value=_text(value)) for key, value in params.items()]
    )


def log_tags(run: Run, tags: Mapping[str, str]) -> None:
    Tag.objects.bulk_create([Tag(run=run, key=key, value=value) for key, value in tags.items()])


def log_metrics(run: Run, points: Iterable[tuple[str, int, float]]) -> None:
    """Store points of (name, step, value)."""
    Metric.objects.bulk_create(_metrics(run, points), batch_size=500)


def complete_metrics(run: Run, points: Iterable[tuple[str, int, float]]) -> None:
    """Store the points that are not there yet; those that are there stay as they are."""
    Metric.objects.bulk_create(_metrics(run, points), batch_size=500, ignore_conflicts=True)


def _metrics(run: Run, points: Iterable[tuple[str, int, float]]) -> Iterator[Metric]:
    return (Metric(run=run, key=key, step=step, value=value) for key, step, value in points)


def log_analysis(run: Run, report: Mapping[str, Any]) -> None:
    Analysis.objects.create(run=run, report=report)


def clear(run: Run) -> None:
    """Forget what a training has told so far: it begins anew."""
    for kind in (Metric, Param, Tag, Analysis):
        kind._default_manager.filter(run=run).delete()


def finish(run: Run, *, now: datetime) -> None:
    _end(run, RunState.FINISHED, now)


def fail(run: Run, *, message: str, now: datetime) -> None:
    run.message = message
    _end(run, RunState.FAILED, now)


def _end(run: Run, state: RunState, now: datetime) -> None:
    """Close the run once: whoever finds it no longer running changes nothing.

    A process that was taken for dead finds its name at the failed run, and says how it really ended.
    """
    run.state, run.ended_at = state, now
    taken_for_dead = Q(state=RunState.FAILED) & ~Q(worker="")
    with transaction.atomic():
        open_runs = Run.objects.filter(Q(state=RunState.RUNNING) | taken_for_dead)
        open_runs.filter(pk=run.pk, worker=run.worker).update(
            state=state, ended_at=now, worker="", heartbeat_at=None, **outcome(run)
        )


def outcome(run: Run) -> dict[str, Any]:
    """What a training leaves in the run's own columns."""
    return {name: getattr(run, name) for name in OUTCOME}


def _text(value: object) -> str:
    return "" if value is None else str(value)
