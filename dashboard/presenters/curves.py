"""Loss and accuracy over the iterations, thinned by the database so that long runs cost no more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from django.db.models import F, Q
from django.db.models.functions import Coalesce

from dashboard.charts import LineChart, line_chart
from endpoints.models import Metric, Run

CURVE_POINTS = 290
SPARK_POINTS = 40
LOSS = {"epoch_train_loss": "Training", "epoch_validation_loss": "Validation"}
ACCURACY = {"epoch_train_accuracy": "Training", "epoch_validation_accuracy": "Validation"}

Series = dict[int, float]


def of_run(run: Run) -> list[LineChart]:
    """Return the charts of one run that have at least two points."""
    read = series([run], [*LOSS, *ACCURACY], most=CURVE_POINTS)
    kinds = (
        ("Log loss", "mean over the rows", LOSS),
        ("Accuracy", "share of rows right", ACCURACY),
    )
    found = (
        chart(
            title,
            unit,
            {name: read[run.pk, key] for key, name in names.items() if (run.pk, key) in read},
            run,
        )
        for title, unit, names in kinds
    )
    return [drawn for drawn in found if drawn is not None]


def overlay(runs: Sequence[Run], titles: Mapping[str, str]) -> LineChart | None:
    """Return the validation losses of several runs in one chart, in the order of their columns."""
    key = "epoch_validation_loss"
    read = series(runs, [key], most=CURVE_POINTS)
    lines = {titles[run.pk]: read[run.pk, key] for run in runs if (run.pk, key) in read}
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


def chart(title: str, unit: str, lines: Mapping[str, Series], longest: Run) -> LineChart | None:
    steps = sorted({step for points in lines.values() for step in points})
    if len(steps) < 2:
        return None
    drawn = line_chart(
        title=title,
        x_label="iteration",
        x=steps,
        series={name: at_steps(points, steps) for name, points in lines.items()},
        y_label=unit,
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
