"""Trains a table and tracks it as a run: parameters, curves, metrics, analysis, holdout, artefact."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass
from typing import Any

from endpoints.models import Run
from endpoints.services import artifacts, forests, tracking
from endpoints.services.access import Caller
from endpoints.services.forests import ForestResult, ForestSpec
from endpoints.services.own_process import Clock, tracked
from endpoints.services.tables.storable import NUL
from endpoints.services.training_jobs import specs
from endpoints.services.words import LONGEST_CLASS
from mlcore import run_training as records
from mlcore.alive import Alive, nothing
from mlcore.errors import DataError, NotConvergedWarning, shown
from mlcore.history import Descent, OnEpoch, OnIteration
from mlcore.run_names import LONGEST_DATASET
from mlcore.table import Table
from mlcore.training import TrainingResult, TrainingSpec, train

Spec = TrainingSpec | ForestSpec
Result = TrainingResult | ForestResult


@dataclass(frozen=True, kw_only=True)
class TrainingJob:
    """What to train on, how, and under which experiment and name to keep it."""

    table: Table
    spec: Spec
    experiment: str
    name: str = ""
    actor: Caller


@dataclass(frozen=True)
class TrainedRun:
    run: Run
    result: Result


def run_training(
    job: TrainingJob, *, clock: Clock, on_iteration: OnIteration | None = None
) -> TrainedRun:
    """Train and track. A failure leaves a failed run that says why; bad data raises InvalidData."""
    specs.check_names(experiment=job.experiment, name=job.name)
    with tracked(experiment=job.experiment, clock=clock, **_facts(job)) as run:
        result = fit(job.spec, job.table, on_iteration=on_iteration)
        keep(run, result)
    return TrainedRun(run, result)


def fit(
    spec: Spec,
    table: Table,
    *,
    on_iteration: OnIteration | None = None,
    on_epoch: OnEpoch | None = None,
    start: Descent | None = None,
    alive: Alive = nothing,
) -> Result:
    """Train, and refuse a model that could not be kept. Raises DataError.

    Gradient descent tells `on_epoch` where it stands, and goes on from `start`. `alive` is called now
    and then in what has no iterations, and may raise.
    """
    if isinstance(spec, ForestSpec):
        return checked(forests.fit(spec, table, alive=alive))
    with warnings.catch_warnings():
        # The run, its version and their pages all carry the verdict; a log line would add nothing.
        warnings.simplefilter("ignore", NotConvergedWarning)
        result = train(
            spec, table, on_iteration=on_iteration, on_epoch=on_epoch, start=start, alive=alive
        )
        return checked(result)


def checked(result: Result) -> Result:
    """Raises DataError for a model that could not be kept."""
    for name in result.classifier.classes:
        if len(name) > LONGEST_CLASS:  # the log and the labels keep class names
            raise DataError(
                f"the class {shown(name)} has {len(name)} characters; {LONGEST_CLASS} is the most"
            )
    levels = [level for column in result.classifier.schema.columns for level in column.levels]
    for value in (*result.classifier.classes, *levels):
        if NUL in value:
            raise DataError(f"the value {shown(value)} holds a NUL character: replace it")
    return result


def save_files(run: Run, result: Result) -> None:
    """Write the artefact and the holdout rows; note on the run what its row is to say."""
    artifacts.save(run, result)
    solver = result.provenance.solver
    run.converged = result.classifier.converged
    run.iterations = solver["iterations"]
    run.message = solver["message"]
    run.dataset_features = len(result.classifier.schema.columns)


def keep(run: Run, result: Result) -> None:
    """Store all of a result at once, beside the row itself."""
    save_files(run, result)
    tracking.log_metrics(run, records.metrics(result))
    record(run, result)


def record(run: Run, result: Result) -> None:
    """Store what the run's pages show, beside its metrics and the row itself."""
    tracking.log_params(run, records.params(result))
    tracking.log_analysis(run, result.analysis.to_dict())
    tracking.log_tags(run, {"dataset": run.dataset_name})


def _facts(job: TrainingJob) -> dict[str, Any]:
    return {
        "name": job.name or specs.default_name(asdict(job.spec)),
        "solver": job.spec.solver,
        "dataset_name": job.table.name[:LONGEST_DATASET],
        "dataset_sha256": job.table.sha256,
        "dataset_rows": len(job.table.rows),
        "synthetic": job.table.synthetic,
        "created_by": job.actor.user,
    }
