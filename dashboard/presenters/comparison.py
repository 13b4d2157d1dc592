"""Runs side by side: metrics with their direction, settings that differ first, weights by difference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from dashboard import metrics
from dashboard.presenters import model
from endpoints.models import Metric, Param, Run

# Of training rows the few that tell of too close a fit; the rest would only lengthen the table.
TRAINING = ("log_loss", "roc_auc", "accuracy")
PARTS = {"validation": "Validation", "train": "Training"}
SHOWN_WEIGHTS = 10


@dataclass(frozen=True)
class Subject:
    """One column: a run, or the reason why there is none."""

    key: str
    title: str
    run: Run | None
    metrics: Mapping[str, float]
    params: Mapping[str, str]
    weights: Mapping[str, float]
    problem: str = ""
    described: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Cell:
    """A value, its difference from the base, and whether it is the best of its row."""

    value: float | None
    change: float | None = None
    best: bool = False


@dataclass(frozen=True)
class NumberRow:
    name: str
    metric: str
    cells: tuple[Cell, ...]
    largest_change: float

    @property
    def short(self) -> str:
        """The name without the part of the rows that it was measured on."""
        return self.name.partition(" ")[2]


@dataclass(frozen=True)
class TextRow:
    name: str
    cells: tuple[str | None, ...]
    differs: bool

    @property
    def known(self) -> str | None:
        """The value that all share."""
        return next((cell for cell in self.cells if cell is not None), None)


@dataclass(frozen=True)
class Comparison:
    """Subjects in the order of their columns; `base` is the key of the one to compare with."""

    subjects: tuple[Subject, ...]
    base: str

    @property
    def base_subject(self) -> Subject:
        return next(subject for subject in self.subjects if subject.key == self.base)

    @cached_property
    def metrics(self) -> list[NumberRow]:
        keys = [f"validation_{name}" for name in metrics.TITLES]
        keys += [f"train_{name}" for name in TRAINING]
        rows = (
            self._numbers(metric_title(key), key, [s.metrics.get(key) for s in self.subjects])
            for key in keys
        )
        return [row for row in rows if any(cell.value is not None for cell in row.cells)]

    @property
    def validation(self) -> list[NumberRow]:
        return [row for row in self.metrics if row.metric.startswith("validation_")]

    @cached_property
    def weights(self) -> list[NumberRow]:
        """Every weight, largest difference from the base first."""
        slots = dict.fromkeys(slot for subject in self.subjects for slot in subject.weights)
        rows = [
            self._numbers(slot, "", [s.weights.get(slot) for s in self.subjects]) for slot in slots
        ]
        return sorted(rows, key=_size, reverse=True)

    @property
    def weights_differ(self) -> bool:
        """Say whether any weight changed; one that only some of them have did."""
        return any(
            row.largest_change or any(cell.value is None for cell in row.cells)
            for row in self.weights
        )

    @property
    def top_weights(self) -> list[NumberRow]:
        return self.weights[:SHOWN_WEIGHTS]

    @property
    def other_weights(self) -> list[NumberRow]:
        return self.weights[SHOWN_WEIGHTS:]

    @cached_property
    def _params(self) -> list[TextRow]:
        keys = sorted({key for subject in self.subjects for key in subject.params})
        return [
            self._texts(param_title(key), [short(s.params.get(key)) for s in self.subjects])
            for key in keys
        ]

    @property
    def differing(self) -> list[TextRow]:
        return [row for row in self._params if row.differs]

    @property
    def identical(self) -> list[TextRow]:
        return [row for row in self._params if not row.differs]

    @cached_property
    def data(self) -> list[TextRow]:
        facts: dict[str, Callable[[Run], str]] = {
            "Dataset": lambda run: run.dataset_name,
            "SHA-256": lambda run: run.dataset_sha256[:12],
            "Rows": lambda run: f"{run.dataset_rows:,}",
            "Data are": lambda run: "synthetic" if run.synthetic else "real",
        }
        return [
            self._texts(name, [fact(s.run) if s.run else None for s in self.subjects])
            for name, fact in facts.items()
        ]

    def _numbers(self, name: str, metric: str, values: Sequence[float | None]) -> NumberRow:
        places = list(zip(self.subjects, values, strict=True))
        base = next(value for subject, value in places if subject.key == self.base)
        best = best_of(values, metrics.direction(metric)) if metric else None
        cells = tuple(
            Cell(
                value,
                None if value is None or base is None or subject.key == self.base else value - base,
                best is not None and value == best,
            )
            for subject, value in places
        )
        changes = (abs(cell.change) for cell in cells if cell.change is not None)
        return NumberRow(name, metric, cells, max(changes, default=0.0))

    def _texts(self, name: str, cells: Sequence[str | None]) -> TextRow:
        with_settings = (
            subject.run is not None and bool(subject.params) for subject in self.subjects
        )
        known = {cell for has, cell in zip(with_settings, cells, strict=True) if has}
        return TextRow(name, tuple(cells), len(known) > 1)


def _size(row: NumberRow) -> float:
    """How far a weight is from the base; one that only some have comes or goes with all that it is."""
    known = [abs(cell.value) for cell in row.cells if cell.value is not None]
    return row.largest_change if len(known) == len(row.cells) else max(known, default=0.0)


def best_of(values: Iterable[float | None], direction: int) -> float | None:
    """Return the best value of a row; None where there is nothing to choose."""
    known = [value for value in values if value is not None]
    if not direction or len(set(known)) < 2:
        return None
    return max(known) if direction > 0 else min(known)


def subjects_of(runs: Sequence[Run], titles: Mapping[str, str]) -> dict[str, Subject]:
    """Return a column a run, in as many queries as for one."""
    numbers: dict[str, dict[str, float]] = {run.pk: {} for run in runs}
    for key, name, value in (
        Metric.objects.summary().filter(run__in=runs).values_list("run_id", "key", "value")
    ):
        numbers[key][name] = value
    texts: dict[str, dict[str, str]] = {run.pk: {} for run in runs}
    for key, name, text in Param.objects.filter(run__in=runs).values_list("run_id", "key", "value"):
        texts[key][name] = text
    return {run.pk: _subject(run, titles, numbers[run.pk], texts[run.pk]) for run in runs}


def missing(key: str, problem: str) -> Subject:
    return Subject(key, f"run {key[:8]}", None, {}, {}, {}, problem)


def _subject(
    run: Run, titles: Mapping[str, str], numbers: Mapping[str, float], texts: Mapping[str, str]
) -> Subject:
    loaded = model.describe(run)
    rows = loaded.described.get("coefficients", ())
    weights = {_weight_name(row): row["weight"] for row in rows}
    return Subject(
        key=run.pk,
        title=titles.get(run.pk, run.name),
        run=run,
        metrics=numbers,
        params=texts,
        weights=weights,
        problem=loaded.problem,
        described=loaded.described,
    )


def _weight_name(row: Mapping[str, Any]) -> str:
    """Return the slot, with its class where there are three or more."""
    return f"{row['slot']}, {row['class']}" if row.get("class") else str(row["slot"])


def metric_title(key: str) -> str:
    """Return “Validation log loss” for validation_log_loss."""
    part, _, name = key.partition("_")
    return f"{PARTS.get(part, part)} {metrics.TITLES.get(name, name.replace('_', ' '))}"


def param_rows(params: Iterable[Param]) -> list[tuple[str, str | None]]:
    """Return names and values; the columns have a table of their own."""
    return [
        (param_title(param.key), short(param.value)) for param in params if param.key != "columns"
    ]


def param_title(key: str) -> str:
    known = {"lr": "learning rate", "lambda_": "lambda"}
    return known.get(key, key.replace("_", " ").strip())


def short(text: str | None) -> str | None:
    """Return a long number with six significant digits, any other text as it is."""
    try:
        return f"{float(text or ''):.6g}" if len(text or "") > 9 else text
    except ValueError:
        return text
