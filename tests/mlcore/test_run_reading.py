"""Runs read back from folders: what a crash leaves is understood, and what is broken is named."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlcore import run_folder, run_reading
from mlcore.errors import DataError
from mlcore.run_folder import (
    DatasetSpec,
    MetricPoint,
    ModelReport,
    Process,
    RunFolder,
    metric_line,
    this_process,
    write_run,
)
from mlcore.run_reading import find_runs, list_runs, read_run

THEN = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


def stored(root: Path, number: int = 1, **facts: Any) -> RunFolder:
    """Return a run whose folder is written below the root."""
    identity = f"{number:032x}"
    path = root / "raisin" / "runs" / identity
    path.mkdir(parents=True)
    known: dict[str, Any] = {
        "path": path,
        "id": identity,
        "name": f"run {number}",
        "experiment": "raisin",
        "state": "finished",
        "started_at": THEN + timedelta(minutes=number),
        "ended_at": THEN + timedelta(hours=number),
        "message": "converged",
        "versions": {"python": "3.12"},
        "process": Process("elsewhere", 7, "11"),
        "dataset": DatasetSpec("grains", "a" * 64, 900, 7, True),
        "model": ModelReport("newton", True, 6, "b" * 64),
        "params": {"lambda": "0.01", "Käse": ""},
        "tags": {"author": "dana\nana"},
        "metrics": (MetricPoint("loss", 1, 0.1, THEN), MetricPoint("loss", 2, 1e-300)),
    }
    run = RunFolder(**known | facts)
    write_run(run)
    return run


def test_it_works(tmp_path: Path) -> None:
    run = stored(tmp_path)
    assert read_run(run.path) == run
    assert read_run(str(run.path)).artifacts == run.path / "artifacts"


def test_what_a_run_does_not_have_stays_empty(tmp_path: Path) -> None:
    empty = {"ended_at": None, "process": None, "dataset": DatasetSpec(), "model": ModelReport()}
    run = stored(tmp_path, **empty, message="", versions={}, params={}, tags={}, metrics=())
    assert read_run(run.path) == run


texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
keys = st.text(st.characters(codec="utf-8", min_codepoint=33), min_size=1, max_size=20).filter(
    str.strip
)
points = st.builds(
    MetricPoint,
    keys,
    st.integers(0, 2**31 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.none() | st.datetimes(timezones=st.just(UTC)),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    params=st.dictionaries(keys, texts),
    tags=st.dictionaries(keys, texts),
    metrics=st.lists(points, unique_by=lambda point: (point.name, point.step)),
)
def test_whatever_is_written_is_read_back(
    tmp_path: Path, params: dict[str, str], tags: dict[str, str], metrics: list[MetricPoint]
) -> None:
    """Property: writing and reading are inverse, to the last bit of a metric."""
    shutil.rmtree(tmp_path / "raisin", ignore_errors=True)
    run = stored(tmp_path, params=params, tags=tags, metrics=tuple(metrics))
    assert read_run(run.path) == run


@pytest.mark.parametrize("end", range(1, 61, 7))
def test_a_torn_last_line_is_left_out(tmp_path: Path, end: int) -> None:
    run = stored(tmp_path)
    line = metric_line(MetricPoint("loss", 3, 0.5, THEN)).encode()
    assert end < len(line)
    with (run.path / "metrics.jsonl").open("ab") as file:
        file.write(line[:end])
    assert read_run(run.path).metrics == run.metrics


def test_a_last_line_that_lacks_its_end_alone_counts(tmp_path: Path) -> None:
    run = stored(tmp_path)
    path = run.path / "metrics.jsonl"
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    assert read_run(run.path).metrics == run.metrics


@pytest.mark.parametrize(
    "line",
    [
        b'{"name": "loss", "st', b"", b"[]", b"7", b"\xff", b"\x00\x00", b'{"name": "loss", "step": 1}',
        b'{"name": "loss", "step": 1, "value": NaN}', b'{"name": "", "step": 1, "value": 1}',
        b'{"name": "loss", "step": -1, "value": 1}', b'{"name": "loss", "step": 1, "value": "1"}',
        b'{"name": "loss", "step": 1, "value": 1, "at": "noon"}',
        b'{"name": "loss", "step": 1, "value": 1, "at": "2026-11-02T09:00:00"}', b"[" * 100_000,
    ],
)  # fmt: skip
def test_any_other_broken_line_is_named(tmp_path: Path, line: bytes) -> None:
    run = stored(tmp_path)
    path = run.path / "metrics.jsonl"
    path.write_bytes(line + b"\n" + path.read_bytes())
    with pytest.raises(DataError, match=r"metrics\.jsonl, line 1: "):
        read_run(run.path)


def changed(**facts: object) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda document: document | facts


def without(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda document: {key: value for key, value in document.items() if key != name}


@pytest.mark.parametrize(
    "change",
    [
        changed(format="mlflow"), changed(format_version=2), changed(id="../x"), changed(id=7),
        changed(name=""), changed(name="x" * 121), changed(experiment="a\nb"), changed(experiment=None),
        changed(state="done"), changed(state=[]), changed(started_at="noon"), changed(started_at=None),
        changed(started_at="2026-11-02T09:00:00"), changed(started_at="0001-01-01T00:00:00+14:00"),
        changed(ended_at="9999-12-31T23:59:59-12:00"), changed(ended_at=7), changed(message="\x00"),
        changed(message=None), changed(versions=[]), changed(process=[]), changed(process={"pid": 1}),
        changed(process={"host": "x", "pid": 2**40}), changed(process={"host": "x", "pid": "1"}),
        changed(dataset=None), changed(dataset={"rows": -1}), changed(dataset={"rows": True}),
        changed(dataset={"name": "x" * 201}), changed(dataset={"sha256": "x" * 65}),
        changed(dataset={"features": 1.5}), changed(dataset={"synthetic": 0}), changed(dataset={"odd": 1}),
        changed(model={"solver": "x" * 33}), changed(model={"sha256": "x" * 65}),
        changed(model={"converged": 1}), changed(model={"iterations": 2**31}),
        *map(without, ("format", "id", "name", "experiment", "state", "started_at", "ended_at", "message")),
        *map(without, ("versions", "process", "dataset", "model")),
    ],
)  # fmt: skip
def test_it_refuses_a_run_that_is_not_described_as_runs_are(
    tmp_path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    run = stored(tmp_path)
    path = run.path / "meta.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(DataError):
        read_run(run.path)


@pytest.mark.parametrize("name", ["meta.json", "params.json", "tags.json"])
@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, "\udcff"])
def test_it_names_the_file_that_is_no_json_object(tmp_path: Path, name: str, text: str) -> None:
    run = stored(tmp_path)
    (run.path / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=name):
        read_run(run.path)


@pytest.mark.parametrize("name", ["params.json", "tags.json"])
@pytest.mark.parametrize("document", [{"": "x"}, {"x" * 251: "x"}, {"a": 1}, {"a": "\x00"}])
def test_it_refuses_texts_that_cannot_be_kept(
    tmp_path: Path, name: str, document: dict[str, object]
) -> None:
    run = stored(tmp_path)
    (run.path / name).write_text(json.dumps(document))
    with pytest.raises(DataError, match="parameter|tag"):
        read_run(run.path)


@pytest.mark.parametrize("name", ["meta.json", "params.json", "tags.json", "metrics.jsonl"])
def test_it_names_a_missing_file(tmp_path: Path, name: str) -> None:
    run = stored(tmp_path)
    (run.path / name).unlink()
    with pytest.raises(DataError, match=f"cannot read {name}"):
        read_run(run.path)


def test_it_follows_no_link_and_waits_for_no_pipe(tmp_path: Path) -> None:
    run = stored(tmp_path)
    path = run.path / "tags.json"
    path.rename(tmp_path / "elsewhere.json")
    path.symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(DataError, match=r"cannot read tags\.json"):
        read_run(run.path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DataError, match="not a regular file"):
        read_run(run.path)


def test_it_bounds_what_it_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = stored(tmp_path)
    monkeypatch.setattr(run_reading, "LARGEST_FILE", 100)
    with pytest.raises(DataError, match="of at most 100 bytes"):
        read_run(run.path)


def running(root: Path, process: Process | None) -> str:
    return read_run(stored(root, state="running", process=process).path).state


def test_a_run_is_running_while_its_process_lives(tmp_path: Path) -> None:
    assert running(tmp_path, this_process()) == "running"


def test_of_another_machine_nothing_can_be_told(tmp_path: Path) -> None:
    assert running(tmp_path, replace(this_process(), host="elsewhere", pid=2**22)) == "running"
    shutil.rmtree(tmp_path / "raisin")
    assert running(tmp_path, None) == "running"


def test_a_process_that_is_gone_left_an_interrupted_run(tmp_path: Path) -> None:
    above_all = int(Path("/proc/sys/kernel/pid_max").read_text()) + 1
    assert running(tmp_path, replace(this_process(), pid=above_all)) == "interrupted"


def test_a_later_process_of_the_same_number_is_another(tmp_path: Path) -> None:
    assert running(tmp_path, replace(this_process(), started="1")) == "interrupted"


def test_a_process_of_somebody_else_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    assert running(tmp_path, this_process()) == "running"


def test_without_proc_the_number_alone_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hidden(*_: object, **__: object) -> str:
        raise FileNotFoundError

    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(Path, "read_text", hidden)
        assert this_process().started == ""
        assert running(tmp_path, this_process()) == "running"


def test_a_run_that_ends_while_it_is_read_is_not_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = stored(tmp_path, state="running", process=replace(this_process(), started="1"))

    def ends(process: Process) -> bool:
        write_run(replace(run, state="finished"))
        return run_folder.is_gone(process)

    monkeypatch.setattr(run_reading, "is_gone", ends)
    assert read_run(run.path).state == "finished"


def test_runs_are_listed_newest_first(tmp_path: Path) -> None:
    runs = [stored(tmp_path, number) for number in (1, 3, 2)]
    assert [run.name for run in list_runs(tmp_path)] == ["run 3", "run 2", "run 1"]
    assert list_runs(tmp_path / "raisin") == list_runs(tmp_path)
    assert list_runs(runs[0].path) == (runs[0],)


def test_a_broken_run_is_warned_about_and_left_out(tmp_path: Path) -> None:
    good, bad = stored(tmp_path, 1), stored(tmp_path, 2)
    (bad.path / "meta.json").unlink()
    with pytest.warns(UserWarning, match=rf"left out {bad.path}: cannot read meta\.json"):
        assert list_runs(tmp_path) == (good,)


def test_files_and_drafts_among_runs_are_no_runs(tmp_path: Path) -> None:
    run = stored(tmp_path)
    (run.path.parent / "notes.txt").write_text("")
    (run.path.parent / f".{run.id}.draft").mkdir()
    assert find_runs(tmp_path) == (run.path,)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert find_runs(empty) == ()


def test_it_refuses_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no folder"):
        find_runs(tmp_path / "nowhere")
