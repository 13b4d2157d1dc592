"""Trains on files larger than memory and tracks it as a run, in the process that asks for it."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from endpoints.services import training
from endpoints.services.access import Caller
from endpoints.services.large.engines import EngineSpec
from endpoints.services.large.training import DataSource, name_of, train
from endpoints.services.own_process import Clock, tracked
from endpoints.services.training import TrainedRun
from endpoints.services.training_jobs import specs
from mlcore.history import OnIteration
from mlcore.run_names import LONGEST_DATASET
from mlcore.training import TrainingSpec


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
    facts = {
        "name": job.name or specs.default_name(asdict(job.spec)),
        "solver": job.spec.solver,
        "dataset_name": name_of(job.data)[:LONGEST_DATASET],
        "dataset_sha256": "",
        "dataset_rows": 0,
        "created_by": job.actor.user,
    }
    with tracked(experiment=job.experiment, clock=clock, **facts) as run:
        trained = train(job.spec, job.data, engine=job.engine, on_iteration=on_iteration)
        result = training.checked(trained)
        run.dataset_sha256 = trained.dataset_sha256
        run.dataset_rows = trained.n_train + trained.n_validation
        run.save(update_fields=["dataset_sha256", "dataset_rows"])
        training.keep(run, result)
    return TrainedRun(run, result)
