"""Trains a table and tracks it as a run: parameters, curves, metrics, analysis, holdout, artefact."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime

from endpoints.errors import InvalidData
from endpoints.models import Experiment, Run
from endpoints.services import artifacts, forests, tracking
from endpoints.services.access import Caller
from endpoints.services.forests import Alive, ForestResult, ForestSpec
from endpoints.services.training_jobs import specs
from endpoints.services.words import LONGEST_CLASS
from mlcore import run_training as records
from mlcore.errors import DataError, NotConvergedWarning, shown
from mlcore.history import OnIteration
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
    job: TrainingJob, *, clock: Clock, on_iteration: OnIteration | None = None
) -> TrainedRun:
    """Train and track. A failure leaves a failed run that says why; bad data raises InvalidData."""
    specs.check_names(experiment=job.experiment, name=job.name)
    run = _open(job, clock())
    try:
        result = fit(job.spec, job.table, on_iteration=on_iteration)
        save_files(run, result)
        tracking.log_metrics(run, records.metrics(result))
        record(run, result)
    except DataError as error:
        tracking.fail(run, message=str(error), now=clock())
        raise InvalidData(str(error), cells=error.cells) from error
    except BaseException as error:
        tracking.fail(run, message=f"{type(error).__name__}: {error}", now=clock())
        raise
    tracking.finish(run, now=clock())
    return TrainedRun(run, result)


def fit(
    spec: Spec,
    table: Table,
    *,
    on_iteration: OnIteration | None = None,
    alive: Alive = forests.nothing,
) -> Result:
    """Train, and refuse a model that could not be kept. Raises DataError.

    `alive` is called now and then while trees grow, which have no iterations, and may raise.
    """
    if isinstance(spec, ForestSpec):
        return checked(forests.fit(spec, table, alive=alive))
    with warnings.catch_warnings():
        # The run, its version and their pages all carry the verdict; a log line would add nothing.
        warnings.simplefilter("ignore", NotConvergedWarning)
        return checked(train(spec, table, on_iteration=on_iteration))


def checked(result: Result) -> Result:
    """Raises DataError for a model that could not be kept."""
    for name in result.classifier.classes:
        if len(name) > LONGEST_CLASS:  # the log and the labels keep class names
            raise DataError(
                f"the class {shown(name)} has {len(name)} characters; {LONGEST_CLASS} is the most"
            )
    return result


def save_files(run: Run, result: Result) -> None:
    """Write the artefact and the holdout rows; note on the run what its row is to say."""
    artifacts.save(run, result)
    solver = result.provenance.solver
    run.converged = result.classifier.converged
    run.iterations = solver["iterations"]
    run.message = solver["message"]
    run.dataset_features = len(result.classifier.schema.columns)


def record(run: Run, result: Result) -> None:
    """Store what the run's pages show, beside its metrics and the row itself."""
    tracking.log_params(run, records.params(result))
    tracking.log_analysis(run, result.analysis.to_dict())
    tracking.log_tags(run, {"dataset": run.dataset_name})


def _open(job: TrainingJob, now: datetime) -> Run:
    experiment, _ = Experiment.objects.get_or_create(name=job.experiment)
    return Run.objects.create(
        experiment=experiment,
        name=job.name or specs.default_name(asdict(job.spec)),
        solver=job.spec.solver,
        dataset_name=job.table.name,
        dataset_sha256=job.table.sha256,
        dataset_rows=len(job.table.rows),
        synthetic=job.table.synthetic,
        started_at=now,
        created_by=job.actor.user,
    )
