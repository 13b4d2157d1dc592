"""`manage.py train`: train a CSV file from the shell, track the run and, if asked, register it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.urls import reverse
from django.utils import timezone
from django.utils.text import slugify
from tqdm import tqdm

from endpoints.errors import InvalidRequest
from endpoints.management.base import JsonCommand, ensure_prepared
from endpoints.models import AlgorithmVersion
from endpoints.services import catalog, lifecycle
from endpoints.services.access import Caller
from endpoints.services.training import TrainedRun, TrainingJob, run_training
from mlcore import datasets
from mlcore.datasets import Table
from mlcore.solvers import Iteration
from mlcore.training import TrainingSpec

SHELL = Caller(system="command line")
TUNED = ("accuracy", "f1", "youden")


class Command(JsonCommand):
    help = "Train on a CSV file with a target column and track the run."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add = parser.add_argument
        add("--data", required=True, help="A CSV file, or “raisin” for the Raisin data set.")
        add("--target", default="", help="The column to predict (Raisin: Class).")
        add("--positive", default=None, help="The class that counts as 1.")
        add("--columns", default=None, help="Feature columns, separated by commas. Default: all.")
        add("--endpoint", default="", help="Slug of the endpoint. Default: the file's name.")
        add("--experiment", default="", help="Default: the endpoint's slug.")
        add("--name", default="", help="The run's name.")
        add("--solver", choices=("newton", "gd"), default="newton")
        add("--lr", type=float, default=0.01, help="Learning rate of gd.")
        add("--epochs", type=int, default=100, help="Epochs of gd.")
        add("--lambda", dest="lambda_", type=float, default=0.01, help="L2 penalty.")
        add("--test-size", type=float, default=0.2, help="Share of rows held out.")
        add("--seed", type=int, default=7)
        add(
            "--threshold",
            type=threshold,
            default=0.5,
            help="A number, or tuned: " + ", ".join(TUNED),
        )
        add("--register", action="store_true", help="Make the run the endpoint's next version.")

    def run(self, **options: Any) -> Mapping[str, Any]:
        ensure_prepared(self.stderr)
        table = read_table(options["data"])
        slug = options["endpoint"] or slugify(Path(options["data"]).stem)
        if options["register"]:
            catalog.refuse_unusable_slug(slug)
        job = TrainingJob(
            table=table,
            spec=spec_from(options, table, slug),
            experiment=options["experiment"] or slug or "default",
            name=options["name"],
            actor=SHELL,
        )
        with progress(total_iterations(job.spec)) as on_iteration:
            trained = run_training(job, clock=timezone.now, on_iteration=on_iteration)
        version = register(trained, slug) if options["register"] else None
        return facts(trained, slug, version)

    def present(self, facts: Mapping[str, Any]) -> str:
        data, validation = facts["dataset"], facts["metrics"]["validation"]
        synthetic = " SYNTHETIC data." if data["synthetic"] else ""
        lines = [
            f"Run {facts['run_id']}: {facts['message']}.{synthetic}",
            f"  1 is “{facts['classes'][1]}”, 0 is “{facts['classes'][0]}” of {facts['target']}",
            f"  {data['rows']} rows, {data['features']} features; validation accuracy "
            f"{validation['accuracy']:.4f}, ROC AUC {validation['roc_auc'] or float('nan'):.4f}, "
            f"log loss {validation['log_loss']:.4f}",
            f"  {page('run', facts['run_id'])}",
        ]
        if facts["version"]:
            lines.append(
                f"Registered as v{facts['version']} of “{facts['endpoint']}”: "
                f"{page('version', facts['endpoint'], facts['version'])}"
            )
        return "\n".join(lines)


def page(name: str, *place: object) -> str:
    return f"{settings.RAISIN_URL}{reverse(f'dashboard:{name}', args=place)}"


def threshold(text: str) -> float | str:
    return text if text in TUNED else float(text)


def read_table(data: str) -> Table:
    path = Path(data)
    if data == "raisin" and not path.exists():
        return catalog.raisin_table()
    if not path.is_file():
        raise InvalidRequest(f"There is no file “{data}”.")
    return datasets.read_csv(path)


def spec_from(options: Mapping[str, Any], table: Table, slug: str) -> TrainingSpec:
    target = options["target"] or ("Class" if options["data"] == "raisin" else "")
    if not target:
        raise InvalidRequest("Name the column to predict: --target COLUMN.")
    columns = options["columns"]
    return TrainingSpec(
        target=target,
        columns=tuple(name.strip() for name in columns.split(",")) if columns else None,
        positive=options["positive"]
        or catalog.positive_class(slug=slug, target=target, table=table),
        **{key: options[key] for key in ("solver", "lr", "epochs", "lambda_", "test_size", "seed")},
        threshold=options["threshold"],
    )


def total_iterations(spec: TrainingSpec) -> int | None:
    return spec.epochs if spec.solver == "gd" else None


class progress:  # noqa: N801 - reads as a verb where it is used
    """A bar of iterations on a terminal, and nothing elsewhere."""

    def __init__(self, total: int | None) -> None:
        self._bar = tqdm(
            total=total, unit="it", desc="training", leave=False, disable=not sys.stderr.isatty()
        )

    def __enter__(self) -> Callable[[Iteration], None]:
        return self._show

    def __exit__(self, *exc_info: object) -> None:
        self._bar.close()

    def _show(self, row: Iteration) -> None:
        self._bar.set_postfix(loss=f"{row.train_loss:.4f}", refresh=False)
        self._bar.update()


def register(trained: TrainedRun, slug: str) -> AlgorithmVersion:
    now = timezone.now()
    endpoint = catalog.get_or_create_endpoint(slug=slug, actor=SHELL, now=now)
    return lifecycle.register(run=trained.run, endpoint=endpoint, actor=SHELL, now=now)


def facts(trained: TrainedRun, slug: str, version: AlgorithmVersion | None) -> dict[str, Any]:
    run, result = trained.run, trained.result
    counted = "iterations" if run.solver == "newton" else "epochs"
    return {
        "run_id": run.id,
        "experiment": run.experiment.name,
        "endpoint": slug,
        "version": version.number if version else None,
        "solver": run.solver,
        "converged": run.converged,
        counted: run.iterations,
        "message": run.message,
        "target": result.classifier.target,
        "classes": list(result.classifier.classes),
        "dataset": {
            "rows": run.dataset_rows,
            "features": run.dataset_features,
            "sha256": run.dataset_sha256,
            "synthetic": run.synthetic,
        },
        "metrics": {"train": result.train.as_dict(), "validation": result.validation.as_dict()},
        "artifact": {"path": run.artifact_path, "sha256": run.artifact_sha256},
    }
