"""The file tracker: what is logged is in the folder, however the run ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mlcore.tracking
from mlcore import TrainingResult, artifact, read_csv
from mlcore.errors import ArtifactError, DataError
from mlcore.model_card import model_card_json
from mlcore.profile import Profile
from mlcore.tracking import TrackedRun, list_runs, read_run, start_run

THEN = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


class Ticking:
    """A clock that moves on by so many seconds whenever it is read."""

    def __init__(self, seconds: float) -> None:
        self.now, self.step = THEN, timedelta(seconds=seconds)

    def __call__(self) -> datetime:
        self.now += self.step
        return self.now


@pytest.fixture
def run(tmp_path: Path) -> TrackedRun:
    return start_run(tmp_path, experiment="raisin", name="first", clock=Ticking(1))


def content(run: TrackedRun, name: str) -> Any:
    return json.loads((run.path / name).read_text(encoding="utf-8"))


def test_it_works(tmp_path: Path) -> None:
    with start_run(tmp_path, experiment="raisin", name="first", clock=Ticking(10)) as run:
        run.log_params({"lambda": 0.01, "columns": None})
        run.log_param("solver", "newton")
        run.log_metric("loss", 0.5, step=1)
        run.log_metrics({"loss": 0.25, "accuracy": np.float64(0.875)}, step=2)
        run.set_tag("author", "dana")
        run.set_tags({"author": "ana", "reviewed": True})
    assert run.path == tmp_path / "raisin" / "runs" / run.id
    found = read_run(run.path)
    assert (found.id, found.name, found.experiment) == (run.id, "first", "raisin")
    assert (found.state, found.message) == ("finished", "")
    assert found.started_at == THEN + timedelta(seconds=10)
    assert found.ended_at == THEN + timedelta(seconds=40)
    assert found.params == {"lambda": "0.01", "columns": "", "solver": "newton"}
    assert found.tags == {"author": "ana", "reviewed": "True"}
    assert [(p.name, p.step, p.value) for p in found.metrics] == [
        ("loss", 1, 0.5), ("loss", 2, 0.25), ("accuracy", 2, 0.875),
    ]  # fmt: skip
    assert found.metrics[0].at == THEN + timedelta(seconds=20)


def test_its_id_and_default_name_tell_runs_apart(tmp_path: Path) -> None:
    first, second = start_run(tmp_path), start_run(tmp_path)
    assert len(first.id) == 32
    assert int(first.id, 16) != int(second.id, 16)
    first.finish()
    assert read_run(first.path).name == f"run {first.id[:8]}"
    assert read_run(first.path).experiment == "default"
    second.finish()


def test_the_versions_and_the_process_are_known(run: TrackedRun) -> None:
    found = read_run(run.path)
    assert found.state == "running"
    assert found.versions["numpy"] == np.__version__
    assert set(found.versions) == {"mlcore", "numpy", "python"}
    assert found.process is not None
    assert found.process.pid == os.getpid()


def test_its_files_are_all_there_from_the_start(run: TrackedRun) -> None:
    assert {path.name for path in run.path.iterdir()} == {
        "artifacts", "meta.json", "metrics.jsonl", "params.json", "tags.json",
    }  # fmt: skip
    assert [path.name for path in run.path.parent.iterdir()] == [run.id]


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_exception_fails_the_run_and_goes_on(run: TrackedRun, kind: type[BaseException]) -> None:
    with pytest.raises(kind, match="no luck"), run:
        run.log_metric("loss", 0.5)
        raise kind("no luck")
    found = read_run(run.path)
    assert (found.state, found.message) == ("failed", f"{kind.__name__}: no luck")
    assert found.ended_at is not None
    assert len(found.metrics) == 1


def test_an_exception_without_words_is_named(run: TrackedRun) -> None:
    with pytest.raises(KeyboardInterrupt), run:
        raise KeyboardInterrupt
    assert read_run(run.path).message == "KeyboardInterrupt"


def test_a_run_that_cannot_be_closed_does_not_hide_the_exception(
    run: TrackedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(ValueError, match="no luck") as raised, run:
        monkeypatch.setattr(os, "fsync", full)
        raise ValueError("no luck")
    assert "No space left" in raised.value.__notes__[0]


def test_the_first_end_counts(run: TrackedRun) -> None:
    with run:
        run.fail("diverged")
        run.finish()
    found = read_run(run.path)
    assert (found.state, found.message) == ("failed", "diverged")


def actions() -> dict[str, Callable[[TrackedRun], None]]:
    return {
        "param": lambda run: run.log_param("a", 1),
        "tag": lambda run: run.set_tag("a", "b"),
        "metric": lambda run: run.log_metric("a", 1.0),
        "text": lambda run: run.log_text("a", "a.txt"),
        "file": lambda run: run.log_artifact(__file__),
    }


@pytest.mark.parametrize("name", actions())
def test_it_refuses_to_log_after_the_end(run: TrackedRun, name: str) -> None:
    run.finish()
    with pytest.raises(DataError, match="has finished; start a new one"):
        actions()[name](run)


def test_a_parameter_is_what_it_is(run: TrackedRun) -> None:
    run.log_param("lambda", 0.01)
    run.log_param("lambda", "0.01")
    with pytest.raises(DataError, match="\"lambda\" is '0.01' and cannot become '0.1'"):
        run.log_params({"epochs": 5, "lambda": 0.1})
    assert content(run, "params.json") == {"lambda": "0.01"}


def test_it_refuses_a_metric_that_is_no_number_and_keeps_none_of_its_step(run: TrackedRun) -> None:
    with pytest.raises(DataError, match='the metric "auc" is nan'):
        run.log_metrics({"loss": 0.5, "auc": float("nan")}, step=3)
    assert read_run(run.path).metrics == ()


def test_the_later_value_of_a_step_counts(run: TrackedRun) -> None:
    for value in (0.5, 0.25):
        run.log_metric("loss", value, step=1)
    assert [point.value for point in read_run(run.path).metrics] == [0.25]


@pytest.mark.parametrize(
    ("experiment", "name"), [("../up", "x"), ("a/b", "x"), ("CON", "x"), ("ok", "x" * 121)]
)
def test_it_refuses_names_before_it_writes(tmp_path: Path, experiment: str, name: str) -> None:
    with pytest.raises(DataError):
        start_run(tmp_path / "runs", experiment=experiment, name=name)
    assert list(tmp_path.iterdir()) == []


def test_it_refuses_a_root_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(DataError, match="cannot make the folder"):
        start_run(tmp_path / "runs")


def test_it_refuses_a_clock_without_a_zone(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="without a zone"):
        start_run(tmp_path, clock=lambda: THEN.replace(tzinfo=None))


def test_it_keeps_files_texts_and_documents(run: TrackedRun, tmp_path: Path) -> None:
    source = tmp_path / "notes"
    (source / "deep").mkdir(parents=True)
    (source / "a.txt").write_text("a")
    (source / "deep" / "b.bin").write_bytes(b"\x00\xff")
    run.log_text("Käse", "said.txt")
    run.log_json({"b": [1, None]}, "facts/one.json")
    run.log_artifact(source / "a.txt")
    run.log_artifact(source / "a.txt", "other/name.txt")
    run.log_artifact(str(source))
    kept = run.path / "artifacts"
    assert {p.relative_to(kept).as_posix() for p in kept.rglob("*") if p.is_file()} == {
        "said.txt", "facts/one.json", "a.txt", "other/name.txt", "notes/a.txt", "notes/deep/b.bin",
    }  # fmt: skip
    assert (kept / "said.txt").read_text(encoding="utf-8") == "Käse"
    assert content(run, "artifacts/facts/one.json") == {"b": [1, None]}
    assert (kept / "notes" / "deep" / "b.bin").read_bytes() == b"\x00\xff"


def test_a_file_logged_again_is_replaced(run: TrackedRun) -> None:
    for text in ("one", "two"):
        run.log_text(text, "said.txt")
    assert (run.path / "artifacts" / "said.txt").read_text() == "two"


@pytest.mark.parametrize(
    "name", ["../out.txt", "/etc/x", "a/../../b", "model/model.json", "holdout.csv"]
)
def test_it_refuses_files_elsewhere_and_where_the_model_goes(run: TrackedRun, name: str) -> None:
    with pytest.raises(DataError):
        run.log_text("x", name)
    assert list((run.path / "artifacts").iterdir()) == []


def test_half_a_character_is_refused_by_the_name_of_its_file(run: TrackedRun) -> None:
    with pytest.raises(DataError, match=r"the text for said\.txt holds a lone surrogate"):
        run.log_text("\ud800", "said.txt")


def test_it_refuses_what_json_has_no_form_for(run: TrackedRun) -> None:
    loop: list[object] = []
    loop.append(loop)
    for document in ({"a": float("nan")}, {1, 2}, loop, "\ud800"):
        with pytest.raises(DataError, match=r"a\.json cannot be written as JSON"):
            run.log_json(document, "a.json")


def test_it_refuses_missing_files_and_links(run: TrackedRun, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot write"):
        run.log_artifact(tmp_path / "nothing.txt")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to("/etc/passwd")
    with pytest.raises(DataError, match="is a link"):
        run.log_artifact(folder)
    assert list((run.path / "artifacts").iterdir()) == []


def test_it_keeps_the_model_with_all_that_serving_it_asks_for(
    run: TrackedRun, trained: TrainingResult
) -> None:
    with run:
        run.log_model(trained)
    found = read_run(run.path)
    classifier = artifact.load(run.path / "artifacts" / "model", sha256=found.model.sha256)
    assert classifier.schema == trained.classifier.schema
    assert found.model.solver == trained.report.solver
    assert (found.model.converged, found.model.iterations) == (True, trained.report.iterations)
    assert found.message == trained.report.message
    assert found.dataset.name == "raisin-synthetic"
    assert found.dataset.sha256 == trained.dataset_sha256
    assert (found.dataset.rows, found.dataset.features) == (900, 7)
    assert found.dataset.synthetic is True
    holdout = read_csv(run.path / "artifacts" / "holdout.csv")
    assert (holdout.header, holdout.rows) == (trained.holdout.header, trained.holdout.rows)
    profile = Profile.from_dict(content(run, "train_profile.json"))
    assert profile == trained.classifier.profile


def test_its_model_has_a_card(run: TrackedRun, trained: TrainingResult) -> None:
    run.log_model(trained)
    card = content(run, "artifacts/model/model_card.json")
    assert card == json.loads(model_card_json(trained.classifier, trained.provenance))


def test_a_model_may_be_trained_elsewhere(run: TrackedRun, trained: TrainingResult) -> None:
    solver = {"name": "by hand", "iterations": 0, "decrement": None, "message": "made up"}
    provenance = replace(trained.provenance, solver=solver, rows={"train": 10, "validation": 0})
    run.log_classifier(trained.classifier, provenance, dataset="x" * 300)
    found = read_run(run.path)
    assert (found.model.solver, found.model.iterations) == ("by hand", 0)
    assert (found.message, found.dataset.rows) == ("made up", 10)
    assert found.dataset.name == "x" * 200
    assert not (run.path / "artifacts" / "holdout.csv").exists()


def test_a_run_has_one_model(
    run: TrackedRun, trained: TrainingResult, trained_mixed: TrainingResult
) -> None:
    run.log_model(trained)
    run.log_model(trained)
    with pytest.raises(ArtifactError, match="already holds another bundle"):
        run.log_model(trained_mixed)
    sha256 = read_run(run.path).model.sha256
    assert artifact.load(run.path / "artifacts" / "model", sha256=sha256)


def test_it_keeps_all_of_a_training(run: TrackedRun, trained: TrainingResult) -> None:
    run.log_training(trained)
    found = read_run(run.path)
    assert (found.params["lambda_"], found.params["threshold"]) == ("0.01", "0.5")
    assert found.params["columns"].startswith("Area, MajorAxisLength")
    assert "lr" not in found.params
    assert found.tags == {"dataset": "raisin-synthetic"}
    values = {(point.name, point.step): point.value for point in found.metrics}
    assert values["validation_accuracy", 0] == trained.validation.accuracy
    assert values["train_log_loss", 0] == trained.train.log_loss
    last = trained.report.history[-1]
    assert values["epoch_train_loss", last.number] == last.train_loss


def test_what_was_not_measured_has_no_point(run: TrackedRun, trained: TrainingResult) -> None:
    blind = tuple(replace(row, validation_loss=None) for row in trained.report.history)
    run.log_training(replace(trained, report=replace(trained.report, history=blind)))
    names = {point.name for point in read_run(run.path).metrics}
    assert "epoch_validation_loss" not in names
    assert "epoch_train_loss" in names


def test_gradient_descent_has_its_own_settings(run: TrackedRun) -> None:
    spec = mlcore.TrainingSpec(target="Class", solver="gd", epochs=3)
    with pytest.warns(mlcore.NotConvergedWarning):
        result = mlcore.train(spec, mlcore.synthetic_raisin())
    run.log_training(result)
    found = read_run(run.path)
    assert (found.params["lr"], found.params["epochs"]) == ("0.01", "3")
    assert found.model.converged is False


def test_a_failed_run_keeps_the_reason_and_not_the_solvers_word(
    run: TrackedRun, trained: TrainingResult
) -> None:
    run.log_model(trained)
    run.fail("the reviewer said no")
    assert read_run(run.path).message == "the reviewer said no"


def test_metrics_are_synced_once_a_second_and_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start_run(tmp_path, clock=Ticking(0.4))
    file = run.path / "metrics.jsonl"
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda _: synced.append(len(file.read_text().splitlines())))
    for step in range(7):
        run.log_metric("loss", 0.5, step)
    assert synced == [3, 6]
    run.finish()
    assert synced[2] == 7


def test_a_clock_that_goes_back_syncs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = start_run(tmp_path, clock=Ticking(-60))
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    run.log_metric("loss", 0.5)
    assert len(synced) == 1


def test_a_full_disk_leaves_no_half_line(run: TrackedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for the file writes half of what it is given, or refuses, as a full disk does."""
    run.log_metric("loss", 0.5, 1)
    real = run._metrics._file

    class Half:
        seek, truncate, fileno = real.seek, real.truncate, real.fileno

        def write(self, lines: bytes) -> int:
            return int(real.write(lines[: len(lines) // 2]) or 0)

    class Refusing(Half):
        def write(self, lines: bytes) -> int:
            raise OSError(27, "File too large")

    for stand_in, reason in ((Half(), "the disk is full"), (Refusing(), "File too large")):
        monkeypatch.setattr(run._metrics, "_file", stand_in)
        with pytest.raises(DataError, match=reason):
            run.log_metric("loss", 0.25, 2)
    monkeypatch.setattr(run._metrics, "_file", real)
    run.log_metric("loss", 0.125, 3)
    assert [point.step for point in read_run(run.path).metrics] == [1, 3]


def test_a_file_that_cannot_be_replaced_keeps_what_it_had(
    run: TrackedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.log_param("a", 1)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", full)
        with pytest.raises(DataError, match=r"cannot write .*params\.json.*No space left"):
            run.log_param("b", 2)
    assert content(run, "params.json") == {"a": "1"}
    assert not list(run.path.glob(".*"))
    run.log_param("c", 3)
    assert content(run, "params.json") == {"a": "1", "c": "3"}


def test_threads_may_share_a_run(run: TrackedRun) -> None:
    def log(number: int) -> None:
        for step in range(50):
            run.log_metric(f"loss_{number}", step / 64, step)
            if step % 10 == 0:
                run.log_param(f"{number}_{step}", step)

    threads = [threading.Thread(target=log, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run.finish()
    found = read_run(run.path)
    assert len(found.metrics) == 200
    assert len(found.params) == 20


def test_the_guides_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guide = (Path(__file__).parent.parent.parent / "docs" / "guide.md").read_text(encoding="utf-8")
    section = guide.partition("## Track without a server")[2]
    example = section.partition("```python")[2].partition("```")[0]
    monkeypatch.chdir(tmp_path)
    rows = [f"{i % 7},{'yes' if i % 3 else 'no'}" for i in range(40)]
    Path("churn.csv").write_text("\n".join(["calls,left", *rows]))
    Path("notes.md").write_text("all is well")
    exec(compile(example, "guide.md", "exec"), {})
    (found,) = list_runs("runs")
    assert (found.state, found.experiment, found.tags["author"]) == ("finished", "churn", "dana")
    assert (found.artifacts / "notes.md").read_text() == "all is well"


WRITER = """
import sys
from mlcore.tracking import start_run
with start_run(sys.argv[1], experiment="raisin", name=sys.argv[2]) as run:
    run.log_param("who", sys.argv[2])
    for step in range(int(sys.argv[3])):
        run.log_metric("loss", 1 / (step + 1), step)
        if step == 200:
            print(run.id, flush=True)
"""


def start_writer(root: Path, name: str, steps: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(root), name, str(steps)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_killed_process_loses_nothing_that_it_logged(tmp_path: Path) -> None:
    with start_writer(tmp_path, "killed", 10**9) as writer:
        assert writer.stdout is not None
        identity = writer.stdout.readline().strip()
        folder = tmp_path / "raisin" / "runs" / identity
        assert read_run(folder).state == "running"
        writer.send_signal(signal.SIGKILL)
    found = read_run(folder)
    assert (found.state, found.ended_at) == ("interrupted", None)
    assert found.params == {"who": "killed"}
    assert len(found.metrics) > 200
    assert [point.step for point in found.metrics] == list(range(len(found.metrics)))
    assert found.metrics[-1].value == 1 / len(found.metrics)


def test_a_killed_process_that_nobody_waited_for_is_no_writer(tmp_path: Path) -> None:
    with start_writer(tmp_path, "killed", 10**9) as writer:
        assert writer.stdout is not None
        folder = tmp_path / "raisin" / "runs" / writer.stdout.readline().strip()
        writer.kill()
        os.waitid(os.P_PID, writer.pid, os.WEXITED | os.WNOWAIT)
        assert read_run(folder).state == "interrupted"


def test_processes_write_below_the_same_experiment(tmp_path: Path) -> None:
    writers = [start_writer(tmp_path, name, 300) for name in ("one", "two")]
    for writer in writers:
        writer.communicate()
    found = list_runs(tmp_path)
    assert {run.params["who"] for run in found} == {"one", "two"}
    assert [(run.state, len(run.metrics)) for run in found] == [("finished", 300)] * 2


def test_a_device_is_no_file_to_keep(tmp_path: Path) -> None:
    with start_run(tmp_path) as run, pytest.raises(DataError, match="neither a file nor a folder"):
        run.log_artifact("/dev/zero")
