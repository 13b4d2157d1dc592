"""A training that loses its worker goes on where its descent was, to the same bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from endpoints.models import Dataset, Run
from endpoints.services import leases, working
from endpoints.services.leases import Lease
from endpoints.services.training_jobs import cancelling, checkpoint_files, checkpoints
from endpoints.services.training_jobs import working as training
from endpoints.services.training_jobs.checkpoints import Checkpoint
from endpoints.services.working import Worker
from mlcore.history import Descent, Iteration
from tests import cast
from tests.endpoints.services.datasets.files import raisins, stored
from tests.endpoints.services.training_jobs.test_working import points, queued, trained

pytestmark = pytest.mark.django_db
EPOCHS = 30
GRADIENT = {"solver": "gd", "epochs": EPOCHS, "momentum": "nesterov", "lr": "auto"}


class Killed(BaseException):
    """Nobody writes down what became of the run, as where a process is killed."""


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return stored(tmp_path, raisins(), "raisins.csv")


@pytest.fixture
def after_each_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "SHORTEST", 0.0)
    monkeypatch.setattr(checkpoints, "MOST_OF_THE_TIME", float("inf"))


def row(number: int, **facts: Any) -> Iteration:
    return replace(Iteration(number, 1.5, 0.1, 0.9, None, None, 0.3, None, 0.01, 2.5), **facts)


def descent(epochs: int = 3) -> Descent:
    history = [row(number) for number in range(1, epochs + 1)]
    return Descent(np.array([0.1, -2.0]), np.array([1 / 3, 5e-324]), 1.7, history)


def checkpoint(file: Path, identity: str = "a", *, epochs: int = 9) -> Checkpoint:
    return Checkpoint(file, identity, epochs=epochs, told=lambda epoch: None)


def killed_at(
    epoch: int, run: Run, monkeypatch: pytest.MonkeyPatch, *, how: type[BaseException] = Killed
) -> list[int]:
    """Train until a worker is gone in that epoch; return the epochs that it did."""
    done: list[int] = []

    def tell(live: training.Live, iteration: Iteration) -> None:
        if iteration.number == epoch:
            raise how
        done.append(iteration.number)
        live._seen.append(iteration)
        live._tell(iteration)

    with monkeypatch.context() as patch:
        patch.setattr(training.Live, "__call__", tell)
        working.current.set(Worker())
        leases.claim(run, worker="w", now=cast.THEN)
        try:
            training.train(run, Lease(run, "w", lambda: cast.THEN))
        except how:
            Run.objects.filter(pk=run.pk, state="running").update(state="queued", worker="")
    run.refresh_from_db()
    return done


def test_it_works(
    dataset: Dataset, after_each_epoch: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed, run = trained(queued(dataset, **GRADIENT)), queued(dataset, **GRADIENT)
    assert killed_at(12, run, monkeypatch) == list(range(1, 12))
    assert killed_at(13, run, monkeypatch) == [12]
    assert killed_at(21, run, monkeypatch) == list(range(13, 21))
    assert trained(run).state == "finished"
    assert run.artifact_sha256 == undisturbed.artifact_sha256
    assert points(run) == points(undisturbed)
    assert run.iterations == EPOCHS


def test_by_pieces_it_goes_on_too(
    dataset: Dataset, after_each_epoch: None, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.RAISIN_IN_MEMORY_BYTES = 1_000
    undisturbed, run = trained(queued(dataset, **GRADIENT)), queued(dataset, **GRADIENT)
    assert killed_at(12, run, monkeypatch) == list(range(1, 12))
    assert killed_at(21, run, monkeypatch) == list(range(12, 21))
    assert trained(run).state == "finished"
    assert run.artifact_sha256 == undisturbed.artifact_sha256
    assert points(run) == points(undisturbed)


def test_one_in_memory_does_not_go_on_by_pieces(
    dataset: Dataset, after_each_epoch: None, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    run = queued(dataset, **GRADIENT)
    killed_at(12, run, monkeypatch)
    settings.RAISIN_IN_MEMORY_BYTES = 1_000
    assert killed_at(3, run, monkeypatch) == [1, 2]


def test_a_newton_training_begins_anew(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    undisturbed, run = trained(queued(dataset)), queued(dataset)
    assert killed_at(2, run, monkeypatch) == [1]
    assert killed_at(2, run, monkeypatch) == [1]
    assert trained(run).artifact_sha256 == undisturbed.artifact_sha256


def test_what_was_told_stays_but_for_what_is_lost(
    dataset: Dataset, after_each_epoch: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = queued(dataset, **GRADIENT)
    killed_at(12, run, monkeypatch)
    cast_aside = run.metrics.create(key="epoch_seconds", step=12, value=1e9)
    before = list(run.metrics.exclude(pk=cast_aside.pk).values_list("pk", flat=True))
    assert len(before) > 11
    killed_at(12, run, monkeypatch)
    assert list(run.metrics.values_list("pk", flat=True)) == before
    assert run.iterations == 11
    trained(run)
    seconds = list(run.metrics.filter(key="epoch_seconds").values_list("value", flat=True))
    assert seconds == sorted(seconds)
    assert len(seconds) == EPOCHS


def test_it_began_when_its_first_worker_did(
    dataset: Dataset, after_each_epoch: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = queued(dataset, **GRADIENT)
    killed_at(12, run, monkeypatch)
    assert trained(run).started_at == cast.THEN


def test_workers_may_die_as_often_as_it_gets_on(
    dataset: Dataset, after_each_epoch: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = queued(dataset, **GRADIENT)
    for epoch in range(2, 9):
        killed_at(epoch, run, monkeypatch)
        assert (run.attempt, run.cursor) == (1, {"epoch": epoch - 1})
    killed_at(8, run, monkeypatch)
    assert (run.attempt, run.cursor) == (2, {"epoch": 7})


def test_begun_anew_it_does_not_count_as_getting_on(
    dataset: Dataset, after_each_epoch: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = queued(dataset, **GRADIENT)
    killed_at(9, run, monkeypatch)
    for attempt in (2, 3):
        checkpoint_files.file(run).unlink()
        assert killed_at(5, run, monkeypatch) == [1, 2, 3, 4]
        assert (run.attempt, run.cursor) == (attempt, {"epoch": 8})


def test_after_the_last_epoch_none_is_done_again(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed, run = trained(queued(dataset, **GRADIENT)), queued(dataset, **GRADIENT)

    def die(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(training.training, "save_files", die)
        assert killed_at(0, run, monkeypatch) == list(range(1, EPOCHS + 1))
    assert run.cursor == {"epoch": EPOCHS}
    assert killed_at(0, run, monkeypatch) == []
    assert (run.state, run.artifact_sha256) == ("finished", undisturbed.artifact_sha256)
    assert points(run) == points(undisturbed)


@pytest.mark.parametrize("harm", ["torn", "changed", "empty", "of another"])
def test_it_begins_anew_where_the_file_is_not_its_own(
    harm: str, dataset: Dataset, after_each_epoch: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed, run = trained(queued(dataset, **GRADIENT)), queued(dataset, **GRADIENT)
    killed_at(9, run, monkeypatch)
    file = checkpoint_files.file(run)
    content = file.read_bytes()
    other = queued(dataset, **GRADIENT | {"epochs": 31})
    killed_at(9, other, monkeypatch)
    foreign = checkpoint_files.file(other).read_bytes()
    harmed = {
        "torn": content[:-100],
        "changed": content[:300] + bytes([content[300] ^ 1]) + content[301:],
        "empty": b"",
        "of another": foreign,
    }
    file.write_bytes(harmed[harm])
    assert killed_at(4, run, monkeypatch) == [1, 2, 3]
    assert trained(run).artifact_sha256 == undisturbed.artifact_sha256
    assert points(run) == points(undisturbed)


@pytest.mark.parametrize("largest", [2**20, 1_000])
def test_it_begins_anew_where_the_descent_does_not_fit(
    largest: int,
    dataset: Dataset,
    after_each_epoch: None,
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
) -> None:
    settings.RAISIN_IN_MEMORY_BYTES = largest
    undisturbed, run = trained(queued(dataset, **GRADIENT)), queued(dataset, **GRADIENT)
    assert run.dataset is not None
    checkpoints.of(run, run.dataset, told=lambda epoch: None)(descent())
    assert killed_at(4, run, monkeypatch) == [1, 2, 3]
    assert killed_at(6, run, monkeypatch) == [4, 5]
    assert trained(run).artifact_sha256 == undisturbed.artifact_sha256
    assert points(run) == points(undisturbed)


@pytest.mark.parametrize("what", ["dataset", "spec", "columns", "run", "versions", "polars"])
def test_its_identity_names_all_that_decides(
    what: str, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(queued(dataset))
    dataset.refresh_from_db()
    run = queued(dataset, **GRADIENT)
    before = checkpoints.identity(run, dataset, in_memory=True)
    assert before == checkpoints.identity(run, dataset, in_memory=True)
    changes: dict[str, Callable[[], None]] = {
        "dataset": lambda: setattr(dataset, "sha256", "0" * 64),
        "spec": lambda: run.spec.update(seed=8),
        "columns": lambda: dataset.columns[0].update(feature=False),
        "run": lambda: setattr(run, "pk", "0" * 32),
        "polars": lambda: monkeypatch.setattr(checkpoints.pl, "__version__", "0"),
        "versions": lambda: monkeypatch.setattr(checkpoints, "versions", lambda: {"numpy": "9"}),
    }
    changes[what]()
    assert checkpoints.identity(run, dataset, in_memory=True) != before


def test_the_file_keeps_every_bit(tmp_path: Path) -> None:
    given = descent()
    checkpoint(tmp_path / "a")(given)
    found = checkpoint(tmp_path / "a").read()
    assert found is not None
    assert found.point.tobytes() == given.point.tobytes()
    assert found.theta.tobytes() == given.theta.tobytes()
    assert (found.t, list(found.history)) == (given.t, given.history)
    assert checkpoint(tmp_path / "a", "b").read() is None
    assert checkpoint(tmp_path / "no such file").read() is None


def test_it_is_written_first_last_and_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, safe = [0.0], list[int]()
    monkeypatch.setattr(checkpoints, "monotonic", lambda: now[0])
    kept = Checkpoint(tmp_path / "a", "a", epochs=300, told=safe.append)
    for epoch in range(5, 301):
        now[0] = epoch / 10
        kept(descent(epoch))
    assert safe == [5, 8, 13, 23, 43, 83, 123, 163, 203, 243, 283, 300]


def test_a_dear_one_is_written_less_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now, safe = [0.0], list[int]()

    def costly(*_: Any) -> None:
        now[0] += 1.0

    monkeypatch.setattr(checkpoints, "monotonic", lambda: now[0])
    monkeypatch.setattr(checkpoints, "replace_file", costly)
    kept = Checkpoint(tmp_path / "a", "a", epochs=1_000, told=safe.append)
    for epoch in range(1, 101):
        kept(descent(epoch))
        now[0] += 1.0
    assert safe == [1, 21, 41, 61, 81]


def test_a_full_disk_ends_no_training(
    dataset: Dataset, after_each_epoch: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(checkpoint_files, "home", lambda: tmp_path / "file")
    run = trained(queued(dataset, **GRADIENT))
    assert (run.state, run.cursor) == ("finished", {})


def test_no_run_that_has_ended_leaves_a_file(
    dataset: Dataset, after_each_epoch: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def left(run: Run) -> bool:
        return checkpoint_files.file(run).exists()

    finished, failed, stopped = (queued(dataset, **GRADIENT) for _ in range(3))
    assert not left(trained(finished))
    killed_at(5, failed, monkeypatch, how=ValueError)
    assert not left(failed)
    killed_at(5, stopped, monkeypatch)
    assert left(stopped)
    cancelling.cancel(stopped, actor=cast.SYSTEM, now=cast.THEN)
    assert not left(stopped)


def test_a_cancelled_one_leaves_no_file(
    dataset: Dataset, after_each_epoch: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = queued(dataset, **GRADIENT)
    safe = training.Safe.__call__

    def cancel(told: training.Safe, epoch: int) -> None:
        assert checkpoint_files.file(run).exists()
        leases.cancel(run, now=cast.THEN)
        safe(told, epoch)

    monkeypatch.setattr(training.Safe, "__call__", cancel)
    assert trained(run).state == "cancelled"
    assert not checkpoint_files.file(run).exists()


def test_what_a_dead_worker_left_is_swept_up(
    dataset: Dataset, after_each_epoch: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, waiting = queued(dataset, **GRADIENT), queued(dataset, **GRADIENT)
    for run in (gone, waiting):
        killed_at(5, run, monkeypatch)
    draft = checkpoint_files.home() / f".{gone.pk}.descent.draft"
    draft.touch()
    Run.objects.filter(pk=gone.pk).update(state="failed")
    checkpoint_files.sweep()
    found = {path for path in checkpoint_files.home().iterdir() if path.name.strip(".") > ""}
    assert checkpoint_files.file(waiting) in found
    assert not found & {checkpoint_files.file(gone), draft}
