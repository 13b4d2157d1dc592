"""How a training went, iteration by iteration; thinned by the database so that long runs cost no more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from django.db.models import F, Q
from django.db.models.functions import Coalesce

from dashboard.charts import LineChart, line_chart
from endpoints.models import Metric, Run

CURVE_POINTS = 290
SPARK_POINTS = 40
VALIDATION_LOSS, SECONDS = "epoch_validation_loss", "epoch_seconds"

Series = dict[int, float]


@dataclass(frozen=True)
class Kind:
    """One chart: the series it draws, by their keys, and the scale it needs."""

    title: str
    unit: str
    lines: Mapping[str, str]
    scale: str = "linear"


KINDS = (
    Kind(
        "Log loss",
        "mean over the rows",
        {"epoch_train_loss": "Training", VALIDATION_LOSS: "Validation"},
    ),
    Kind(
        "Accuracy",
        "share of rows right",
        {"epoch_train_accuracy": "Training", "epoch_validation_accuracy": "Validation"},
    ),
    Kind("Objective", "log loss and penalty", {"epoch_objective": "Objective"}),
    Kind(
        "Distance from the optimum",
        "in standard errors",
        {"epoch_decrement": "Largest of any coefficient"},
        scale="log",
    ),
    Kind(
        "Gradient norm", "0 at the optimum", {"epoch_gradient_norm": "Gradient norm"}, scale="log"
    ),
    Kind("Step", "1 is a full step", {"epoch_step": "Step"}, scale="zero"),
    Kind("Time", "milliseconds an iteration", {SECONDS: "Time"}, scale="zero"),
)
CONSTANT = {"epoch_step"}


def of_run(run: Run) -> list[LineChart]:
    """Return the charts of one run that have at least two points and something to tell."""
    read = series([run], [key for kind in KINDS for key in kind.lines], most=CURVE_POINTS)
    found = {key: points for (_, key), points in read.items()}
    found[SECONDS] = durations(found.get(SECONDS, {}))
    for key in CONSTANT & found.keys():
        if len(set(found[key].values())) == 1:
            del found[key]
    drawn = (_of_kind(kind, found, run) for kind in KINDS)
    return [each for each in drawn if each is not None]


def _of_kind(kind: Kind, found: Mapping[str, Series], run: Run) -> LineChart | None:
    lines = {name: found[key] for key, name in kind.lines.items() if found.get(key)}
    if kind.scale == "log":
        lines = {name: above_zero(points) for name, points in lines.items()}
    return chart(kind.title, kind.unit, lines, run, scale=kind.scale)


def above_zero(points: Series) -> Series:
    """Leave out what a log axis cannot show: a gradient that is exactly 0."""
    return {step: value for step, value in points.items() if value > 0}


def durations(points: Series) -> Series:
    """Return milliseconds an iteration from the seconds since the start, also where some are left out."""
    if not points:
        return {}
    marks = [(0, 0.0), *points.items()]
    return {
        step: 1000 * (seconds - before) / (step - last)
        for (last, before), (step, seconds) in pairwise(marks)
        if step > last
    }


def overlay(runs: Sequence[Run], titles: Mapping[str, str]) -> LineChart | None:
    """Return the validation losses of several runs in one chart, in the order of their columns."""
    read = series(runs, [VALIDATION_LOSS], most=CURVE_POINTS)
    lines = {
        titles[run.pk]: read[run.pk, VALIDATION_LOSS]
        for run in runs
        if (run.pk, VALIDATION_LOSS) in read
    }
    longest = max(runs, key=lambda run: run.iterations or 0, default=None)
    return chart("Validation log loss", "mean over the rows", lines, longest) if longest else None


def sparks(runs: Sequence[Run]) -> dict[str, list[float]]:
    """Return the training loss of each run, few points each, for the list of runs."""
    read = series(runs, ["epoch_train_loss"], most=SPARK_POINTS)
    return {run_id: list(points.values()) for (run_id, _), points in read.items()}


def series(runs: Sequence[Run], keys: Iterable[str], *, most: int) -> dict[tuple[str, str], Series]:
    """Read every n-th step of each run, and its last one, so that about `most` remain."""
    length = Coalesce(F("run__iterations"), 0)
    rows = (
        Metric.objects.filter(run__in=runs, key__in=list(keys))
        .alias(stride=length / most + 1)
        .alias(rest=F("step") % F("stride"))
        .filter(Q(rest=0) | Q(step=F("run__iterations")))
        .order_by("step")
        .values_list("run_id", "key", "step", "value")
    )
    found: dict[tuple[str, str], Series] = {}
    for run_id, key, step, value in rows:
        found.setdefault((run_id, key), {})[step] = value
    return found


def chart(
    title: str, unit: str, lines: Mapping[str, Series], longest: Run, *, scale: str = "linear"
) -> LineChart | None:
    steps = sorted({step for points in lines.values() for step in points})
    if len(steps) < 2:
        return None
    drawn = line_chart(
        title=title,
        x_label="iteration",
        x=steps,
        series={name: at_steps(points, steps) for name, points in lines.items()},
        y_label=unit,
        scale=scale,
    )
    return replace(drawn, total=max(longest.iterations or 0, drawn.total))


def at_steps(points: Series, steps: Sequence[int]) -> list[float | None]:
    """Return a value a step: the last known one between a series' own steps, none beyond its end."""
    values: list[float | None] = []
    last, end = None, max(points)
    for step in steps:
        last = points.get(step, last)
        values.append(last if step <= end else None)
    return values
