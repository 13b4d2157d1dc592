"""A worker trains what is queued, tells how far it is, and ends as what became of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from time import sleep
from typing import Any

import polars as pl
import pytest
from django.conf import settings
from django.db import OperationalError

import mlcore.analysis
import mlcore.training
from endpoints.errors import InvalidData
from endpoints.models import Dataset, Run
from endpoints.services import artifacts, doorbell, housekeeping, leases, lifecycle, working
from endpoints.services.housekeeping import NowAndThen, Patient
from endpoints.services.large.engines import EngineSpec
from endpoints.services.leases import Cancelled, Lease, Stopped
from endpoints.services.training import TrainingJob, run_training
from endpoints.services.training_jobs import specs, submitting
from endpoints.services.training_jobs import working as training
from endpoints.services.working import Worker
from mlcore import files
from mlcore.history import Iteration
from mlcore.textformats import parse_csv
from mlcore.training import TrainingSpec
from tests import cast
from tests.endpoints.services.datasets.files import raisins, stored

pytestmark = pytest.mark.django_db
GRADIENT = {"solver": "gd", "epochs": 30}


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return stored(tmp_path, raisins(), "raisins.csv")


def queued(dataset: Dataset, **asked: Any) -> Run:
    spec = specs.read({"target": "Class", "positive": "Besni"} | asked)
    return submitting.submit(dataset, spec, actor=cast.SYSTEM, now=cast.THEN)


def trained(run: Run) -> Run:
    working.at(Run, run.pk, training.train)
    run.refresh_from_db()
    return run


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"Class": ["b\0", "k"] * 50, "Colour": ["r", "g", "g"] * 33 + ["r"]}, "'b\\x00'"),
        ({"Class": ["b", "k"] * 50, "Colour": ["r\0", "g", "g"] * 33 + ["g"]}, "'r\\x00'"),
    ],
)
def test_a_value_with_nul_is_refused(tmp_path: Path, facts: dict[str, Any], message: str) -> None:
    pl.DataFrame(facts).write_parquet(tmp_path / "grains.parquet")
    content = (tmp_path / "grains.parquet").read_bytes()
    dataset = stored(tmp_path, content, "grains.parquet")
    run = trained(queued(dataset, positive="k"))
    assert (run.state, run.message) == (
        "failed",
        f"the value {message} holds a NUL character: replace it",
    )


def test_the_name_of_a_dataset_is_cut_as_the_tracker_does(tmp_path: Path) -> None:
    table = parse_csv(raisins().encode(), name="x" * 300)
    job = TrainingJob(
        table=table, spec=TrainingSpec(target="Class"), experiment="e", actor=cast.SYSTEM
    )
    assert run_training(job, clock=lambda: cast.THEN).run.dataset_name == "x" * 200


def points(run: Run) -> list[tuple[str, int, float]]:
    """All but the clock's."""
    found = run.metrics.exclude(key="epoch_seconds").order_by("key", "step")
    return list(found.values_list("key", "step", "value"))


def at_iteration(number: int, act: Callable[[Run], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let something happen to a run when a worker has done so many iterations, and look at each."""
    tell = training.Live.__call__

    def telling(live: training.Live, iteration: Iteration) -> None:
        if iteration.number == number:
            act(live.run)
        tell(live, iteration)

    monkeypatch.setattr(training, "SECONDS_BETWEEN", 0.0)
    monkeypatch.setattr(training.Live, "__call__", telling)


def test_it_works(dataset: Dataset) -> None:
    run = trained(queued(dataset))
    assert (run.state, run.converged, run.dataset_rows) == ("finished", True, 150)
    assert run.has_model
    assert run.ended_at is not None
    version = lifecycle.register(
        run=run, endpoint=cast.an_endpoint(), actor=cast.SYSTEM, now=cast.THEN
    )
    assert version.artifact_sha256 == run.artifact_sha256


def test_it_gives_what_the_command_line_gives(dataset: Dataset) -> None:
    run = trained(queued(dataset, **GRADIENT))
    spec = TrainingSpec(target="Class", positive="Besni", solver="gd", epochs=30)
    table = parse_csv(raisins().encode(), name="raisins.csv")
    job = TrainingJob(table=table, spec=spec, experiment="x", actor=cast.SYSTEM)
    other = run_training(job, clock=lambda: cast.THEN).run
    ours, theirs = artifacts.load(run), artifacts.load(other)
    assert points(run) == points(other)
    assert dict(run.params.values_list("key", "value")) == dict(
        other.params.values_list("key", "value")
    )
    assert (ours.classes, ours.threshold) == (theirs.classes, theirs.threshold)
    assert ours.estimator.weights.tolist() == theirs.estimator.weights.tolist()


def stopped_after_its_files(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> Run:
    def stop(run: Run, *known: Any) -> None:
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(training, "_keep", stop)
        run = trained(queued(dataset))
    assert (run.state, run.artifact_path) == ("queued", "")
    return run


def test_what_a_worker_wrote_that_came_to_no_end_is_written_anew(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another release or processor may train a bundle that differs in a byte."""
    run = stopped_after_its_files(dataset, monkeypatch)
    bundle = artifacts.holdout_file(run).parent / "model"
    with (bundle / "model.json").open("ab") as file:
        file.write(b"\n")
    assert trained(run).state == "finished", run.message
    assert artifacts.load(run).classes == ("Kecimen", "Besni")


def test_a_bundle_that_a_row_names_stays(dataset: Dataset) -> None:
    run = trained(queued(dataset))
    artifacts.clear(run)
    assert artifacts.load(run).classes == ("Kecimen", "Besni")


def test_the_names_of_all_files_outlive_a_power_cut(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(files, "sync", synced.append)
    run = trained(queued(dataset))
    assert synced.count(artifacts.folder(run)) == 1
    assert synced.count(artifacts.holdout_file(run).parent) == 2


def test_a_new_dataset_is_read_first(dataset: Dataset) -> None:
    trained(queued(dataset))
    dataset.refresh_from_db()
    assert (dataset.state, dataset.rows) == ("ready", 150)


def test_it_waits_for_the_worker_who_reads_the_dataset(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And takes over from one that is gone."""
    leases.claim(dataset, worker="gone", now=cast.THEN)
    monkeypatch.setattr(training, "SECONDS_BETWEEN", 0.01)
    look_with(Patient(), monkeypatch)
    assert trained(queued(dataset)).state == "finished"


def look_with(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "left_by_others", NowAndThen(patient, "", seconds=0))


def test_who_reads_the_dataset_may_have_slept_as_this_worker_did(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of a machine sleep together, and get the time of a lease to be heard again."""
    run, patient = queued(dataset), Patient()
    leases.claim(dataset, worker="asleep", now=cast.THEN)
    leases.claim(run, worker="w", now=cast.THEN)
    awake = cast.THEN + timedelta(hours=1)
    looks = list[int]()

    def clock() -> Any:
        looks.append(1)
        if len(looks) == 5:
            leases.cancel(run, now=awake)
        return awake

    monkeypatch.setattr(training, "SECONDS_BETWEEN", 0.0)
    look_with(patient, monkeypatch)
    assert patient(cast.THEN) == 0
    with pytest.raises(Cancelled):
        training._read(dataset, Lease(run, "w", clock))
    dataset.refresh_from_db()
    assert (dataset.state, dataset.worker, dataset.attempt) == ("reading", "asleep", 1)


def test_a_reading_that_loses_the_database_ends_neither_job(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where the first bell for what is given back is lost too."""
    run, ring, rung = queued(dataset), doorbell.ring, list[Any]()

    def lose(*_: Any) -> None:
        raise OperationalError("the server closed the connection")

    def lost_at_first(job: Any) -> None:
        rung.append(job)
        if len(rung) == 1:
            lose()
        ring(job)

    monkeypatch.setattr(training.reading, "read", lose)
    monkeypatch.setattr(doorbell, "ring", lost_at_first)
    monkeypatch.setattr(leases, "SECONDS_BETWEEN_TRIES", 0.0)
    with pytest.raises(OperationalError):
        working.at(Run, run.pk, training.train)
    for job in (run, dataset):
        job.refresh_from_db()
        assert (job.state in job.WORK, job.worker, job.attempt) == (True, "", 0), job
    assert rung == [dataset, dataset, run]


def test_identifiers_and_constants_are_left_out(tmp_path: Path) -> None:
    header, *rows = raisins().splitlines()
    lines = [f"id,{header},lot", *(f"{i},{row},A" for i, row in enumerate(rows))]
    run = trained(queued(stored(tmp_path, "\n".join(lines), "raisins.csv")))
    assert run.state == "finished"
    assert run.params.get(key="columns").value == ", ".join(header.split(",")[:-1])


def test_columns_that_are_named_are_taken(tmp_path: Path) -> None:
    header, *rows = raisins().splitlines()
    lines = [f"id,{header}", *(f"{i},{row}" for i, row in enumerate(rows))]
    dataset = stored(tmp_path, "\n".join(lines), "raisins.csv")
    run = trained(queued(dataset, columns=["id", "Area"]))
    assert run.params.get(key="columns").value == "id, Area"


def test_trees_are_trained_too(dataset: Dataset) -> None:
    run = trained(queued(dataset, algorithm="decision_tree", max_depth=3))
    assert (run.state, run.solver) == ("finished", "decision_tree")


def test_it_tells_how_far_it_is(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def look(run: Run) -> None:
        stored = Run.objects.get(pk=run.pk)
        steps = run.metrics.filter(key="epoch_train_loss").values_list("step", flat=True)
        seen.update(iterations=stored.iterations, steps=list(steps), state=stored.state)

    at_iteration(4, look, monkeypatch)
    trained(queued(dataset, **GRADIENT))
    assert seen == {"iterations": 3, "steps": [1, 2, 3], "state": "running"}


def test_between_two_looks_some_points_are_enough(dataset: Dataset) -> None:
    run = queued(dataset)
    leases.claim(run, worker="w", now=cast.THEN)
    live = training.Live(run, Lease(run, "w", lambda: cast.THEN, threading.Event()))
    live._seen = [iteration(number) for number in range(1, 100)]
    live._tell(iteration(99))
    steps = run.metrics.filter(key="epoch_train_loss").values_list("step", flat=True)
    assert len(steps) == 8
    assert max(steps) == 99


def test_passes_over_many_pieces_keep_no_iteration_from_being_told(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(
        *_: Any, engine: EngineSpec, on_iteration: Callable[[Iteration], None], **__: Any
    ) -> None:
        on_iteration(iteration(1))
        sleep(0.03)
        engine.alive()
        on_iteration(iteration(2))
        raise InvalidData("That is enough.")

    monkeypatch.setattr(settings, "RAISIN_IN_MEMORY_BYTES", 10)
    monkeypatch.setattr(training, "SECONDS_BETWEEN", 0.02)
    monkeypatch.setattr(training.large, "train", train)
    run = trained(queued(dataset))
    assert (run.message, run.iterations) == ("That is enough.", 2)


def iteration(number: int) -> Iteration:
    return Iteration(number, 1.0, 0.5, 0.9, None, None, 0.1, None, 1.0, 0.0)


def test_a_cancelled_one_ends_within_an_iteration(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_iteration(5, lambda run: leases.cancel(run, now=cast.THEN) or None, monkeypatch)
    run = trained(queued(dataset, **GRADIENT))
    assert (run.state, run.has_model) == ("cancelled", False)
    assert max(run.metrics.values_list("step", flat=True)) <= 5


def test_a_cancelled_one_is_not_looked_at_from_every_side(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That may take longer than the training."""
    run, judge, reached = queued(dataset), mlcore.training.judge, list[str]()

    def cancelling(*given: Any) -> Any:
        leases.cancel(run, now=cast.THEN)
        return judge(*given)

    monkeypatch.setattr(leases, "SECONDS_BETWEEN_CHECKS", 0.0)
    monkeypatch.setattr(mlcore.training, "judge", cancelling)
    monkeypatch.setattr(mlcore.analysis, "_worst_rows", lambda *_: reached.append("the last"))
    assert trained(run).state == "cancelled"
    assert reached == []


def test_a_worker_that_is_to_end_gives_it_back(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker()
    working.current.set(worker)
    at_iteration(5, lambda run: worker.stopping.set(), monkeypatch)
    run = trained(queued(dataset, **GRADIENT))
    assert (run.state, run.worker, run.attempt) == ("queued", "", 0)


def test_given_back_it_goes_on_to_the_same_end(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker()
    working.current.set(worker)
    at_iteration(5, lambda run: worker.stopping.set(), monkeypatch)
    run = trained(queued(dataset, **GRADIENT))
    worker.stopping.clear()
    monkeypatch.undo()
    undisturbed = trained(queued(dataset, **GRADIENT))
    assert trained(run).state == "finished"
    assert points(run) == points(undisturbed)
    assert run.artifact_sha256 == undisturbed.artifact_sha256


def test_a_worker_that_was_thought_dead_leaves_nothing(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(run: Run) -> None:
        Run.objects.filter(pk=run.pk).update(worker="another")

    at_iteration(5, lose, monkeypatch)
    run = trained(queued(dataset, **GRADIENT))
    assert (run.state, run.worker, run.iterations) == ("running", "another", 4)
    assert not run.params.exists()


def test_a_long_curve_is_written_in_lots(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "POINTS_OF_A_LOT", 7)
    in_lots, whole = queued(dataset, **GRADIENT), queued(dataset, **GRADIENT)
    trained(in_lots)
    monkeypatch.undo()
    assert points(in_lots) == points(trained(whole))


def test_it_loses_the_race_at_the_very_end(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = Lease.end

    def too_late(lease: Lease, state: str, **facts: Any) -> bool:
        if isinstance(lease.job, Run):
            Run.objects.update(worker="another")
        return end(lease, state, **facts)

    monkeypatch.setattr(Lease, "end", too_late)
    run = trained(queued(dataset))
    assert (run.state, run.artifact_sha256) == ("running", "")
    assert not run.params.exists()


def test_bad_cells_are_told_by_row_and_column(tmp_path: Path) -> None:
    lines = raisins().splitlines()
    for number in (4, 9):
        lines[number - 1] = lines[number - 1].replace(lines[number - 1].split(",")[0], "12,5x", 1)
        lines[number - 1] = lines[number - 1].replace("12,5x", '"12,5x"')
    run = trained(queued(stored(tmp_path, "\n".join(lines), "bad.csv")))
    assert run.state == "failed"
    assert run.message.startswith("line 4, column Area: expected a number, got '12,5x'")
    assert [(p["row"], p["column"], p["value"]) for p in run.problems] == [
        (4, "Area", "'12,5x'"),
        (9, "Area", "'12,5x'"),
    ]


def test_a_dataset_that_cannot_be_read_fails_the_training(tmp_path: Path) -> None:
    run = trained(queued(stored(tmp_path, "a,b\n1,2\n3\n"), target="b", positive=""))
    assert (run.state, run.problems[0]["row"]) == ("failed", 3)
    assert run.message == "line 3: 1 cells, but the header has 2"


def test_a_target_of_one_class_fails(tmp_path: Path) -> None:
    run = trained(queued(stored(tmp_path, "a,b\n1,x\n2,x\n"), target="b", positive=""))
    assert run.state == "failed"
    assert 'the target "b" needs at least 2 classes' in run.message


def test_trees_want_a_dataset_that_fits_into_memory(dataset: Dataset, settings: Any) -> None:
    settings.RAISIN_IN_MEMORY_BYTES = 1_000
    run = trained(queued(dataset, algorithm="random_forest"))
    assert run.state == "failed"
    assert "1,000 bytes that trees are grown from" in run.message


def test_a_larger_one_is_trained_by_pieces(dataset: Dataset, settings: Any) -> None:
    settings.RAISIN_IN_MEMORY_BYTES = 1_000
    run = trained(queued(dataset))
    assert (run.state, run.dataset_sha256) == ("finished", dataset.sha256), run.message
    assert run.has_model


def test_a_run_without_a_dataset_fails(dataset: Dataset) -> None:
    run = queued(dataset)
    Run.objects.update(dataset=None)
    assert trained(run).message == "The run has no dataset to train on."


def test_an_ended_one_is_left_alone(dataset: Dataset) -> None:
    run = trained(queued(dataset))
    before = run.ended_at
    assert trained(run).ended_at == before


def test_by_pieces_bad_cells_are_told_too(tmp_path: Path, settings: Any) -> None:
    settings.RAISIN_IN_MEMORY_BYTES = 1_000
    lines = raisins().splitlines()
    lines[8] = "x" + lines[8]
    run = trained(queued(stored(tmp_path, "\n".join(lines), "bad.csv")))
    assert (run.state, run.problems[0]["column"]) == ("failed", "Area")
    assert run.message.startswith("bad.csv, line 9, column Area: expected a number")
