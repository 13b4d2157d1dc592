"""Datasets and runs in every state of their way, as rows: what pages show before a worker has come."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Any

from django.utils import timezone

from endpoints.models import Dataset, Experiment, Run

GRAINS = (
    ("87524", "0.82", "a1", "Besni"),
    ("75166", "0.79", "a2", "Kecimen"),
    ("90856", "0.80", "a3", "Besni"),
)
SPEC = {
    "target": "Class",
    "positive": "Besni",
    "columns": ["Area"],
    "solver": "gd",
    "lambda_": 0.5,
    "lr": "auto",
    "momentum": "nesterov",
    "epochs": 3000,
    "class_weight": "balanced",
    "calibration": "platt",
    "threshold": "f1",
    "test_size": 0.25,
    "seed": 11,
}

ANSWERS = {
    "target": "4",
    "asked_of": "4",
    "positive": "Besni",
    "columns": ["0", "1", "3"],
    "algorithm": "logistic_regression",
    "solver": "newton",
    "lambda": "0.01",
    "class_weight": "none",
    "calibration": "none",
    "threshold": "0.5",
    "test_size": "0.2",
    "seed": "7",
    "experiment": "grains",
    "name": "",
}


def column(name: str, kind: str = "number", **facts: Any) -> dict[str, Any]:
    empty = {"levels": [], "histogram": [], "examples": [], "warning": "", "missing": 0}
    bounds = dict.fromkeys(("minimum", "maximum", "mean", "sd"))
    return {"name": name, "kind": kind, "distinct": 900, **empty, **bounds, **facts}


def number(name: str, **facts: Any) -> dict[str, Any]:
    spread = {"minimum": 1.5, "maximum": 9.25, "mean": 4.0, "sd": 2.0, "histogram": [1, 2] * 10}
    return column(name, **spread | facts)


def category(name: str, *levels: str, **facts: Any) -> dict[str, Any]:
    counts = [[level, 500 - place] for place, level in enumerate(levels)]
    return column(name, "category", levels=counts, distinct=len(levels), **facts)


COLUMNS = (
    number("Area"),
    number("Extent", missing=4),
    column("Id", "text", warning="900 different texts: it reads like an identifier or free text."),
    category("Origin", "north", "south", "west"),
    category("Class", "Kecimen", "Besni"),
)


def a_dataset(name: str = "grains.csv", **facts: Any) -> Dataset:
    """Return a dataset that is ready, unless the facts say otherwise."""
    ready = {"state": "ready", "rows": 900, "columns": list(COLUMNS), "size": 76_500}
    about = ready | {"sha256": sha256(name.encode()).hexdigest()} | facts
    return Dataset.objects.create(name=name, **about)


def a_run(dataset: Dataset | None, *, state: str = "queued", **facts: Any) -> Run:
    """Return a run that a worker is to train, or did."""
    experiment, _ = Experiment.objects.get_or_create(name="grains")
    now: datetime = timezone.now()
    about = {"name": "Steep", "solver": "gd", "dataset_name": "grains.csv", "spec": SPEC}
    about |= {"dataset_sha256": "0" * 64, "dataset_rows": 900, "started_at": now}
    return Run.objects.create(experiment=experiment, dataset=dataset, state=state, **about | facts)
