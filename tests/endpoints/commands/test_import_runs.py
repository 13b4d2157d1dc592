"""`manage.py import_runs`: what came in, what did not and why; the exit code says if all is well."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from endpoints.models import Run
from mlcore.tracking import start_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a failed run and one that still runs."""
    start_run(tmp_path, experiment="grains", name="ended").fail("diverged")
    start_run(tmp_path, experiment="grains", name="running")
    return tmp_path


def imported(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    call_command("import_runs", *arguments, "--json")
    facts = json.loads(capsys.readouterr().out)
    assert isinstance(facts, dict)
    return facts


def test_it_works(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = imported(capsys, str(root))
    run = Run.objects.get()
    assert facts["directory"] == str(root)
    assert facts["imported"] == [
        {"run_id": run.pk, "path": str(root / "grains" / "runs" / run.pk), "reason": ""}
    ]
    assert "still running" in facts["skipped"][0]["reason"]
    assert (facts["unchanged"], facts["changed"], facts["broken"]) == ([], [], [])


def test_the_second_time_it_says_that_nothing_changed(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = imported(capsys, str(root))
    second = imported(capsys, str(root), "--experiment", "another")
    assert second["imported"] == []
    assert second["unchanged"] == first["imported"]
    assert Run.objects.get().experiment.name == "grains"


def test_it_takes_an_experiment(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    imported(capsys, str(root), "--experiment", "laptop")
    assert Run.objects.get().experiment.name == "laptop"


@pytest.mark.parametrize("outcome", ["broken", "changed"])
def test_it_fails_where_a_run_is_broken_or_changed(
    root: Path, capsys: pytest.CaptureFixture[str], outcome: str
) -> None:
    imported(capsys, str(root))
    run = Run.objects.get()
    tags = root / "grains" / "runs" / run.pk / "tags.json"
    tags.write_text("{" if outcome == "broken" else '{"new": "tag"}')
    with pytest.raises(CommandError, match="1 of the runs"):
        call_command("import_runs", str(root), "--json")
    facts = json.loads(capsys.readouterr().out)
    assert facts[outcome][0]["path"] == str(tags.parent)
    assert len(facts["skipped"]) == 1


def test_it_says_the_result_to_a_person(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("import_runs", str(root))
    said = capsys.readouterr().out
    assert "1 imported, 0 unchanged, 1 skipped, 0 changed, 0 broken" in said
    assert "still running" in said


def test_it_refuses_a_folder_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CommandError, match="there is no folder"):
        call_command("import_runs", str(tmp_path / "nowhere"), "--json")
    assert json.loads(capsys.readouterr().out)["code"] == "data_error"
