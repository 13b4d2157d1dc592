"""Trains on files larger than memory and tracks it as a run, in the process that asks for it."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from endpoints.errors import DomainError, InvalidData
from endpoints.models import Experiment, Run
from endpoints.services import tracking, training
from endpoints.services.access import Caller
from endpoints.services.large.engines import EngineSpec
from endpoints.services.large.training import DataSource, name_of, train
from endpoints.services.training import Clock, TrainedRun
from endpoints.services.training_jobs import specs
from mlcore import run_training as records
from mlcore.errors import DataError
from mlcore.history import OnIteration
from mlcore.training import TrainingResult, TrainingSpec


@dataclass(frozen=True, kw_only=True)
class LargeJob:
    """What to train on, how, where, and under which experiment and name to keep it."""

    data: DataSource
    spec: TrainingSpec
    engine: EngineSpec
    experiment: str
    name: str = ""
    actor: Caller


def run_training(
    job: LargeJob, *, clock: Clock, on_iteration: OnIteration | None = None
) -> TrainedRun:
    """Train and track, as ``training.run_training`` does with a table in memory."""
    specs.check_names(experiment=job.experiment, name=job.name)
    run = Run.objects.create(
        experiment=Experiment.objects.get_or_create(name=job.experiment)[0],
        name=job.name or specs.default_name(asdict(job.spec)),
        solver=job.spec.solver,
        dataset_name=name_of(job.data),
        dataset_sha256="",
        dataset_rows=0,
        started_at=clock(),
        created_by=job.actor.user,
    )
    try:
        result = training.checked(
            train(job.spec, job.data, engine=job.engine, on_iteration=on_iteration)
        )
        _keep(run, result)
    except DataError as error:
        tracking.fail(run, message=str(error), now=clock())
        raise InvalidData(str(error), cells=error.cells) from error
    except DomainError as error:
        tracking.fail(run, message=error.message, now=clock())
        raise
    except BaseException as error:
        tracking.fail(run, message=f"{type(error).__name__}: {error}", now=clock())
        raise
    tracking.finish(run, now=clock())
    return TrainedRun(run, result)


def _keep(run: Run, result: training.Result) -> None:
    assert isinstance(result, TrainingResult)  # noqa: S101 - for mypy: nothing else is large
    run.dataset_sha256 = result.dataset_sha256
    run.dataset_rows = result.n_train + result.n_validation
    run.save(update_fields=["dataset_sha256", "dataset_rows"])
    training.save_files(run, result)
    tracking.log_metrics(run, records.metrics(result))
    training.record(run, result)
