"""A training on its way: its state in words, the loss so far, what was asked for, why it ended without a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Max, Min

from dashboard.charts import LineChart
from dashboard.formats import count, long_duration
from dashboard.presenters import comparison, curves
from dashboard.presenters.silence import silence
from endpoints.models import Metric, Run
from endpoints.models.run import RunState
from endpoints.services.training_jobs.settings import TREES
from endpoints.services.words import SOLVER_NAMES

TRAINING_LOSS = "epoch_train_loss"
LOSSES = {TRAINING_LOSS: "Training", curves.VALIDATION_LOSS: "Validation"}
ON_ITS_WAY = (RunState.QUEUED, RunState.RUNNING)
PATIENCE = timedelta(seconds=20)
"""How long a run may wait before the page asks whether there is a worker at all."""
START_ONE = "Start one on the server: manage.py work."
LEAVE = "You may leave this page: the training goes on, and its run stays in the list."


@dataclass(frozen=True)
class Progress:
    """How far a run is; `most` is known where a solver has an end, and the losses once there are any."""

    sentence: str
    note: str
    step: int = 0
    most: int | None = None
    loss: float | None = None
    validation_loss: float | None = None
    left: str = ""
    chart: LineChart | None = None


@dataclass(frozen=True)
class Problem:
    """One bad cell, as a job keeps it."""

    row: object
    column: object
    value: object
    message: object


def progress_of(run: Run, now: datetime) -> Progress | None:
    """Return how far a run is that has not ended; None of one that has."""
    if run.state not in ON_ITS_WAY:
        return None
    if run.state == RunState.QUEUED:
        return Progress(*_waiting(run, now))
    step = _last_step(run)
    found = Progress(*_beginning(run)) if step is None else _under_way(run, step, now)
    silent = "" if run.cancel_requested_at else silence(run, now)
    if silent:
        return replace(
            found, sentence=silent, note=START_ONE if run.can_begin_anew else "", left=""
        )
    return found


def step_of(run: Run) -> str:
    """Return the last epoch or iteration of a run under way in two or three words; "" before the first."""
    if not run.iterations:
        return ""
    most = _most(run)
    of = f" of {count(most)}" if most else ""
    return f"{'epoch' if most else 'iteration'} {count(run.iterations)}{of}"


def curve_of(run: Run) -> LineChart | None:
    """Return what there is of the loss curve of a run that ended before its time."""
    step = _last_step(run)
    return None if step is None else _chart(run, _losses(run, step))


def problems_of(places: Iterable[Any] | None) -> list[Problem]:
    return [
        Problem(each.get("row"), each.get("column"), each.get("value"), each.get("message"))
        for each in places or ()
        if isinstance(each, Mapping)
    ]


def asked(run: Run) -> list[tuple[str, str]]:
    """Return the settings that a worker was asked for, until the run has parameters of its own."""
    spec: Mapping[str, Any] = run.spec or {}
    told = []
    for key, value in spec.items():
        if value is None or value == "":
            continue
        text = SOLVER_NAMES.get(value, value) if key == "solver" else value
        if isinstance(value, list | tuple):
            text = (
                f"{len(value)}: {', '.join(map(str, value[:20]))}{'…' if len(value) > 20 else ''}"
            )
        told.append((comparison.param_title(key), str(text)))
    return told


def _waiting(run: Run, now: datetime) -> tuple[str, str]:
    if silent := silence(run, now):
        return silent, START_ONE
    if now - run.started_at > PATIENCE:
        return (
            "Waiting for a worker.",
            "It may be at other work. If there is none, start one on the server: manage.py work. "
            + LEAVE,
        )
    return "Waiting for a worker.", LEAVE


def _beginning(run: Run) -> tuple[str, str]:
    if run.cancel_requested_at:
        return "Being cancelled.", "The worker ends at its next step."
    if run.dataset_id is None:
        return (
            "Training, in a process of its own.",
            "Its curves appear here once it has ended.",
        )
    if run.solver in TREES:
        return "Training.", f"Trees tell nothing until all have grown. {LEAVE}"
    return "The worker reads the data and begins.", LEAVE


def _last_step(run: Run) -> int | None:
    points = Metric.objects.filter(run=run, key=TRAINING_LOSS)
    step: int | None = points.aggregate(last=Max("step"))["last"]
    return step


def _under_way(run: Run, step: int, now: datetime) -> Progress:
    most = _most(run)
    points = _losses(run, step)
    word = "epoch" if most else "iteration"
    of = f" of {count(most)}" if most else ""
    return Progress(
        sentence="Being cancelled."
        if run.cancel_requested_at
        else f"Training, {word} {count(step)}{of}.",
        note=LEAVE,
        step=step,
        most=most,
        loss=points.get(TRAINING_LOSS, {}).get(step),
        validation_loss=points.get(curves.VALIDATION_LOSS, {}).get(step),
        left=_left(run, step, most, now),
        chart=_chart(run, points),
    )


def _most(run: Run) -> int | None:
    """Gradient descent alone has an end that is known before."""
    spec: Mapping[str, Any] = run.spec or {}
    return spec.get("epochs") if spec.get("solver") == "gd" else None


def _losses(run: Run, last: int) -> dict[str, curves.Series]:
    """Read at most some hundred points: the first one of each stretch of the way, and the last."""
    points = Metric.objects.filter(run=run, key__in=LOSSES).order_by()
    stretch = F("step") * curves.CURVE_POINTS / max(last, 1)
    steps = points.annotate(stretch=stretch).values("stretch").annotate(first=Min("step"))
    chosen = points.filter(step__in=[each["first"] for each in steps]).order_by("step")
    found: dict[str, curves.Series] = {}
    for key, step, value in chosen.values_list("key", "step", "value"):
        found.setdefault(key, {})[step] = value
    return found


def _chart(run: Run, points: Mapping[str, curves.Series]) -> LineChart | None:
    lines = {name: points[key] for key, name in LOSSES.items() if key in points}
    return curves.chart("Log loss so far", "mean over the rows", lines, run)


def _left(run: Run, step: int, most: int | None, now: datetime) -> str:
    """Say how long the rest takes at the present pace, once there is one."""
    gone = (now - run.started_at).total_seconds()
    if not most or step >= most or gone < 2:
        return ""
    return f"at most {long_duration(max(gone * (most - step) / step, 1))} left"
