"""A worker's way through a training: read the dataset, train, tell how far it is, keep the result.

For workers alone, since it loads what trains. A gradient descent that was interrupted goes on from its
checkpoint, other trainings begin anew; all give the same coefficients.
"""

from __future__ import annotations

from itertools import islice

from django.conf import settings
from django.db import transaction

from endpoints.errors import InvalidData
from endpoints.models import Dataset, Run
from endpoints.models.dataset import DatasetState
from endpoints.models.run import RunState
from endpoints.services import artifacts, away, housekeeping, tracking, training, working
from endpoints.services.datasets import folders, reading, tables
from endpoints.services.forests import ForestSpec
from endpoints.services.large import settings as engine_settings
from endpoints.services.large import training as large
from endpoints.services.large.training import DataSource
from endpoints.services.leases import Lease, LeaseLost, Stopped
from endpoints.services.throttle import Every
from endpoints.services.training import Result
from endpoints.services.training_jobs import checkpoint_files, checkpoints, specs
from endpoints.services.training_jobs.checkpoints import Checkpoint
from mlcore import run_training as records
from mlcore.errors import CellError, DescentError
from mlcore.history import Descent, Iteration

SECONDS_BETWEEN = 0.5
POINTS_AT_ONCE = 8
"""Of a curve, each time: the whole of it comes when the training has ended."""
POINTS_OF_A_LOT = 5_000
ANOTHER_GOES_ON = (LeaseLost, Stopped, *away.ERRORS)


def train(run: Run, lease: Lease) -> None:
    """Bring a run from its dataset to a model that can be registered."""
    try:
        _train(run, lease)
    except ANOTHER_GOES_ON:
        raise
    except Exception:
        checkpoint_files.forget(run)
        raise
    checkpoint_files.forget(run)


def _train(run: Run, lease: Lease) -> None:
    dataset = run.dataset
    if dataset is None:
        raise InvalidData("The run has no dataset to train on.")
    if not run.cursor:
        lease.save(started_at=lease.clock())
    _read(dataset, lease)
    result = _result(run, dataset, lease)
    lease.check()
    artifacts.clear(run)
    training.save_files(run, result)
    _keep(run, result, lease)


def _keep(run: Run, result: Result, lease: Lease) -> None:
    """Ten thousand epochs are ninety thousand points: written at once they would hold up everybody else."""
    points = records.metrics(result)
    while lot := list(islice(points, POINTS_OF_A_LOT)):
        with transaction.atomic():
            lease.save()
            tracking.complete_metrics(run, lot)  # some have been told while it trained
    with transaction.atomic():
        training.record(run, result)
        if not lease.end(RunState.FINISHED, **tracking.outcome(run)):
            raise LeaseLost


def _begin(run: Run, lease: Lease, start: Descent | None) -> None:
    """Nobody but who has the run may forget what an earlier worker told of it."""
    with transaction.atomic():
        lease.save(iterations=start.epoch if start else None)
        if start:
            run.metrics.filter(step__gt=start.epoch).delete()
        else:
            tracking.clear(run)


def _read(dataset: Dataset, lease: Lease) -> None:
    """Read a new dataset, or wait for the worker who does."""
    while dataset.state in (*dataset.WORK, *dataset.WORK.values()):
        working.at(Dataset, dataset.pk, reading.read)
        dataset.refresh_from_db()
        lease.check()
        if dataset.state == DatasetState.READING:
            lease.stopping.wait(SECONDS_BETWEEN)
            housekeeping.left_by_others(lease.clock)
            dataset.refresh_from_db()
    if dataset.state == DatasetState.FAILED:
        cells = [CellError(**problem) for problem in dataset.problems]
        raise InvalidData(dataset.message, cells=cells)


def _result(run: Run, dataset: Dataset, lease: Lease) -> Result:
    lease.save(dataset_rows=dataset.rows or 0)
    checkpoint = checkpoints.of(run, dataset, told=Safe(run, lease))
    try:
        return _trained(dataset, checkpoint, checkpoint.read(), Live(run, lease))
    except DescentError as error:
        checkpoint.begin_anew(str(error))
        return _trained(dataset, checkpoint, None, Live(run, lease))


def _trained(dataset: Dataset, checkpoint: Checkpoint, start: Descent | None, live: Live) -> Result:
    run, lease = live.run, live.lease
    spec = specs.from_dict(specs.with_columns(run.spec, dataset.columns))
    _begin(run, lease, start)
    if tables.fits_into_memory(dataset):
        table = tables.table(dataset)
        lease.check()
        return training.fit(
            spec, table, on_iteration=live, on_epoch=checkpoint, start=start, alive=lease.alive
        )
    if isinstance(spec, ForestSpec):
        raise InvalidData(
            f"{dataset.name} has more than the {settings.RAISIN_IN_MEMORY_BYTES:,} bytes that trees are "
            "grown from: train a logistic regression, or trees on a part of the rows."
        )
    data = DataSource(files=[folders.source(dataset)], name=dataset.name, sha256=dataset.sha256)
    engine = engine_settings.chosen(alive=lease.alive)
    return training.checked(
        large.train(spec, data, engine=engine, on_iteration=live, on_epoch=checkpoint, start=start)
    )


class Safe:
    """Notes the epochs from which another worker could go on; only what is further than ever before counts."""

    def __init__(self, run: Run, lease: Lease) -> None:
        self._run, self._lease = run, lease

    def __call__(self, epoch: int) -> None:
        if epoch > self._run.cursor.get("epoch", 0):
            self._lease.save(cursor={"epoch": epoch})


class Live:
    """Tells now and then how far a training is; what it raises ends the training."""

    def __init__(self, run: Run, lease: Lease) -> None:
        self.run, self.lease = run, lease
        self._every = Every(SECONDS_BETWEEN)
        self._seen: list[Iteration] = []

    def __call__(self, iteration: Iteration) -> None:
        self._seen.append(iteration)
        if iteration.number > 1 and not self._every.is_due():
            return
        self._tell(iteration)

    def _tell(self, iteration: Iteration) -> None:
        seen, self._seen = self._seen, []
        apart = -(-len(seen) // POINTS_AT_ONCE)
        with transaction.atomic():
            self.lease.save(iterations=iteration.number)
            tracking.log_metrics(self.run, records.curve(seen[::-apart][::-1]))
