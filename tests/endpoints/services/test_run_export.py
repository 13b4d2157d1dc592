"""Runs go out to folders, and come back equal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from endpoints.errors import Conflict, InvalidRequest, NotFound
from endpoints.models import Run
from endpoints.services import run_contents
from endpoints.services.run_folders import export_run
from mlcore.tracking import read_run
from tests import cast
from tests.endpoints.services.folders import (
    edit,
    facts,
    failed,
    files_below,
    forget,
    outcomes,
    rewrite,
    tracked,
)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("spec", [{}, {"solver": "gd", "epochs": 5}])
def test_export_and_import_give_an_equal_run(tmp_path: Path, spec: dict[str, Any]) -> None:
    run = cast.trained_run(name="ours: 100 % <b>", **spec)
    before = facts(run)
    result = export_run(run.pk, tmp_path)
    assert (result.outcome, result.path) == ("exported", tmp_path / "raisin" / "runs" / run.pk)
    forget(run)
    assert outcomes(tmp_path) == ["imported"]
    after = facts(Run.objects.get())
    assert after | {"experiment_id": 0} == before | {"experiment_id": 0}
    assert Run.objects.get().experiment.name == "raisin"


def test_import_and_export_give_an_equal_folder(tmp_path: Path) -> None:
    folder = tracked(tmp_path / "in")
    assert outcomes(tmp_path / "in") == ["imported"]
    written = read_run(export_run(folder.id, tmp_path / "out").path)
    for name in (*run_contents.COMPARED, "experiment", "id"):
        assert getattr(written, name) == getattr(folder, name)
    values = [{(p.name, p.step): p.value for p in run.metrics} for run in (written, folder)]
    assert values[0] == values[1]
    assert files_below(written.artifacts) == files_below(folder.artifacts)
    name = "train_profile.json"
    assert (written.path / name).read_bytes() == (folder.path / name).read_bytes()


def test_exporting_again_changes_nothing(tmp_path: Path) -> None:
    run = cast.trained_run()
    assert export_run(run.pk, tmp_path).outcome == "exported"
    before = files_below(tmp_path)
    assert export_run(run.pk, tmp_path).outcome == "unchanged"
    assert files_below(tmp_path) == before


def test_it_overwrites_no_folder_with_another_run(tmp_path: Path) -> None:
    run = cast.trained_run()
    path = export_run(run.pk, tmp_path).path
    edit(path / "tags.json", mine="yes")
    with pytest.raises(Conflict, match="with other tags"):
        export_run(run.pk, tmp_path)


def test_a_failed_run_can_be_exported(tmp_path: Path) -> None:
    folder = failed(tmp_path / "in")
    assert outcomes(tmp_path / "in") == ["imported"]
    path = export_run(folder.id, tmp_path / "out").path
    assert read_run(path).message == "diverged"
    assert not (path / "train_profile.json").exists()
    assert list((path / "artifacts").iterdir()) == []


@pytest.mark.parametrize("name", ["a/b", "..", "CON", "what: 100 %?", "Ж" * 120])
def test_any_experiment_has_a_folder(tmp_path: Path, name: str) -> None:
    run = cast.trained_run(experiment=name)
    path = export_run(run.pk, tmp_path / "out").path
    assert path.is_relative_to(tmp_path / "out")
    assert path.parent.parent.name.startswith("experiment-")
    assert read_run(path).experiment == name
    forget(run)
    assert outcomes(tmp_path / "out") == ["imported"]
    assert Run.objects.get().experiment.name == name


def test_a_running_run_is_not_exported(tmp_path: Path) -> None:
    run = cast.trained_run()
    Run.objects.update(state="running")
    with pytest.raises(InvalidRequest, match="still running"):
        export_run(run.pk, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_run_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="There is no run"):
        export_run("0" * 32, tmp_path)


def test_a_damaged_model_is_not_exported(tmp_path: Path) -> None:
    run = cast.trained_run()
    rewrite(run_contents.files_of(run) / "model" / "model.json", old=b"Kecimen", new=b"Kecimer")
    with pytest.raises(Exception, match="SHA-256"):
        export_run(run.pk, tmp_path)
    assert files_below(tmp_path) == {}


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    run = cast.trained_run()
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidRequest, match="cannot be written"):
        export_run(run.pk, tmp_path / "file")
