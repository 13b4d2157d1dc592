"""`manage.py train`: train on files from the shell, track the run and, if asked, register it."""

from __future__ import annotations

import sys
from argparse import SUPPRESS, ArgumentTypeError
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any, get_args

from django.conf import settings
from django.core.management.base import CommandParser
from django.urls import reverse
from django.utils import timezone
from django.utils.text import slugify
from tqdm import tqdm

from endpoints.errors import InvalidRequest
from endpoints.management.base import JsonCommand, ensure_prepared
from endpoints.management.engines import add_engine_arguments, engine_from, is_large
from endpoints.models import AlgorithmVersion
from endpoints.services import auto_promotion, catalog, leases, lifecycle
from endpoints.services.access import Caller
from endpoints.services.forests import ForestSpec
from endpoints.services.tables import packed
from endpoints.services.tables.plain_text import MOST_UNPACKED
from endpoints.services.training import Spec, TrainedRun, TrainingJob, run_training
from endpoints.services.words import SOLVER_NAMES
from mlcore import datasets
from mlcore.errors import DataError, listed
from mlcore.solvers import Iteration
from mlcore.table import Table
from mlcore.thresholds import SPECS, ThresholdSpec
from mlcore.training import TrainingSpec
from mlcore.trees import TreeFamily

SHELL = Caller(system="command line")
TREES = get_args(TreeFamily)
OWN_OPTIONS = {
    "lr": ("--lr", ("gd",)),
    "momentum": ("--momentum", ("gd",)),
    "epochs": ("--epochs", ("gd",)),
    "lambda_": ("--lambda", ("newton", "gd")),
    "n_estimators": ("--trees", ("random_forest", "extra_trees")),
    "max_depth": ("--max-depth", TREES),
    "min_samples_leaf": ("--min-leaf", TREES),
}
"""Fields of a spec that only some solvers look at: their flags and those solvers."""


class Command(JsonCommand):
    help = "Train on a CSV file with a target column and track the run."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add = parser.add_argument
        add(
            "--data",
            required=True,
            action="append",
            help="A CSV file, or “raisin” for the Raisin data set. Or files that are read piece by piece, "
            "CSV or Parquet: a folder, a pattern such as 'parts-*.csv', an address such as s3://…; "
            "may be given several times.",
        )
        add("--target", default="", help="The column to predict (Raisin: Class).")
        add("--positive", default=None, help="The class that counts as 1.")
        add("--columns", default=None, help="Feature columns, separated by commas. Default: all.")
        add("--endpoint", default="", help="Slug of the endpoint. Default: the file's name.")
        add("--experiment", default="", help="Default: the endpoint's slug.")
        add("--name", default="", help="The run's name.")
        add("--solver", choices=tuple(SOLVER_NAMES), default="newton")
        # Without a default: what is given to a solver that has no use for it is refused.
        own = partial(add, default=SUPPRESS)
        own("--lr", type=number_or("auto"), help="Learning rate of gd, or auto. Default: 0.01.")
        own("--momentum", choices=("none", "nesterov"), help="Momentum of gd.")
        own("--epochs", type=int, help="Epochs of gd. Default: 100.")
        own(
            "--lambda",
            dest="lambda_",
            type=number_or("auto"),
            help="L2 penalty of newton and gd; auto takes the best by approximate leave-one-out. "
            "Default: 0.01.",
        )
        own("--trees", dest="n_estimators", type=int, help="Trees of a forest. Default: 100.")
        own("--max-depth", type=int, help="Depth of a tree. Default: no limit.")
        own("--min-leaf", dest="min_samples_leaf", type=int, help="Rows of a leaf. Default: 5.")
        add("--class-weight", choices=("none", "balanced"), default="none")
        add("--calibration", choices=("none", "platt", "isotonic"), default="none")
        add("--test-size", type=float, default=0.2, help="Share of rows held out.")
        add("--seed", type=int, default=7)
        add("--threshold", type=threshold, default=0.5, help=f"One of {SPECS}.")
        add_engine_arguments(parser)
        add("--register", action="store_true", help="Make the run the endpoint's next version.")

    def run(self, **options: Any) -> Mapping[str, Any]:
        ensure_prepared(self.stderr)
        leases.close_abandoned(timezone.now())
        first = options["data"][0]
        slug = options["endpoint"] or slugify(Path(packed.name_of(first)).stem)
        if options["register"]:
            catalog.refuse_unusable_slug(slug)
        trained = train(options, slug)
        version = register(trained, slug) if options["register"] else None
        return facts(trained, slug, version)

    def present(self, facts: Mapping[str, Any]) -> str:
        data, validation = facts["dataset"], facts["metrics"]["validation"]
        synthetic = " SYNTHETIC data." if data["synthetic"] else ""
        lines = [
            f"Run {facts['run_id']}: {facts['message']}.{synthetic}",
            f"  {classes_in_words(facts)} of {facts['target']}",
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


def train(options: Mapping[str, Any], slug: str) -> TrainedRun:
    home = Path(settings.RAISIN_HOME) / "scratch"
    most_bytes = MOST_UNPACKED * settings.RAISIN_MAX_FILE_BYTES
    with packed.plain(options["data"], home=home, most_bytes=most_bytes) as data:
        plain = {**options, "data": data}
        return (train_by_pieces if is_large(plain) else train_in_memory)(plain, slug)


def train_in_memory(options: Mapping[str, Any], slug: str) -> TrainedRun:
    (data,) = options["data"]
    table = read_table(data)
    target = options["target"] or ("Class" if data == "raisin" else "")
    positive = catalog.positive_class(slug=slug, target=target, table=table)
    job = TrainingJob(
        table=table,
        spec=spec_from(options, target, positive),
        experiment=options["experiment"] or slug or "default",
        name=options["name"],
        actor=SHELL,
    )
    with progress(total_iterations(job.spec)) as on_iteration:
        return run_training(job, clock=timezone.now, on_iteration=on_iteration)


def train_by_pieces(options: Mapping[str, Any], slug: str) -> TrainedRun:
    from endpoints.services.large import running
    from endpoints.services.large.training import DataSource

    spec = spec_from(options, options["target"], catalog.usual_positive_class(slug))
    if not isinstance(spec, TrainingSpec):
        raise InvalidRequest(
            "Trees and forests are grown in memory, from one CSV file: use newton or gd."
        )
    job = running.LargeJob(
        data=DataSource(files=options["data"]),
        spec=spec,
        engine=engine_from(options),
        experiment=options["experiment"] or slug or "default",
        name=options["name"],
        actor=SHELL,
    )
    with progress(total_iterations(spec)) as on_iteration:
        return running.run_training(job, clock=timezone.now, on_iteration=on_iteration)


def classes_in_words(facts: Mapping[str, Any]) -> str:
    classes = facts["classes"]
    if len(classes) == 2:
        return f"1 is “{classes[1]}”, 0 is “{classes[0]}”"
    return f"{len(classes)} classes: {listed(classes)}"


def page(name: str, *place: object) -> str:
    return f"{settings.RAISIN_URL}{reverse(f'dashboard:{name}', args=place)}"


def number_or(word: str) -> Callable[[str], float | str]:
    """Read an option that is a number or one word."""

    def number(text: str) -> float | str:
        return text if text == word else float(text)

    return number


def threshold(text: str) -> float | str:
    """Read a threshold as `ThresholdSpec` does, so that a wrong one is refused at once."""
    try:
        spec = ThresholdSpec.parse(text)
    except DataError as error:
        raise ArgumentTypeError(str(error)) from error
    return spec.target if spec.objective == "fixed" and spec.target is not None else text


def read_table(data: str) -> Table:
    path = Path(data)
    if data == "raisin" and not path.exists():
        return catalog.raisin_table()
    if not path.is_file():
        raise InvalidRequest(f"There is no file “{data}”.")
    return datasets.read_csv(path)


def spec_from(options: Mapping[str, Any], target: str, positive: str | None) -> Spec:
    if not target:
        raise InvalidRequest("Name the column to predict: --target COLUMN.")
    columns = options["columns"]
    kind = ForestSpec if options["solver"] in TREES else TrainingSpec
    refuse_unused(options)
    known = {field.name for field in fields(kind)} - {"target", "columns", "positive"}
    try:
        return kind(
            target=target,
            columns=tuple(name.strip() for name in columns.split(",")) if columns else None,
            positive=options["positive"] or positive,
            **{name: options[name] for name in known & options.keys()},
        )
    except DataError as error:
        raise InvalidRequest(f"{error}.") from error


def refuse_unused(options: Mapping[str, Any]) -> None:
    """Refuse an option that the chosen solver would not look at."""
    for name, (flag, solvers) in OWN_OPTIONS.items():
        if name in options and options["solver"] not in solvers:
            raise InvalidRequest(
                f"{flag} belongs to --solver {' or '.join(solvers)}; {options['solver']} has no "
                f"use for it."
            )


def total_iterations(spec: Spec) -> int | None:
    return spec.epochs if isinstance(spec, TrainingSpec) and spec.solver == "gd" else None


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
    version = lifecycle.register(run=trained.run, endpoint=endpoint, actor=SHELL, now=now)
    auto_promotion.consider(version, now=now)
    return version


def facts(trained: TrainedRun, slug: str, version: AlgorithmVersion | None) -> dict[str, Any]:
    run, result = trained.run, trained.result
    counted = "epochs" if run.solver == "gd" else "iterations"
    return {
        "run_id": run.id,
        "experiment": run.experiment.name,
        "endpoint": slug,
        "version": version.number if version else None,
        "solver": run.solver,
        "lambda": getattr(result.spec, "lambda_", None),
        "threshold": result.classifier.threshold,
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
