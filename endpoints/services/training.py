"""Trains a table and tracks it as a run: parameters, curves, metrics, analysis, holdout, artefact."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from endpoints.errors import InvalidData, InvalidRequest
from endpoints.models import Experiment, Run
from endpoints.services import artifacts, forests, tracking
from endpoints.services.access import Caller
from endpoints.services.forests import ForestResult, ForestSpec
from endpoints.services.words import LONGEST_CLASS, LONGEST_NAME, SOLVER_NAMES
from mlcore import run_training as records
from mlcore.errors import DataError, NotConvergedWarning, shown
from mlcore.solvers import Iteration
from mlcore.table import Table
from mlcore.training import TrainingResult, TrainingSpec, train

Clock = Callable[[], datetime]
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
    job: TrainingJob, *, clock: Clock, on_iteration: Callable[[Iteration], None] | None = None
) -> TrainedRun:
    """Train and track. A failure leaves a failed run that says why; bad data raises InvalidData."""
    _check_names(job)
    run = _open(job, clock())
    try:
        result = _train(job, on_iteration)
        _check_classes(result)
        _keep(run, result)
    except DataError as error:
        tracking.fail(run, message=str(error), now=clock())
        raise InvalidData(str(error), cells=error.cells) from error
    except BaseException as error:
        tracking.fail(run, message=f"{type(error).__name__}: {error}", now=clock())
        raise
    tracking.finish(run, now=clock())
    return TrainedRun(run, result)


def _open(job: TrainingJob, now: datetime) -> Run:
    experiment, _ = Experiment.objects.get_or_create(name=job.experiment)
    return Run.objects.create(
        experiment=experiment,
        name=job.name or _default_name(job.spec),
        solver=job.spec.solver,
        dataset_name=job.table.name,
        dataset_sha256=job.table.sha256,
        dataset_rows=len(job.table.rows),
        synthetic=job.table.synthetic,
        started_at=now,
        created_by=job.actor.user,
    )


def _default_name(spec: Spec) -> str:
    solver = SOLVER_NAMES[spec.solver]
    if isinstance(spec, ForestSpec):
        return solver if spec.max_depth is None else f"{solver}, depth {spec.max_depth}"
    penalty = spec.lambda_ if isinstance(spec.lambda_, str) else f"{spec.lambda_:g}"
    return f"{solver}, lambda {penalty}"


def _check_names(job: TrainingJob) -> None:
    for word, text in (("experiment", job.experiment), ("run's name", job.name)):
        if len(text) > LONGEST_NAME:
            raise InvalidRequest(
                f"The {word} has {len(text)} characters; {LONGEST_NAME} is the most."
            )


def _check_classes(result: Result) -> None:
    """The log and the labels keep class names."""
    for name in result.classifier.classes:
        if len(name) > LONGEST_CLASS:
            raise DataError(
                f"the class {shown(name)} has {len(name)} characters; {LONGEST_CLASS} is the most"
            )


def _train(job: TrainingJob, on_iteration: Callable[[Iteration], None] | None) -> Result:
    if isinstance(job.spec, ForestSpec):
        return forests.fit(job.spec, job.table)
    with warnings.catch_warnings():
        # The run, its version and their pages all carry the verdict; a log line would add nothing.
        warnings.simplefilter("ignore", NotConvergedWarning)
        return train(job.spec, job.table, on_iteration=on_iteration)


def _keep(run: Run, result: Result) -> None:
    """Write the artefact and the holdout rows, then everything the run's pages show."""
    artifacts.save(run, result)
    solver = result.provenance.solver
    run.converged = result.classifier.converged
    run.iterations = solver["iterations"]
    run.message = solver["message"]
    run.dataset_features = len(result.classifier.schema.columns)
    tracking.log_params(run, records.params(result))
    tracking.log_metrics(run, records.metrics(result))
    tracking.log_analysis(run, result.analysis.to_dict())
    tracking.log_tags(run, {"dataset": run.dataset_name})
