"""Broken and hostile folders are named; nothing of them comes in, and nothing by halves."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError

from endpoints.models import Experiment, Run
from endpoints.services import run_contents, run_folders
from endpoints.services.run_folders import ImportResult, import_all
from mlcore.errors import DataError
from tests.endpoints.services.folders import (
    edit,
    failed,
    files_below,
    only,
    outcomes,
    rewrite,
    tracked,
)

pytestmark = pytest.mark.django_db


def other_model(path: Path) -> None:
    other = tracked(path.parent.parent.parent.parent / "other", lambda_=1.0)
    shutil.rmtree(path / "artifacts" / "model")
    shutil.copytree(other.artifacts / "model", path / "artifacts" / "model")


def a_link(path: Path) -> None:
    (path / "artifacts" / "link").symlink_to("/etc/passwd")


def a_pipe(path: Path) -> None:
    os.mkfifo(path / "artifacts" / "pipe")


def of_meta(part: str, **changes: Any) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        known = json.loads((path / "meta.json").read_text())[part]
        edit(path / "meta.json", **{part: known | changes})

    return change


@pytest.mark.parametrize(
    ("reason", "spoil"),
    [
        ("cannot read meta.json", lambda path: (path / "meta.json").unlink()),
        ("meta.json is not readable", lambda path: (path / "meta.json").write_text("{")),
        ("metrics.jsonl, line 1", lambda path: rewrite(path / "metrics.jsonl", old=b"{", new=b"[")),
        (
            "SHA256SUMS does not agree",
            lambda path: rewrite(path / "artifacts/model/weights.npz", old=b"PK", new=b"QK"),
        ),
        ("cannot read model.json", lambda path: shutil.rmtree(path / "artifacts" / "model")),
        ("SHA-256 is", other_model),
        ("disagree: converged is True", of_meta("model", converged=False)),
        ("disagree: synthetic is True", of_meta("dataset", synthetic=False)),
        ("disagree: dataset_sha256 is", of_meta("dataset", sha256="0" * 64)),
        ("is a link or a device", a_link),
        ("is a link or a device", a_pipe),
        ("names a device", lambda path: (path / "artifacts" / "NUL.txt").write_text("x")),
    ],
)
def test_a_broken_run_is_named_and_the_rest_comes_in(
    tmp_path: Path, reason: str, spoil: Callable[[Path], None]
) -> None:
    broken, sound = tracked(tmp_path / "runs"), failed(tmp_path / "runs")
    spoil(broken.path)
    results = {result.path: result for result in import_all(tmp_path / "runs")}
    assert results[broken.path].outcome == "broken"
    assert reason in results[broken.path].reason
    assert results[sound.path].outcome == "imported"
    assert list(Run.objects.values_list("pk", flat=True)) == [sound.id]
    assert not run_contents.files_of(Run(pk=broken.id)).exists()


def test_it_refuses_classes_that_the_log_cannot_keep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracked(tmp_path)
    monkeypatch.setattr(run_folders, "LONGEST_CLASS", 4)
    assert "the class 'Kecimen' is longer than 4 characters" in only(tmp_path).reason


@pytest.mark.parametrize(
    ("limit", "value", "reason"),
    [
        ("LARGEST_FILE", 10, "10 is the most"),
        ("LARGEST_RUN", 100, "100 is the most"),
        ("MOST_FILES", 2, "has 7 files; 2 is the most"),
    ],
)
def test_it_bounds_what_it_takes_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, reason: str
) -> None:
    tracked(tmp_path)
    monkeypatch.setattr(run_contents, limit, value)
    assert (only(tmp_path).outcome, Run.objects.count()) == ("broken", 0)
    assert reason in only(tmp_path).reason


def test_it_follows_no_link_to_other_folders(tmp_path: Path) -> None:
    folder = failed(tmp_path)
    folder.artifacts.rmdir()
    folder.artifacts.symlink_to("/etc")
    assert "artifacts is a link" in only(tmp_path).reason
    folder.artifacts.unlink()
    folder.artifacts.write_text("a file")
    assert "cannot read" in only(tmp_path).reason


def test_it_follows_no_link_that_appears_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = failed(tmp_path).artifacts / "notes.txt"
    notes.write_text("x")
    copy = shutil.copyfile

    def exchanged(source: Path, target: Path, **options: Any) -> None:
        source.unlink()
        source.symlink_to("/etc/passwd")
        copy(source, target, **options)

    monkeypatch.setattr(shutil, "copyfile", exchanged)
    result = only(tmp_path)
    assert (result.outcome, Run.objects.count()) == ("broken", 0)
    assert "'notes.txt' is a link" in result.reason


def test_it_names_a_file_that_cannot_be_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (failed(tmp_path).artifacts / "notes.txt").write_text("x")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(shutil, "copyfile", refuse)
    assert "notes.txt: [Errno 13] Permission denied" in only(tmp_path).reason


def test_it_refuses_an_experiment_without_a_usable_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="longer than 120"):
        outcomes(tmp_path, experiment="x" * 121)


def homes() -> list[str]:
    return sorted(path.name for path in run_contents.files_of(Run(pk="x")).parent.iterdir())


def test_all_of_a_run_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracked(tmp_path)
    before = homes()

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(Path, "rename", refuse)
        with pytest.raises(OSError, match="No space left"):
            outcomes(tmp_path)
    assert not Run.objects.exists()
    assert not Experiment.objects.exists()
    assert homes() == before
    assert outcomes(tmp_path) == ["imported"]


def test_files_without_a_run_are_replaced(tmp_path: Path) -> None:
    """As a power cut leaves them between the files and the rows."""
    folder = tracked(tmp_path)
    orphan = run_contents.files_of(Run(pk=folder.id))
    orphan.mkdir(parents=True)
    (orphan / "half.txt").write_text("x")
    assert outcomes(tmp_path) == ["imported"]
    assert files_below(orphan) == files_below(folder.artifacts)


def test_of_two_imports_at_once_one_is_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other import takes place after this one has looked and before it writes."""
    folder = failed(tmp_path)
    insert = run_folders._insert

    def overtaken(*arguments: Any) -> None:
        monkeypatch.setattr(run_folders, "_insert", insert)
        assert outcomes(tmp_path) == ["imported"]
        insert(*arguments)

    monkeypatch.setattr(run_folders, "_insert", overtaken)
    assert only(tmp_path) == ImportResult("unchanged", folder.path, folder.id)
    assert Run.objects.count() == 1


def test_a_refusal_of_the_database_is_no_race(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed(tmp_path)

    def refuse(*_: object) -> None:
        raise IntegrityError("something else")

    monkeypatch.setattr(run_folders, "_insert", refuse)
    with pytest.raises(IntegrityError, match="something else"):
        outcomes(tmp_path)
